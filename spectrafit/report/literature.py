"""Published limits on neutrino magnetic moments: the shipped table, a user's own tables, and bounds from the sky."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from spectrafit.errors import ConfigError, DataError
from spectrafit.physics.bounds import ASTROPHYSICAL_BOUNDS

__all__ = ["FLAVOURS", "PublishedLimit", "from_the_sky", "published_limits"]

Flavour = Literal["numu", "nue", "nutau", "effective", "sky"]

FLAVOURS: Final[dict[str, str]] = {
    "numu": "muon neutrino",
    "nue": "electron neutrino",
    "nutau": "tau neutrino",
    "effective": "several flavours (the Sun)",
    "sky": "stars and early universe",
}
"""What the moment is of, in the order of the chart, and how the chart calls it."""

_Moment = Annotated[float, Meta(ge=0.0, lt=1.0)]


class PublishedLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A limit as its authors state it.

    Attributes
    ----------
    experiment : who measured; limits of one experiment and flavour share a line of the chart.
    year : of publication.
    flavour : key of `FLAVOURS`.
    value : upper limit, mu_B; None if there is only an interval.
    interval : two-sided interval, or the range that the authors quote for their limit, mu_B.
    level : confidence level, or None where none is stated.
    sides, statistic : as the publication states them; empty where it does not, or where it was not seen.
    kind : "measured" by those who took the data, "reinterpreted" by others, "projected", or "astrophysical".
    reference : publication.
    seen : "read" in the publication, "quoted" by others, or from "memory" (look it up before you quote it).
    note : what else must be said with it.
    """

    experiment: str
    year: int
    flavour: Flavour
    kind: Literal["measured", "reinterpreted", "projected", "astrophysical"]
    reference: str
    seen: Literal["read", "quoted", "memory"] = "read"
    value: _Moment | None = None
    interval: tuple[_Moment, _Moment] | None = None
    level: Annotated[float, Meta(gt=0.0, lt=1.0)] | None = None
    sides: Literal["", "one", "two"] = ""
    statistic: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a limit without a number, and an interval whose ends are the wrong way round."""
        if self.value is None and self.interval is None:
            raise ValueError(f"{self.experiment} {self.year}: give `value`, `interval` or both")
        if self.value == 0.0:
            raise ValueError(f"{self.experiment} {self.year}: a limit of 0 excludes every moment")
        if self.interval is not None and not self.interval[0] < self.interval[1]:
            raise ValueError(f"{self.experiment} {self.year}: interval {self.interval}: its ends must increase")

    @property
    def strength(self) -> float:
        """The upper limit, mu_B, or the upper end of the interval."""
        if self.value is not None:
            return self.value
        assert self.interval is not None
        return self.interval[1]


class _Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limits: tuple[PublishedLimit, ...]


def published_limits(path: str | os.PathLike[str] | None = None) -> tuple[PublishedLimit, ...]:
    """Return the limits of a table in TOML (`[[limits]]`, keys as `PublishedLimit`), or of the shipped one.

    Raises
    ------
    DataError
        The file cannot be read.
    ConfigError
        It is no TOML, or a limit in it has a wrong key or number.
    """
    where = "the shipped table" if path is None else str(path)
    try:
        source = files("spectrafit.report").joinpath("limits.toml") if path is None else Path(path)
        return msgspec.toml.decode(source.read_bytes(), type=_Limits).limits
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{where}: {error}; needed a table [[limits]] per limit, with the keys"
            f" {', '.join(PublishedLimit.__struct_fields__)}"
        ) from error


def from_the_sky() -> tuple[PublishedLimit, ...]:
    """Return the bounds of `spectrafit.physics.bounds`. Dirac-only bounds say so in their note."""
    return tuple(
        PublishedLimit(
            experiment=bound.name,
            year=bound.year,
            flavour="sky",
            kind="astrophysical",
            value=bound.value,
            interval=bound.interval,
            level=bound.level,
            reference=bound.reference,
            seen=bound.seen,
            note="; ".join(part for part in ("Dirac only" if bound.dirac_only else "", bound.note) if part),
        )
        for bound in ASTROPHYSICAL_BOUNDS
    )
