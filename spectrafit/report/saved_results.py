"""Reads the results that `spectrafit fit` has written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from spectrafit.errors import DataError
from spectrafit.report.layout import LAYOUT

__all__ = ["read_result"]


def read_result(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the content of a `result.json`, or of the one in a folder; `spectrafit.report.layout` describes it.

    Raises
    ------
    DataError
        There is no result, it is damaged, or its layout is of another version.
    """
    target = Path(path)
    target = target / "result.json" if target.is_dir() else target
    try:
        found = json.loads(target.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{target}: {error.strerror}; give the folder of a result that spectrafit fit wrote") from None
    except ValueError as error:
        raise DataError(f"{target}: is no JSON ({error}); give the folder of a result") from None
    layout = found.get("layout") if isinstance(found, dict) else None
    if layout != LAYOUT:
        raise DataError(
            f"{target}: is no result of layout {LAYOUT} (found {'none' if layout is None else layout}); run spectrafit "
            "fit again with this version"
        )
    return dict(found)
