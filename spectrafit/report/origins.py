"""A table of the knobs and flux bins that principal components are made of, after the fit."""

from __future__ import annotations

from collections.abc import Sequence

from spectrafit.inference.fitting.sources import Origin
from spectrafit.report.tables import Table

__all__ = ["origins_table"]

# Of each systematic; result.json has them all.
_MOST = 10


def origins_table(found: Sequence[Origin]) -> Table:
    """Return the sources with the largest shares of each systematic."""
    rows: list[tuple[str, ...]] = []
    for systematic in dict.fromkeys(source.systematic for source in found):
        mine = [source for source in found if source.systematic == systematic]
        rows += [
            (systematic, source.name, f"{source.pull:+.2f}", f"{source.constraint:.2f}", f"{100 * source.share:.1f} %")
            for source in mine[:_MOST]
        ]
        if len(mine) > _MOST:
            rest = 100 * sum(source.share for source in mine[_MOST:])
            rows.append((systematic, f"{len(mine) - _MOST} more", "", "", f"{rest:.1f} %"))
    return Table(
        title="What principal components are made of",
        columns=("systematic", "knob or flux bin", ">pull", ">constrained to", ">share of its effect on the coupling"),
        rows=tuple(rows),
    )
