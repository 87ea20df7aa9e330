"""CLs and p0 by formulas and by toys, beside pyhf's and beside sums over Poisson counts."""

import json
import math

import numpy as np
import pytest
from scipy.stats import norm, poisson

import spectrafit as sf
from spectrafit.cli import main
from spectrafit.inference.intervals.hypotheses import hypotest, significance
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span
from spectrafit.interop.pyhf import read_workspace

pyhf = pytest.importorskip("pyhf")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:pyhf"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return pyhf's simple model as a file, and as pyhf's model with bounds of mu that cap nothing."""
    model = pyhf.simplemodels.uncorrelated_background(signal=[12.0, 11.0], bkg=[50.0, 52.0], bkg_uncertainty=[3.0, 7.0])
    spec = {
        "channels": model.spec["channels"],
        "observations": [{"name": "singlechannel", "data": [51.0, 48.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    path = tmp_path_factory.mktemp("hypotheses") / "w.json"
    path.write_text(json.dumps(spec))
    return path, model, [(0.0, 50.0), *model.config.suggested_bounds()[1:]]


@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seen", [(51.0, 48.0), (70.0, 66.0), (40.0, 44.0)])
def test_cls_is_pyhfs(files, mu, seen):
    path, model, bounds = files
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4))
    data = [*seen, *model.config.auxdata]
    cls, (clsb, clb), band = pyhf.infer.hypotest(
        mu, data, model, par_bounds=bounds, return_tail_probs=True, return_expected_set=True
    )
    found = hypotest(read_workspace(path).with_data(seen), mu)
    assert [found.cls, found.clsb, found.clb] == pytest.approx([float(value) for value in (cls, clsb, clb)], rel=2e-3)
    assert found.expected_cls == pytest.approx([float(value) for value in band], rel=2e-3)
    # The limit is where CLs is 1 - level.
    if mu == 1.0:
        limit = sf.upper_limit(read_workspace(path).with_data(seen), level=0.95, method="cls").kappa
        assert hypotest(read_workspace(path).with_data(seen), limit).cls == pytest.approx(0.05, rel=1e-5)


@pytest.mark.parametrize("seen", [(70.0, 66.0), (51.0, 48.0)])
def test_p0_is_pyhfs(files, seen):
    path, model, bounds = files
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4))
    data = [*seen, *model.config.auxdata]
    p_value, expected = pyhf.infer.hypotest(0.0, data, model, par_bounds=bounds, test_stat="q0", return_expected=True)
    found = significance(read_workspace(path).with_data(seen))
    assert found.p_value == pytest.approx(float(p_value), rel=2e-3)
    assert norm.sf(found.expected[2]) == pytest.approx(float(expected), rel=2e-3)
    assert found.significance == pytest.approx(norm.isf(found.p_value), abs=1e-9)


def counting(seen):
    """Return one bin with 4 events of signal at kappa = 1 over 6 events of background, all known."""
    return Model(
        parameters=(Parameter(name="mu", kind="interest", initial=0.0, constraint="free", lower=-1.0),),
        components=(
            Component(sample="signal", start=0, nominal=np.array([4.0]), factors=(Factor(parameter="mu"),)),
            Component(sample="background", start=0, nominal=np.array([6.0])),
        ),
        regions=(Span(name="c", start=0, stop=1),),
        data=np.array([float(seen)]),
        asimov=False,
        poi="mu",
        floor=np.zeros(1),
    )


@pytest.mark.parametrize("seen", [3, 7, 13])
def test_toys_of_a_count_have_the_poisson_probabilities(seen):
    # q~ grows as the count falls, q0 as it rises: tails of the statistic are tails of the count.
    found = hypotest(counting(seen), 1.0, toys=4000)
    above = seen >= 10
    clsb, clb = (1.0 if above else poisson.cdf(seen, mean) for mean in (10.0, 6.0))
    assert found.clsb == pytest.approx(clsb, abs=4 * math.sqrt(clsb * (1 - clsb) / 4000) + 1e-3)
    assert found.clb == pytest.approx(clb, abs=4 * math.sqrt(clb * (1 - clb) / 4000) + 1e-3)
    assert abs(found.cls - clsb / clb) < 4 * found.cls_error + 2e-3
    p_value = poisson.sf(seen - 1, 6.0) if seen > 6 else 1.0
    thrown = significance(counting(seen), toys=4000)
    assert thrown.p_value == pytest.approx(p_value, abs=4 * math.sqrt(p_value * (1 - p_value) / 4000) + 1e-3)
    if seen <= 6:
        assert thrown.significance == 0.0
    assert found.how == "4000 toys of each hypothesis"
    median = poisson.ppf(0.5, 6.0)
    assert found.expected_cls[2] == pytest.approx(poisson.cdf(median, 10.0) / poisson.cdf(median, 6.0), abs=0.03)


def test_what_cannot_be_tested_is_refused(files):
    path, _, _ = files
    model = read_workspace(path)
    with pytest.raises(sf.ConfigError, match="has to be above 0"):
        hypotest(model, 0.0)
    with pytest.raises(sf.ConfigError, match="a kappa other than 0"):
        significance(model, signal=0.0)


def test_the_commands_say_what_the_verbs_say(files, capsys):
    path, _, _ = files

    def said(*words):
        with pytest.raises(SystemExit) as left:
            main(list(words))
        assert not left.value.code
        return capsys.readouterr().out

    model = read_workspace(path)
    one, two = json.loads(said("hypotest", str(path), "--kappa", "1", "--kappa", "2", "--json"))["tests"]
    assert one["cls"] == pytest.approx(hypotest(model, 1.0).cls)
    assert two["kappa"] == 2.0
    assert "excluded at 95 %" in said("hypotest", str(path), "--kappa", "2")
    (found,) = json.loads(said("significance", str(path), "--json", "--asimov", "mu=1"))["tests"]
    # Asimov data with the signal: what is observed is what is expected.
    assert found["significance"] == pytest.approx(found["expected"][2], rel=1e-6)
    assert found["signal"] == 1.0
    assert "fake data" in said("significance", str(path), "--toy", "3", "--toys", "200")
