"""Columns of doubles in, columns out: the operators and functions an expression may use, jagged columns included.

Names are formulate's canonical ones. Adding a function is adding an entry to `FUNCTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

__all__ = ["BINARY", "COMPARISONS", "FUNCTIONS", "ORDERS", "UNARY", "Element", "doubles", "flat"]


def doubles(values: Any) -> Any:
    """Return a column as float64, jagged or not."""
    if isinstance(values, ak.Array):
        return flat(ak.values_astype(values, np.float64))
    return np.asarray(values).astype(np.float64, copy=False)


def flat(values: Any) -> Any:
    """Return a one-dimensional awkward array as numpy; leave everything else."""
    if isinstance(values, ak.Array) and values.ndim == 1:
        return ak.to_numpy(ak.fill_none(values, np.nan))
    return values


def _jagged(values: Any) -> bool:
    return isinstance(values, ak.Array) and values.ndim > 1


@dataclass(frozen=True, slots=True)
class Element:
    """x[i] or x[i][j]: an element of each entry; where the entry has fewer NaN, or an empty list if it is a list."""

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


def _reduced(reduce: Callable[..., Any]) -> Callable[[Any], Any]:
    def over_entry(values: Any) -> Any:
        while _jagged(values):
            values = reduce(values, axis=-1)
        return flat(values)

    return over_entry


def _length(values: Any) -> Any:
    if not _jagged(values):
        return np.ones(np.shape(values))
    counts = ak.num(values, axis=values.ndim - 1)
    return doubles(_reduced(ak.sum)(counts) if _jagged(counts) else counts)


def _where(condition: Any, yes: Any, no: Any) -> Any:
    if any(isinstance(x, ak.Array) for x in (condition, yes, no)):
        return ak.where(condition, yes, no)
    return np.where(condition, yes, no)


ORDERS = {"lt": np.less, "lte": np.less_equal, "gt": np.greater, "gte": np.greater_equal}
COMPARISONS = ORDERS | {"eq": np.equal, "neq": np.not_equal}
BINARY: dict[str, Callable[..., Any]] = {
    **COMPARISONS,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "mod": np.fmod,
    "pow": np.power,
    "and": np.logical_and,
    "or": np.logical_or,
}
UNARY: dict[str, Callable[..., Any]] = {"pos": np.positive, "neg": np.negative, "inv": np.logical_not}
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
