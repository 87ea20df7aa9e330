"""Every kind of systematic, alone and together, from ntuples to a limit and a report."""

import json

import numpy as np
import pytest
from iminuit import Minuit
from scipy.optimize import brentq

import spectrafit as sf
from tests.templates.test_systematics import EXPOSURE, brute, flux_uncertainty, nominal

SIMPLE = """
[fit]
mc_statistics = "none"
"""
UNIVERSES = """
[[systematics]]
kind = "universes"
name = "multisim"
branch = "universes"
variance = 1.0
"""
COVARIANCE = """
[[systematics]]
kind = "covariance"
name = "detector"
file = "detector.npy"
regions = ["nd"]
variance = 1.0
"""
FLUX = """
[[systematics]]
kind = "flux"
name = "flux"
variance = 1.0
"""


def moves_of_universes(ntuples):
    base = nominal(ntuples)
    for u in range(20):
        varied = [brute(ntuples.columns[n], n, ntuples.columns[n]["universes"][:, u].astype(float)) for n in EXPOSURE]
        yield (np.stack(varied) - base).sum(axis=0) / np.sqrt(20)


def moves_of_the_covariance(ntuples):
    rows = np.random.default_rng(5).normal(0, 0.03, (3, 24))
    np.save(ntuples.folder / "detector.npy", rows.T @ rows)
    for row in rows:
        yield np.concatenate([row, np.zeros(3)]) * nominal(ntuples).sum(axis=0)


def moves_of_the_flux(ntuples):
    columns = ntuples.columns
    weights = {n: flux_uncertainty(columns[n]["nu_pdg"], columns[n]["e_nu"]) for n in EXPOSURE}
    yield np.sum([brute(columns[n], n, weights[n]) for n in EXPOSURE], axis=0)


@pytest.mark.parametrize(
    ("said", "moves"),
    [
        ("", lambda _: ()),
        (UNIVERSES, moves_of_universes),
        (COVARIANCE, moves_of_the_covariance),
        (FLUX, moves_of_the_flux),
        (
            UNIVERSES + COVARIANCE + FLUX,
            lambda n: (*moves_of_universes(n), *moves_of_the_covariance(n), *moves_of_the_flux(n)),
        ),
    ],
    ids=["none", "universes", "covariance", "flux", "all"],
)
def test_the_limit_is_that_of_a_likelihood_with_a_gaussian_per_universe(ntuples, said, moves):
    """Principal components against the plain thing: one unit Gaussian per universe, and Minuit."""
    base, shifts = nominal(ntuples).sum(axis=0), np.array(list(moves(ntuples))).reshape(-1, 2, 27)
    analysis = ntuples.analysis(said + SIMPLE)
    model = sf.assemble(analysis, sf.build(analysis))
    best, limit = sf.fit(model), sf.upper_limit(model)
    observed = base[0]

    def two_nll(values):
        kappa, pulls = values[0], values[1:]
        total = base + np.tensordot(pulls, shifts, axes=1)
        expected = np.maximum(total[0] + kappa * total[1], 1e-9)
        return 2 * np.sum(expected - observed + observed * np.log(observed / expected)) + np.sum(pulls**2)

    def lowest(kappa=None):
        minuit = Minuit(two_nll, np.zeros(1 + len(shifts)))
        minuit.errors = 0.1
        if kappa is not None:
            minuit.values["x0"], minuit.fixed["x0"] = kappa, True
        minuit.strategy, minuit.tol = 2, 1e-3
        return minuit.migrad()

    free = lowest()
    assert free.valid
    slopes = np.vstack([base[1], shifts[:, 0]])
    information = slopes / observed @ slopes.T + np.diag([0.0] + [1.0] * len(shifts))
    assert best.kappa == pytest.approx(0.0, abs=1e-3 * best.kappa_error)
    assert best.kappa_error == pytest.approx(np.sqrt(np.linalg.inv(information)[0, 0]), rel=1e-6)
    one_sided = 1.2815515655446004**2
    wanted = brentq(lambda kappa: lowest(kappa).fval - free.fval - one_sided, 0.0, 10 * free.errors[0], rtol=1e-7)
    assert limit.kappa == pytest.approx(wanted, rel=1e-5)


KINDS = {
    "norm": 'kind = "norm"\nsigma = 0.1\nsamples = ["background"]',
    "weight": 'kind = "weight"\nweights = ["w_down", "w_up"]',
    "array": 'kind = "weight"\narray = "knobs"\nsigmas = [-2, -1, 1, 2]\ninterpolation = "spline"',
    "one-sided": 'kind = "weight"\nweights = ["2 * absolute_up"]\nsigmas = [1.0]\nratio = false\nshape = "shape"',
    "code4": 'kind = "weight"\nweights = ["1 - 0.1 * t", "1 + 0.1 * t"]\ninterpolation = "code4"\nsamples = ["nue"]',
    "scale": 'kind = "shift"\nscale = 0.03\nsmooth = true',
    "smear": 'kind = "shift"\nsmear = 0.05\nregions = ["nd"]',
    "sample": 'kind = "sample"\nup = { numu = "numu_up" }\nshape = "shape"',
    "universes": 'kind = "universes"\nbranch = "universes"\nvariance = 0.99',
    "universes, shape": f'kind = "universes"\nbranches = {[f"u{k}" for k in range(20)]}\nshape = "shape"',
    "covariance": 'kind = "covariance"\nfile = "detector.npy"\nregions = ["nd"]',
    "flux": 'kind = "flux"\ncorrelation = 0.6\nflavours = 0.3',
    "flux, norm": 'kind = "flux"\nshape = "norm"\nsamples = ["numu", "nue"]',
}


def table(kind, name):
    return f'\n[[systematics]]\nname = "{name}"\ngroup = "{kind}"\n{KINDS[kind]}\n'


@pytest.fixture(scope="module")
def alone(ntuples):
    """The error of kappa with statistics alone."""
    list(moves_of_the_covariance(ntuples))
    return chain(ntuples, "")[1].kappa_error


def chain(ntuples, said):
    analysis = ntuples.analysis(said)
    templates = sf.build(analysis)
    model = sf.assemble(analysis, templates)
    return (analysis, templates, model), sf.fit(model), sf.upper_limit(model)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_alone_goes_all_the_way(ntuples, alone, kind, tmp_path):
    (analysis, templates, _model), best, limit = chain(ntuples, table(kind, "one"))
    assert best.valid
    # Its own Asimov data: every parameter is where it was, none is known worse than before, kappa is.
    assert best.kappa == pytest.approx(0.0, abs=0.05 * best.kappa_error)
    assert best.kappa_error >= alone * (1 - 1e-6)
    pulled = {n: (v, e) for n, v, e in zip(best.names, best.values, best.errors, strict=True) if n.startswith("one")}
    assert pulled
    for value, error in pulled.values():
        centre, width = (1.0, 0.1) if kind == "norm" and value > 0.5 else (0.0, 1.0)
        assert value == pytest.approx(centre, abs=0.05 * width)
        assert 0 < error <= width * 1.01
    assert limit.value > 0
    if kind.split(",")[0] not in ("universes", "covariance", "flux"):
        assert templates.components == {}
        return
    folder = sf.report(tmp_path / "out", analysis, templates, best, limit, figures=False)
    ((name, found),) = json.loads((folder / "result.json").read_text())["provenance"]["components"].items()
    assert name == "one"
    assert found["kept"] == sum(name.startswith("one[") for name in best.names) <= found["directions"]
    assert 0.99 <= found["fraction"] <= 1.0
    page = (folder / "index.html").read_text()
    assert "Principal components" in page
    assert f"{found['fraction']:.6g}" in page


def test_all_kinds_together_smoothed_pruned_and_with_a_shared_name(ntuples, alone, tmp_path):
    shared = "".join(
        f'\n[[systematics]]\nkind = "weight"\nname = "shared"\nweights = {w}\nsamples = ["{s}"]\n'
        for s, w in (("numu", '["w_down", "w_up"]'), ("nue", '["1 - 0.05 * t", "1 + 0.05 * t"]'))
    )
    shared += '\n[[systematics]]\nkind = "norm"\nname = "shared"\nsigma = 0.04\nsamples = ["background"]\n'
    small = '\n[[systematics]]\nkind = "weight"\nname = "small"\nweights = ["0.9999", "1.0001"]\n'
    prune = "\n[prune]\nnorm = 0.001\nshape = 0.001\n"
    text = "".join(table(kind, f"one{i}") for i, kind in enumerate(KINDS)) + shared + small + prune
    (analysis, templates, _model), best, limit = chain(ntuples, text)
    assert best.valid
    assert best.kappa_error > alone
    assert "small" not in best.names
    assert best.names.count("shared") == 1
    assert best.values[best.names.index("shared")] == pytest.approx(0.0, abs=0.05)
    folder = sf.report(tmp_path / "out", analysis, templates, best, limit, figures=False)
    said = json.loads((folder / "result.json").read_text())
    assert {p["parameter"] for p in said["provenance"]["pruned"]} >= {"small"}
    page = (folder / "index.html").read_text()
    assert all(text in page for text in ("Principal components", "Pruned", "small"))
