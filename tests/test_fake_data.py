"""Fake data from the shell: every command that takes them says so wherever it shows a result."""

import json

import msgspec
import numpy as np
import pytest
import uproot

import spectrafit as sf
from spectrafit.cli import fake, main
from spectrafit.report.expectation import expectation
from spectrafit.report.figures import draw, look
from spectrafit.report.scans import write_scan
from spectrafit.report.symbols import symbols
from spectrafit.report.tables import yields_table
from tests.events.ntuples import native

SET = """
[[samples]]
name = "nue"
role = "signal"
files = "nue.root"
pot = {pot}
"""
FIT = """
title = "Fake"
samples = "set.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.3, 0.6, 1.0, 2.0, 4.0] }]
[[systematics]]
kind = "norm"
name = "flux"
sigma = 0.1
[[counts]]
name = "nc"
counts = { nd = [9.0, 8.0, 9.0, 8.0] }
[data]
nd = [123.0, 99.0, 200.0, 300.0]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("fake")
    for name, seed in (("nue", 1), ("other", 2)):
        with uproot.recreate(place / f"{name}.root") as file:
            file["events"] = native(3000, seed=seed)
    (place / "set.toml").write_text(SET.format(pot=1e20))
    (place / "other.toml").write_text(SET.format(pot=1e20).replace("nue.root", "other.root"))
    (place / "fit.toml").write_text(FIT)
    return place


@pytest.fixture(scope="module")
def saved(folder):
    """Built once, for all commands."""
    sf.build(sf.load(folder / "fit.toml")).save(folder / "t.npz")
    return str(folder / "t.npz")


def said(capfd: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    try:
        main(list(words))
        ended = 0
    except SystemExit as left:
        ended = left.code or 0
    found = capfd.readouterr()
    assert ended == code, found.err
    return " ".join((found.err if code else found.out).split())


@pytest.mark.parametrize(
    ("flags", "label", "kind"),
    [
        (("--asimov", "kappa=2,flux=+1"), "Asimov data at kappa = 2, flux = 1", "asimov"),
        (("--toy", "7", "--asimov", "kappa=2"), "toy 7 at kappa = 2", "toy"),
    ],
)
def test_a_fit_records_and_labels_what_it_fitted(folder, saved, tmp_path, capfd, monkeypatch, flags, label, kind):
    monkeypatch.setenv("COLUMNS", "200")
    out, fit = tmp_path / "out", str(folder / "fit.toml")
    words = said(capfd, "fit", fit, "--templates", saved, "-o", str(out), "--no-figures", *flags)
    assert f"FAKE, not measured: {label}" in words
    assert f"note: The data are fake, not measured: {label}" in words
    record = json.loads((out / "result.json").read_text())
    assert record["data"]["unblinded"] is False
    assert record["data"]["blinded"] is True
    assert record["data"]["what"] == f"fake data ({label})"
    assert record["data"]["fake"]["kind"] == kind
    assert record["limit"]["fake"] == label
    assert record["data"]["events"]["nd"] != sum([123.0, 99.0, 200.0, 300.0])
    page = (out / "index.html").read_text()
    assert f"FAKE DATA, not measured: {symbols(label)}" in page
    assert "observed" not in page
    # Real data are in no file of a fit to fake ones, nor are fake ones under the name of data.
    with uproot.open(out / "templates.root") as file:
        assert not [key for key in file.keys(cycle=False) if "data" in key]


def test_a_figure_and_its_caption_say_so(folder, saved):
    analysis = sf.load(folder / "fit.toml")
    templates = sf.Templates.load(saved, analysis=analysis)
    model = sf.assemble(analysis, templates, data=sf.Toy(7, {"kappa": 2}))
    best, limit = sf.fit(model), sf.upper_limit(model, expected=False)
    expected = expectation(model, best, kappa=limit.kappa)
    with look():
        drawing = next(draw(analysis, templates, model, best, None, limit, expected, ()))
    assert drawing.caption.endswith(" The points are fake data, not measured: toy 7 at kappa = 2.")
    axes = drawing.figure.axes[0]
    assert "fake data (toy 7)" in [text.get_text() for text in axes.get_legend().get_texts()]
    assert any(text.get_text().endswith("POT, fake data") for text in drawing.figure.texts)
    rows = dict((row[0], row[1]) for row in yields_table(expected, model, "").rows)
    assert rows["fake data (toy 7)"] == f"{model.data.sum():.1f}"
    assert "data" not in rows


def test_the_shell_and_python_fit_the_same(folder, saved, tmp_path, capfd):
    analysis = sf.load(folder / "fit.toml")
    templates = sf.Templates.load(saved, analysis=analysis)
    data = sf.Toy(3, sf.Asimov({"kappa": 1.0}, "follow"), thrown=True)
    model = sf.assemble(analysis, templates, data=data)
    best, limit = sf.fit(model), sf.upper_limit(model)
    flags = ("--toy", "3", "--throw-nuisances", "--asimov", "kappa=1", "--auxiliary", "follow", "--no-figures")
    said(capfd, "fit", str(folder / "fit.toml"), "--templates", saved, "-o", str(tmp_path / "o"), *flags)
    record = json.loads((tmp_path / "o" / "result.json").read_text())
    assert record["best_fit"]["kappa"] == best.kappa
    assert record["limit"]["kappa"] == limit.kappa
    assert record["data"]["fake"]["truth"] == dict(model.fake.truth)
    # The verb makes the data again from what the fit says of them.
    sf.report(tmp_path / "again", analysis, templates, best, limit, figures=False)
    again = json.loads((tmp_path / "again" / "result.json").read_text())
    assert again["data"] == record["data"]


def test_limits_and_contours_are_labelled(folder, saved, tmp_path, capfd):
    fit, other = str(folder / "fit.toml"), str(folder / "other.toml")
    words = said(capfd, "limit", fit, "--templates", saved, "--data-from", other)
    assert "FAKE, not measured: the simulation of" in words
    flags = ("--x", "kappa", "--y", "flux", "--points", "7", "--asimov", "kappa=1")
    found = said(capfd, "contour", fit, "--templates", saved, *flags, "--json")
    record = json.loads(found)
    assert record["data"] == "fake data (Asimov data at kappa = 1)"
    assert record["best"][0] == pytest.approx(1.0, abs=1e-4)
    assert "fake data (Asimov" in said(capfd, "contour", fit, "--templates", saved, *flags)
    from spectrafit.report.contours import draw_contour

    analysis = sf.load(fit)
    model = sf.assemble(analysis, sf.Templates.load(saved, analysis=analysis))
    drawn = draw_contour(tmp_path / "c.pdf", sf.contour(model, "kappa", "flux", points=5), data="fake data")
    assert drawn.stat().st_size > 1000


def test_coverage_at_a_chosen_truth(folder, saved, capfd):
    fit = str(folder / "fit.toml")
    common = ("--templates", saved, "--experiments", "40", "--method", "profile", "--executor", "serial")
    words = said(capfd, "coverage", fit, *common, "--asimov", "kappa=2,flux=1", "--toy", "5")
    assert "nuisances: nominal, {'flux': 1.0}" in words
    assert words == said(capfd, "coverage", fit, *common, "--kappa", "2", "--asimov", "flux=1", "--seed", "5")
    assert "thrown from their constraints" in said(capfd, "coverage", fit, *common, "--throw-nuisances", "--kappa", "1")
    # Twice the events as the truth: no interval at kappa = 0 covers.
    (folder / "twice.toml").write_text(SET.format(pot=5e19))
    words = said(capfd, "coverage", fit, *common, "--data-from", str(folder / "twice.toml"), "--kappa", "0")
    assert "nuisances: of the simulation of" in words
    words = said(capfd, "coverage", fit, *common, "--data-from", str(folder / "set.toml"), "--kappa", "0")
    assert words.split("profile (one)")[1].split()[0] > "0.7"


def test_a_scan_makes_fake_data_at_every_point(folder, saved, tmp_path, capfd):
    fit = str(folder / "fit.toml")
    flags = ("--templates", saved, "--executor", "serial", "--asimov", "kappa=1")
    files = tmp_path / "scan.json", tmp_path / "scan.png"
    outputs = [word for path in files for word in ("-o", str(path))]
    words = said(capfd, "scan", fit, *flags, "--over", "systematics.flux.sigma=0.05,0.2", *outputs)
    assert "FAKE DATA, not measured: Asimov data at kappa = 1" in words
    record = json.loads(files[0].read_text())
    assert record["fake"]["values"] == {"kappa": 1.0}
    for point in record["points"]:
        sigma = point["systematics.flux.sigma"]
        analysis = sf.load(fit, overrides=[f"systematics.flux.sigma={sigma}"])
        model = sf.assemble(analysis, sf.Templates.load(saved, analysis=analysis), data=sf.Asimov({"kappa": 1}))
        assert point["limit"] == pytest.approx(sf.upper_limit(model, expected=False).value, rel=1e-6)
    assert files[1].stat().st_size > 1000
    beside = sf.scan(analysis, compare=["pot=2e20"], templates=sf.Templates.load(saved), data=sf.Toy(3))
    assert "toy 3 at the nominal parameters" in beside.words
    assert [head for head in beside.table()[0] if head] == ["limit"]
    write_scan(tmp_path / "beside.pdf", beside)


def test_a_scan_fits_another_simulation_at_every_point(folder, saved, tmp_path, capfd):
    (folder / "plain.toml").write_text(FIT.partition("[[counts]]")[0])
    fit, other = str(folder / "plain.toml"), str(folder / "other.toml")
    flags = ("--executor", "serial", "--data-from", other, "-o", str(tmp_path / "scan.json"))
    words = said(capfd, "scan", fit, *flags, "--over", "regions.nd.axes.t_reco.low=0.3,0.6", "--over", "pot=1e20,2e20")
    # The finest edges of each of the two simulations answer for all points.
    assert "4 limits from 2 passes over the events" in words
    assert "FAKE DATA, not measured: the simulation of" in words
    for point in json.loads((tmp_path / "scan.json").read_text())["points"]:
        analysis = sf.load(
            fit, overrides=[f"pot={point['pot']}", f"regions.nd.axes.t_reco.low={point['regions.nd.axes.t_reco.low']}"]
        )
        model = sf.assemble(analysis, sf.build(analysis), data=sf.Simulated(other))
        assert point["limit"] == pytest.approx(sf.upper_limit(model, expected=False).value, rel=1e-6)


def test_a_scan_exposes_the_other_simulation_as_the_expectation(folder, saved):
    analysis, data = sf.load(folder / "fit.toml"), sf.Simulated(str(folder / "set.toml"))
    templates = sf.Templates.load(saved, analysis=analysis)
    # The events of the analysis itself: the data are the expectation, and what is filled answers for them.
    for options in ({}, {"simulation": "grows"}):
        found = sf.scan(analysis, {"exposure": [1.0, 4.0]}, templates=templates, data=data, **options)
        plain = sf.scan(
            analysis, {"exposure": [1.0, 4.0]}, templates=templates, data=sf.Asimov({"kappa": 0.0}), **options
        )
        assert found.fills == 0
        assert [limit.value for limit in found.limits] == pytest.approx(
            [limit.value for limit in plain.limits], rel=1e-6
        )
    toy = sf.scan(analysis, templates=templates, data=sf.Toy(3, data))
    model = sf.assemble(analysis, templates, data=sf.Toy(3, data))
    assert toy.limits[0].value == pytest.approx(sf.upper_limit(model, expected=False).value, rel=1e-6)
    summed = msgspec.structs.replace(analysis, fit=msgspec.structs.replace(analysis.fit, terms="norm"))
    found = sf.scan(summed, templates=templates, data=data)
    model = sf.assemble(summed, templates, data=data)
    assert found.limits[0].value == pytest.approx(sf.upper_limit(model, expected=False).value, rel=1e-6)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--toy", "1", "--unblind"), "--unblind fits the real data, and --toy makes fake ones"),
        (("--asimov", "kappa=2", "--unblind"), "--asimov makes fake ones"),
        (("--throw-nuisances",), "goes with --toy SEED"),
        (("--auxiliary", "follow"), "goes with --asimov or --toy"),
        (("--toy", "1", "--auxiliary", "off"), "use stay or follow"),
        (("--asimov", "kappa"), "'kappa' has no value"),
        (("--asimov", "kappa=1,kappa=2"), "'kappa' stands there twice"),
        (("--asimov", "kappa=two"), "'two' is no number"),
        (("--asimov", "=2"), "a name is missing"),
        (("--asimov", "kapa=2"), "no parameter 'kapa'; did you mean 'kappa'"),
        (("--asimov", "kappa=1", "--data-from", "x.toml"), "--data-from is an expectation of its own"),
        (("--data-from", "nowhere.toml"), "nowhere.toml: no such file"),
    ],
)
def test_mistakes_are_one_line(folder, saved, capfd, flags, message):
    words = said(capfd, "limit", str(folder / "fit.toml"), "--templates", saved, *flags, code=2)
    assert message in words


def test_an_output_is_no_input_of_the_other_simulation(folder, saved, tmp_path, capfd):
    (tmp_path / "templates.root").hardlink_to(folder / "other.root")
    flags = ("--templates", saved, "--data-from", str(folder / "other.toml"), "-o")
    assert "is read here, and would be overwritten" in said(
        capfd, "fit", str(folder / "fit.toml"), *flags, str(tmp_path), code=2
    )
    (tmp_path / "scan.csv").hardlink_to(folder / "other.root")
    target = str(tmp_path / "scan.csv")
    assert "is read here, and would be overwritten" in said(
        capfd, "scan", str(folder / "fit.toml"), *flags, target, code=2
    )


def test_names_may_hold_commas():
    assert fake.parsed(["kappa=2,flux, odd=+1", " nc =-0.5"]) == {"kappa": 2.0, "flux, odd": 1.0, "nc": -0.5}
    assert np.isclose(fake.parsed(["a=b=2"])["a=b"], 2.0)
