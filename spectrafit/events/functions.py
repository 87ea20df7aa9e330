"""The operators and functions that an expression may use, on columns with a number or a list per entry.

Names are formulate's canonical ones. Adding a function is adding an entry to `FUNCTIONS`.

The logic is ROOT's: no selection takes an entry that lacks an element needed by one of its conditions. A missing number
is NaN here. A comparison with NaN is neither true nor false but NaN, and so is ``!``, ``&&`` or ``||`` of NaN. Inside a
list a comparison with NaN is false.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from spectrafit.arraytypes import Flags

__all__ = ["BINARY", "COMPARISONS", "FUNCTIONS", "ORDERS", "UNARY", "Element", "doubles", "flat", "is_text", "passes"]


def doubles(values: Any) -> Any:
    """Return a column as float64, jagged or not; a column of text stays text."""
    if is_text(values):
        return values
    if isinstance(values, ak.Array):
        return flat(ak.values_astype(values, np.float64))
    return np.asarray(values).astype(np.float64, copy=False)


def is_text(values: Any) -> bool:
    """Tell whether values are text: one text, one per entry, or lists of them."""
    if isinstance(values, ak.Array):
        kind = values.layout
        while hasattr(kind, "content") and kind.parameter("__array__") not in ("string", "bytestring"):
            kind = kind.content
        return kind.parameter("__array__") in ("string", "bytestring")
    return isinstance(values, str) or (isinstance(values, np.ndarray) and values.dtype.kind in "US")


def passes(values: Any) -> Flags:
    """Return which entries a condition takes: those where its value is a number other than 0, and not NaN.

    Parameters
    ----------
    values : (N,) array or number

    Raises
    ------
    ValueError
        For lists or text instead of a number per entry.
    """
    if is_text(values):
        raise ValueError('is text; compare it, as in name == "nue"')
    if _jagged(values) or np.ndim(values) > 1:
        raise ValueError("holds a list per entry; reduce it to a number with Sum$, Max$, Min$, Length$ or [i]")
    found = np.asarray(values)
    return np.asarray((found != 0) & (found == found))


def flat(values: Any) -> Any:
    """Return a one-dimensional awkward array as numpy; leave everything else."""
    if isinstance(values, ak.Array) and values.ndim == 1:
        return ak.to_numpy(values if is_text(values) else ak.fill_none(values, np.nan))
    return values


def _jagged(values: Any) -> bool:
    return isinstance(values, ak.Array) and values.ndim > 1


@dataclass(frozen=True, slots=True)
class Element:
    """``x[i]`` or ``x[i][j]``: an element of each entry; without it NaN, or an empty list where a list is meant."""

    indices: tuple[int, ...]

    def __call__(self, values: Any) -> Any:
        """Take the element out of every entry."""
        for index in self.indices:
            if not _jagged(values):
                raise TypeError("[i] needs a column with a list per entry")
            values = ak.pad_none(values, index + 1, axis=1)[:, index]
            if _jagged(values):
                values = ak.fill_none(values, [], axis=0)
        return flat(values)


def _reduced(reduce: Callable[..., Any], empty: float = 0.0) -> Callable[[Any], Any]:
    """Return a function that reduces the list of every entry to a number, an empty list to `empty` (0, as in ROOT)."""

    def over_entry(values: Any) -> Any:
        if not _jagged(values):
            return flat(values)
        while _jagged(values):
            values = reduce(values, axis=-1, mask_identity=True)
        return flat(ak.fill_none(values, empty))

    return over_entry


def _length(values: Any) -> Any:
    if not _jagged(values):
        return np.ones(np.shape(values))
    counts = ak.num(values, axis=values.ndim - 1)
    return doubles(_reduced(ak.sum)(counts) if _jagged(counts) else counts)


def _missing(*values: Any) -> Any:
    """Return where one of the values is NaN; None where none is, or where they are lists."""
    found: Any = False
    for value in values:
        if _jagged(value) or is_text(value):
            return None
        found = found | np.isnan(value)
    return found if np.any(found) else None


def _where(condition: Any, yes: Any, no: Any) -> Any:
    if any(isinstance(value, ak.Array) for value in (condition, yes, no)):
        return ak.where(condition != 0, yes, no)
    chosen = np.where(condition != 0, yes, no)
    missing = _missing(condition)
    return chosen if missing is None else np.where(missing, np.nan, chosen)


def _comparison(compare: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def compared(left: Any, right: Any) -> Any:
        if is_text(left) != is_text(right):
            raise TypeError("text is compared with a number")
        missing = _missing(left, right)
        found = compare(left, right)
        return found if missing is None else np.where(missing, np.nan, found)

    return compared


def _logical(combine: Callable[..., Any]) -> Callable[..., Any]:
    def combined(*values: Any) -> Any:
        missing = _missing(*values)
        found = combine(*values)
        return found if missing is None else np.where(missing, np.nan, found)

    return combined


ORDERS = {
    "lt": _comparison(np.less),
    "lte": _comparison(np.less_equal),
    "gt": _comparison(np.greater),
    "gte": _comparison(np.greater_equal),
}
COMPARISONS = ORDERS | {"eq": _comparison(operator.eq), "neq": _comparison(operator.ne)}
BINARY: dict[str, Callable[..., Any]] = {
    **COMPARISONS,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "mod": np.fmod,
    "pow": np.power,
    "and": _logical(np.logical_and),
    "or": _logical(np.logical_or),
}
UNARY: dict[str, Callable[..., Any]] = {"pos": np.positive, "neg": np.negative, "inv": _logical(np.logical_not)}
_ELEMENTWISE = (
    *("sqrt", "abs", "log", "log2", "log10", "log1p", "exp", "expm1", "ceil", "floor", "sin", "cos", "tan"),
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
)
FUNCTIONS: dict[str, dict[int, Callable[..., Any]]] = {
    **{name: {1: getattr(np, name)} for name in _ELEMENTWISE},
    "pow": {2: np.power},
    "arctan2": {2: np.arctan2},
    "tmath_min": {2: np.minimum},
    "tmath_max": {2: np.maximum},
    "min": {1: _reduced(ak.min), 2: np.minimum},
    "max": {1: _reduced(ak.max), 2: np.maximum},
    "sum": {1: _reduced(ak.sum)},
    "length": {1: _length},
    "where": {3: _where},
}
