"""The results of fits, scans and limits: frozen objects that print themselves."""

from __future__ import annotations

import dataclasses
import html
from typing import Any

import numpy as np

from spectrafit.arraytypes import Flags, Floats
from spectrafit.inference.fake import Fake, called
from spectrafit.inference.standing import Standing

__all__ = ["Bands", "Contour", "FitResult", "Goodness", "Impact", "Ledger", "Limit", "Profile"]


class _Shown:
    """Shows a result in a notebook with the lines that `print` shows."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Goodness:
    """Goodness of fit from the saturated likelihood ratio: `chi2`, `ndof`, `p_value`; `toys` > 0 if p is from toys."""

    chi2: float
    ndof: int
    p_value: float
    toys: int = 0

    def __str__(self) -> str:
        how = f"{self.toys} toys" if self.toys else "asymptotic"
        return f"chi2/ndof = {self.chi2:.2f}/{self.ndof}, p = {self.p_value:.3f} ({how})"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Ledger:
    """Counts what became of the toy fits.

    `fits` are Newton fits, `refitted` those that did not converge and went to Minuit, `failed` those in which Minuit
    failed too (their toys are left out). Minuit repeated `checked` converged fits as a referee; `disagreed` of them
    differed by more than 1e-3 in 2NLL. `toys` are the numbers of the first toys that failed, for repeating them.
    """

    fits: int = 0
    refitted: int = 0
    failed: int = 0
    checked: int = 0
    disagreed: int = 0
    toys: tuple[int, ...] = ()

    @property
    def rate(self) -> float:
        """Failed over fits, plus disputed over checked (as if at least 100 had been)."""
        return self.failed / max(self.fits, 1) + self.disagreed / max(self.checked, 100)

    def __add__(self, other: Ledger) -> Ledger:
        names = [field.name for field in dataclasses.fields(self) if field.name != "toys"]
        counts = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Ledger(**counts, toys=(self.toys + other.toys)[:20])

    def __str__(self) -> str:
        return (
            f"{self.fits} toy fits, {self.refitted} refitted by Minuit, {self.failed} failed; "
            f"referee: {self.checked} checked, {self.disagreed} disagreed"
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FitResult(_Shown):
    """The minimum of 2NLL and whether to believe it.

    Attributes
    ----------
    names : (K,) tuple of str
    values, errors : (K,) arrays
        Errors are the square roots of the covariance's diagonal; 0 for fixed parameters.
    covariance : (K, K) array
        2 x inverse of the Hessian of 2NLL; rows of fixed parameters are 0.
    two_nll : float
        2NLL at the minimum, relative to the saturated model (Baker-Cousins).
    valid : bool
        EDM below tolerance, covariance positive definite, no parameter at its limit.
    message : str
        Empty if valid; else what failed and what to try.
    edm : float
        Estimated distance to the minimum in 2NLL.
    calls : int
        Evaluations of the likelihood.
    seconds : float
    at_limit : tuple of str
        Parameters that ended at their limit.
    minos : dict
        Parameter to (lower, upper) MINOS errors, for those asked for.
    goodness : Goodness
    pulls : (K,) array
        (value - centre) / width of gaussian constraints; NaN for free parameters.
    constraints : (K,) array
        Post-fit over pre-fit error; NaN for free parameters.
    fixed : tuple of str
    initial_two_nll : float
        2NLL where the fit started.
    gammas : dict
        Values of the analytically profiled gammas, by name (HistFactory models).
    asimov : bool
        Whether the nominal expectation itself was fitted.
    fake : Asimov, Toy, Simulated, Injected or None
        What made the data, if they are neither that nor a measurement.
    poi, coupling : str
    couplings : dict
        Fitted couplings, the one of interest and the profiled ones: parameter to key of `COUPLINGS`.
    """

    names: tuple[str, ...]
    values: Floats
    errors: Floats
    covariance: Floats
    two_nll: float
    valid: bool
    message: str
    edm: float
    calls: int
    seconds: float
    at_limit: tuple[str, ...]
    minos: dict[str, tuple[float, float]]
    goodness: Goodness
    pulls: Floats
    constraints: Floats
    fixed: tuple[str, ...] = ()
    initial_two_nll: float = float("nan")
    gammas: dict[str, float] = dataclasses.field(default_factory=dict)
    asimov: bool = True
    fake: Fake | None = None
    poi: str = "kappa"
    coupling: str = ""
    couplings: dict[str, str] = dataclasses.field(default_factory=dict)

    def value(self, name: str) -> float:
        """Return one parameter's value."""
        return float(self.values[self.names.index(name)])

    def error(self, name: str) -> float:
        """Return one parameter's error."""
        return float(self.errors[self.names.index(name)])

    @property
    def kappa(self) -> float:
        """Best fit of the parameter of interest, in its internal unit; NaN if the model has none."""
        return self.value(self.poi) if self.poi else float("nan")

    @property
    def kappa_error(self) -> float:
        """Error of the parameter of interest; NaN if the model has none."""
        return self.error(self.poi) if self.poi else float("nan")

    @property
    def correlation(self) -> Floats:
        """(K, K) correlations; 0 for fixed parameters, 1 on the diagonal."""
        scale = np.where(self.errors > 0, self.errors, 1.0)
        result: Floats = self.covariance / np.outer(scale, scale)
        np.fill_diagonal(result, 1.0)
        return result

    def __str__(self) -> str:
        width = max(len(name) for name in self.names)
        lines = [
            f"{'valid' if self.valid else 'INVALID'} fit of {called(asimov=self.asimov, fake=self.fake)}: "
            f"2NLL = {self.two_nll:.4f}, EDM = {self.edm:.1e}, {self.calls} calls, {1e3 * self.seconds:.1f} ms",
            str(self.goodness),
        ]
        if self.message:
            lines.append(self.message)
        for name, value, error, pull, squeeze in zip(
            self.names, self.values, self.errors, self.pulls, self.constraints, strict=True
        ):
            line = f"  {name:<{width}}  {value: .5g} +- {error:.3g}"
            if name in self.minos:
                low, high = self.minos[name]
                line += f"  (MINOS {low:+.3g} {high:+.3g})"
            if name in self.fixed:
                line += "  fixed"
            elif np.isfinite(pull):
                line += f"  pull {pull:+.2f}, constrained to {squeeze:.2f}"
            lines.append(line)
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """2NLL above its minimum along one parameter, everything else refitted.

    Attributes
    ----------
    parameter : str
    grid, delta_2nll : (G,) arrays
    best, best_2nll : float
        The minimum, over all values of the parameter.
    values : (G, K) array
        All parameters at each point.
    valid : (G,) bool array
    """

    parameter: str
    grid: Floats
    delta_2nll: Floats
    best: float
    best_2nll: float
    values: Floats
    valid: Flags

    def crossing(self, level: float) -> tuple[float, float]:
        """Return where the curve crosses `level` below and above the best fit, by interpolation; NaN if it does not."""
        found = []
        for side in (self.grid <= self.best, self.grid >= self.best):
            grid, rise = self.grid[side], self.delta_2nll[side]
            above = np.flatnonzero((rise[:-1] - level) * (rise[1:] - level) <= 0)
            if above.size == 0:
                found.append(float("nan"))
                continue
            at = int(above[0])
            # Roots vary linearly with the parameter where the curve is a parabola.
            left, right, wanted = np.sqrt(np.maximum([rise[at], rise[at + 1], level], 0.0))
            step = (grid[at + 1] - grid[at]) * (wanted - left) / (right - left) if right != left else 0.0
            found.append(float(grid[at] + step))
        return found[0], found[1]

    def __str__(self) -> str:
        low, high = self.crossing(1.0)
        return (
            f"profile of {self.parameter}: {len(self.grid)} points, best {self.best:.5g}, "
            f"Delta 2NLL = 1 at {low:.5g} and {high:.5g}, {int(np.sum(~self.valid))} invalid"
        )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Contour:
    """2NLL above its minimum in two parameters.

    `x`, `y` are the grids of `parameters`; `delta_2nll` and `valid` are (len(x), len(y)).
    """

    parameters: tuple[str, str]
    x: Floats
    y: Floats
    delta_2nll: Floats
    best: tuple[float, float]
    valid: Flags

    def __str__(self) -> str:
        return f"contour of {self.parameters[0]} and {self.parameters[1]}: {len(self.x)} x {len(self.y)} points"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Impact:
    """How far the parameter of interest moves with one nuisance or group.

    `up`, `down`: change of kappa when the nuisance is held at its post-fit value plus, minus one post-fit error. Groups
    have `size` only: the quadratic difference of the errors with and without the group fixed.
    """

    name: str
    size: float
    up: float = float("nan")
    down: float = float("nan")
    group: bool = False

    def __str__(self) -> str:
        moves = "" if self.group else f" ({self.up:+.3g} {self.down:+.3g})"
        return f"{self.name}: {self.size:.3g}{moves}"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bands:
    """Expected limits if the truth is kappa = 0: quantiles at -2, -1, 0, +1, +2 sigma, reported unit and kappa."""

    values: tuple[float, float, float, float, float]
    kappas: tuple[float, float, float, float, float]
    how: str = "asymptotic"

    @property
    def median(self) -> float:
        """The median expected limit, in the reported unit."""
        return self.values[2]

    def __str__(self) -> str:
        low2, low1, mid, high1, high2 = self.values
        return f"{mid:.3g}, 1 sigma {low1:.3g} to {high1:.3g}, 2 sigma {low2:.3g} to {high2:.3g} ({self.how})"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Limit(_Shown):
    """An upper limit (or interval) with everything needed to say what it means.

    Attributes
    ----------
    value, unit : float, str
        The limit in the coupling's reported unit (mu_B for the magnetic moment).
    kappa : the same in kappa's internal unit.
    lower, lower_kappa : float
        Lower end of the interval, in the reported unit and in kappa; the boundary (or -inf where there is none) for an
        upper limit.
    level, sides, method : float, "one" or "two", str
    statistic, boundary : str
        The statistic in words, and how kappa >= 0 entered.
    error : float
        Uncertainty of `value` from the method itself (finite toys, integration); 0 if it has none.
    kappa_error : the same for `kappa`.
    simulation_error : float
        How far `value` would move with another simulation of the same size, or other numbers where a sample's numbers
        were given with errors; 0 if that was not asked for.
    simulation_error_from : str
        What `simulation_error` comes from: "simulation", or "given errors of" samples that are known as numbers.
    asimov : bool
        Whether the data were the nominal expectation: then the limit is itself an expected one.
    fake : Asimov, Toy, Simulated, Injected or None
        What made the data, if they are neither that nor a measurement.
    expected : Bands or None
    best_kappa, best_error : float
        Unbounded best fit.
    points : dict of str to (G,) array
        The scan behind the limit, for figures: "kappa", and "p_value", "statistic", "critical", "posterior" as the
        method has them, with "p_error", "critical_error" and "effective", the number of toys of that kappa's own which
        the weighted ones are worth, where they are from toys.
    ledger : Ledger or None
        Counts of the toy fits.
    notes : tuple of str
        Sentences that a reader of the limit must know, e.g. that the interval is disconnected.
    empty : bool
        Whether no physical kappa is allowed at this level. `value` and `kappa` are then the boundary and not a limit.
    beside : dict of str to float
        Where a deficit in the data made the limit small or empty: limits by the methods to use instead, in `unit`.
        "feldman-cousins" is its asymptotic form, without toys.
    standing : Standing or None
        The significance of the data's excess or deficit, with the two-sided interval of an excess.
    parameter : "kappa", or of a workspace the name of its parameter of interest.
    """

    value: float
    unit: str
    kappa: float
    lower: float
    lower_kappa: float
    level: float
    sides: str
    method: str
    statistic: str
    boundary: str
    error: float
    kappa_error: float
    asimov: bool
    expected: Bands | None
    best_kappa: float
    best_error: float
    fake: Fake | None = None
    simulation_error: float = 0.0
    simulation_error_from: str = "simulation"
    points: dict[str, Floats] = dataclasses.field(default_factory=dict)
    ledger: Ledger | None = None
    notes: tuple[str, ...] = ()
    empty: bool = False
    beside: dict[str, float] = dataclasses.field(default_factory=dict)
    standing: Standing | None = None
    parameter: str = "kappa"

    def summary(self) -> dict[str, Any]:
        """Return what `result.json` keeps: every field but the scan, as plain numbers and strings; None for no end."""
        record = dataclasses.asdict(self)
        del record["points"]
        record["fake"] = None if self.fake is None else self.fake.label
        for end in ("lower", "lower_kappa"):
            record[end] = record[end] if np.isfinite(record[end]) else None
        return record

    def __str__(self) -> str:
        error = f" +- {self.error:.1g}" if self.error > 0 else ""
        error += f" +- {self.simulation_error:.1g} ({self.simulation_error_from})" if self.simulation_error > 0 else ""
        interval = self.sides == "two" and np.isfinite(self.lower_kappa) and self.lower_kappa != 0
        what = "EMPTY INTERVAL, boundary" if self.empty else "interval's upper end" if interval else "upper limit"
        where = f"in [{self.lower_kappa:.4g}, {self.kappa:.4g}]" if interval else f"< {self.kappa:.4g}"
        how = f"{self.method}, {self.sides}-sided, {called(asimov=self.asimov, fake=self.fake)}"
        lines = [
            f"{what} {self.value:.4g}{error} {self.unit} at {100 * self.level:g} % ({how})",
            f"  {self.parameter} {where}, best fit {self.best_kappa:.4g} +- {self.best_error:.3g}",
            f"  statistic: {self.statistic}",
            f"  boundary: {self.boundary}",
        ]
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.standing is not None and not self.asimov:
            lines.append(f"  data: {self.standing}")
        if self.ledger is not None:
            lines.append(f"  toys: {self.ledger}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)
