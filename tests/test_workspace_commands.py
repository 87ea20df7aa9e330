"""Every command that takes an analysis takes a workspace, with pyhf as the oracle of its numbers."""

import json
import re
from pathlib import Path

import pytest

import spectrafit as sf
from spectrafit.cli import main
from spectrafit.cli.workspaces import is_workspace
from spectrafit.interop.measurements import described
from spectrafit.interop.pyhf import read_workspace
from spectrafit.report.workspaces import channels_table

pyhf = pytest.importorskip("pyhf")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:pyhf"),
]

# What pyhf 0.7.6 gives for its simple model, 12 and 11 events of signal divided by 20, with bounds of mu from 0 to 200:
# upper_limits.upper_limit(data, model, level=0.05, par_bounds=...) with TOMS 748.
OBSERVED = 20.2313875
EXPECTED = (11.19759979, 15.14046667, 21.2469378, 30.02338339, 41.01572246)


def spec(scale=20.0):
    model = pyhf.simplemodels.uncorrelated_background(
        signal=[12.0 / scale, 11.0 / scale], bkg=[50.0, 52.0], bkg_uncertainty=[3.0, 7.0]
    )
    return {
        "channels": model.spec["channels"],
        "observations": [{"name": "singlechannel", "data": [51.0, 48.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    """Run a command in a folder with the weak signal's workspace, `w.json`, and return what it says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.json").write_text(json.dumps(spec()))

    def run(*words, code=0):
        with pytest.raises(SystemExit) as left:
            main(list(words))
        out = capsys.readouterr()
        assert (left.value.code or 0) == code, out.err
        return " ".join((out.out + out.err).split())

    run.folder = tmp_path
    return run


def changed(said, name, change):
    content = spec()
    change(content)
    (said.folder / name).write_text(json.dumps(content))


def test_a_bound_of_the_signal_caps_no_limit(said):
    limit = sf.upper_limit(read_workspace("w.json"), level=0.95, method="cls")
    assert limit.value == pytest.approx(OBSERVED, rel=1e-5)
    assert limit.expected.values == pytest.approx(EXPECTED, rel=1e-5)
    words = said("limit", "w.json", "--method", "cls", "--set", "limit.level=0.95")
    assert re.search(r"20\.2\d* 20\.231 21\.25 15\.14 to 30\.02", words)
    assert "lies beyond the bound of mu, 10" in words


def test_check_says_what_a_workspace_holds(said):
    words = said("check", "w.json")
    assert "singlechannel signal 1.15 1" in words
    assert "singlechannel data 2 99" in words
    assert "parameter of interest mu" in words
    assert "1 normfactor, 1 shapesys" in words
    assert "is for an analysis" in said("check", "w.json", "--without", "x", code=2)
    assert channels_table(read_workspace("w.json")).rows[1] == ("singlechannel", "background", "", "102", "1")
    assert [is_workspace(Path(name)) for name in ("a.json", "a.json.gz", "a.toml", "a.gz")] == [
        True,
        True,
        False,
        False,
    ]


def test_scans_contours_and_coverage_of_a_workspace(said):
    # Without the background's uncertainty the two bins are counting experiments: the expected limit falls as 1/sqrt(n).
    said("sensitivity", "w.json", "--exposure", "1", "--exposure", "4", "-o", "s.json")
    rows = json.loads((said.folder / "s.json").read_text())["points"]
    medians = {(row["exposure"], row["priors"]): row["median"] for row in rows}
    assert medians[4.0, 0.0] == pytest.approx(medians[1.0, 0.0] / 2, rel=0.03)
    assert medians[1.0, 1.0] > 1.1 * medians[1.0, 0.0]
    # A scan of the same keys is the same; other keys have no meaning.
    said("scan", "w.json", "--over", "priors.uncorr_bkguncrt=0,1", "-o", "p.json")
    widths = [row["median"] for row in json.loads((said.folder / "p.json").read_text())["points"]]
    assert widths == pytest.approx([medians[1.0, 0.0], medians[1.0, 1.0]])
    assert "has exposure, priors and priors.NAME" in said("scan", "w.json", "--over", "pot=1,2", code=2)
    assert "cannot grow" in said("sensitivity", "w.json", "--simulation", "grows", code=2)
    # What the factors per bin cost is the difference of these limits.
    said("breakdown", "w.json", "-o", "b.json")
    found = {
        (row["what"], row["name"]): row["median"] for row in json.loads((said.folder / "b.json").read_text())["limits"]
    }
    assert found["frozen", "factors per bin"] == pytest.approx(medians[1.0, 0.0])
    assert found["all uncertainties", ""] == pytest.approx(medians[1.0, 1.0])
    # The region goes on beyond the bound of mu, 10, and a factor of one bin is a parameter that can be asked for.
    region = said("contour", "w.json", "--y", "uncorr_bkguncrt[0]", "--points", "7", "-o", "c.png")
    assert float(re.search(r"mu 0 outside to ([\d.]+)", region)[1]) > 10.0
    assert (said.folder / "c.png").exists()
    words = said("coverage", "w.json", "--kappa", "5", "--experiments", "50", "--method", "cls")
    assert float(re.search(r"cls \(one\) ([\d.]+)", words)[1]) > 0.85


def test_fake_data_of_a_workspace(said):
    words = said("limit", "w.json", "--asimov", "mu=0", "--method", "cls", "--set", "limit.level=0.95")
    assert "FAKE" in words
    # Asimov data of the nominal background: what is observed is the median.
    found = re.search(r"cls one 95 % [\d.]+ ([\d.]+) ([\d.]+) ", words)
    assert float(found[1]) == pytest.approx(float(found[2]), rel=1e-3)
    assert "toy 7 at mu = 2" in said("limit", "w.json", "--toy", "7", "--asimov", "mu=2")
    assert "use --asimov or --toy" in said("limit", "w.json", "--data-from", "samples.toml", code=2)


def test_measurements_and_interests_are_chosen_by_name_and_told(said):
    def several(content):
        content["measurements"] += [
            {"name": "other", "config": {"poi": "muu", "parameters": [{"name": "mu", "bounds": [[0.0, 50.0]]}]}},
            {"name": "none", "config": {"poi": "", "parameters": []}},
        ]

    changed(said, "m.json", several)
    assert "note: measurement 'm' is taken, the first of m, other, none" in said("limit", "m.json")
    wrong = said("limit", "m.json", "--measurement", "other", code=2)
    assert (
        "$.measurements[1].config.poi: the parameter of interest 'muu' is in no modifier; did you mean 'mu'?" in wrong
    )
    assert "choose one with --interest (mu)" in wrong
    assert "no parameter of interest is named" in said("limit", "m.json", "--measurement", "none", code=2)
    # The bound of this measurement is above the limit: no note of it.
    chosen = said("limit", "m.json", "--measurement", "other", "--interest", "mu")
    assert "beyond the bound" not in chosen
    assert "no parameter 'mus'; did you mean 'mu'" in said("limit", "m.json", "--interest", "mus", code=2)
    assert "no 'them', found 'm', 'other', 'none'" in said("check", "m.json", "--measurement", "them", code=2)
    assert "the parameter of interest 'muu' is in no modifier" in said("check", "m.json", "--measurement", "other")
    assert described("m.json", measurement="none").measurements == ("m", "other", "none")
    assert "for HistFactory workspaces" in said("limit", "fit.toml", "--measurement", "m", code=2)


def test_a_patch_lies_over_a_workspace_in_every_command(said):
    patch = [{"op": "replace", "path": "/channels/0/samples/0/data", "value": [12.0, 11.0]}]
    (said.folder / "p.json").write_text(json.dumps(patch))
    words = said("limit", "w.json", "--patch", "p.json", "--method", "cls", "--set", "limit.level=0.95")
    assert f"{OBSERVED / 20:.3f}" in words
    assert "singlechannel signal 23 1" in said("check", "w.json", "--patch", "p.json")
    assert "is read here" in said("scan", "w.json", "--patch", "p.json", "-o", "p.json", code=2)


def test_a_workspace_without_channels_is_one_line(said):
    changed(said, "e.json", lambda content: content.update(channels=[]))
    for command in ("check", "limit", "fit"):
        assert said(command, "e.json", code=2) == (
            "error: e.json: $.channels: the list is empty; a fit needs at least one channel with its samples"
        )


def test_other_commands_say_that_they_take_no_workspace(said):
    assert "this command takes no workspace" in said("build", "w.json", "-o", "t.npz", code=2)


def test_hypotheses_and_a_second_opinion(said):
    assert "mu = 5: CLs = 0.6074, not excluded at 90 %" in said("hypotest", "w.json", "--kappa", "5")
    assert "mu = 0: p = 0.5, 0.000 sigma" in said("significance", "w.json")
    words = said("referee", "w.json", "-o", "opinions.csv")
    assert "found the same minimum" in words
    assert (said.folder / "opinions.csv").read_text().startswith("fitter,")
