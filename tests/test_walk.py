"""The walk of the README with real processes: from recipes to a limit, checked from outside."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import uproot
from iminuit import Minuit
from iminuit.cost import template_chi2_jsc
from matplotlib import image
from scipy import stats
from scipy.optimize import brentq

import spectrafit as sf
from spectrafit.inference.toys import ensemble as toys
from tests.conftest import ENVIRONMENT, Walk

FHC, NUWRO = "fits/nova_nd_fhc.toml", "fits/nova_nd_nuwro.toml"
FULL = Path("../shared/data/events/nuwro/nue_el_numu.root")


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


def built(walk: Walk, analysis: str, *overrides: str) -> tuple[sf.Analysis, sf.Templates]:
    loaded = sf.load(walk.folder / analysis, overrides=overrides)
    return loaded, sf.build(loaded, executor="serial")


@pytest.fixture(scope="module")
def fhc(walk: Walk) -> tuple[sf.Analysis, sf.Templates]:
    return built(walk, FHC)


@pytest.fixture(scope="module")
def fitted(walk: Walk) -> Path:
    """The folder that `spectrafit fit fits/nova_nd_fhc.toml` writes."""
    said = walk.done("fit", FHC)
    assert "mu_B at 90 % CL" in said
    assert said.rstrip().endswith("written to results/nova_nd_fhc")
    return walk.folder / "results" / "nova_nd_fhc"


def test_a_million_events_are_made(walk: Walk) -> None:
    made = 0.0
    for path in sorted((walk.folder / "generated" / "nova_nd_fhc").iterdir()):
        with uproot.open(path) as file:
            made += file["TotalEvents"].values().sum()
            assert file["TotalPOT"].values().sum() > 1e22
    assert made == 1_000_000


def test_check_says_what_a_build_would_do(walk: Walk) -> None:
    said = walk.done("check", FHC)
    for name in ("numu", "numubar", "nue", "nuebar", "nc_carbon", "nc_hydrogen", "nuecc_carbon", "nuecc_hydrogen"):
        assert f" {name} " in said
    with uproot.open(walk.folder / "generated/nova_nd_fhc/numu.root") as file:
        assert str(file["events"].num_entries) in said


def test_inspect_recognises_what_generate_made(walk: Walk) -> None:
    with uproot.open(walk.folder / "generated/nova_nd_fhc/nuebar.root") as file:
        entries, pot = file["events"].num_entries, file["TotalPOT"].values().sum()
    said = walk.done("inspect", "generated/nova_nd_fhc/nuebar.root")
    for text in ("native", str(entries), f"{pot:.6g}"):
        assert text in said


def test_the_result_says_all_that_a_limit_needs(walk: Walk, fitted: Path) -> None:
    found = result(fitted)
    limit, best = found["limit"], found["best_fit"]
    assert (limit["unit"], limit["level"], limit["sides"], limit["method"]) == ("mu_B", 0.9, "one", "profile")
    assert limit["value"] == pytest.approx(1e-9 * np.sqrt(limit["kappa"]))
    assert "best kappa >= 0" in limit["statistic"]
    assert "kappa >= 0" in limit["boundary"]
    assert best["unit_of_kappa"] == "1e-18 mu_B^2"
    assert best["kappa"] == pytest.approx(0.0, abs=1e-6)
    assert best["error"] > 0
    text = tomllib.loads((walk.folder / FHC).read_text())
    nuisances = {row["name"]: row for row in found["nuisances"]}
    assert list(nuisances) == [systematic["name"] for systematic in text["systematics"]]
    for row in nuisances.values():
        assert row["value"] == pytest.approx(0.0, abs=1e-6)
        assert 0.5 < row["error"] < 1.0001
    assert found["fit"]["valid"] is True
    assert found["fit"]["edm"] < 1e-6
    assert found["data"]["blinded"] is True


def test_the_result_says_where_it_comes_from(walk: Walk, fitted: Path) -> None:
    provenance = result(fitted)["provenance"]
    for sample in provenance["inputs"]:
        for file in sample["files"]:
            path = Path(file["path"])
            assert file["size"] == path.stat().st_size
            with uproot.open(path) as opened:
                assert file["uuid"] == str(opened.file.uuid)
                assert file["entries"] == opened["events"].num_entries
    assert len(provenance["configuration_digest"]) == len(provenance["templates_digest"]) == 64
    assert provenance["configuration"]["pot"] == 3.62e20
    assert provenance["seeds"]["nova_nd_fhc"] == 20240122
    for package in ("spectrafit-numm", "numpy", "iminuit", "uproot"):
        assert provenance["versions"][package] == version(package)


def test_the_templates_are_root_histograms_of_what_was_fitted(fitted: Path, fhc) -> None:
    templates = fhc[1]
    with uproot.open(fitted / "templates.root") as file:
        for s, name in enumerate(templates.samples):
            for power, word in enumerate(("sm", "kappa1")):
                histogram = file[f"nd/{name}/{word}"]
                assert histogram.classname == "TH2D"
                expected = templates.counts[s, 0, power].reshape(11, 7)
                np.testing.assert_allclose(histogram.values(), expected, rtol=1e-12)
                variances = templates.squares[s, 2 * power].reshape(11, 7)
                np.testing.assert_allclose(histogram.variances(), variances, rtol=1e-12)
        assert file["nd/total/sm"].values().sum() == pytest.approx(result(fitted)["data"]["events"]["nd"], rel=1e-9)


def test_the_figures_show_something(fitted: Path) -> None:
    names = {path.stem for path in (fitted / "figures").glob("*.png")}
    assert names == {path.stem for path in (fitted / "figures").glob("*.pdf")}
    assert {"nd_t_reco", "nd_t_theta2_reco", "nd_plane", "profile", "nuisances"} <= names
    for path in (fitted / "figures").glob("*.png"):
        pixels = image.imread(path)
        assert min(pixels.shape[:2]) > 400, path
        assert pixels[..., :3].std() > 0.05, f"{path} is blank"
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    page = (fitted / "index.html").read_text()
    assert page.count("data:image/png;base64") == len(names)


def test_the_script_gives_the_same_numbers(walk: Walk, fitted: Path) -> None:
    by_command = result(fitted)
    done = subprocess.run(
        [sys.executable, "fits/nova_nd_fhc.py"],
        cwd=walk.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    by_script = result(fitted)
    for found in (by_command, by_script):
        del found["provenance"]["made"], found["provenance"]["build"], found["fit"]["seconds"]
    assert by_script == by_command
    assert f"{by_script['limit']['value']:.3g}" in done.stdout


def test_settings_are_laid_over_the_file(walk: Walk, fitted: Path) -> None:
    walk.done("fit", FHC, "--set", "limit.level=0.95", "--set", "fit.minos=true", "--no-figures", "-o", "at95")
    found, before = result(walk.folder / "at95"), result(fitted)
    assert found["limit"]["level"] == 0.95
    # Delta 2NLL at a one-sided limit is the square of the normal quantile.
    crossing = np.interp(found["limit"]["kappa"], found["profile"]["kappa"], found["profile"]["delta_2nll"])
    assert crossing == pytest.approx(stats.norm.isf(0.05) ** 2, rel=0.01)
    assert found["limit"]["kappa"] > before["limit"]["kappa"]
    low, high = found["best_fit"]["minos"]
    assert low < 0 < high
    assert not (walk.folder / "at95" / "figures").exists()


def test_a_fit_of_saved_templates_is_the_fit(walk: Walk, fitted: Path) -> None:
    assert walk.done("build", FHC, "-o", "kept/nd.npz").startswith("kept/nd.npz: 8 samples, 1 regions, 77 bins")
    walk.done("fit", FHC, "--templates", "kept/nd.npz", "--no-figures", "-o", "again")
    again, before = result(walk.folder / "again"), result(fitted)
    for key in ("limit", "best_fit", "nuisances", "profile"):
        assert again[key] == before[key]
    refused = walk.run("fit", FHC, "--templates", "kept/nd.npz", "--set", "regions.nd.cut=t_reco > 0.2", "-o", "again")
    assert refused.returncode == 2
    assert "cut is" in refused.stderr


# --- an independent likelihood ----------------------------------------------------------------------------------------


def code4p(theta, low, nominal, high):
    """The additive interpolation of HistFactory that is linear beyond one sigma and a sixth-order polynomial inside."""
    up, down = high - nominal, nominal - low
    if theta > 1:
        return theta * up
    if theta < -1:
        return theta * down
    slope, bend = 0.5 * (up + down), 0.0625 * (up - down)
    return theta * (slope + theta * bend * (15 + theta**2 * (3 * theta**2 - 10)))


class Oracle:
    """2NLL of nova_nd_fhc from the bare templates: Poisson with the simulation's variance, Gaussian constraints."""

    names = ("kappa", "flux", "flux_nue", "nuecc", "nc", "energy_scale", "angle", "efficiency")

    def __init__(self, templates: sf.Templates) -> None:
        self.templates = templates
        place = {(v.parameter, v.sigma): i for i, v in enumerate(templates.variations)}
        self.morphs = {
            self.names.index(name): (place[name, -1.0], place[name, 1.0])
            for name in ("energy_scale", "angle", "efficiency")
        }
        self.data = templates.counts[:, 0, 0].sum(axis=0)

    def __call__(self, x) -> float:
        counts = self.templates.counts
        nominal = counts[:, 0]
        yields = nominal.copy()
        for k, (low, high) in self.morphs.items():
            yields += code4p(x[k], counts[:, low], nominal, counts[:, high])
        kappa, flux, flux_nue, nuecc, nc = x[:5]
        for s, name in enumerate(self.templates.samples):
            yields[s] *= 1.09**flux
            if name.startswith("nue") and not name.startswith("nuecc"):
                yields[s] *= 1.05**flux_nue
            if name.startswith("nuecc"):
                yields[s] *= 1.05**flux_nue * 1.30**nuecc
            if name.startswith("nc"):
                yields[s] *= 1.40**nc
        mean = (yields[:, 0] + kappa * yields[:, 1]).sum(axis=0)
        # A sample's variance scales with its yield: sum over events of w_p w_q with both weights scaled.
        ratio = np.divide(yields, nominal, out=np.ones_like(yields), where=nominal != 0)
        first, second = ratio[:, 0], ratio[:, 1]
        squares = self.templates.squares
        variance = (
            squares[:, 0] * first**2 + kappa * squares[:, 1] * first * second + kappa**2 * squares[:, 2] * second**2
        ).sum(axis=0)
        return template_chi2_jsc(self.data, mean, variance) + float(np.sum(np.square(x[1:])))

    def least(self, kappa: float | None = None) -> Minuit:
        minuit = Minuit(self, np.zeros(len(self.names)), name=self.names)
        minuit.errors = 0.3
        minuit.tol = 1e-3
        if kappa is not None:
            minuit.values["kappa"] = kappa
            minuit.fixed["kappa"] = True
        minuit.migrad()
        assert minuit.valid
        return minuit


def test_the_limit_is_that_of_an_independent_likelihood(fitted: Path, fhc) -> None:
    found, oracle = result(fitted), Oracle(fhc[1])
    best = oracle.least()
    best.hesse()
    assert best.values["kappa"] == pytest.approx(0.0, abs=1e-3)
    assert found["best_fit"]["error"] == pytest.approx(best.errors["kappa"], rel=1e-3)
    for row in found["nuisances"]:
        assert row["error"] == pytest.approx(best.errors[row["name"]], rel=2e-3)
    threshold = best.fval + stats.norm.isf(0.1) ** 2
    kappa = brentq(lambda k: oracle.least(k).fval - threshold, 0.5, 5.0, xtol=1e-4)
    assert found["limit"]["kappa"] == pytest.approx(kappa, rel=1e-3)
    assert found["limit"]["value"] == pytest.approx(1e-9 * np.sqrt(kappa), rel=1e-3)


def test_an_injected_moment_comes_back(fhc) -> None:
    model = sf.assemble(*fhc)
    truth = model.initial
    truth[0] = 3.0
    rows, ledger = toys.run(toys.ensemble(model, truth, seed=5), [3.0], toys=2000)
    assert ledger.failed == 0
    shift, error = rows[:, toys.KAPPA] - 3.0, rows[:, toys.ERROR].mean()
    assert shift.mean() / error == pytest.approx(0.0, abs=0.15)
    assert shift.std() / error == pytest.approx(1.0, abs=0.1)
    # With a hundred events a toy that fluctuates down has a smaller error too, so shift / error is not the pull to
    # look at: the signed root of the likelihood ratio is. Its true mean is near -0.09 (Poisson counts are skew), and
    # 500 toys would leave it uncertain by 0.045.
    pull = np.sign(shift) * np.sqrt(np.maximum(rows[:, toys.TESTED] - rows[:, toys.BEST], 0.0))
    assert pull.mean() == pytest.approx(0.0, abs=0.15)
    assert pull.std() == pytest.approx(1.0, abs=0.1)


def test_shape_and_norm_each_know_less_than_both(walk: Walk, fhc) -> None:
    errors, limits = {}, {}
    for terms in ("shape", "norm", "shape+norm"):
        analysis = sf.load(walk.folder / FHC, overrides=[f"fit.terms={terms}"])
        model = sf.assemble(analysis, fhc[1])
        best = sf.fit(model)
        assert best.valid
        errors[terms], limits[terms] = best.kappa_error, sf.upper_limit(model, expected=False).value
    assert errors["shape+norm"] < min(errors["shape"], errors["norm"])
    assert limits["shape+norm"] < min(limits["shape"], limits["norm"])
    # Both know something: together they do not know less than the two as if independent.
    assert errors["shape+norm"] > 0.9 / np.hypot(1 / errors["shape"], 1 / errors["norm"])


# --- another generator's events ---------------------------------------------------------------------------------------


def chi2(first: sf.Templates, second: sf.Templates, name: str, power: int) -> tuple[float, int]:
    """Compare a template of two samples of events bin by bin, where there are events for a chi2."""
    i, j = first.samples.index(name), second.samples.index(name)
    enough = (first.entries[i] >= 25) & (second.entries[j] >= 25)
    difference = first.counts[i, 0, power] - second.counts[j, 0, power]
    variance = first.squares[i, 2 * power] + second.squares[j, 2 * power]
    return float(np.sum(difference[enough] ** 2 / variance[enough])), int(enough.sum())


def limit_of(analysis: sf.Analysis, templates: sf.Templates) -> float:
    return sf.upper_limit(sf.assemble(analysis, templates), expected=False).value


def test_nuwros_events_give_our_templates_and_our_limit(walk: Walk) -> None:
    nuwro = built(walk, NUWRO)
    ours = built(walk, FHC, 'regions.0.samples=["numu", "nue", "nc_*", "nuecc_*"]')
    for name in ("numu", "nue"):
        for power in (0, 1) if name == "numu" else (0,):
            value, bins = chi2(nuwro[1], ours[1], name, power)
            assert bins > 30
            assert 1e-3 < stats.chi2.sf(value, bins) < 1 - 1e-3, (name, power, value, bins)
    assert limit_of(*nuwro) == pytest.approx(limit_of(*ours), rel=0.1)


def test_all_of_nuwro_gives_the_limit_of_the_extract(walk: Walk) -> None:
    if not FULL.exists():
        pytest.skip(f"{FULL} is not here: the shared inputs are not part of the project")
    everything = json.dumps(str(Path("tests/samples/nova_nd_nuwro_full.toml").resolve()))
    whole = sf.load(NUWRO, overrides=[f"samples={everything}"])
    templates = sf.build(whole, executor="serial")
    extract = built(walk, NUWRO)
    assert templates.entries.sum() > 1.5 * extract[1].entries.sum()
    assert limit_of(whole, templates) == pytest.approx(limit_of(*extract), rel=0.03)


def test_the_fit_of_nuwros_events_needs_nothing_generated(walk: Walk, tmp_path: Path) -> None:
    for name in ("samples", "fits"):
        shutil.copytree(walk.folder / name, tmp_path / name)
    other = Walk(folder=tmp_path)
    other.done("fit", NUWRO, "--no-figures")
    found = result(tmp_path / "results" / "nova_nd_nuwro")
    assert found["fit"]["valid"]
    assert 1e-10 < found["limit"]["value"] < 1e-8


# --- real data --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_data(walk: Walk, fhc) -> tuple[str, float]:
    """An analysis with a data sample: events drawn from the simulation as an experiment would see them."""
    rng = np.random.default_rng(11)
    scales = {i["sample"]: i["scale"] for i in fhc[1].inventories}
    t, theta = [], []
    for name in ("numu", "numubar", "nue", "nuebar"):
        with uproot.open(walk.folder / "generated" / "nova_nd_fhc" / f"{name}.root") as file:
            columns = file["events"].arrays(library="np")
        seen = rng.random(len(columns["t"])) < columns["weight"] * scales[name]
        t.append(columns["t_reco"][seen])
        theta.append(columns["theta_reco"][seen])
    t, theta = np.concatenate(t), np.concatenate(theta)
    inside = (t > 0.15) & (t < 5.0) & (t * theta**2 < 0.01)
    with uproot.recreate(walk.folder / "run5.root") as file:
        file["events"] = {"t_reco": t, "theta_reco": theta}
    (walk.folder / "samples" / "run5.toml").write_text(
        '[[samples]]\nname = "run5"\nrole = "data"\nfiles = "../run5.root"\n'
    )
    text = (walk.folder / FHC).read_text()
    both = text.replace('"../samples/nova_nd_fhc.toml"', '["../samples/nova_nd_fhc.toml", "../samples/run5.toml"]')
    assert both != text
    (walk.folder / "fits" / "run5.toml").write_text(both)
    return "fits/run5.toml", float(inside.sum())


def test_real_data_are_fitted_only_when_unblinded(walk: Walk, fitted: Path, with_data) -> None:
    analysis, events = with_data
    walk.done("build", analysis, "-o", "run5.npz")
    for flags, folder in (((), "blind"), (("--unblind",), "open")):
        walk.done("fit", analysis, "--templates", "run5.npz", "--no-figures", "-o", folder, *flags)
    blind, opened, before = (result(p) for p in (walk.folder / "blind", walk.folder / "open", fitted))
    assert blind["data"] == before["data"]
    assert blind["limit"] == before["limit"]
    observed = {"blinded": False, "unblinded": True, "fake": None, "what": "observed", "events": {"nd": events}}
    assert opened["data"] == observed
    assert opened["best_fit"]["kappa"] != 0.0
    assert abs(opened["best_fit"]["kappa"]) < 4 * opened["best_fit"]["error"]
    assert opened["fit"]["goodness"]["p_value"] > 1e-3
    # Nor do they lie about in what a blinded fit leaves.
    with uproot.open(walk.folder / "blind" / "templates.root") as file:
        assert "nd/data" not in file
    with uproot.open(walk.folder / "open" / "templates.root") as file:
        assert file["nd/data"].values().sum() == events


def test_there_is_nothing_to_unblind_without_data(walk: Walk) -> None:
    refused = walk.run("-q", "fit", NUWRO, "--unblind")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "no data for region nd" in refused.stderr


def test_a_friend_of_ones_ntuple_is_the_fits_signal(walk: Walk, fhc) -> None:
    """The weights of `reweight`, filled by numpy, are the templates at that moment."""
    done = walk.run("reweight", "generated/nova_nd_fhc/numu.root", "-o", "friend.root", "--value", "2e-9")
    assert done.returncode == 0
    assert re.search(r"nu-e events; mean weight 1\.\d+, from 1 to .* sin\^2 theta_W = 0\.23863", done.stderr)
    with (
        uproot.open(walk.folder / "generated/nova_nd_fhc/numu.root") as file,
        uproot.open(walk.folder / "friend.root") as friend,
    ):
        events = file["events"].arrays(["t_reco", "theta_reco", "weight"], library="np")
        ratio = friend["spectrafit"].arrays(library="np")
    assert np.isfinite(ratio["weight"]).all()
    np.testing.assert_allclose(ratio["weight"], 1 + 400 * ratio["coefficient_1"], rtol=1e-12)
    templates = fhc[1]
    edges = [axis.edges for axis in templates.regions[0].axes]
    t, theta = (events[name].astype(float) for name in ("t_reco", "theta_reco"))
    scale = next(i["scale"] for i in templates.inventories if i["sample"] == "numu")
    filled, *_ = np.histogram2d(t, t * theta**2, edges, weights=scale * events["weight"] * ratio["weight"])
    s = templates.samples.index("numu")
    expected = (templates.counts[s, 0, 0] + 4 * templates.counts[s, 0, 1]).reshape(filled.shape)
    np.testing.assert_allclose(filled, expected, rtol=2e-6)
