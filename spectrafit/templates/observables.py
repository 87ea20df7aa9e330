"""Names of observables in, what they are made of and their arrays out: a new observable is one entry of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrafit.physics.constants import M_E

__all__ = ["OBSERVABLES", "Columns", "Observable", "needs", "observable"]

Floats = NDArray[np.float64]
Reals = NDArray[np.float32] | Floats


@dataclass(frozen=True, kw_only=True)
class Observable:
    """A number per event that an axis or a cut may name.

    Attributes
    ----------
    needs : tuple of str
        Columns it is made of, in the order `make` takes them.
    label : str
        For axes of figures, with its unit.
    make : callable or None
        Arrays of shape (N,), in single or double precision, to one in double; None for a column as it is.
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
"""The observables there are; E = T + m_e is the total energy. Any other name is a column of the ntuple."""


def observable(name: str) -> Observable:
    """Return the observable called `name`: an entry of the table, or the column of that name as it is."""
    return OBSERVABLES.get(name) or Observable(needs=(name,), label=name)


def needs(names: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that observables are made of, each once, in order of first need."""
    return tuple(dict.fromkeys(column for name in names for column in observable(name).needs))


class Columns(Mapping[str, Any]):
    """Columns by name in double precision, with observables, each worked out when first asked for and then kept.

    Parameters
    ----------
    base : mapping of str to (N, ...) array
        What was read, of one block of events; a number per event may be float32, as branches are.
    """

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self._made: dict[str, Floats] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a column, or the observable of that name: (N,) float64, contiguous; lists and codes as they are."""
        if name not in self._made:
            values = self.stored(name)
            single = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == np.float32
            if not single:
                return values
            self._made[name] = values.astype(np.float64)
        return self._made[name]

    def stored(self, name: str) -> Any:
        """Return the same as it was read, for kernels that take single precision and calculate in double."""
        found = OBSERVABLES.get(name)
        if found is None or found.make is None:
            return self._base[name]
        if name not in self._made:
            self._made[name] = found.make(*(self._base[column] for column in found.needs))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names that can be asked for."""
        return iter(
            dict.fromkeys([*self._base, *(n for n, o in OBSERVABLES.items() if all(c in self._base for c in o.needs))])
        )

    def __len__(self) -> int:
        """Return how many names can be asked for."""
        return sum(1 for _ in self)

    def shifted(self, column: str, values: Floats) -> Columns:
        """Return the same columns with another array for one of them; observables follow."""
        return Columns({**self._base, column: values})
