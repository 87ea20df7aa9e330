"""How far a fit constrains each nuisance, how much of that is noise of the simulation, and the words for it."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from spectrafit.inference.fitting.information import ALARM, Constraint, Information, information
from spectrafit.inference.fitting.information import constraints as of_bins
from spectrafit.inference.fitting.linear import bins_of
from spectrafit.inference.model import Model
from spectrafit.templates.cells import Cells
from spectrafit.templates.templates import Templates

__all__ = ["Constraints", "constraints"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Constraints:
    """Expected constraints of all nuisances with a prior, naive and with the noise of the simulation subtracted.

    Attributes
    ----------
    information : Information
        Fisher information of the expected data with its noise: `information.error("kappa")` is the expected error of
        kappa, `information.covariance()` the covariance of all parameters, corrected or not.
    each : tuple of Constraint
    poi : str
        The parameter of interest.
    places : mapping of int to str
        Bins that hold much of some noise, named by their region and edges.
    smoothable : tuple of str
        Parameters of systematics that could be smoothed with `smooth` and are not.
    """

    information: Information
    each: tuple[Constraint, ...]
    poi: str
    places: Mapping[int, str]
    smoothable: tuple[str, ...]

    def __iter__(self) -> Iterator[Constraint]:
        return iter(self.each)

    def __len__(self) -> int:
        return len(self.each)

    def of(self, parameter: str) -> Constraint | None:
        """Return the constraint of one parameter, None for one without a prior."""
        return next((found for found in self.each if found.parameter == parameter), None)

    @property
    def alarms(self) -> tuple[str, ...]:
        """A sentence for every parameter whose constraint is noise by more than a tenth."""
        return tuple(self._alarm(found) for found in self.each if found.alarm)

    def _alarm(self, found: Constraint) -> str:
        samples = [(name, share) for name, share in found.samples.items() if share >= 0.05][:4]
        bins = [f"{self.places[place]} ({100 * share:.0f} %)" for place, share in found.bins[:3]]
        listed = ", ".join(name for name, _ in samples)
        sources = ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in samples)
        remedies = ["coarser bins", f"more simulation of {listed}"]
        if found.parameter in self.smoothable:
            remedies.insert(1, 'smooth = "auto" (or true)')
            only = ", ".join(f'"{name}" = "norm"' for name, _ in samples)
            remedies.append(f"only the norm of these samples, shape = {{ {only} }}")
        return (
            f"{found.parameter}: {100 * found.noise:.0f} % of its constraint is noise of the simulation. The fit"
            f" expects {found.naive:.2f} of the prior; without the noise it is {found.corrected:.2f} +-"
            f" {found.uncertainty:.2f}. The noise comes from {sources}, most of it"
            f" in {', '.join(bins)}. Remedies: {'; '.join(remedies)}"
        )

    def summary(self) -> dict[str, Any]:
        """Return what `result.json` keeps, as plain numbers: kappa's error and every nuisance, naive and corrected."""
        named = {
            found.parameter: found.summary() | {"bins": {self.places[place]: share for place, share in found.bins}}
            for found in self.each
        }
        kappa = {}
        if self.poi in self.information.parameters:
            kappa = {
                "naive_error": self.information.error(self.poi, corrected=False),
                "corrected_error": self.information.error(self.poi),
                "uncertainty": self.information.error_of_error(self.poi),
            }
        return {"alarm_above": ALARM, "parameter_of_interest": kappa, "nuisances": named}

    def __str__(self) -> str:
        """Return a table: per parameter the constraint as fitted, without the noise, and the share of noise."""
        width = max((len(name) for name in self.information.parameters), default=0)
        lines = [f"{'':<{width}}   naive  corrected         noise"]
        if self.poi in self.information.parameters:
            naive, corrected = (self.information.error(self.poi, corrected=sort) for sort in (False, True))
            error = self.information.error_of_error(self.poi)
            lines.append(f"{self.poi:<{width}}  {naive:6.3g}  {corrected:.3g} +- {error:.2g}  (error)")
        for found in self.each:
            lines.append(
                f"{found.parameter:<{width}}  {found.naive:6.3f}  {found.corrected:.3f} +- {found.uncertainty:.3f}"
                f"  {100 * found.noise:4.1f} %{'  ALARM' if found.alarm else ''}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def constraints(model: Model, templates: Templates) -> Constraints:
    """Return how far the expected data constrain each nuisance, with and without the noise of the simulation.

    Everything is taken at the nominal point, with couplings at 0. The naive numbers are those of a fit to Asimov data
    there. `sf.information(model)` returns the information that the likelihood uses, noise included.

    Parameters
    ----------
    model : Model
    templates : Templates
        Those the model was assembled from, with their cells.

    Raises
    ------
    ConfigError
        The templates have no cells, or the model was assembled from other templates.
    """
    bins = bins_of(model, templates)
    found = information(bins)
    each = of_bins(bins, found=found)
    named = {place for one in each for place, _ in one.bins}
    return Constraints(
        information=found,
        each=each,
        poi=model.poi,
        places={place: _place(model, templates, place) for place in sorted(named)},
        smoothable=_smoothable(templates.cells) if templates.cells else (),
    )


def _place(model: Model, templates: Templates, b: int) -> str:
    """Return the name of a bin: its region, and its edges along each axis."""
    if model.n_bins != templates.n_bins:
        return model.bin_name(b)
    region = next(region for region in templates.regions if region.start <= b < region.stop)
    places = np.unravel_index(b - region.start, region.shape)
    sides = (
        f"{name} {float(axis.edges[place]):.4g} to {float(axis.edges[place + 1]):.4g}"
        for name, axis, place in zip(region.observables, region.axes, places, strict=True)
    )
    return f"{region.name}[{', '.join(sides)}]"


def _smoothable(cells: Cells) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            systematic.name for systematic in cells.analysis.systematics if getattr(systematic, "smooth", True) is False
        )
    )
