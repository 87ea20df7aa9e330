"""A region that is shown has no part in the fit, and its chi^2 is one: against a fit without it, and toys."""

import dataclasses

import msgspec
import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.fitting.validation import validation
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Span
from tests.inference.models import spectrum


def halves(model, fitted):
    """The model with its bins in two regions, the second of which is fitted or shown."""
    spans = (Span(name="low", start=0, stop=12), Span(name="high", start=12, stop=20, fitted=fitted))
    used = np.arange(20) < (20 if fitted else 12)
    return dataclasses.replace(model, regions=spans, used=used)


def test_its_chi2_follows_that_of_its_bins():
    # Counts thrown with the nuisances and the simulation's error: the chi^2 of a region that was not fitted.
    truth = spectrum(mc=0.05)
    rng = np.random.default_rng(3)
    found = []
    for _ in range(150):
        values = truth.initial.copy()
        values[1:] = rng.normal(size=len(values) - 1)
        at = Likelihood(truth).predict(values)
        mean = np.maximum(at.mean + rng.normal(size=20) * np.sqrt(at.variance), 0.1)
        model = halves(truth, fitted=False).with_data(rng.poisson(mean).astype(float))
        best = fit(model)
        (one,) = validation(model, best)
        found.append(one.chi2)
    assert one.ndof == 8
    assert np.mean(found) == pytest.approx(8.0, abs=4 * 4.0 / np.sqrt(150))
    assert np.std(found) == pytest.approx(4.0, rel=0.3)


def test_its_counts_change_nothing_and_the_prediction_is_that_of_the_fit():
    model = halves(spectrum(), fitted=False)
    data = model.data.copy()
    data[12:] *= 3.0
    one, two = fit(model), fit(model.with_data(data))
    np.testing.assert_array_equal(one.values, two.values)
    (shown,) = validation(model.with_data(data), two)
    np.testing.assert_allclose(shown.expected, Likelihood(model).predict(two.values).mean[12:])
    assert shown.p_value < 1e-6
    assert shown.summary()["chi2"] == shown.chi2 > 100
    assert shown.total[1] > 0
    asimov = dataclasses.replace(model, asimov=True)
    (blind,) = validation(asimov, one)
    assert (blind.observed, blind.chi2, blind.p_value) == (None, None, None)
    assert validation(halves(spectrum(), fitted=True), one) == ()


REGIONS = """
[[regions]]
name = "side"
cut = "t_reco > 1.2"
axes = [{ observable = "t_reco", edges = [1.2, 1.6, 2.0, 40.0] }]
FIT
"""


@pytest.mark.parametrize("terms", ["shape+norm", "shape", "norm"])
def test_the_limit_is_that_of_the_analysis_without_the_region(small, terms):
    folder, text = small
    text = text.replace('name = "nd"', 'name = "nd"\ncut = "t_reco <= 1.2"').replace("1.2, 2.0]", "1.2]")
    limits = []
    for name, more in (("alone", ""), ("shown", REGIONS.replace("FIT", "fit = false"))):
        (folder / f"{name}.toml").write_text(text.replace("[[systematics]]", f"{more}[[systematics]]", 1))
        analysis = sf.load(folder / f"{name}.toml", overrides=[f"fit.terms={terms}"])
        templates = sf.build(analysis)
        model = sf.assemble(analysis, templates)
        limits.append(sf.limit(model).expected.values)
    np.testing.assert_allclose(limits[1], limits[0], rtol=1e-7)
    assert [span.fitted for span in model.regions] == [True, False]
    # Whether it is fitted is asked of filled cells.
    fitted = sf.load(folder / "shown.toml", overrides=["regions.side.fit=true", f"fit.terms={terms}"])
    assert sf.scan(fitted, templates=templates, executor="serial").fills == 0
    (one,) = validation(model, sf.fit(model))
    assert one.expected.size == (1 if terms == "norm" else 3)


def test_one_region_must_be_fitted(small):
    folder, text = small
    (folder / "none.toml").write_text(text.replace('name = "nd"', 'name = "nd"\nfit = false'))
    with pytest.raises(ConfigError, match="none is fitted; leave out fit = false"):
        sf.load(folder / "none.toml")
    assert msgspec.structs.fields(sf.load(folder / "fit.toml").regions[0])[-1].name == "fit"
