import dataclasses

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.bins import Shared
from spectrafit.inference.fitting.information import constraints, information
from spectrafit.inference.fitting.linear import bins_of
from spectrafit.inference.fitting.sharing import shared_noise
from spectrafit.templates.noise import ChangeNoise
from tests.inference.simulated import NORM, SCALED, TOTAL, assembled, exact, simulate

EVERY_KIND = (
    SCALED
    + NORM
    + """
[[systematics]]
kind = "norm"
name = "signal_rate"
samples = ["signal"]
sigma = 0.1
constraint = "gaussian"
[[systematics]]
kind = "weight"
name = "slope"
weights = ["1 - 0.2 * t_reco", "1 + 0.2 * t_reco"]
[[systematics]]
kind = "universes"
name = "multisim"
samples = ["background"]
branches = ["u0", "u1", "u2"]
[[systematics]]
kind = "flux"
name = "flux"
samples = ["signal"]
"""
)
UNIVERSES = {f"u{k}": lambda rng, x, y, k=k: 1 + 0.1 * np.sin((k + 1) * x) for k in range(3)}


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    folder = tmp_path_factory.mktemp("every")
    simulate(folder, 0, 2000, UNIVERSES)
    return folder


@pytest.mark.parametrize("fit", ["", 'terms = "norm"\n', 'terms = "shape"\n', 'mc_statistics = "none"\n'])
def test_without_the_noise_subtracted_it_is_the_fit(every, fit):
    _, templates, model = assembled(every, EVERY_KIND, fit=fit)
    best = sf.fit(model)
    found = information(bins_of(model, templates))
    for name in ("kappa", "scale", "rate", "slope", "flux[0]"):
        assert found.error(name, corrected=False) == pytest.approx(best.error(name), rel=1e-6)


def test_correlated_priors_are_those_of_the_fit(every):
    tied = 'correlations = [{ parameters = ["rate", "slope"], value = 0.8 }]\n'
    _, templates, model = assembled(every, EVERY_KIND, fit=tied)
    best, found = sf.fit(model), information(bins_of(model, templates))
    for name in ("kappa", "rate", "slope"):
        assert found.error(name, corrected=False) == pytest.approx(best.error(name), rel=1e-6)


def test_the_noise_of_each_kind_is_the_sum_over_events(every):
    """For bins that are to be merged: all of the noise, from the events themselves."""
    import uproot

    _, templates, model = assembled(every, EVERY_KIND, (4, 2))
    bins = bins_of(model, templates, merging=True)
    with uproot.open(every / "background.root") as file:
        events = file["events"].arrays(library="np")
    edges = [np.asarray(axis.edges) for axis in templates.regions[0].axes]
    x, y, w = events["t_reco"], events["score"], events["weight"]

    def count(weights, x=x):
        return np.histogram2d(x, y, edges, weights=weights)[0].ravel()

    at = bins.samples.index("background")
    noise = dict(zip(bins.parameters, bins.noise[:, at], strict=True))
    np.testing.assert_allclose(noise["rate"], np.log(1.3) ** 2 * count(w**2), rtol=1e-5)
    np.testing.assert_allclose(noise["slope"], count((0.2 * x * w) ** 2), rtol=1e-9)
    cell = [np.digitize(x * f, edges[0]) for f in (1.1, 0.9)]
    moved = cell[0] != cell[1]
    up, down = (count((w / 2) ** 2 * moved, x * f) for f in (1.1, 0.9))
    np.testing.assert_allclose(noise["scale"], up + down, rtol=1e-9)
    # Principal components share what the universes have, each in proportion to its part of the variance.
    parts = [noise[name] for name in bins.parameters if name.startswith("multisim[")]
    whole = sum(count((w * 0.1 * np.sin((k + 1) * x)) ** 2) for k in range(3)) / 3
    np.testing.assert_allclose(sum(parts), whole, rtol=2e-3)
    # The same event in two factors of one bin.
    shared, names = bins.shared, bins.parameters
    pair = {names.index("rate"), names.index("slope")}
    ours = [set(p) == pair and s == at for p, s in zip(shared.parameters.tolist(), shared.samples, strict=True)]
    mean = count(0.2 * x * w) / count(w)
    np.testing.assert_allclose(shared.values[ours], np.log(1.3) * mean * count(w**2), rtol=1e-5)


def truth(bins, shape):
    """The same bins with the exact expectation and derivative of the background, and no noise."""
    s, k = bins.samples.index("background"), bins.parameters.index("scale")
    events, slope = exact(shape)
    expected, derivative, variance = np.array(bins.expected), np.array(bins.derivative), np.array(bins.variance)
    weight = bins.weights()[s]
    expected[s], variance[s], derivative[k, s] = events, weight * events, slope
    if "rate" in bins.parameters:
        derivative[bins.parameters.index("rate"), s] = np.log(1.3) * events
    return dataclasses.replace(
        bins,
        expected=expected,
        variance=variance,
        derivative=derivative,
        noise=0.0 * bins.noise,
        shared=Shared.none(),
        together=(),
    )


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folders = []
    for seed in range(10):
        folder = tmp_path_factory.mktemp("seed")
        simulate(folder, seed, 1000, signal=5000)
        folders.append(folder)
    return folders


@pytest.mark.parametrize("shape", [(8, 4), (20, 10)])
def test_noise_subtracted_leaves_the_truth(samples, shape):
    found, errors = {"scale": [], "rate": []}, []
    for folder in samples:
        _, templates, model = assembled(folder, SCALED + NORM, shape)
        bins, known = bins_of(model, templates), truth(bins_of(model, templates, merging=True), shape)
        exactly = {one.parameter: one for one in constraints(known)}
        errors.append((information(known).error(), information(bins).error(), information(bins).error(corrected=False)))
        for one in constraints(bins):
            found[one.parameter].append((exactly[one.parameter].corrected, one.corrected, one.naive, one.uncertainty))
    for name, rows in found.items():
        true, corrected, naive, uncertainty = np.array(rows).mean(axis=0)
        error = np.std([row[1] for row in rows], ddof=1) / np.sqrt(len(rows))
        assert corrected == pytest.approx(true, abs=3.0 * error + 0.03)
        assert uncertainty > 0.3 * np.std([row[1] for row in rows], ddof=1)
        if name == "scale" and shape == (20, 10):
            # On fine bins the fit claims to know twice as much.
            assert naive < 0.6 * true
    # With 5 events in a bin kappa's error is right to a few percent, where the fit claims a fifth less.
    true, corrected, naive = np.mean(errors, axis=0)
    assert corrected == pytest.approx(true, rel=0.06)
    if shape == (20, 10):
        assert naive < 0.85 * true


@pytest.mark.parametrize("smooth", ["true", '"auto"'])
def test_smoothed_shifts_agree_with_the_truth_within_their_errors(samples, smooth):
    shape, rows = (20, 10), []
    for folder in samples:
        _, templates, model = assembled(folder, SCALED + f"smooth = {smooth}\n", shape)
        (one,) = constraints(bins_of(model, templates))
        _, plain, model = assembled(folder, SCALED, shape)
        (rough,) = constraints(bins_of(model, plain))
        (exactly,) = constraints(truth(bins_of(model, plain, merging=True), shape))
        rows.append((exactly.corrected, one.corrected, one.naive, rough.naive, one.uncertainty))
        assert bool(templates.smoothing) == (smooth == '"auto"')
    true, corrected, naive, plain, uncertainty = np.array(rows).T
    assert plain.mean() < 0.6 * true.mean()
    if smooth == '"auto"':
        assert np.abs(naive - true).mean() < 0.15 * true.mean()
        pulls = (corrected - true) / np.maximum(uncertainty, 0.01)
        assert np.sqrt((pulls**2).mean()) < 2.5
    else:
        # 353QH leaves some of the noise, which is known and subtracted too.
        assert (corrected > naive).all()
        assert (naive > plain).all()


def test_universes_of_nothing_but_noise_constrain_nothing(tmp_path):
    noise = {f"u{k}": lambda rng, x, y: rng.normal(1.0, 2.0, x.size) for k in range(16)}
    simulate(tmp_path, 3, 1000, noise)
    text = 'kind = "universes"\nname = "multisim"\nsamples = ["background"]\nbranches = '
    text += str(list(noise)).replace("'", '"') + "\n"
    _, templates, model = assembled(tmp_path, f"[[systematics]]\n{text}", (20, 10))
    found = information(bins_of(model, templates))
    ours = [k for k, name in enumerate(found.parameters) if name.startswith("multisim[")]
    naive, noise = (np.diag(matrix)[ours].sum() for matrix in (found.data, found.noise))
    assert naive > 10.0
    assert naive - noise == pytest.approx(0.0, abs=0.15 * naive)


def test_events_in_two_derivatives_covary_in_their_bin_and_moved_ones_between_bins():
    moved = ChangeNoise(
        variance=np.array([4.0, 4.0]),
        first=np.array([0]),
        second=np.array([1]),
        moved=np.array([4.0]),
        nominal=np.zeros(2),
    )
    nominal = np.array([[[0.5, 0.0]], [[2.0, 1.0]], [[0.0, 0.0]]])
    squares, variance = np.array([[3.0, 3.0]]), np.full((3, 1, 2), 10.0)
    found = shared_noise([(2, 0, moved)], np.array([1.0, 0.25]), nominal, squares, variance)
    rows = zip(found.parameters.tolist(), found.bins.tolist(), found.values.tolist(), strict=True)
    assert list(rows) == [([2, 2], [0, 1], -2.0), ([0, 1], [0, 0], 3.0)]


def test_templates_without_cells_have_no_noise_to_tell(every):
    _, templates, model = assembled(every, SCALED)
    with pytest.raises(ConfigError, match="have no cells"):
        bins_of(model, dataclasses.replace(templates, cells=None))
    _, other, _ = assembled(every, SCALED, (5, 3))
    with pytest.raises(ConfigError, match="assemble the model from them"):
        bins_of(model, other)


def test_expected_events_and_priors(every):
    _, templates, model = assembled(every, EVERY_KIND)
    bins = bins_of(model, templates)
    assert bins.expected[bins.samples.index("background")].sum() == pytest.approx(TOTAL, rel=0.05)
    assert dict(zip(bins.parameters, bins.prior, strict=True))["kappa"] == 0.0
    assert bins.prior[bins.parameters.index("scale")] == 1.0
    assert bins.background.tolist() == [name == "background" for name in bins.samples]
