import json

import pytest

import spectrafit as sf
from spectrafit.inference.fitting.information import ALARM
from tests.inference.simulated import NORM, SCALED, assembled, simulate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("constraints")
    simulate(path, 5, 800, signal=5000)
    return path


def test_what_is_noise_is_told_with_samples_bins_and_remedies(folder):
    _, templates, model = assembled(folder, SCALED + NORM, (12, 6))
    found = sf.constraints(model, templates)
    assert [one.parameter for one in found] == ["rate", "scale"]
    scale = found.of("scale")
    assert found.of("kappa") is None
    assert scale.noise > ALARM
    assert scale.naive < scale.corrected <= 1.0
    (alarm,) = [line for line in found.alarms if line.startswith("scale:")]
    for words in (
        "noise of the simulation",
        "background (",
        "nd[t_reco",
        'smooth = "auto"',
        "coarser bins",
        'shape = { "background" = "norm" }',
    ):
        assert words in alarm
    assert not any("smooth" in line for line in found.alarms if line.startswith("rate:"))
    assert "ALARM" in str(found)
    assert "<pre>" in found._repr_html_()


def test_the_summary_is_plain_and_names_bins(folder):
    _, templates, model = assembled(folder, SCALED, (12, 6))
    summary = sf.constraints(model, templates).summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["nuisances"]["scale"]["alarm"] is True
    assert all(place.startswith("nd[t_reco ") for place in summary["nuisances"]["scale"]["bins"])
    kappa = summary["parameter_of_interest"]
    assert kappa["naive_error"] == pytest.approx(sf.fit(model).kappa_error, rel=1e-6)
    assert kappa["corrected_error"] > kappa["naive_error"]


def test_a_smoothed_shift_is_not_told_to_be_smoothed(folder):
    _, templates, model = assembled(folder, SCALED + 'smooth = "auto"\n', (12, 6))
    found = sf.constraints(model, templates)
    assert found.smoothable == ()
    assert found.of("scale").noise < 0.5


def test_totals_of_regions_are_bins_too(folder):
    _, templates, model = assembled(folder, SCALED + NORM, (12, 6), fit='terms = "norm"\n')
    found = sf.constraints(model, templates)
    # What moves within the region is no noise.
    assert found.of("scale").noise < 0.01
    assert set(found.places.values()) <= {"nd[0]"}


def test_the_report_says_it(folder):
    analysis, templates, model = assembled(folder, SCALED, (12, 6))
    best = sf.fit(model)
    limit = sf.upper_limit(model)
    target = sf.report(folder / "result", analysis, templates, best, limit, figures=False)
    result = json.loads((target / "result.json").read_text())
    found = sf.constraints(model, templates)
    assert result["constraints"] == found.summary()
    assert result["alarms"][0].startswith("scale: ")
    page = (target / "index.html").read_text()
    assert "the share that is noise of the simulation" in page
    assert page.count('class="alarm"') == len(result["alarms"])


def test_the_report_says_which_grid_was_taken(folder):
    analysis, templates, model = assembled(folder, SCALED + 'smooth = "auto"\n', (12, 6))
    target = sf.report(folder / "auto", analysis, templates, sf.fit(model), sf.upper_limit(model), figures=False)
    (grid,) = json.loads((target / "result.json").read_text())["smoothing"]
    assert (grid["parameter"], grid["sample"], grid["region"]) == ("scale", "background", "nd")
    assert grid["cells"] == " x ".join(str(len(edges) - 1) for edges in grid["edges"])
    assert grid["cells"] in (target / "index.html").read_text()
