"""A small analysis made by hand: every number of the report can be told from the ones put in here."""

from types import SimpleNamespace

import boost_histogram as bh
import numpy as np
import pytest

from spectrafit import config
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span, Variance
from spectrafit.inference.results import Bands, FitResult, Goodness, Limit, Profile
from spectrafit.physics.couplings import Monomials
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates
from spectrafit.templates.variations import NOMINAL

SAMPLES = """
title = "Test beam"
[detector]
electrons = 1e30
origin = "made up"
[flux]
numu = "flux.dat"
[response]
energy_stochastic = 0.06
energy_constant = 0.02
angle_constant = 0.004
angle_stochastic = 0.006
angle_tail_fraction = 0.05
angle_tail_scale = 3.0
threshold = 0.2
efficiency = 0.8
efficiency_turn_on = 0.35
efficiency_width = 0.08
[[samples]]
name = "numu_e"
title = "nu_mu e elastic"
role = "signal"
files = "numu_*.root"
[[samples]]
name = "nue_e"
title = "nu_e e elastic"
role = "signal"
files = "nue_*.root"
[[samples]]
name = "nue_cc"
title = "nu_e CC"
role = "background"
files = "cc_*.root"
[[samples]]
name = "nc"
title = "NC pi0"
role = "background"
files = "nc_*.root"
"""
ANALYSIS = """
title = "Test near detector"
samples = "beam.toml"
pot = 3.62e20
[[regions]]
name = "shower"
[[regions.axes]]
observable = "t_reco"
edges = [0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.6, 3.4, 5.0]
[[regions.axes]]
observable = "t_theta2_reco"
bins = 10
range = [0.0, 0.005]
[limit]
level = 0.90
"""
NAMES = ("numu_e", "nue_e", "nue_cc", "nc")
SIGMAS = {"flux_norm": 0.08, "nue_cc_norm": 0.15, "nc_norm": 0.20}


def _counts(region: RegionBins) -> np.ndarray:
    """Return (S, 1+P, B) events: falling spectra, peaked in T theta^2 for nu-e, flat for backgrounds."""
    t, x = (np.asarray(axis.centers) for axis in region.axes)
    dt, dx = (np.asarray(axis.widths) for axis in region.axes)
    narrow, wide = np.exp(-x / 0.0007), 1.0 + 40 * x
    shapes = [
        (np.exp(-t / 1.6), narrow),
        (np.exp(-t / 2.2), narrow),
        (t * np.exp(-t / 1.5), wide),
        (np.exp(-t / 0.5), wide),
        (1 / t - 0.18, narrow),
    ]
    grids = [np.outer(a * dt, b * dx).ravel() for a, b in shapes]
    grids = [g * n / g.sum() for g, n in zip(grids, (420, 55, 160, 110, 60), strict=True)]
    counts = np.zeros((4, 2, region.size))
    counts[:, 0] = grids[:4]
    counts[0, 1], counts[1, 1] = 0.9 * grids[4], 0.0
    return counts


def _templates() -> Templates:
    axes = (
        bh.axis.Variable([0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.6, 3.4, 5.0]),
        bh.axis.Regular(10, 0.0, 0.005),
    )
    region = RegionBins(
        name="shower",
        axes=axes,
        observables=("t_reco", "t_theta2_reco"),
        labels=("$T_e$ [GeV]", r"$T_e\,\theta_e^2$ [GeV rad$^2$]"),
        start=0,
    )
    counts = _counts(region)
    squares = np.zeros((4, 3, region.size))
    squares[:, 0], squares[:, 2] = counts[:, 0] * 0.02, counts[:, 1] * 0.02
    squares[:, 1] = 2 * np.sqrt(squares[:, 0] * squares[:, 2])
    return Templates(
        samples=NAMES,
        roles=("signal", "signal", "background", "background"),
        titles=("nu_mu e elastic", "nu_e e elastic", "nu_e CC", "NC pi0"),
        regions=(region,),
        monomials=Monomials(parameters=("kappa",), exponents=((0,), (1,))),
        variations=(NOMINAL,),
        counts=counts[:, None],
        squares=squares,
        entries=np.maximum(counts[:, 0] * 50, 1).astype(int),
        residual=np.zeros((3, region.size)),
        flow=np.ones((4, 2, 1)),
        inventories=tuple(
            {
                "sample": name,
                "pot": 3.62e21,
                "entries": 10_000,
                "scale": 0.1,
                "files": [{"path": f"{name}.root", "size": 1234, "uuid": "abc", "entries": 10_000}],
                "stands_for": name,
                "role": "signal",
                "skipped": [],
                "repeated": [],
                "dropped": {
                    "entries": 10_000,
                    "kept": 9_000,
                    "unselected": 900,
                    "below_threshold": 98,
                    "bad": {"nan": [2, f"{name}.root:events entry 7"]},
                    "rounded": 0,
                    "negative_weights": 3,
                },
            }
            for name in NAMES
        ),
        digest="d" * 64,
    )


def _model(templates: Templates) -> Model:
    parameters = [Parameter(name="kappa", kind="interest", constraint="free")]
    parameters += [Parameter(name=name, group="normalisation") for name in SIGMAS]
    parameters.append(Parameter(name="energy_scale", group="detector"))
    tilt = np.repeat(np.linspace(-0.04, 0.06, 11), 10)
    components, variances = [], []
    for s, name in enumerate(NAMES):
        norm = {"nue_cc": "nue_cc_norm", "nc": "nc_norm"}.get(name, "flux_norm")
        for power in range(2):
            nominal = templates.counts[s, 0, power]
            if not nominal.any():
                continue
            factors = [Factor(parameter=norm, kind="exponential", values=(float(np.log1p(SIGMAS[norm])),))]
            if power:
                factors.append(Factor(parameter="kappa", values=(float(power),)))
            morph = Morph(parameter="energy_scale", templates=np.array([nominal * (1 - tilt), nominal * (1 + tilt)]))
            at = len(components)
            components.append(
                Component(
                    sample=name,
                    monomial=(("kappa", power),) * bool(power),
                    nominal=nominal,
                    factors=tuple(factors),
                    morphs=(morph,),
                )
            )
            variances.append(Variance(first=at, second=at, values=templates.squares[s, 2 * power]))
    return Model(
        parameters=tuple(parameters),
        components=tuple(components),
        regions=(Span(name="shower", start=0, stop=templates.n_bins, title="shower"),),
        data=templates.counts[:, 0, 0].sum(axis=0),
        couplings={"kappa": "magnetic_moment"},
        variances=tuple(variances),
        titles=dict(zip(templates.samples, templates.titles, strict=True)),
    )


def _best(model: Model) -> FitResult:
    errors = np.array([0.42, 0.55, 0.62, 0.80, 0.93])
    correlation = np.array(
        [
            [1.0, -0.55, 0.21, -0.30, 0.12],
            [-0.55, 1.0, -0.40, -0.05, 0.02],
            [0.21, -0.40, 1.0, -0.35, -0.08],
            [-0.30, -0.05, -0.35, 1.0, 0.15],
            [0.12, 0.02, -0.08, 0.15, 1.0],
        ]
    )
    return FitResult(
        names=model.names,
        values=np.zeros(5),
        errors=errors,
        covariance=correlation * np.outer(errors, errors),
        two_nll=0.0,
        valid=True,
        message="",
        edm=1e-9,
        calls=12,
        seconds=0.002,
        at_limit=(),
        minos={"kappa": (-0.40, 0.44)},
        goodness=Goodness(chi2=0.0, ndof=105, p_value=1.0),
        pulls=np.array([np.nan, 0.0, 0.0, 0.0, 0.0]),
        constraints=np.array([np.nan, *errors[1:]]),
        coupling="magnetic_moment",
    )


def _profile() -> Profile:
    grid = np.linspace(-1.0, 1.4, 41)
    return Profile(
        parameter="kappa",
        grid=grid,
        delta_2nll=(grid / (0.42 + 0.03 * grid)) ** 2,
        best=0.0,
        best_2nll=0.0,
        values=np.zeros((41, 5)),
        valid=np.ones(41, dtype=bool),
    )


def _limit() -> Limit:
    kappa = 0.556
    return Limit(
        value=float(np.sqrt(kappa * 1e-18)),
        unit="mu_B",
        kappa=kappa,
        lower=0.0,
        lower_kappa=0.0,
        level=0.90,
        sides="one",
        method="profile",
        statistic="profile likelihood ratio, 2 ln L(max) / L(kappa)",
        boundary="kappa >= 0 in the statistic; the fit is free",
        error=0.0,
        kappa_error=0.0,
        asimov=True,
        expected=Bands(
            values=(4.1e-10, 5.6e-10, 7.46e-10, 9.1e-10, 1.05e-9), kappas=(0.168, 0.314, 0.556, 0.828, 1.10)
        ),
        best_kappa=0.0,
        best_error=0.42,
    )


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("analysis")
    (folder / "beam.toml").write_text(SAMPLES)
    (folder / "fit.toml").write_text(ANALYSIS)
    templates = _templates()
    model = _model(templates)
    return SimpleNamespace(
        analysis=config.load(folder / "fit.toml"),
        templates=templates,
        model=model,
        best=_best(model),
        profile=_profile(),
        limit=_limit(),
    )
