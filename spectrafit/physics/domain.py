"""Numbers outside the domain of a formula become NaN, without a warning and whatever holds them.

For functions of plain arithmetic, which take scalars, numpy and awkward arrays; compiled ones test their arguments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["not_negative", "positive"]


def not_negative(x: Any) -> Any:
    """Return `x` (array_like) where it is 0 or above and finite, else NaN."""
    with np.errstate(invalid="ignore"):
        return x + 0.0 * np.sqrt(x)


def positive(x: Any) -> Any:
    """Return `x` (array_like) where it is above 0 and finite, else NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return x + 0.0 * np.log(x)
