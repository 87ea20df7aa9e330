"""Finds bin edges with a small expected error of kappa, all systematics included, and does not fit the noise.

The edges of a fine grid are removed one by one, each time the edge whose loss costs least. The best binnings on the way
and some coarse ones are then refined: by taking the best edges of one axis after the other, all at once, and by moving,
adding and removing single edges. Four things keep the search from fitting the noise of the simulation. The noise of
derivatives is subtracted. Empty bins count as if they held the events that a smooth density expects there
(`Bins.guard`). A bin with too few events does not count in full. The result is judged on an independent half of the
simulation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.studies.grid import Edges, Grid, same_cells
from spectrafit.inference.studies.judgement import Judgement, judge
from spectrafit.inference.studies.rules import Rules
from spectrafit.inference.studies.searching import COARSE, Found, Search
from spectrafit.progress import bar

__all__ = ["Optimum", "Rules", "optimise"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Optimum:
    """The binning found.

    Attributes
    ----------
    edges : tuple of tuple of arrays
        Per region and axis.
    training : Judgement
        On the events with which the edges were chosen: too optimistic.
    judging : Judgement
        On the independent events.
    trail : tuple of (int, float)
        Bins and error of kappa while edges were removed, from the finest to the coarsest binning. The error is that of
        the search: guarded, and a bin that breaks a rule counts in part.
    exempt : int
        Bins that hold too few events and hardly any information on kappa, see `Rules.negligible`.
    """

    edges: Edges
    training: Judgement
    judging: Judgement
    trail: tuple[tuple[int, float], ...]
    exempt: int

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return {
            "edges": [[edges.tolist() for edges in axes] for axes in self.edges],
            "training": self.training.summary(),
            "judging": self.judging.summary(),
            "trail": [list(point) for point in self.trail],
            "exempt": self.exempt,
        }


def optimise(
    training: Grid,
    judging: Grid,
    *,
    rules: Rules | None = None,
    parameter: str = "kappa",
    starts: int = 3,
    rounds: int = 20,
) -> Optimum:
    """Return the binning with the smallest expected profiled error of one parameter.

    Parameters
    ----------
    training, judging : Grid
        The same cells filled with two independent halves of the simulation, each at the full exposure. Without
        `with_prediction` of the module `density`, every empty bin is taken to have missed a whole event of each sample.
    rules : Rules, optional
        Without them, the defaults of `Rules`.
    parameter : str
        Whose error to make small.
    starts : int
        How many binnings on the way down to refine, the best and the best of those with half as many bins each, and as
        many coarse ones, of equal statistics.
    rounds : int
        Most rounds of refinement; each tries all edges of an axis at once, and to move, remove and add every edge.

    Raises
    ------
    ConfigError
        The grids have different cells, the parameter is unknown, or no binning of the grid fulfils the rules.
    """
    rules = rules or Rules()
    if parameter not in training.bins.parameters:
        raise ConfigError(f"optimise: no parameter {parameter!r}{nearest(parameter, training.bins.parameters)}")
    same_cells(training, judging)
    search = Search(training, rules, parameter)
    trail = list(search.greedy())
    best = _refined(search, trail, starts, rounds)
    if best is None:
        raise ConfigError(
            f"optimise: no binning of the grid with at most {rules.bins or 'any number of'} bins has"
            f" {rules.entries:g} simulated events, {rules.background_entries:g} of them backgrounds, a relative error"
            f" below {rules.relative_error:g} and the least widths in every bin that matters; ask for less, or simulate"
            " more"
        )
    # A search that may not take as many bins ends elsewhere, now and then in a better place.
    for _ in range(starts - 1):
        other = _refined(search.limited(best.bins // 2), trail, 1, rounds)
        if other is None or other.score >= best.score:
            break
        best = other
    edges = search.edges(best)
    return Optimum(
        edges=edges,
        training=judge(training.merged(edges).bins, parameter),
        judging=judge(judging.merged(edges).bins, parameter),
        trail=tuple((found.bins, found.error) for found in trail),
        exempt=best.exempt,
    )


def _refined(search: Search, trail: Sequence[Found], starts: int, rounds: int) -> Found | None:
    """Return the best binning that several starts lead to, None without one that is allowed."""
    begun = (*_apart(search, trail, starts), *map(search.coarse, range(min(starts, len(COARSE)))))
    found = []
    with bar(len(begun), doing="moving edges", unit="starts") as advance:
        for start in begun:
            found.append(search.refined(start, rounds))
            advance(1)
    return min((one for one in found if one.allowed), key=lambda one: one.score, default=None)


def _apart(search: Search, trail: Sequence[Found], count: int) -> Iterator[Found]:
    """Yield the best binning that is allowed, then the best of those with at most half as many bins, and so on."""
    trail = [found for found in trail if found.allowed and found.bins <= search.most]
    for _ in range(count):
        best = min(trail, key=lambda found: found.score, default=None)
        if best is None:
            return
        yield best
        trail = [found for found in trail if found.bins <= best.bins // 2]
