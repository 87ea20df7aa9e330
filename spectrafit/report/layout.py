"""The layout of `result.json`: what each key means, its unit, and the JSON Schema that results keep to.

`LAYOUT` goes up by one when a key is taken away or changes its meaning. Keys may be added at any time: readers pass
over those that they do not know.
"""

from __future__ import annotations

from typing import Any

import msgspec

from spectrafit.config.describing import schema_of
from spectrafit.report.binned_layout import Curve, Number, Numbers, RegionContents

__all__ = ["LAYOUT", "Result", "result_schema"]

LAYOUT = 1

Plain = dict[str, Any]


class CouplingOfInterest(msgspec.Struct, kw_only=True):
    """The coupling that the limit is for.

    Attributes
    ----------
    name
        Key of the coupling, as `magnetic_moment`.
    symbol
        As printed.
    unit
        Of the reported value.
    parameter
        Its kappa's name in the fit.
    carriers
        PDG codes of the neutrinos that have it.
    """

    name: str
    symbol: str
    unit: str
    parameter: str
    carriers: list[int]


class Bands(msgspec.Struct, kw_only=True):
    """Limits expected if there is no signal: the quantiles at -2, -1, 0, +1 and +2 sigma.

    Attributes
    ----------
    values : limit.unit
        The reported limits.
    kappas : best_fit.unit_of_kappa
        The same in kappa.
    how
        How they were found.
    """

    values: Numbers
    kappas: Numbers
    how: str


class LimitFound(msgspec.Struct, kw_only=True):
    """The limit.

    Attributes
    ----------
    value : limit.unit
        The upper limit, or the interval's upper end.
    unit
        Of `value` and `lower`.
    kappa : best_fit.unit_of_kappa
        The same in kappa.
    lower : limit.unit
        The interval's lower end; null where there is none.
    lower_kappa : best_fit.unit_of_kappa
        The same in kappa.
    level
        Confidence level, 0.9 for 90 %.
    sides
        One or two.
    method
        The method's name.
    statistic
        In words.
    boundary
        How kappa >= 0 entered.
    error : limit.unit
        Of `value`, from the method itself, as finite toys.
    kappa_error : best_fit.unit_of_kappa
        The same in kappa.
    simulation_error : limit.unit
        How far `value` would move with another simulation of the same size, or other numbers that were given.
    simulation_error_from
        What that comes from: "simulation", or "given errors of" samples that are known as numbers.
    asimov
        Whether the data were the expectation itself.
    expected
        The limits expected without a signal; null if not asked for.
    best_kappa : best_fit.unit_of_kappa
        The unbounded best fit.
    best_error : best_fit.unit_of_kappa
        Its error.
    fake
        What fake data were, or null.
    ledger
        Counts of the toy fits; null without toys.
    notes
        Sentences that a reader of the limit must know.
    empty
        Whether no physical value is allowed: then `value` is the boundary and no limit.
    beside
        Limits by other methods, where a deficit made this one small or empty.
    parameter
        What kappa is called: of a workspace, the name of its parameter of interest.
    symbol
        Of the coupling.
    points
        The scan behind the limit: columns of equal length, `kappa` and what the method has there.
    """

    value: Number
    unit: str
    kappa: Number
    lower: Number
    lower_kappa: Number
    level: float
    sides: str
    method: str
    statistic: str
    boundary: str
    error: Number
    kappa_error: Number
    simulation_error: Number
    simulation_error_from: str
    asimov: bool
    expected: Bands | None
    best_kappa: Number
    best_error: Number
    fake: str | None
    ledger: Plain | None
    notes: list[str]
    empty: bool
    beside: dict[str, Any]
    parameter: str = "kappa"
    symbol: str
    points: dict[str, Numbers]


class BestFit(msgspec.Struct, kw_only=True):
    """The best fit of the coupling of interest, without a boundary.

    Attributes
    ----------
    kappa : best_fit.unit_of_kappa
        Its value.
    error : best_fit.unit_of_kappa
        From the covariance.
    minos : best_fit.unit_of_kappa
        Lower and upper MINOS error, or null.
    unit_of_kappa
        In words.
    reported : best_fit.reported_unit
        The coupling at `kappa`; null where kappa is below the boundary.
    reported_unit
        In words.
    """

    kappa: Number
    error: Number
    minos: list[float] | None
    unit_of_kappa: str
    reported: Number
    reported_unit: str


class FitState(msgspec.Struct, kw_only=True):
    """Whether to believe the fit.

    Attributes
    ----------
    valid
        Whether it is a minimum with a covariance.
    message
        What is wrong, or empty.
    two_nll
        2NLL there, above the saturated model's.
    edm
        Estimated distance to the minimum, in 2NLL.
    calls
        Evaluations.
    seconds : s
        Time taken.
    at_limit
        Parameters that ended at a limit of theirs.
    fixed
        Parameters that were held.
    goodness
        chi2, ndof, p_value, and toys if p is from toys.
    statistic
        `fit.statistic` of the analysis.
    terms
        `fit.terms`.
    mc_statistics
        `fit.mc_statistics`.
    bins
        How many were fitted.
    dropped_bins
        Bins without expectation, by name.
    """

    valid: bool
    message: str
    two_nll: Number
    edm: Number
    calls: int
    seconds: float
    at_limit: list[str]
    fixed: list[str]
    goodness: Plain
    statistic: str
    terms: str
    mc_statistics: str
    bins: int
    dropped_bins: list[str]


class DataUsed(msgspec.Struct, kw_only=True):
    """What was fitted.

    Attributes
    ----------
    blinded
        Whether the real data stayed alone.
    unblinded
        The opposite.
    what
        In words.
    fake
        What made fake data, or null.
    events : events
        By region.
    """

    blinded: bool
    unblinded: bool
    what: str
    fake: Plain | None
    events: dict[str, Number]


class Provenance(msgspec.Struct, kw_only=True):
    """Where the result comes from.

    Attributes
    ----------
    made
        Time, UTC, ISO 8601.
    machine
        Platform.
    versions
        Of Python and of the packages that numbers can depend on; `spectrafit-numm` is this program.
    configuration_digest
        Of the analysis with its sample sets.
    templates_digest
        Of the filled cells.
    inputs
        Per sample: files with size, UUID and entries, POT, scale, and what was left out.
    components
        Principal components of systematics.
    pruned
        Effects that were left out as too small.
    seeds
        Of limit and generated samples.
    build
        Executor and seconds of the fill.
    configuration
        The analysis as it was read, includes and overrides resolved.
    """

    made: str
    machine: str
    versions: dict[str, str]
    configuration_digest: str
    templates_digest: str
    inputs: list[Plain]
    components: Plain
    pruned: list[Plain]
    seeds: dict[str, int]
    build: Plain
    configuration: Plain


class Result(msgspec.Struct, kw_only=True):
    """A result: `result.json` in the folder that `spectrafit fit` writes. Numbers that are not finite are null.

    Attributes
    ----------
    layout
        Version of this layout.
    title
        Of the analysis.
    experiment
        `experiment` of the analysis.
    alarms
        Sentences above the page.
    coupling
        The coupling of interest.
    couplings
        Every fitted coupling with its best fit.
    monomials : events
        Expected events of each sample by power of the couplings.
    limit
        The limit.
    best_fit
        The best fit.
    nuisances
        Per parameter: prior, value, error, pull, constraint, impact on kappa.
    constraints
        Expected constraints with and without the noise of the simulation; null for templates without cells.
    validation
        Regions that are shown and not fitted.
    sources
        Which knobs or flux bins the pulls of principal components come from.
    smoothing
        Grids that `smooth = "auto"` chose.
    error_budget : best_fit.unit_of_kappa
        Parts of kappa's error by group.
    correlation
        `parameters` and the `matrix` of their correlations.
    fit
        State of the fit.
    profile
        2NLL along kappa.
    regions
        Contents of every bin.
    data
        What was fitted.
    samples
        Names.
    provenance
        Where the result comes from.
    """

    layout: int
    title: str | None
    experiment: str | None
    alarms: list[str]
    coupling: CouplingOfInterest
    couplings: list[Plain]
    monomials: list[Plain]
    limit: LimitFound
    best_fit: BestFit
    nuisances: list[Plain]
    constraints: Plain | list[Any] | None
    validation: list[Plain]
    sources: list[Plain]
    smoothing: list[Plain]
    error_budget: dict[str, Number]
    correlation: Plain
    fit: FitState
    profile: Curve
    regions: list[RegionContents]
    data: DataUsed
    samples: list[str]
    provenance: Provenance


def result_schema() -> dict[str, Any]:
    """Return the JSON Schema of `result.json`, with a description of each key."""
    return schema_of(Result)
