"""The folder as a reader finds it: whole or not at all, strict JSON, and the numbers that were put in."""

import dataclasses
import html
import inspect
import json
import re

import msgspec
import numpy as np
import pytest
import uproot

from spectrafit import config
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.standing import Standing
from spectrafit.report import write as module
from spectrafit.report.write import write


def put(case, folder, **options):
    return write(
        folder, case.analysis, case.templates, case.best, case.limit, model=case.model, profile=case.profile, **options
    )


@pytest.fixture(scope="module")
def folder(case, tmp_path_factory):
    return put(case, tmp_path_factory.mktemp("results") / "nd")


def strict(path):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_the_folder_is_complete(folder):
    assert {p.name for p in folder.iterdir()} == {"result.json", "templates.root", "index.html", "figures"}
    names = {p.stem for p in (folder / "figures").iterdir()} - {"drawn"}
    assert names == {
        "shower_t_reco",
        "shower_t_theta2_reco",
        "shower_plane",
        "shower_t_reco_systematics",
        "shower_t_theta2_reco_systematics",
        "profile",
        "nuisances",
        "correlations",
        "response_beam",
    }
    for name in names:
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    with uproot.open(folder / "templates.root") as file:
        assert file["shower/total/sm"].values().sum() == pytest.approx(745.0)


def test_the_record_has_the_result_and_where_it_comes_from(case, folder):
    result = strict(folder / "result.json")
    limit = result["limit"]
    assert limit["value"] == case.limit.value
    assert (limit["unit"], limit["level"], limit["sides"], limit["method"]) == ("mu_B", 0.9, "one", "profile")
    assert limit["statistic"] == case.limit.statistic
    assert limit["boundary"] == case.limit.boundary
    assert result["best_fit"]["kappa"] == 0.0
    assert result["best_fit"]["error"] == 0.42
    assert result["best_fit"]["minos"] == [-0.40, 0.44]
    assert result["best_fit"]["unit_of_kappa"] == "1e-18 mu_B^2"
    assert [n["name"] for n in result["nuisances"]] == list(case.model.names[1:])
    assert result["nuisances"][0]["constrained_to"] == 0.55
    assert result["fit"]["valid"] is True
    assert result["data"]["blinded"] is True
    provenance = result["provenance"]
    assert provenance["inputs"][0]["files"][0]["uuid"] == "abc"
    assert len(provenance["configuration_digest"]) == 64
    assert provenance["templates_digest"] == case.templates.digest
    assert provenance["versions"]["numpy"] == np.__version__
    assert provenance["seeds"] == {"limit": 1, "beam": 1}
    assert provenance["configuration"]["regions"][0]["name"] == "shower"


def test_the_page_shows_the_limit_and_carries_every_figure(case, folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert "<i>μ</i><sub>ν</sub> &lt; 7.46 × 10<sup>−10</sup> <i>μ</i><sub>B</sub>" in text
    assert text.count("data:image/png;base64,") == 9
    # One for the bad entries of every sample.
    assert text.count('class="alarm"') == len(case.templates.inventories)


def test_without_figures_none_are_drawn_and_old_ones_do_not_stay(case, tmp_path):
    put(case, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    put(case, tmp_path, figures=False)
    assert {p.name for p in tmp_path.iterdir()} == {"result.json", "templates.root", "index.html", "notes.txt"}


def test_a_failing_write_leaves_the_earlier_result_whole(case, tmp_path, monkeypatch):
    put(case, tmp_path, figures=False)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.root, "write", full)
    with pytest.raises(DataError, match="No space left on device"):
        put(case, tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_bad_fit_and_files_left_out_raise_an_alarm(case, tmp_path):
    best = dataclasses.replace(case.best, valid=False, message="covariance is not positive definite")
    inventory = dict(case.templates.inventories[0]) | {"skipped": [["numu_7.root", "truncated"]]}
    templates = dataclasses.replace(case.templates, inventories=(inventory,))
    written = dataclasses.replace(case.model, zero_bins=("shower[3]",))
    write(tmp_path, case.analysis, templates, best, case.limit, model=written, profile=case.profile, figures=False)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert text.count('class="alarm"') == 4
    for word in ("covariance is not positive definite", "numu_7.root (truncated)", "shower[3]"):
        assert word in text


def test_a_fit_of_another_model_is_refused(case, tmp_path):
    with pytest.raises(ConfigError, match="not of this analysis"):
        write(tmp_path, case.analysis, case.templates, case.best, case.limit)
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_become_null(case, tmp_path):
    limit = dataclasses.replace(case.limit, error=float("nan"), kappa_error=float("inf"))
    write(tmp_path, case.analysis, case.templates, case.best, limit, model=case.model, figures=False)
    result = strict(tmp_path / "result.json")
    assert result["limit"]["error"] is None
    assert result["limit"]["kappa_error"] is None


def test_a_result_of_another_analysis_or_of_real_data_is_not_overwritten(case, tmp_path):
    put(case, tmp_path, figures=False)
    before = (tmp_path / "result.json").read_bytes()
    other = msgspec.structs.replace(case.analysis, path=str(tmp_path / "other.toml"), pot=2.0 * case.analysis.pot)
    real = dataclasses.replace(case.best, asimov=False)
    for analysis, best, word in ((other, case.best, "another analysis"), (case.analysis, real, "unblinded")):
        with pytest.raises(ConfigError, match=f"{word}.*give another folder"):
            write(tmp_path, analysis, case.templates, best, case.limit, model=case.model, figures=False)
    assert (tmp_path / "result.json").read_bytes() == before
    write(tmp_path, other, case.templates, case.best, case.limit, model=case.model, figures=False, force=True)
    assert (tmp_path / "result.json").read_bytes() != before


def test_the_room_is_its_verb(case, tmp_path):
    import spectrafit

    made = spectrafit.report(
        tmp_path, case.analysis, case.templates, case.best, case.limit, model=case.model, figures=False
    )
    assert made == tmp_path
    assert inspect.signature(spectrafit.report) == inspect.signature(write)


def test_the_configuration_on_the_page_runs_again(case, folder, tmp_path):
    text = (folder / "index.html").read_text(encoding="utf-8")
    shown = re.findall(r"<details><summary>(.*?)</summary><pre>(.*?)</pre></details>", text, flags=re.DOTALL)
    assert [name for name, _ in shown] == ["fit.toml", "beam.toml"]
    for name, content in shown:
        (tmp_path / name).write_text(html.unescape(content), encoding="utf-8")
    again = config.load(tmp_path / "fit.toml")
    assert config.digest(again) == config.digest(case.analysis)
    assert strict(folder / "result.json")["provenance"]["configuration_digest"] == config.digest(again)
    assert config.digest(again) in shown[0][1]


def test_every_link_of_the_page_leads_somewhere(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    targets = re.findall(r'href="([^"]*)"', text)
    assert len(targets) > 20
    for target in targets:
        if target.startswith("#"):
            assert f'id="{target[1:]}"' in text
        else:
            assert (folder / target).is_file()


def test_descriptions_of_the_figures_are_unique(folder):
    text = (folder / "index.html").read_text(encoding="utf-8")
    described = re.findall(r'alt="([^"]*)"', text)
    assert len(described) == len(set(described)) == 9


def test_an_empty_interval_is_drawn_where_the_coupling_can_be_seen(case, tmp_path):
    standing = Standing(null=0.0, significance=-2.7, p_value=0.997, interval=None, reported=None, level=0.9)
    limit = dataclasses.replace(
        case.limit,
        value=0.0,
        kappa=0.0,
        empty=True,
        notes=("the interval is empty",),
        beside={"cls": 6e-10},
        standing=standing,
    )
    target = write(
        tmp_path / "empty",
        case.analysis,
        case.templates,
        case.best,
        limit,
        model=case.model,
        profile=case.profile,
        figures=False,
    )
    text = (target / "index.html").read_text(encoding="utf-8")
    header, main = text.split("<main>")
    assert "empty interval" in header
    assert "6 × 10<sup>−10</sup>" in header
    # Said beside the number, and not again in an alarm; the record keeps both.
    assert 'class="alarm" role="alert">The limit' not in main
    assert "The limit: the interval is empty" in strict(target / "result.json")["alarms"]
    assert strict(target / "result.json")["limit"]["standing"]["significance"] == -2.7
    # The events are those of the expected limit, not none.
    added = case.limit.expected.kappas[2] * case.templates.counts[:, 0, 1].sum()
    assert f"+{added:.1f}" in main
