import dataclasses

import numpy as np
import pytest
from scipy import stats

import spectrafit as sf
from spectrafit import config
from spectrafit.errors import ConfigError
from spectrafit.inference.fake import Injected
from spectrafit.inference.faking.counts import made, point
from spectrafit.inference.likelihood import Likelihood
from tests.inference.models import spectrum
from tests.inference.test_assemble import analysis, norms, templates

AT = {"kappa": 2.0, "flux": 1.0, "shape0": -0.5}


@pytest.fixture(scope="module")
def model():
    return spectrum(scale=5.0)


def test_asimov_data_are_the_expectation(model):
    values = point(model, AT)
    assert values[model.index("kappa")] == 2.0
    assert values[model.index("flux")] == 1.0
    found = made(model, sf.Asimov(AT))
    np.testing.assert_array_equal(found.counts, Likelihood(model).predict(values).mean)
    np.testing.assert_array_equal(found.centres, 0.0)


def test_a_fit_gives_back_kappa_and_nuisances():
    """What went in comes out: the constraints are at 0, or where the truth is."""
    said, filled = analysis(systematics=norms()), templates()
    best = sf.fit(sf.assemble(said, filled, data=sf.Asimov({"kappa": 2})))
    assert best.valid
    wanted = {"kappa": 2.0, "n_free": 1.0}
    assert dict(zip(best.names, best.values, strict=True)) == pytest.approx(
        {name: wanted.get(name, 0.0) for name in best.names}, rel=1e-6, abs=1e-6
    )
    truth = {"kappa": 2.0, "n_bg": 0.7, "n_sm": -0.4, "n_free": 1.2, "knob": 1.0, "flux[0]": -1.0}
    model = sf.assemble(said, filled, data=sf.Asimov(truth, "follow"))
    best = sf.fit(model)
    assert best.valid
    assert dict(zip(best.names, best.values, strict=True)) == pytest.approx(truth, abs=1e-5)
    assert best.two_nll < 1e-9
    # A pull is against the measurement that the constraint is: there is none.
    assert np.nanmax(np.abs(best.pulls)) < 1e-5
    # Where the measurement stays, it pulls.
    stayed = sf.fit(sf.assemble(said, filled, data=sf.Asimov(truth)))
    assert 0.0 < stayed.value("knob") < 1.0


def test_a_toy_is_poisson_as_numpy_throws_it(model):
    """Means, variances and the distribution of a bin, against numpy's own generator."""
    mean = Likelihood(model).predict(point(model, AT)).mean
    thrown = np.array([made(model, sf.Toy(seed, AT)).counts for seed in range(500)])
    others = np.random.default_rng(1).poisson(mean, thrown.shape)
    assert np.all(thrown == np.floor(thrown))
    pulls = (thrown.mean(axis=0) - mean) / np.sqrt(mean / len(thrown))
    assert stats.chi2.sf(np.sum(pulls**2), len(pulls)) > 1e-3
    ratio = thrown.var(axis=0, ddof=1) / mean
    assert ratio == pytest.approx(np.ones(len(mean)), abs=5 * np.sqrt(2 / len(thrown)) * 1.1)
    assert stats.ks_2samp(thrown[:, 3], others[:, 3]).pvalue > 1e-3
    # Bins know nothing of each other.
    assert abs(np.corrcoef(thrown[:, 0], thrown[:, 1])[0, 1]) < 5 / np.sqrt(len(thrown))


def test_a_toy_is_the_same_again_and_for_other_systematics(model):
    first, again = (made(model, sf.Toy(5)).counts for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (made(model, sf.Toy(6)).counts != first).any()
    fewer = spectrum(shapes=1, scale=5.0)
    np.testing.assert_array_equal(made(fewer, sf.Toy(5)).counts, first)
    truth = made(model, sf.Toy(5, thrown=True)).fake.truth
    assert truth["flux"] == made(fewer, sf.Toy(5, thrown=True)).fake.truth["flux"]


def test_thrown_nuisances_have_the_widths_and_correlations_of_their_constraints(model):
    joined = dataclasses.replace(model, correlations=(("norm", "flux", 0.6),))
    names = [name for name in model.names if name != "kappa"]
    found = [made(joined, sf.Toy(seed, {"flux": 1.0}, thrown=True)) for seed in range(500)]
    truth = np.array([[one.fake.truth[name] for name in names] for one in found])
    wanted = np.eye(len(names))
    wanted[0, 1] = wanted[1, 0] = 0.6
    np.testing.assert_allclose(truth.mean(axis=0), [float(name == "flux") for name in names], atol=5 / np.sqrt(500))
    np.testing.assert_allclose(np.cov(truth.T), wanted, atol=6 / np.sqrt(500))
    # Their measurements stay, and the counts scatter more than Poisson ones, by the simulation's error as well.
    assert all((one.centres == 0.0).all() for one in found)
    counts = np.array([one.counts.sum() for one in found])
    assert counts.var() > 1.5 * counts.mean()


def test_measurements_that_follow_a_toy_are_thrown_around_its_truth(model):
    found = [made(model, sf.Toy(seed, sf.Asimov({"flux": 2.0}, "follow"))).centres for seed in range(400)]
    k = model.index("flux")
    centres = np.array(found)[:, k]
    assert centres.mean() == pytest.approx(2.0, abs=5 / np.sqrt(400))
    assert centres.std() == pytest.approx(1.0, abs=5 / np.sqrt(800))
    assert np.array(found)[:, model.index("kappa")].tolist() == [0.0] * 400


def test_a_result_and_its_model_say_that_the_data_are_fake():
    said, filled = analysis(systematics=norms()), templates()
    for data in (sf.Asimov({"kappa": 1}), sf.Toy(3, {"kappa": 1})):
        model = sf.assemble(said, filled, data=data)
        best, limit = sf.fit(model), sf.upper_limit(model, expected=False)
        assert model.fake == best.fake == limit.fake == data
        assert not any((model.asimov, model.measured, best.asimov, limit.asimov))
        words = f"fake data ({data.label})"
        assert all(words in str(one) for one in (repr(model), best, limit))
        assert limit.summary()["fake"] == data.label
        # Other counts are not those of the choice.
        assert model.with_data(model.data).fake is None
        assert sf.fit(model, data=model.data).fake is None
    plain = sf.assemble(said, filled, data=sf.Asimov())
    assert (plain.asimov, plain.fake) == (True, None)


def test_totals_are_those_of_the_bins():
    said, filled = analysis(systematics=norms()), templates()
    toy = sf.Toy(3, {"kappa": 1})
    whole = sf.assemble(said, filled, data=toy).data
    summed = sf.assemble(analysis(systematics=norms(), fit=config.FitOptions(terms="norm")), filled, data=toy).data
    np.testing.assert_allclose(summed, [whole[:3].sum(), whole[3:].sum()])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (sf.Asimov({"knop": 1.0}), "no parameter 'knop'; did you mean 'knob'"),
        (sf.Asimov({"kappa": float("nan")}), "needs a finite number"),
        (sf.Asimov({"kappa": -50.0}), r"the expectation is negative in a\[0\] \(-"),
        (sf.Simulated("x.toml", counts=(1.0,)), "1 counts for 5 bins"),
    ],
)
def test_mistakes(data, message):
    with pytest.raises(ConfigError, match=message):
        sf.assemble(analysis(), templates(), data=data)


def test_fake_data_are_never_unblinded():
    with pytest.raises(ConfigError, match="real data are not unblinded beside fake data"):
        sf.assemble(analysis(), templates(), unblind=True, data=sf.Toy(1))
    with pytest.raises(ConfigError, match="are read back with unblind"):
        made(spectrum(), Injected("x"))
