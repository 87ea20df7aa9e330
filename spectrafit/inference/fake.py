"""Fake data by choice: what a study fits in place of measured counts, and the words that every result says it with.

A model whose counts are fake carries the choice that made them (`Model.fake`), and so do its fits and limits. The
choice says how the counts were made, so that a report can make them again.

Auxiliary measurements are what constrains the nuisances: each constraint is a measurement of its parameter, which the
analysis found at its centre. A study has to say what they are when the truth is elsewhere:

stay        they are what the analysis has. A truth of ``flux = +1`` then pulls against the constraint, as it would in
            the experiment, and the fit shows the bias.
follow      they are measured at that truth, too: exactly there for Asimov data, thrown around it for a toy. Asimov
            data then give back every parameter.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal

from spectrafit.errors import ConfigError

__all__ = ["Asimov", "Auxiliary", "Fake", "Injected", "Simulated", "Toy", "called"]

Auxiliary = Literal["stay", "follow"]


@dataclasses.dataclass(frozen=True)
class Asimov:
    """The expectation itself at chosen parameters, as data.

    Attributes
    ----------
    values : mapping of parameter to float
        Couplings in their kappa; constrained nuisances in widths of their prior from its centre; free ones (a
        normalisation) as they are. Parameters that are not named have their nominal value, couplings 0.
    auxiliary : "stay" or "follow"
        Where the auxiliary measurements are; see the top of this module.
    """

    values: Mapping[str, float] = dataclasses.field(default_factory=dict)
    auxiliary: Auxiliary = "stay"

    def __post_init__(self) -> None:
        """Refuse an auxiliary measurement that does neither."""
        _check(self.auxiliary)

    @property
    def short(self) -> str:
        """A word for legends."""
        return "Asimov"

    @property
    def label(self) -> str:
        """What the data are, for tables and notes."""
        return f"Asimov data at {_point(self)}{_followed(self.auxiliary)}"

    def summary(self) -> dict[str, Any]:
        """Return what `result.json` keeps, as plain values."""
        return {"kind": "asimov", "values": dict(self.values), "auxiliary": self.auxiliary}


@dataclasses.dataclass(frozen=True)
class Simulated:
    """The expectation of another simulation, as data: the axes and regions of the analysis, the events of other files.

    Attributes
    ----------
    samples : str, path or sequence of them
        Sample sets (TOML). Their samples say how they are read and reconstructed, and their roles say whether they are
        reweighted to the Standard Model of the analysis ("signal") or not ("background"). Data in them are not read.
    counts : (B,) tuple of float, optional
        The counts, once they have been made: a second fit need not read the events again.
    error : float
        Relative statistical error of their sum.
    events : int
        Simulated events in the bins.
    """

    samples: str | os.PathLike[str] | tuple[str | os.PathLike[str], ...]
    counts: tuple[float, ...] | None = dataclasses.field(default=None, repr=False, compare=False)
    error: float = dataclasses.field(default=0.0, repr=False, compare=False)
    events: int = dataclasses.field(default=0, repr=False, compare=False)

    @property
    def paths(self) -> tuple[str, ...]:
        """The sample sets, as text."""
        several = self.samples if isinstance(self.samples, tuple | list) else (self.samples,)
        return tuple(os.fspath(path) for path in several)

    @property
    def short(self) -> str:
        """A word for legends."""
        return "other simulation"

    @property
    def label(self) -> str:
        """What the data are, for tables and notes."""
        noise = f", ± {100 * self.error:.2g} % (simulation)" if self.error else ""
        return f"the simulation of {', '.join(self.paths)}{noise}"

    def summary(self) -> dict[str, Any]:
        """Return what `result.json` keeps, as plain values."""
        return {"kind": "simulated", "samples": list(self.paths), "relative_error": self.error, "events": self.events}


@dataclasses.dataclass(frozen=True)
class Toy:
    """One thrown experiment: Poisson counts of an expectation.

    The same seed throws the same experiment on every machine and for any number of workers.

    Attributes
    ----------
    seed : int
    of : Asimov, Simulated, or mapping of parameter to float
        The truth; a mapping is short for `Asimov`. Without it, the nominal expectation. With ``auxiliary = "follow"``
        the auxiliary measurements are thrown around the truth.
    thrown : bool
        Whether the true nuisances are thrown from their constraints, around the values in `of`, and the expectation of
        each bin by the simulation's statistical error.
    truth : mapping
        The true nuisances that were thrown, once they were.
    """

    seed: int
    of: Asimov | Simulated | Mapping[str, float] = dataclasses.field(default_factory=Asimov)
    thrown: bool = False
    truth: Mapping[str, float] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make a mapping an `Asimov`, and refuse what cannot be thrown."""
        if not isinstance(self.of, Asimov | Simulated):
            object.__setattr__(self, "of", Asimov(self.of))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ConfigError(f"toy: seed {self.seed!r}: needs a whole number from 0 on")
        if self.thrown and isinstance(self.of, Simulated):
            raise ConfigError("toy: another simulation has no nuisances to throw; leave one of the two out")

    @property
    def short(self) -> str:
        """A word for legends."""
        return f"toy {self.seed}"

    @property
    def label(self) -> str:
        """What the data are, for tables and notes."""
        thrown = ", nuisances thrown" if self.thrown else ""
        if isinstance(self.of, Simulated):
            return f"toy {self.seed} of {self.of.label}"
        of = self.of if isinstance(self.of, Asimov) else Asimov(self.of)
        return f"toy {self.seed} at {_point(of)}{thrown}{_followed(of.auxiliary)}"

    def summary(self) -> dict[str, Any]:
        """Return what `result.json` keeps, as plain values."""
        of = Asimov(self.of) if isinstance(self.of, Mapping) else self.of
        return {
            "kind": "toy",
            "seed": self.seed,
            "of": of.summary(),
            "nuisances_thrown": self.thrown,
            "truth": dict(self.truth),
        }


@dataclasses.dataclass(frozen=True)
class Injected:
    """Counts or events that `spectrafit inject` wrote, read back as data; `text` is what their file says of them."""

    text: str

    @property
    def short(self) -> str:
        """A word for legends."""
        return "injected"

    @property
    def label(self) -> str:
        """What the data are, for tables and notes."""
        return f"injected: {self.text}"

    def summary(self) -> dict[str, Any]:
        """Return what `result.json` keeps, as plain values."""
        return {"kind": "injected", "text": self.text}


Fake = Asimov | Toy | Simulated | Injected
"""What makes data that are not measured."""


def called(*, asimov: bool, fake: Fake | None) -> str:
    """Return what data are called where they are shown: "data" are real ones, and nothing else is called so."""
    return f"fake data ({fake.label})" if fake is not None else "Asimov data" if asimov else "data"


def _check(auxiliary: str) -> None:
    if auxiliary not in ("stay", "follow"):
        raise ConfigError(f"fake data: auxiliary = {auxiliary!r}; use 'stay' or 'follow'")


def _point(of: Asimov) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in of.values.items()) or "the nominal parameters"


def _followed(auxiliary: str) -> str:
    return ", auxiliary measurements there too" if auxiliary == "follow" else ""
