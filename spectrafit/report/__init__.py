"""Results in; tables, figures and one HTML page out. The room is a verb too: `spectrafit.report(...)` writes them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Limit, Profile
    from spectrafit.templates.templates import Templates


class _Room(ModuleType):
    """A module that can be called: the package's name is that of the verb, and either must be found under it."""

    def __call__(
        self,
        directory: str | os.PathLike[str],
        analysis: Analysis,
        templates: Templates,
        best: FitResult,
        limit: Limit,
        *,
        model: Model | None = None,
        profile: Profile | None = None,
        figures: bool = True,
    ) -> Path:
        """Write a report; see `spectrafit.report.write.write`."""
        from spectrafit.report.write import write

        return write(directory, analysis, templates, best, limit, model=model, profile=profile, figures=figures)


sys.modules[__name__].__class__ = _Room
