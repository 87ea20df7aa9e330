"""Observables: the numbers per event that axes and cuts may name.

An observable is an entry of the table `OBSERVABLES`, a column of the ntuple, or any expression of columns and of other
observables. A new observable is one entry of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats, Reals
from spectrafit.events import expressions
from spectrafit.physics.constants import M_E

__all__ = ["OBSERVABLES", "Observable", "Quantities", "needs", "observable"]


@dataclass(frozen=True, kw_only=True)
class Observable:
    """A number per event that an axis or a cut may name.

    Attributes
    ----------
    needs : tuple of str
        Columns that the observable is made of, in the order in which `make` takes them.
    label : str
        For axes of figures, with its unit.
    make : callable or None
        Turns arrays of shape (N,), in single or double precision, into one array in double precision. None stands for
        a column without change, or for the value of an expression.
    """

    needs: tuple[str, ...]
    label: str
    make: Callable[..., Floats] | None = None


def _t_theta2(t: Reals, theta: Reals) -> Floats:
    square = np.square(theta, dtype=np.float64)
    return np.multiply(t, square, out=square)


def _e_theta2(t: Reals, theta: Reals) -> Floats:
    square = np.square(theta, dtype=np.float64)
    return np.multiply(np.add(t, M_E, dtype=np.float64), square, out=square)


OBSERVABLES: dict[str, Observable] = {
    "t": Observable(needs=("t",), label="true $T_e$ [GeV]"),
    "theta": Observable(needs=("theta",), label=r"true $\theta_e$ [rad]"),
    "e_nu": Observable(needs=("e_nu",), label=r"$E_\nu$ [GeV]"),
    "t_theta2": Observable(needs=("t", "theta"), label=r"true $T_e\,\theta_e^2$ [GeV rad$^2$]", make=_t_theta2),
    "e_theta2": Observable(needs=("t", "theta"), label=r"true $E_e\,\theta_e^2$ [GeV rad$^2$]", make=_e_theta2),
    "t_reco": Observable(needs=("t_reco",), label="reconstructed $T_e$ [GeV]"),
    "theta_reco": Observable(needs=("theta_reco",), label=r"reconstructed $\theta_e$ [rad]"),
    "t_theta2_reco": Observable(
        needs=("t_reco", "theta_reco"), label=r"reconstructed $T_e\,\theta_e^2$ [GeV rad$^2$]", make=_t_theta2
    ),
    "e_theta2_reco": Observable(
        needs=("t_reco", "theta_reco"), label=r"reconstructed $E_e\,\theta_e^2$ [GeV rad$^2$]", make=_e_theta2
    ),
}
"""The observables that have a name; E = T + m_e is the total energy."""


def observable(text: str) -> Observable:
    """Return an observable: an entry of the table, a column of that name, or an expression of both.

    Raises
    ------
    ConfigError
        The text is no name and cannot be read as an expression.
    """
    if text in OBSERVABLES:
        return OBSERVABLES[text]
    if text.isidentifier():
        return Observable(needs=(text,), label=text)
    expression = expressions.compile(text)
    return Observable(needs=(text,) if expression.is_column else needs(expression.variables), label=text)


def needs(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that observables are made of, each once, in order of first need."""
    return tuple(dict.fromkeys(column for text in texts for column in observable(text).needs))


class Quantities(Mapping[str, Any]):
    """Columns and observables of some events by name. An observable is computed when first asked for, and kept.

    Parameters
    ----------
    base : mapping of str to (N, ...) array
        The columns that were read; a number per event may be float32, as branches are.
    """

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a column or a named observable: (N,) float64, contiguous; lists and codes as they are."""
        values = self.stored(name)
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == np.float32:
            values = self._made[name] = values.astype(np.float64)
        return values

    def stored(self, name: str) -> Any:
        """Return the same in the precision of the file; kernels take both and calculate in double precision."""
        if name in self._made:
            return self._made[name]
        found = OBSERVABLES.get(name)
        if found is None or found.make is None:
            return self._base[name]
        self._made[name] = found.make(*(self._base[column] for column in found.needs))
        return self._made[name]

    def value(self, text: str) -> Any:
        """Return a column, a named observable, or the value of an expression of both, as `stored` does.

        A constant expression has one value, not one per event.
        """
        if text in self._made or text in OBSERVABLES or text in self._base:
            return self.stored(text)
        self._made[text] = expressions.evaluate(text, self)
        return self._made[text]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of columns and named observables that can be asked for."""
        made = (name for name, found in OBSERVABLES.items() if all(column in self._base for column in found.needs))
        return iter(dict.fromkeys([*self._base, *made]))

    def __len__(self) -> int:
        """Return how many names can be asked for."""
        return sum(1 for _ in self)

    def shifted(self, column: str, values: Floats) -> Quantities:
        """Return the same columns with another array for one of them; every observable and expression follows."""
        return Quantities({**self._base, column: values})
