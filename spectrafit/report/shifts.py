"""Works out what each nuisance parameter does to the expectation of every bin, and the noise of the change."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.inference.fitting.linear import bins_of
from spectrafit.inference.likelihood import Likelihood

if TYPE_CHECKING:
    from spectrafit.inference.fitting.bins import Bins
    from spectrafit.inference.model import Model
    from spectrafit.templates.regions import RegionBins
    from spectrafit.templates.templates import Templates

__all__ = ["Shifted", "Shifts", "shifts"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shifted:
    """The expectation with one nuisance parameter a prior width up and down, everything else at its prior.

    Attributes
    ----------
    name, group : str
    up, down : (B,) arrays
        Events of all samples without the coupling.
    """

    name: str
    group: str
    up: Floats
    down: Floats


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Shifts:
    """What every nuisance parameter does to the B bins.

    Attributes
    ----------
    nominal : (B,) array
    each : tuple of Shifted
    bins : Bins or None
        The noise of the changes; None where it is not known (no cells, or fewer bins are fitted than shown).
    """

    nominal: Floats
    each: tuple[Shifted, ...]
    bins: Bins | None

    def changes(self, region: RegionBins) -> bool:
        """Whether any parameter changes the events of a region."""
        here = self.nominal[region.bins]
        return any(
            not (np.array_equal(one.up[region.bins], here) and np.array_equal(one.down[region.bins], here))
            for one in self.each
        )

    def noise(self, name: str, labels: Integers, count: int) -> Floats | None:
        """Return the noise of the change by one prior width in merged bins, one standard deviation in events.

        Parameters
        ----------
        name : of the parameter.
        labels : (B,) array
            The merged bin of every bin, from 0; negative for none.
        count : of merged bins.
        """
        bins = self.bins
        if bins is None or name not in bins.parameters:
            return None
        place = bins.parameters.index(name)
        kept = labels >= 0
        variance = np.asarray(np.bincount(labels[kept], bins.noise[place].sum(axis=0)[kept], count), dtype=np.float64)
        shared = bins.shared
        first, second = labels[shared.bins[:, 0]], labels[shared.bins[:, 1]]
        # Events that move between bins that are merged do not move.
        inside = (shared.parameters == place).all(axis=1) & (first == second) & (first >= 0)
        moved = np.asarray(np.bincount(first[inside], shared.values[inside], count), dtype=np.float64)
        found: Floats = np.sqrt(np.maximum(variance + 2.0 * moved, 0.0))
        return found


def shifts(model: Model, templates: Templates | None = None) -> Shifts:
    """Return what each nuisance parameter does to the expectation without the coupling, one prior width up and down.

    Parameters
    ----------
    model : Model
    templates : Templates, optional
        Those the model was assembled from; with their cells they give the noise of the changes.

    Notes
    -----
    A parameter without a prior has no width to move by and is left out, and so is one that changes nothing.
    """
    likelihood = Likelihood(model)
    couplings = {model.poi, *model.couplings}
    centre = np.array(model.initial, dtype=np.float64)
    for place, parameter in enumerate(model.parameters):
        if parameter.name in couplings:
            centre[place] = 0.0
        elif parameter.constraint == "gaussian":
            centre[place] = parameter.centre
    nominal = likelihood.predict(centre).mean.copy()
    each = []
    for place, parameter in enumerate(model.parameters):
        if parameter.name in couplings or parameter.constraint != "gaussian" or parameter.fixed:
            continue
        sides = []
        for side in (1.0, -1.0):
            values = centre.copy()
            values[place] += side * parameter.width
            sides.append(likelihood.predict(values).mean.copy())
        if not all(np.array_equal(found, nominal) for found in sides):
            each.append(Shifted(name=parameter.name, group=parameter.group, up=sides[0], down=sides[1]))
    known = templates is not None and templates.cells is not None and templates.n_bins == model.n_bins
    bins = bins_of(model, templates) if known and templates is not None else None
    return Shifts(nominal=nominal, each=tuple(each), bins=bins)
