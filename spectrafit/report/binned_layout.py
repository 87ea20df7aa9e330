"""The layout of the bins of regions, and of the profile, in `result.json`."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Axis", "Curve", "Number", "Numbers", "RegionContents", "Yield"]

# A number that is not finite is null.
Number = float | None
Numbers = list[Number]


class Axis(msgspec.Struct, kw_only=True):
    """One axis of a region.

    Attributes
    ----------
    observable
        Name or expression of what is binned.
    label
        As figures print it, with its unit.
    edges
        Of the bins, one more than there are bins. GeV and rad for energies and angles.
    """

    observable: str
    label: str
    edges: list[float]


class Yield(msgspec.Struct, kw_only=True):
    """The expectation of one sample in the bins of a region.

    Attributes
    ----------
    sample
        Name; null for the sum of all samples.
    events : events
        Expected in each bin, at the analysis exposure.
    error : events
        Of each bin, from the parameters.
    simulation_error : events
        Of each bin, from the statistics of the simulation, or given with numbers.
    sum : events
        Over the bins.
    sum_error : events
        Of the sum, from the parameters.
    sum_simulation_error : events
        Of the sum, from the statistics of the simulation, or given with numbers.
    """

    sample: str | None
    events: Numbers
    error: Numbers
    simulation_error: Numbers
    sum: Number
    sum_error: Number
    sum_simulation_error: Number


class RegionContents(msgspec.Struct, kw_only=True):
    """One region: what was expected in its bins, and what is there.

    Attributes
    ----------
    name
        As in the analysis.
    title
        As printed; may be empty.
    axes
        In the order of the bins: the last axis is the fastest.
    partition
        The grid behind bins that are no rectangles; null for a grid.
    fitted
        Whether the likelihood has its bins; false for a region that is only shown.
    data : events
        In each bin: what was fitted, so of a blinded fit the expectation itself.
    before
        The nominal expectation without any coupling, with errors from the priors; a parameter without a prior counts
        with its fitted error. The sum of all samples comes last.
    after
        The expectation at the best fit, its coupling included, with errors from the fit. The sum comes last.
    """

    name: str
    title: str
    axes: list[Axis]
    partition: dict[str, Any] | None
    fitted: bool
    data: Numbers
    before: list[Yield]
    after: list[Yield]


class Curve(msgspec.Struct, kw_only=True):
    """2NLL above its minimum along kappa, all other parameters refitted.

    Attributes
    ----------
    parameter
        The coupling of interest.
    kappa : best_fit.unit_of_kappa
        Where the fits were made.
    delta_2nll
        There.
    valid
        Whether the fit there is.
    """

    parameter: str
    kappa: list[float]
    delta_2nll: Numbers
    valid: list[bool]
