"""Compares answers with published numbers: Feldman and Cousins' intervals, and the example that cabinetry is tested by.

The numbers are facts with their source. The workspace of cabinetry's example is made by its user, with cabinetry.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from spectrafit.errors import ConfigError
from spectrafit.inference.intervals.hypotheses import significance
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span
from spectrafit.interop.bounded import fit_within
from spectrafit.interop.fitters import FITTERS, plain_json, pyhf_likelihood
from spectrafit.interop.pyhf import read_workspace
from spectrafit.interop.workspace import load

__all__ = ["CABINETRY", "FELDMAN_COUSINS", "cabinetry", "counting", "feldman_cousins"]

FELDMAN_COUSINS: dict[tuple[float, int], tuple[float, float]] = {
    (0.0, 0): (0.00, 2.44),
    (0.0, 1): (0.11, 4.36),
    (0.0, 2): (0.53, 5.91),
    (0.0, 3): (1.10, 7.42),
    (0.0, 4): (1.47, 8.60),
    (0.0, 5): (1.84, 9.99),
    (0.0, 6): (2.21, 11.47),
    (0.0, 7): (3.56, 12.53),
    (0.0, 8): (3.96, 13.99),
    (0.0, 9): (4.36, 15.30),
    (0.0, 10): (5.50, 16.50),
    (3.0, 1): (0.00, 1.88),
    (3.0, 2): (0.00, 3.04),
    (3.0, 3): (0.00, 4.42),
    (3.0, 4): (0.00, 5.60),
    (3.0, 5): (0.00, 6.99),
    (3.0, 6): (0.15, 8.47),
    (3.0, 7): (0.89, 9.53),
    (3.0, 8): (1.51, 10.99),
    (3.0, 9): (1.88, 12.30),
    (3.0, 10): (2.63, 13.50),
}
"""Ends of 90 % intervals by background and count: G. J. Feldman, R. D. Cousins, PRD 57, 3873 (1998), Table IV.

A count of 0 over a background is left out: the paper lengthens its interval, so that limits fall when the background
grows.
"""

CABINETRY: dict[str, float] = {
    "2NLL at the minimum": 17.194205,
    "Signal_norm": 1.68953317,
    "Luminosity": -0.0880332,
    "Modeling": -0.32457145,
    "WeightBasedModeling": -0.58582788,
    "error of Signal_norm": 0.93885915,
    "significance": 1.80118813,
    "expected significance": 1.04613046,
    "95 % CLs limit": 3.1502,
    "expected limit, -2 sigma": 1.0054,
    "expected limit, -1 sigma": 1.3975,
    "expected limit": 1.9689,
    "expected limit, +1 sigma": 2.7174,
    "expected limit, +2 sigma": 3.5426,
}
"""What cabinetry's integration test (tests/test_integration.py, version 0.6) expects of its example of ntuples.

Its limits are found to 0.05 in CLs, that is to about 1 %. Its errors are HESSE's, of finite steps.
"""


def counting(background: float, seen: int) -> Model:
    """Return a count of a signal `mu` over a known background."""
    return Model(
        parameters=(Parameter(name="mu", kind="interest", initial=0.0, constraint="free"),),
        components=(
            Component(sample="signal", start=0, nominal=np.array([1.0]), factors=(Factor(parameter="mu"),)),
            Component(sample="background", start=0, nominal=np.array([background])),
        ),
        regions=(Span(name="count", start=0, stop=1),),
        data=np.array([float(seen)]),
        asimov=False,
        poi="mu",
        floor=np.zeros(1),
    )


def feldman_cousins(*, every: int = 1) -> list[dict[str, Any]]:
    """Return a row for each end of the published intervals, or of every `every`-th of them."""
    rows = []
    for (background, seen), (lower, upper) in list(FELDMAN_COUSINS.items())[::every]:
        limit = upper_limit(counting(background, seen), level=0.90, method="feldman-cousins", expected=False)
        case = f"n = {seen}, b = {background:g}, 90 %"
        rows += [
            _row(f"{case}, lower end", "Feldman and Cousins 1998", lower, limit.lower_kappa),
            _row(f"{case}, upper end", "Feldman and Cousins 1998", upper, limit.kappa),
        ]
    return rows


def cabinetry(path: str | Path) -> list[dict[str, Any]]:
    """Return a row for each published number of cabinetry's example, given the workspace that cabinetry makes of it.

    Raises
    ------
    DataError, ConfigError
        The file is no workspace, or it is the workspace of another analysis.
    """
    model = read_workspace(path)
    best = fit_within(model).best
    missing = [name for name in ("Signal_norm", "Luminosity", "Modeling") if name not in best.names]
    if missing:
        raise ConfigError(f"{path}: not cabinetry's example: it has no parameter {missing[0]!r}")
    limit = upper_limit(model, level=0.95, method="cls")
    excess = significance(model, signal=1.0)
    bands = limit.expected.values if limit.expected else ()
    names = [name for name in CABINETRY if name.startswith("expected limit")]
    # With pyhf's constants; a number only where pyhf is installed.
    plain = plain_json(load(path), 0)
    two_nll = pyhf_likelihood(plain) if FITTERS["pyhf"][0]() else lambda values: math.nan
    ours = {
        "2NLL at the minimum": two_nll(dict(zip(best.names, best.values.tolist(), strict=True)) | best.gammas),
        **dict(zip(best.names, best.values.tolist(), strict=True)),
        "error of Signal_norm": best.error("Signal_norm"),
        "significance": excess.significance,
        "expected significance": excess.expected[2] if excess.expected else math.nan,
        "95 % CLs limit": limit.kappa,
        **dict(zip(names, bands, strict=True)),
    }
    return [
        _row(f"cabinetry's example: {name}", "cabinetry", value, ours[name])
        for name, value in CABINETRY.items()
        if math.isfinite(ours[name])
    ]


def _row(case: str, peer: str, theirs: float, ours: float) -> dict[str, Any]:
    said = f"apart by {abs(ours - theirs):.2g}"
    return {"case": case, "peer": peer, "theirs": theirs, "ours": float(ours), "said": said}
