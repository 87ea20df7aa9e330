"""Results in; tables, figures and one HTML page out. The room is a verb too: `spectrafit.report(...)` writes them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """A module that can be called: the package's name is that of the verb, and either must be found under it."""

    def __call__(self, *nouns: Any, **options: Any) -> Path:
        """Write a report; see `spectrafit.report.write.write`."""
        from spectrafit.report.write import write

        return write(*nouns, **options)


sys.modules[__name__].__class__ = _Room
