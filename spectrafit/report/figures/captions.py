"""Writes what stands under each figure, with its numbers, and what the figure shows for those who cannot see it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures.scales import scale_of
from spectrafit.templates.regions import RegionBins

if TYPE_CHECKING:
    from spectrafit.config import Response
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile
    from spectrafit.report.expectation import Expectation
    from spectrafit.report.shifts import Shifts

__all__ = ["Words", "plain", "response"]

_DRAWN = {
    "linear": "",
    "log": " The axis is logarithmic.",
    "broken": " The axis is broken: wide bins are drawn narrower.",
    "even": " All bins are drawn equally wide.",
}


def plain(label: str) -> str:
    """Return a label without the marks of mathtext."""
    for mark, text in (("\\,", " "), ("\\mathrm", ""), ("$", ""), ("{", ""), ("}", ""), ("\\", "")):
        label = label.replace(mark, text)
    return label


class Words:
    """Captions of one result; each method returns the caption and what the figure shows.

    Parameters
    ----------
    model, best, limit, expected : what is drawn.
    called : name of the coupling of interest.
    """

    def __init__(self, model: Model, best: FitResult, limit: Limit, expected: Expectation, *, called: str) -> None:
        self.model, self.best, self.limit, self.expected, self.called = model, best, limit, expected, called
        self.coupling = COUPLINGS[model.coupling]
        value = self.coupling.reported(expected.kappa)
        self.value = f"{self.coupling.symbol} = {value:.3g} {self.coupling.unit}".strip()
        limited = f"{100 * limit.level:g} % CL limit ({limit.method}, {limit.sides}-sided)"
        self.at = (
            f"at its {limited}, {self.value}"
            if expected.kappa == limit.kappa
            else f"at {self.value}, where it can be seen (the {limited} is {limit.value:.3g} {limit.unit})"
        )

    def spectrum(self, region: RegionBins, axis: int, *, fitted: bool, scale: str) -> tuple[str, str]:
        """Return the words for one axis of a region."""
        expected, bins = self.expected, region.bins
        axis_of = plain(region.labels[axis])
        edges = np.asarray(region.axes[axis].edges)
        total, added = (_along(events, region, axis) for events in (expected.total, expected.signal))
        before, after = (
            math.sqrt(max(float(found[bins, bins].sum() + expected.variance[bins].sum()), 0.0))
            for found in (expected.before, expected.after)
        )
        others = ", ".join(f"{other} = {value:.4g}" for other, value in expected.others.items())
        said = (
            f"Region {region.name}, {axis_of}: {total.sum():.1f} ± {after:.1f} Standard Model events after the fit "
            f"({expected.prior[bins].sum():.1f} ± {before:.1f} before), stacked by sample, and on top the "
            f"{added.sum():+.1f} of the {self.called} {self.at}"
            + (f" (the other couplings refitted there: {others})" if others else "")
            + "."
        )
        if not fitted:
            said += " This region had no part in the fit."
        said += " Dotted lines and the light band: uncertainty before the fit; hatched and dark: after it."
        said += _DRAWN[scale_of(edges, scale)]
        observed = ""
        if not self.model.asimov:
            data = float(self.model.data[bins].sum()) if len(self.model.data) == len(expected.total) else math.nan
            if math.isfinite(data):
                observed = f" The points are {data:.4g} events in all."
                if self.model.fake is not None:
                    observed += f" The points are fake data, not measured: {self.model.fake.label}."
        most = int(np.argmax(np.abs(added)))
        ratio = np.divide(total + added, total, out=np.ones_like(total), where=total > 0)
        seen = (
            f"Stacked histogram of {len(expected.samples)} samples against {axis_of} in {len(total)} bins from "
            f"{edges[0]:g} to {edges[-1]:g}: {total.sum():.1f} events. The {self.called} adds {added.sum():.1f}, "
            f"most of "
            f"it, {added[most]:.1f}, from {edges[most]:g} to {edges[most + 1]:g}; its ratio to the Standard Model, "
            f"drawn "
            f"below, runs from {ratio.min():.2f} to {ratio.max():.2f}.{observed}"
        )
        return said + observed, seen

    def plane(self, region: RegionBins) -> tuple[str, str]:
        """Return the words for the maps of a region."""
        expected, bins = self.expected, region.bins
        spread = expected.variance[bins] + np.diag(expected.after)[bins] + expected.total[bins]
        reach = np.divide(expected.signal[bins], np.sqrt(spread), out=np.zeros(region.size), where=spread > 0)
        best = int(np.argmax(np.abs(reach)))
        where = self._place(region, best)
        said = (
            f"Region {region.name}, bin by bin as it is fitted: Standard Model events (left), the "
            f"{expected.signal[bins].sum():+.1f} events of the {self.called} at {self.value} (middle), and s / "
            f"sqrt(b + "
            f"sigma_b^2) (right), largest with {reach[best]:.2g} at {where}. Each map has a colour scale of its own, "
            "named above it; bins are drawn equally large where some would be too small to see."
        )
        seen = (
            f"Three maps of {' x '.join(map(str, region.shape))} bins in {' and '.join(map(plain, region.labels))}. "
            f"The "
            f"coupling shows most at {where}: {expected.signal[bins][best]:.2g} events over "
            f"{expected.total[bins][best]:.2g}."
        )
        return said, seen

    def partition(self, region: RegionBins) -> tuple[str, str]:
        """Return the words for the partition behind a region."""
        parted = region.partition
        assert parted is not None
        none = int(np.sum(parted.numbers == 0))
        said = (
            f"Region {region.name}: the bin of the fit, 1 to {region.size}, that each of the {parted.numbers.size} "
            f"bins "
            f"of the grid is in; the {none} grey ones are in none."
        )
        return said, f"Map of the grid of region {region.name} in {region.size} colours, one for each bin of the fit."

    def changes(self, moved: Shifts, region: RegionBins, axis: int) -> tuple[str, str]:
        """Return the words for the systematics of one axis of a region."""
        nominal = _along(moved.nominal, region, axis)
        safe = np.where(nominal > 0, nominal, np.nan)
        sizes = {
            one.name: float(np.nanmax(np.abs(100.0 * (_along(one.up, region, axis) / safe - 1.0)), initial=0.0))
            for one in moved.each
        }
        name = max(sizes, key=lambda key: sizes[key])
        band = (
            "the grey band is the noise that the simulation gives to the change up"
            if moved.bins is not None
            else "the noise of the changes is not known, because these templates have no cells"
        )
        said = (
            f"Region {region.name}, {plain(region.labels[axis])}: change of the Standard Model expectation by each "
            f"nuisance "
            f"parameter, one prior width up (full line) and down (dashed); {band}. The largest is {name}, up to "
            f"{sizes[name]:.1f} %."
        )
        listed = ", ".join(f"{key} {size:.1f} %" for key, size in sorted(sizes.items(), key=lambda item: -item[1])[:6])
        return (
            said,
            f"Largest change by parameter against {plain(region.labels[axis])} of region {region.name}: {listed}.",
        )

    def profile(self, curve: Profile) -> tuple[str, str]:
        """Return the words for the profile likelihood."""
        limit = self.limit
        height = float(np.interp(limit.kappa, curve.grid, curve.delta_2nll))
        low, high = curve.crossing(1.0)
        ends = " and ".join(f"{end:.3g}" for end in (low, high) if math.isfinite(end))
        said = (
            f"Profile likelihood: best kappa {limit.best_kappa:.3g} ± {limit.best_error:.2g}, -2 Delta ln L = 1 at "
            f"kappa = "
            f"{ends}. The {100 * limit.level:g} % CL limit, kappa = {limit.kappa:.3g} ({limit.value:.3g} "
            f"{limit.unit}), "
            f"is where -2 Delta ln L = {height:.2f}. Statistic: {limit.statistic}. Boundary: {limit.boundary}."
        )
        seen = (
            f"A valley against kappa from {curve.grid[0]:.3g} to {curve.grid[-1]:.3g}, lowest at {curve.best:.3g}, "
            f"with "
            f"the limit marked at {limit.kappa:.3g}."
        )
        return said, seen

    def scan(self) -> tuple[str, str]:
        """Return the words for the curve behind the limit."""
        limit = self.limit
        expected = ""
        if limit.expected is not None:
            low, median, high = limit.expected.values[1:4]
            expected = f" Without a signal {median:.3g} is expected, {low:.3g} to {high:.3g} in 68 % of experiments."
        where = f"{limit.value:.3g} {limit.unit}".strip()
        said = f"The curve behind the {limit.method} limit of {where} at {100 * limit.level:g} % CL.{expected}"
        points = limit.points["kappa"]
        return said, (
            f"{limit.method} against kappa from {points[0]:.3g} to {points[-1]:.3g}; the limit is at {limit.kappa:.3g}."
        )

    def nuisances(self, impacts: Sequence[Impact]) -> tuple[str, str]:
        """Return the words for pulls and impacts."""
        singles = [one for one in impacts if not one.group and one.name not in self.model.couplings]
        first = singles[0]
        share = first.size / self.best.kappa_error
        pulled = np.nan_to_num(np.abs(self.best.pulls))
        place = int(np.argmax(pulled))
        largest = f"{self.best.names[place]} with {self.best.pulls[place]:+.2f}" if pulled[place] > 0.005 else "none"
        said = (
            f"Pulls and constraints of {len(singles)} nuisance parameters (largest pull: {largest}), and their "
            f"impact on "
            f"kappa in its error, {self.best.kappa_error:.3g}: its change when the parameter is held one fitted "
            f"error up "
            f"or down (filled, and in numbers) or one prior width (open, in proportion). The largest is {first.name}, "
            f"{share:.2f}."
        )
        listed = ", ".join(f"{one.name} {one.size / self.best.kappa_error:.2f}" for one in singles[:6])
        return said, f"Parameters by impact on kappa over its error: {listed}."

    def correlations(self) -> tuple[str, str]:
        """Return the words for the correlations."""
        matrix, names = self.best.correlation, self.best.names
        upper = np.abs(np.triu(np.where(np.outer(self.best.errors, self.best.errors) > 0, matrix, 0.0), 1))
        row, column = np.unravel_index(int(np.argmax(upper)), upper.shape)
        pair = f"{names[row]} and {names[column]}, {matrix[row, column]:+.2f}"
        count = int(np.sum(self.best.errors > 0))
        return (
            f"Correlations of the {count} fitted parameters. The largest: {pair}.",
            f"Matrix of correlations, largest between {pair}.",
        )

    def _place(self, region: RegionBins, at: int) -> str:
        places = np.unravel_index(at, region.shape)
        return ", ".join(
            f"{name} {float(axis.edges[place]):.4g} to {float(axis.edges[place + 1]):.4g}"
            for name, axis, place in zip(region.observables, region.axes, places, strict=True)
        )


def response(detector: Response, name: str) -> tuple[str, str]:
    """Return the words for the response of a sample set."""
    said = (
        f"Detector response of the sample set {name} for forward electrons, by events thrown at each true T: "
        f"efficiency "
        f"(plateau {detector.efficiency:g}), reconstructed over true energy, and angle to the true direction."
    )
    return said, f"Efficiency, energy resolution and angular resolution of {name} against the true kinetic energy."


def _along(events: Floats, region: RegionBins, axis: int) -> Floats:
    """Return the events of a region summed onto one axis."""
    grid = events[region.bins].reshape(region.shape)
    found: Floats = grid.sum(axis=tuple(other for other in range(grid.ndim) if other != axis))
    return found
