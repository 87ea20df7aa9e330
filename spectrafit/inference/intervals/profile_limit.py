"""Limits from the asymptotic distribution of the profile likelihood ratio, without toys."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from spectrafit.inference.intervals import asymptotic
from spectrafit.inference.intervals.emptiness import Compared, shrunk
from spectrafit.inference.intervals.notes import beyond_bound, few_events
from spectrafit.inference.intervals.one_bin import SIGMAS
from spectrafit.inference.intervals.scan import UNBOUNDED, Outcome, Scan, beyond, crossing, ending

__all__ = ["profiled"]


_POINTS = 41
# What the p-values of data without a signal are called, at -2, -1, 0, 1 and 2 sigma of their best kappa.
_EXPECTED = ("p_expected_minus_2", "p_expected_minus_1", "p_expected", "p_expected_plus_1", "p_expected_plus_2")


def profiled(scan: Scan, level: float, sides: str, *, cls: bool, expected: bool, points: bool = True) -> Outcome:
    """Return the interval where p (or CLs) is above 1 - level.

    Parameters
    ----------
    scan : Scan
    level : float
    sides : {"one", "two"}
    cls : bool
        CLs limit; needs a boundary.
    expected : bool
        Whether to add the expected quantiles.
    points : bool
        Whether to add the scan behind the limit.
    """
    if scan.lower is None:
        return _unbounded(scan, level, sides, expected=expected)
    tested = Compared(scan, sides, cls=cls)
    lower = tested.lower
    start = tested.start(level)
    kappa = lower if start is None else ending(scan, tested.upper(level, start))
    wanted, near = math.log(1.0 - level), lower + 1e-6 * tested.reference.error
    cut_off = sides == "two" and not tested.deficit and tested.logarithm(near) < wanted
    low = crossing(lambda k: tested.logarithm(k) - wanted, near, scan.kappa) if cut_off else lower
    bands = tuple(tested.band(sigma, level) for sigma in SIGMAS) if expected else ()
    beside, told = shrunk(tested, level, kappa, empty=start is None)
    words = (
        "q~ = 2NLL(kappa) - 2NLL(best kappa >= 0), 0 if the best kappa is above the tested one"
        if sides == "one"
        else "t~ = 2NLL(kappa) - 2NLL(best kappa >= 0)"
    )
    reach = 1.6 * (kappa - lower) or 4.0 * tested.reference.error
    grid = np.linspace(lower, lower + reach, _POINTS if points else 0)
    return Outcome(
        kappa=kappa,
        lower=low,
        statistic=words + ("; CLs = p(kappa) / p(0)" if cls else ""),
        boundary="kappa >= 0 in the statistic; asymptotic distribution with the boundary (arXiv:1007.1727)",
        bands=bands,
        points={
            "kappa": grid,
            "statistic": np.array([scan.statistic(float(kappa), sides) for kappa in grid]),
            "p_value": np.array([math.exp(tested.logarithm(float(kappa))) for kappa in grid]),
            **{
                name: np.array([math.exp(tested.expected(float(kappa), sigma)) for kappa in grid])
                for name, sigma in (zip(_EXPECTED, SIGMAS, strict=True) if expected else ())
            },
        },
        notes=(*told, *few_events(scan, kappa), *beyond_bound(scan, kappa)),
        empty=start is None,
        beside=beside,
    )


def _unbounded(scan: Scan, level: float, sides: str, *, expected: bool) -> Outcome:
    """Return the limit, or both ends, where both signs of kappa are physical: kappa_hat is normal around the truth."""
    reach = float(ndtri(level if sides == "one" else 0.5 * (1.0 + level)))

    def end(of: Scan, distance: float) -> float:
        """Return kappa at which the signed root of t is `distance`."""
        side = math.copysign(1.0, distance)

        def missing(x: float) -> float:
            return distance**2 - of.statistic(of.kappa + side * x, "two")

        return of.kappa + side * ending(of, beyond(missing, 0.0, of.error))

    kappa, low = end(scan, reach), end(scan, -reach) if sides == "two" else -math.inf
    bands: tuple[float, ...] = ()
    if expected:
        reference = scan.asimov()
        bands = tuple(end(reference, sigma + reach) for sigma in SIGMAS)
    grid = np.linspace(scan.kappa - 3.0 * scan.error, scan.kappa + 3.0 * scan.error, _POINTS)
    statistic = np.array([scan.statistic(float(kappa), sides) for kappa in grid])
    mirror = scan.problem.arrays.mirror - scan.kappa
    second = scan.second(mirror) if math.isfinite(mirror) else None
    notes: tuple[str, ...] = ()
    if second is not None and second[1] < reach**2:
        notes = (
            f"kappa enters squared: there is a second minimum at kappa = {second[0]:.4g}, with 2NLL {second[1]:.2f} "
            "higher and an interval of its own around it",
        )
    return Outcome(
        kappa=kappa,
        lower=low,
        statistic="q = 2NLL(kappa) - 2NLL(best kappa), 0 if the best kappa is above the tested one"
        if sides == "one"
        else "t = 2NLL(kappa) - 2NLL(best kappa)",
        boundary=UNBOUNDED,
        bands=bands,
        points={
            "kappa": grid,
            "statistic": statistic,
            "p_value": asymptotic.unbounded(statistic) * (0.5 if sides == "one" else 1.0),
        },
        notes=(*notes, *few_events(scan, kappa)),
    )
