"""The names, units and nouns of everything that is read from ntuples.

`Events` are an awkward record array, backed by numpy, with one record per kept entry. Its fields, if the files have
them:

============ ======= ==================================================================================
`pdg`        int32   neutrino's PDG code for nu-e elastic events of a signal sample, 0 for everything else
`e_nu`       float   true neutrino energy, GeV
`t`          float   true kinetic energy of the electron, GeV
`theta`      float   true angle of the electron to the neutrino, rad
`t_reco`     float   reconstructed kinetic energy, GeV
`theta_reco` float   reconstructed angle, rad
`weight`     float   events this entry stands for
============ ======= ==================================================================================

A float is float64, or float32 for an unchanged float32 branch of the file. This halves the memory to move and changes
no number, since all arithmetic is done in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats, Reals
from spectrafit.errors import ConfigError

__all__ = [
    "ANGLES",
    "CANONICAL",
    "CANONICAL_UNITS",
    "DRAW",
    "EFFICIENCY",
    "ENERGIES",
    "ENTRY",
    "READING",
    "Chunk",
    "DropReport",
    "FileIdentity",
    "Floats",
    "Heaviest",
    "Inventory",
    "Reals",
    "convert",
]


ENERGIES = ("e_nu", "t", "t_reco")
ANGLES = ("theta", "theta_reco")
CANONICAL = ("pdg", "e_nu", "t", "theta", "t_reco", "theta_reco", "weight")

ENTRY, EFFICIENCY, DRAW = "Entry$", "Efficiency$", "Draw$"
"""Columns that no file holds: an entry's position within its sample, the efficiency that the response gave it, and the
number of the response's draw, 0 for the first."""

READING = 2
"""Version of the reading, for caches. It counts up whenever the same file and sample may give other columns."""

CANONICAL_UNITS = (None, "1", "GeV", "rad")
"""Units that need no conversion."""

_ENERGY = {"GeV": 1.0, "MeV": 1e-3, "keV": 1e-6}
_ANGLE = {"rad": 1.0, "mrad": 1e-3, "deg": math.pi / 180.0}


def convert(values: Any, name: str, unit: str | None, where: str) -> Any:
    """Bring a column to GeV and rad: the one place where units change.

    Parameters
    ----------
    values : array of any nesting
    name : str
        The column: an energy, an angle, a plain number, or a name of the user's own (taken in any unit).
    unit : str or None
        Unit of `values`; None, if the TOML names no unit, means GeV or rad.
    where : str
        Key of the column in its TOML, for the message.

    Raises
    ------
    ConfigError
        The quantity cannot have this unit.
    """
    if unit in (None, "1"):
        return values
    if unit in _ENERGY and name not in ANGLES:
        return values if unit in CANONICAL_UNITS else values * _ENERGY[unit]
    if name not in ENERGIES:
        if unit in _ANGLE:
            return values if unit in CANONICAL_UNITS else values * _ANGLE[unit]
        if unit == "cos":
            return np.arccos(values)
    allowed = (*_ANGLE, "cos") if name in ANGLES else tuple(_ENERGY)
    raise ConfigError(f"{where}: unit {unit!r} is no unit of {name}; use one of {', '.join(allowed)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileIdentity:
    """The identity of a file, for caches and provenance.

    Attributes
    ----------
    path : str
        Absolute path or URL.
    size : int
        Bytes.
    uuid : str
        The UUID ROOT wrote into the file.
    entries : int
        Entries of the tree that is read.
    """

    path: str
    size: int
    uuid: str
    entries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """The picklable unit of work: entries `start` to `stop` of one tree.

    Attributes
    ----------
    sample, file, tree : str
        Name of the sample; absolute path or URL; tree in the file.
    start, stop : int
        Entry range within the tree, `stop` excluded.
    first : int
        Position of entry `start` within the sample: with it an entry's random numbers are the same however chunks are
        cut.
    index : int
        Position of the chunk in the sample's order of submission.
    friends : tuple of (file, tree)
        Trees aligned with this one, in the order of the sample's `friends`.
    stamps : tuple of str
        Stamps of the file and then of its friends when the sample was scanned, to detect later changes; empty if none
        were taken. See `spectrafit.events.identity.stamp`.
    """

    sample: str
    file: str
    tree: str
    start: int
    stop: int
    first: int
    index: int
    friends: tuple[tuple[str, str], ...] = ()
    stamps: tuple[str, ...] = ()

    @property
    def entries(self) -> int:
        """Number of entries in the chunk."""
        return self.stop - self.start


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """The contents of a sample's files.

    Attributes
    ----------
    sample : str
    pot : float or None
        Protons on target of all files together; None if the sample gives no exposure.
    entries : int
    chunks : tuple of Chunk
    identities : tuple of FileIdentity
        The sample's files, then its friends'.
    skipped : tuple of (file, reason)
        Files left out because they cannot be read and the caller asked to go on.
    eventless : tuple of str
        Files with an exposure and no tree of events, from jobs in which no event passed. Their POT counts.
    notes : tuple of str
        Sentences about oddities of the exposure that may be mistakes.
    """

    sample: str
    pot: float | None
    entries: int
    chunks: tuple[Chunk, ...]
    identities: tuple[FileIdentity, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    eventless: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def scale(self, pot: float) -> float:
        """Return what to multiply weights by to get events at an exposure of `pot` protons on target.

        Raises
        ------
        ConfigError
            The sample's own exposure is not known.
        """
        if self.pot is None:
            raise ConfigError(
                f"sample {self.sample!r}: its exposure is not known, so it cannot be scaled to {pot:g} POT; give it"
                ' pot = <number>, pot = { histogram = "TotalPOT" }, pot = { branch = "...", tree = "..." }'
                " or pot = { flux = ..., cross_section = ..., targets = ... }"
            )
        return pot / self.pot


@dataclass(frozen=True, kw_only=True, slots=True)
class Heaviest:
    """The heaviest entry of a column of weights, and whether it outweighs all others together. Two of them add up.

    Attributes
    ----------
    weight : float
        The weight of largest absolute value, in any list if entries have lists of weights.
    where : str
        File, tree and entry that has it.
    entries : int
        Entries looked at.
    squares : float
        Sum over entries of weight^2, each scaled by 1 / `weight`^2, so that it does not overflow: 1 is the heaviest
        entry's own share.
    """

    weight: float
    where: str
    entries: int
    squares: float

    def __add__(self, other: Heaviest) -> Heaviest:
        """Put two parts together; of two equal weights the first is named."""
        first = abs(self.weight) >= abs(other.weight)
        most, least = (self, other) if first else (other, self)
        ratio = least.weight / most.weight if most.weight else 0.0
        return Heaviest(
            weight=most.weight,
            where=most.where,
            entries=self.entries + other.entries,
            squares=most.squares + least.squares * ratio * ratio,
        )

    @property
    def outweighs(self) -> bool:
        """Whether this one entry has more than half of the sum of squares of more than 20 entries.

        The statistical precision of a sum of weights is that of (sum w)^2 / sum w^2 events. If one entry has more than
        half of sum w^2, this is less than two events. Weights of a simulation are never like that; marks of failure
        such as -999 are.
        """
        return self.entries > 20 and self.weight != 0.0 and self.squares < 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DropReport:
    """Counts what became of the entries of one or more chunks; reports add up.

    Attributes
    ----------
    entries, kept : int
        Entries read; entries handed on. An entry that a response smears several times counts once.
    unselected : int
        Entries left out by the sample's `selection`.
    below_threshold : int
        Entries left out because the response puts them below its threshold.
    without_shower : int
        Entries left out because none of their particles fits the sample's `shower`.
    bad : dict of str to (int, str)
        Per kind of bad entry that was dropped: how many, and the first one named.
    rounded : int
        Entries whose `t` was above the kinematic limit by no more than rounding, and set to the limit.
    negative_weights : int
        Entries kept with a negative weight.
    generated_weight : float
        Sum of the files' own weights over all entries, before the selection and the response.
    heaviest : dict of str to Heaviest
        Per column of weights, of the entries that were kept: `weight`, and others that were asked for.
    """

    entries: int = 0
    kept: int = 0
    unselected: int = 0
    below_threshold: int = 0
    without_shower: int = 0
    bad: dict[str, tuple[int, str]] = field(default_factory=dict)
    rounded: int = 0
    negative_weights: int = 0
    generated_weight: float = 0.0
    heaviest: dict[str, Heaviest] = field(default_factory=dict)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> DropReport:
        """Return the report that `dataclasses.asdict` made `plain` of, perhaps by way of JSON."""
        bad = {kind: (int(count), str(first)) for kind, (count, first) in plain.get("bad", {}).items()}
        heaviest = {name: Heaviest(**found) for name, found in plain.get("heaviest", {}).items()}
        return cls(**{**plain, "bad": bad, "heaviest": heaviest})

    def __add__(self, other: DropReport) -> DropReport:
        """Add up two reports; the first bad entry named is this one's."""
        bad = dict(self.bad)
        for kind, (count, first) in other.bad.items():
            known, earlier = bad.get(kind, (0, first))
            bad[kind] = (known + count, earlier)
        heaviest = dict(self.heaviest)
        for name, found in other.heaviest.items():
            heaviest[name] = heaviest[name] + found if name in heaviest else found
        return DropReport(
            entries=self.entries + other.entries,
            kept=self.kept + other.kept,
            unselected=self.unselected + other.unselected,
            below_threshold=self.below_threshold + other.below_threshold,
            without_shower=self.without_shower + other.without_shower,
            bad=bad,
            rounded=self.rounded + other.rounded,
            negative_weights=self.negative_weights + other.negative_weights,
            generated_weight=self.generated_weight + other.generated_weight,
            heaviest=heaviest,
        )

    @property
    def dropped(self) -> int:
        """Number of bad entries that were dropped."""
        return sum(count for count, _ in self.bad.values())

    def outweighing(self, names: Collection[str] = ("weight",)) -> list[str]:
        """Return a sentence for each column of weights among `names` that one entry dominates."""
        return [
            f"{found.where} alone has more than half of the sum of squares of {name!r} over {found.entries} entries:"
            f" its weight is {found.weight:g}; if this weight marks a failure, cut it with the sample's selection"
            for name, found in self.heaviest.items()
            if name in names and found.outweighs
        ]

    def __str__(self) -> str:
        """Return the report in one line, with the first of each kind of bad entry."""
        parts = [f"{self.kept} of {self.entries} entries kept"]
        if self.unselected:
            parts.append(f"{self.unselected} not selected")
        if self.without_shower:
            parts.append(f"{self.without_shower} without the sample's shower")
        if self.below_threshold:
            parts.append(f"{self.below_threshold} below the response's threshold")
        parts += [f"{count} dropped: {kind} (first: {first})" for kind, (count, first) in self.bad.items()]
        if self.rounded:
            parts.append(f"{self.rounded} above the kinematic limit by rounding, set to it")
        if self.negative_weights:
            parts.append(f"{self.negative_weights} with negative weight")
        return "; ".join([*parts, *self.outweighing()])
