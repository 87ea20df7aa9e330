"""Bounds on magnetic moments from stars, a supernova and the early universe, as their authors state them.

They come from models of the sky, whose spread is larger than that of experiments: draw them apart from laboratory
limits. A level of None says that no confidence level is stated. The bound of 2e-14 mu_B from Cherenkov photons in a
supernova is left out: it rests on an error in the index of refraction that its first author has acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ASTROPHYSICAL_BOUNDS", "AstrophysicalBound"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AstrophysicalBound:
    """What a publication says about the magnetic moment.

    Attributes
    ----------
    name : object and authors.
    process : "plasmon decay" (Dirac and Majorana), "spin flip" in a supernova, or "early universe" (both Dirac only).
    year : of publication.
    value : upper bound, mu_B; None if the publication sets none.
    interval : range that the authors quote for the bound, mu_B, or None.
    level : confidence level, or None where none is stated.
    reference : publication.
    seen : "read" (in the publication), "quoted" (by others), "memory".
    note : what else must be said with it.
    """

    name: str
    process: Literal["plasmon decay", "spin flip", "early universe"]
    year: int
    value: float | None
    reference: str
    seen: Literal["read", "quoted", "memory"]
    interval: tuple[float, float] | None = None
    level: float | None = None
    note: str = ""

    @property
    def dirac_only(self) -> bool:
        """Whether it needs a sterile right-handed neutrino."""
        return self.process != "plasmon decay"


ASTROPHYSICAL_BOUNDS: Final = (
    AstrophysicalBound(
        name="globular clusters (Raffelt)",
        process="plasmon decay",
        year=1990,
        value=3e-12,
        reference="PRL 64, 2856",
        seen="memory",
    ),
    AstrophysicalBound(
        name="globular clusters (Raffelt, Weiss)",
        process="plasmon decay",
        year=1992,
        value=3e-12,
        interval=(2e-12, 4e-12),
        reference="A&A 264, 536",
        seen="memory",
    ),
    AstrophysicalBound(
        name="red-giant tip, M5 (Viaux et al.)",
        process="plasmon decay",
        year=2013,
        value=2.6e-12,
        level=0.68,
        reference="arXiv:1308.4627",
        seen="read",
    ),
    AstrophysicalBound(
        name="red-giant tip, M5 (Viaux et al.)",
        process="plasmon decay",
        year=2013,
        value=4.5e-12,
        level=0.95,
        reference="arXiv:1308.4627",
        seen="read",
    ),
    AstrophysicalBound(
        name="red-giant tip, omega Centauri (Arceo-Diaz et al.)",
        process="plasmon decay",
        year=2015,
        value=2.2e-12,
        reference="Astropart. Phys. 70, 1",
        seen="memory",
    ),
    AstrophysicalBound(
        name="red-giant tip, 50 clusters (Arceo-Diaz et al.)",
        process="plasmon decay",
        year=2019,
        value=2.2e-12,
        reference="arXiv:1910.10568",
        seen="read",
    ),
    AstrophysicalBound(
        name="red-giant tip, omega Centauri (Capozzi, Raffelt)",
        process="plasmon decay",
        year=2020,
        value=1.2e-12,
        level=0.95,
        reference="arXiv:2007.03694",
        seen="read",
    ),
    AstrophysicalBound(
        name="red-giant tip, NGC 4258 (Capozzi, Raffelt)",
        process="plasmon decay",
        year=2020,
        value=1.5e-12,
        level=0.95,
        reference="arXiv:2007.03694",
        seen="read",
    ),
    AstrophysicalBound(
        name="red-giant tip with free stellar physics (Franz et al.)",
        process="plasmon decay",
        year=2023,
        value=None,
        interval=(0.0, 6e-12),
        reference="arXiv:2307.13050",
        seen="read",
        note="not a bound: with mass, helium, metallicity and mixing free, moments up to 6e-12 are not excluded",
    ),
    AstrophysicalBound(
        name="white dwarfs (Blinnikov, Dunina-Barkovskaya)",
        process="plasmon decay",
        year=1994,
        value=1e-11,
        reference="MNRAS 266, 289",
        seen="memory",
    ),
    AstrophysicalBound(
        name="white dwarf PG 1351+489 (Corsico et al.)",
        process="plasmon decay",
        year=2014,
        value=1e-11,
        reference="arXiv:1406.6034",
        seen="read",
        note="the authors see some cooling more than expected",
    ),
    AstrophysicalBound(
        name="white dwarf luminosities (Miller Bertolami)",
        process="plasmon decay",
        year=2014,
        value=5e-12,
        level=0.95,
        reference="arXiv:1407.1404",
        seen="quoted",
        note="confidence level from memory",
    ),
    AstrophysicalBound(
        name="SN 1987A (Barbieri, Mohapatra)",
        process="spin flip",
        year=1988,
        value=8e-12,
        interval=(2e-12, 8e-12),
        reference="PRL 61, 27",
        seen="memory",
    ),
    AstrophysicalBound(
        name="SN 1987A (Lattimer, Cooperstein)",
        process="spin flip",
        year=1988,
        value=5e-13,
        reference="PRL 61, 23",
        seen="memory",
        note="number uncertain",
    ),
    AstrophysicalBound(
        name="SN 1987A (Ayala et al.)",
        process="spin flip",
        year=1999,
        value=4e-12,
        interval=(1e-12, 4e-12),
        reference="PRD 59, 111901",
        seen="read",
    ),
    AstrophysicalBound(
        name="SN 1987A (Kuznetsov et al.)",
        process="spin flip",
        year=2009,
        value=2.7e-12,
        interval=(1.1e-12, 2.7e-12),
        reference="arXiv:0907.2905",
        seen="memory",
    ),
    AstrophysicalBound(
        name="number of neutrino species (Li, Xu)",
        process="early universe",
        year=2022,
        value=2.7e-12,
        reference="arXiv:2211.04669",
        seen="read",
        note="moments diagonal and equal for all flavours; 3.3e-12 in the first version",
    ),
)
"""By process and year of the object; an entry with two confidence levels is there twice."""
