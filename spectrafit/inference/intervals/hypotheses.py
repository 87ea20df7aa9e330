"""Tests one value of the parameter of interest, and the absence of a signal: CLs, p-values and significance.

`hypotest` asks whether a value of kappa is excluded. The statistic is q~ = 2NLL(kappa) - 2NLL(best kappa >= 0), 0 where
the best kappa is above the tested one. CLsb is the probability of a larger statistic if that kappa is true, CLb if
there is no signal, and CLs = CLsb / CLb (A. L. Read, J. Phys. G 28, 2693).

`significance` asks whether there is a signal. The statistic is q0 = 2NLL(0) - 2NLL(best kappa), 0 for a deficit. p0 is
the probability of a larger statistic without a signal, and the significance is the normal quantile of p0.

Asymptotic probabilities are those of Cowan et al., EPJC 71, 1554 (arXiv:1007.1727). With toys they are shares of
thrown experiments, (larger + 1) / (toys + 1).
"""

from __future__ import annotations

import dataclasses
import html
import math
from typing import Any

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fake import called
from spectrafit.inference.intervals.construction import MOST_FAILED
from spectrafit.inference.intervals.emptiness import Compared
from spectrafit.inference.intervals.limits import smallest
from spectrafit.inference.intervals.one_bin import PROBABILITIES, SIGMAS
from spectrafit.inference.intervals.scan import Scan
from spectrafit.inference.model import Model
from spectrafit.inference.results import Ledger
from spectrafit.inference.toys.ensemble import BEST, KAPPA, TESTED, bounded_ratio, ensemble, run
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["HypothesisTest", "Significance", "hypotest", "significance"]


class _Shown:
    """Shows a result in a notebook with the lines that `print` shows."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HypothesisTest(_Shown):
    """The test of one value of the parameter of interest.

    Attributes
    ----------
    parameter, kappa : str, float
        The parameter of interest and its tested value.
    statistic : float
        q~ of the data.
    cls, clsb, clb : float
    cls_error : float
        From the number of toys; 0 without toys.
    expected_cls, expected_clsb : (5,) tuples of float
        If there is no signal and the data are 2 and 1 sigma low, as expected, 1 and 2 sigma high.
    best_kappa, best_error : float
    how : str
        "asymptotic", or the number of toys.
    data : str
        What the data are.
    ledger : Ledger or None
        Counts of the toy fits.
    """

    parameter: str
    kappa: float
    statistic: float
    cls: float
    clsb: float
    clb: float
    expected_cls: tuple[float, ...]
    expected_clsb: tuple[float, ...]
    best_kappa: float
    best_error: float
    how: str
    data: str
    cls_error: float = 0.0
    ledger: Ledger | None = None

    def summary(self) -> dict[str, Any]:
        """Return every field as plain numbers and words."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        error = f" +- {self.cls_error:.2g}" if self.cls_error else ""
        low2, low1, middle, high1, high2 = self.expected_cls
        level = next((level for level in (0.95, 0.90) if self.cls < 1.0 - level), None)
        verdict = "not excluded at 90 %" if level is None else f"excluded at {100 * level:g} %"
        lines = [
            f"{self.parameter} = {self.kappa:g}: CLs = {self.cls:.4g}{error}, {verdict} ({self.how}, {self.data})",
            f"  CLsb = {self.clsb:.4g}, CLb = {self.clb:.4g}, q~ = {self.statistic:.4g}, best fit {self.best_kappa:.4g}"
            f" +- {self.best_error:.3g}",
            f"  expected CLs without a signal: {middle:.4g}, 1 sigma {low1:.3g} to {high1:.3g}, 2 sigma {low2:.3g} to"
            f" {high2:.3g}",
        ]
        return "\n".join([*lines, *([f"  toys: {self.ledger}"] if self.ledger else [])])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Significance(_Shown):
    """The test of the absence of a signal.

    Attributes
    ----------
    parameter : str
    statistic : float
        q0 of the data; where both signs of kappa are physical t0, which counts a deficit too.
    p_value, significance : float
        p0 and its normal quantile; with both signs physical p is two-sided.
    p_error : float
        From the number of toys; 0 without toys.
    signal : float or None
        The kappa that `expected` is for.
    expected : (5,) tuple of float, or None
        Significance 2 and 1 sigma low, median, 1 and 2 sigma high, if kappa is `signal`.
    best_kappa, best_error, how, data, ledger
        As of `HypothesisTest`.
    """

    parameter: str
    statistic: float
    p_value: float
    significance: float
    best_kappa: float
    best_error: float
    how: str
    data: str
    p_error: float = 0.0
    signal: float | None = None
    expected: tuple[float, ...] | None = None
    ledger: Ledger | None = None

    def summary(self) -> dict[str, Any]:
        """Return every field as plain numbers and words."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        error = f" +- {self.p_error:.2g}" if self.p_error else ""
        lines = [
            f"{self.parameter} = 0: p = {self.p_value:.4g}{error}, {self.significance:.3f} sigma ({self.how},"
            f" {self.data})",
            f"  statistic {self.statistic:.4g}, best fit {self.best_kappa:.4g} +- {self.best_error:.3g}",
        ]
        if self.expected is not None:
            low2, low1, middle, high1, high2 = self.expected
            lines.append(
                f"  expected for {self.parameter} = {self.signal:g}: {middle:.3f} sigma, 68 % {low1:.2f} to"
                f" {high1:.2f}, 95 % {low2:.2f} to {high2:.2f}"
            )
        return "\n".join([*lines, *([f"  toys: {self.ledger}"] if self.ledger else [])])


def hypotest(model: Model, kappa: float, *, toys: int | ToyOptions | None = None) -> HypothesisTest:
    """Test one value of the parameter of interest.

    Parameters
    ----------
    model : Model
        Of an analysis or a workspace; the data are the model's.
    kappa : float
        The tested value, in kappa's internal unit, above the smallest physical one.
    toys : int or ToyOptions, optional
        How many experiments of each of the two hypotheses to throw, in place of the asymptotic distributions.

    Raises
    ------
    ConfigError
        Both signs of kappa are physical, or the tested value is not above the smallest one.
    DataError
        A fit failed, or more toy fits than the allowed rate.
    """
    scan = Scan(model, smallest(model))
    if scan.lower is None:
        raise ConfigError(
            f"hypotest: both signs of {model.coupling!r} are physical, and CLs needs a smallest physical value; use"
            " upper_limit with method = 'profile', whose points have p at every kappa"
        )
    if not (math.isfinite(kappa) and kappa > scan.lower):
        raise ConfigError(f"hypotest: {model.poi} = {kappa:g}: the tested value has to be above {scan.lower:g}")
    tested = Compared(scan, "one", cls=True)
    statistic = scan.statistic(kappa, "one")
    found: dict[str, Any]
    if toys is None:
        root, score = tested.root(kappa), tested.score(kappa)
        found = {
            "clsb": float(ndtr(-score)),
            "clb": float(ndtr(root - score)),
            "cls": math.exp(tested.logarithm(kappa)),
            "expected_clsb": tuple(float(ndtr(sigma - root)) for sigma in SIGMAS),
            "expected_cls": tuple(float(np.exp(log_ndtr(sigma - root) - log_ndtr(sigma))) for sigma in SIGMAS),
            "how": "asymptotic",
        }
    else:
        found = _thrown(scan, kappa, statistic, _options(toys))
    return HypothesisTest(
        parameter=model.poi,
        kappa=float(kappa),
        statistic=statistic,
        best_kappa=scan.kappa,
        best_error=scan.error,
        data=called(asimov=model.asimov, fake=model.fake),
        **found,
    )


def significance(model: Model, *, signal: float | None = None, toys: int | ToyOptions | None = None) -> Significance:
    """Test the absence of a signal.

    Parameters
    ----------
    model : Model
        Of an analysis or a workspace; the data are the model's.
    signal : float, optional
        A kappa to expect the significance for; 1 for a workspace.
    toys : int or ToyOptions, optional
        How many experiments without a signal to throw, in place of the asymptotic distribution.

    Raises
    ------
    ConfigError
        The expected signal is 0.
    DataError
        A fit failed, or more toy fits than the allowed rate.
    """
    scan = Scan(model, smallest(model))
    wanted = 1.0 if signal is None and not model.coupling else signal
    if wanted is not None and not (math.isfinite(wanted) and wanted != 0.0):
        raise ConfigError(f"significance: signal = {wanted}: give a kappa other than 0 to expect a significance for")
    origin = 0.0 if scan.lower is None else scan.lower
    statistic = _discovery(scan, origin)
    sides = 1.0 if scan.lower is not None else 2.0
    p_value, error, how, ledger = sides * float(ndtr(-math.sqrt(statistic))), 0.0, "asymptotic", None
    score = math.sqrt(statistic)
    if toys is not None:
        options = _options(toys)
        rows, ledger = _rows(scan, origin, np.array([origin]), options)
        larger = np.maximum(rows[:, TESTED] - rows[:, BEST], 0.0)
        if scan.lower is not None:
            larger = np.where(rows[:, KAPPA] > origin, larger, 0.0)
        p_value, error = _share(larger, statistic)
        # A deficit is no signal of any significance.
        score, how = -float(ndtri(p_value / sides)) if statistic > 0 else 0.0, f"{options.toys} toys"
    expected = None
    if wanted is not None:
        middle = math.sqrt(_discovery(scan.asimov_at(wanted), origin))
        expected = tuple(middle + sigma for sigma in SIGMAS)
    return Significance(
        parameter=model.poi,
        statistic=statistic,
        p_value=p_value,
        p_error=error,
        significance=score,
        signal=wanted,
        expected=expected,
        best_kappa=scan.kappa,
        best_error=scan.error,
        how=how,
        data=called(asimov=model.asimov, fake=model.fake),
        ledger=ledger,
    )


def _options(toys: int | ToyOptions) -> ToyOptions:
    return toys if isinstance(toys, ToyOptions) else ToyOptions(toys=toys)


def _discovery(scan: Scan, origin: float) -> float:
    """Return q0, or t0 where both signs are physical."""
    if scan.lower is not None and scan.kappa <= origin:
        return 0.0
    return max(scan.at(origin).two_nll - scan.best.two_nll, 0.0)


def _thrown(scan: Scan, kappa: float, statistic: float, options: ToyOptions) -> dict[str, Any]:
    """Return the probabilities of `hypotest` as shares of toys with the tested signal, and of toys without."""
    tested = np.array([kappa])
    origin = float(scan.lower or 0.0)
    signal, account = _rows(scan, kappa, tested, options)
    without, more = _rows(scan, origin, tested, options)
    with_signal, alone = (bounded_ratio(rows, tested, cls=True)[:, 0] for rows in (signal, without))
    (clsb, first), (clb, second) = _share(with_signal, statistic), _share(alone, statistic)
    # Every toy without a signal is an experiment with a CLs of its own.
    shares = [
        (np.sum(rows[:, None] >= alone[None, :] - 1e-9, axis=0) + 1.0) / (len(rows) + 1.0)
        for rows in (with_signal, alone)
    ]
    quantiles = [np.quantile(values, PROBABILITIES) for values in (shares[0] / shares[1], shares[0])]
    return {
        "clsb": clsb,
        "clb": clb,
        "cls": clsb / clb,
        "cls_error": clsb / clb * math.hypot(first / clsb, second / clb),
        "expected_cls": tuple(float(value) for value in quantiles[0]),
        "expected_clsb": tuple(float(value) for value in quantiles[1]),
        "how": f"{options.toys} toys of each hypothesis",
        "ledger": account + more,
    }


def _rows(scan: Scan, truth: float, tested: Floats, options: ToyOptions) -> tuple[Floats, Ledger]:
    """Return the fits of toys of one truth, without those that failed."""
    of = ensemble(
        scan.problem.model,
        scan.at(truth).values,
        kind=options.ensemble,
        mc=options.mc,
        seed=options.seed,
        measured=scan.problem.observed,
        lower=-math.inf if scan.lower is None else scan.lower,
    )
    rows, ledger = run(
        of, tested, toys=options.toys, first=options.first_toy, executor=options.executor, workers=options.workers
    )
    if ledger.rate > MOST_FAILED:
        raise DataError(
            f"no test: {100 * ledger.rate:.1f} % of the toy fits failed or were disputed (at most"
            f" {100 * MOST_FAILED:g} %): {ledger}; leave the toys out for the asymptotic formulas"
        )
    return rows[np.isfinite(rows[:, BEST])], ledger


def _share(thrown: Floats, statistic: float) -> tuple[float, float]:
    """Return the share of toys with at least the statistic, the data counted as one of them, and its error."""
    number = len(thrown) + 1
    share = (float(np.sum(thrown >= statistic - 1e-9)) + 1.0) / number
    return share, math.sqrt(share * (1.0 - share) / number)
