"""Experiments at accelerators give the numbers of fits/EXPERIMENTS.md, and their inputs what their sources say."""

import json
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.cli.analyses import limit_options
from tests.report.test_chart import result

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "fits" / "EXPERIMENTS.md").read_text(encoding="utf-8")
NAMES = ("e734", "charm2", "miniboone", "dune_nd", "sbnd", "donut", "flare", "fasernu2")
CELLS = [
    [cell.strip("` ") for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")
]
ROWS = {cells[0].removesuffix(".toml"): (cells[2], cells[3]) for cells in CELLS}
# Toys decide about these numbers.
COARSE = {"feldman-cousins": 0.03}
M_E, ALPHA, FERMI, S2 = 0.51099895069e-3, 1 / 137.035999, 1.1663788e-5, 0.23863
CM2 = 0.3893793721e-27  # of 1 / GeV^2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the recipes and analyses, to generate in."""
    copy = tmp_path_factory.mktemp("gallery")
    for name in ("samples", "fits"):
        shutil.copytree(PROJECT / name, copy / name)
    return copy


def model_of(folder: Path, name: str, *overrides: str) -> tuple[sf.Analysis, sf.Model]:
    """Generate what is not there yet, fill and assemble."""
    analysis = sf.load(folder / "fits" / f"{name}.toml", overrides=overrides)
    for samples in analysis.sample_sets:
        recipes = [sample for sample in samples.samples if sample.generate]
        if any(not (folder / "samples" / str(sample.files)).exists() for sample in recipes):
            sf.generate(samples, executor="serial")
    return analysis, sf.assemble(analysis, sf.build(analysis, executor="serial"), unblind=bool(analysis.data))


def yields(model: sf.Model, power: int) -> float:
    return sum(float(part.nominal.sum()) for part in model.components if part.power == power)


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_gives_the_number_of_its_page(folder, name):
    published, ours = ROWS[name]
    analysis, model = model_of(folder, name)
    limit = sf.upper_limit(model, **limit_options(analysis.limit, "serial", None), expected=False)
    assert limit.value == pytest.approx(float(ours.split()[0]), rel=COARSE.get(limit.method, 0.01))
    assert ("expected" in ours) == (not analysis.data)
    if analysis.experiment and published:
        line = [line for line in sf.chart(sky=False).lines if line.name == analysis.experiment]
        assert float(published.split()[0]) in {limit.value for one in line for limit in one.published}


def test_the_excess_of_miniboone_is_a_moment_that_others_exclude(folder):
    analysis, model = model_of(folder, "miniboone_excess")
    limit = sf.upper_limit(model, **limit_options(analysis.limit, "serial", None), expected=False)
    low, high = re.search(r"moment of (\S+) to (\S+) mu_B", PAGE).groups()
    assert limit.lower == pytest.approx(float(low), rel=0.02)
    assert limit.value == pytest.approx(float(high), rel=0.02)
    assert limit.lower > 8.5e-10


def test_the_standard_model_of_e734_is_its_integral(folder):
    """sigma / E = 2 G^2 m / pi (gL^2 + gR^2 / 3), in 10^-42 cm^2 / GeV; the two swap for antineutrinos."""
    left, right = (S2 - 0.5) ** 2, S2**2
    unit = 2 * FERMI**2 * M_E / np.pi * CM2 * 1e42
    assert unit * (left + right / 3) == pytest.approx(1.504, abs=0.002)
    assert unit * (left / 3 + right) == pytest.approx(1.374, abs=0.002)
    _, model = model_of(folder, "e734")
    expected = 160 * unit * (left + right / 3) / 1.80 + 129 + 97 * unit * (left / 3 + right) / 1.17 + 72
    assert yields(model, 0) == pytest.approx(expected, rel=2e-3)
    assert float(model.data.sum()) == 160 + 17**2 - 160 + 97 + 13**2 - 97


def test_the_bins_of_charm2_hold_the_published_events(folder):
    analysis, model = model_of(folder, "charm2")
    edges = np.asarray(analysis.regions[0].axes[0].edges)
    np.testing.assert_allclose(edges, (0.0167 * np.arange(17)) ** 2, rtol=1e-5)
    for region, published, error in (("nu_beam", 2677, 82), ("nubar_beam", 2752, 88)):
        counts = next(each.counts[region] for each in analysis.counts if region in each.counts)
        above = np.subtract(analysis.data[region], counts)[:5].sum()
        assert abs(above - published) < 2 * error
    assert yields(model, 0) == pytest.approx(
        2677 + 2752 + sum(sum(c) for e in analysis.counts for c in e.counts.values())
    )


@pytest.mark.parametrize(
    ("name", "table", "columns", "scale", "electrons", "low", "high"),
    [
        # neutrinos per cm^2 in each bin, electrons: as the comments of the recipes say
        ("donut", "shapes/DONUT_nutau.dat", (2,), 9.85e12 / 1e6 / 1e4 * 1e6, 7.2e28 * 0.29, 0.5, 20.0),
        ("flare", "forward_lhc/FLArE.dat", (3, 6), 1e-4, 9.8e6 * 6.02214e23 * 18 / 39.948, 0.03, 1.0),
        ("fasernu2", "forward_lhc/FASERnu2.dat", (3, 6), 4e-4, 9.65e6 * 6.02214e23 * 74 / 183.84, 0.3, 1.0),
    ],
)
def test_events_of_a_tau_neutrino_are_flux_times_cross_section(
    folder, name, table, columns, scale, electrons, low, high
):
    """Events at 1e-9 mu_B: pi alpha^2 / m^2 (ln(T2 / T1) - (T2 - T1) / E) per electron, summed over the flux."""
    rows = np.loadtxt(folder / "samples" / "flux" / table)
    energy = 0.5 * (rows[:, 0] + rows[:, 1]) if columns == (2,) else rows[:, 0]
    top = np.minimum(high, 2 * energy**2 / (M_E + 2 * energy))
    magnetic = np.pi * ALPHA**2 / M_E**2 * CM2 * 1e-18 * np.maximum(np.log(top / low) - (top - low) / energy, 0.0)
    events = electrons * scale * sum(float(rows[:, column] @ magnetic) for column in columns)
    _, model = model_of(folder, name)
    assert yields(model, 1) == pytest.approx(events, rel=0.02)


def test_forty_tau_neutrinos_interact_in_donut():
    """0.72e-38 cm^2 / GeV x E x 0.6 in 1.57e29 nucleons."""
    rows = np.loadtxt(PROJECT / "samples/flux/shapes/DONUT_nutau.dat")
    mean = rows[:, 2] @ (0.5 * (rows[:, 0] + rows[:, 1]))
    assert 9.85e8 * 1.57e29 * 0.72e-38 * 0.6 * mean == pytest.approx(40, rel=0.03)


def test_what_is_shipped_of_others_has_its_licence():
    for folder in ("nova_2017", "darknews", "forward_lhc"):
        text = (PROJECT / "samples/flux" / folder / "LICENSE").read_text(encoding="utf-8")
        assert "Permission is hereby granted, free of charge" in text


def test_chosen_shapes_are_those_of_the_script(tmp_path):
    for path in ("scripts/make_flux_tables.py", "samples/flux/shapes/E734_numu.dat"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, tmp_path / path)
    shipped = (PROJECT / "samples/flux/shapes/E734_numu.dat").read_text(encoding="utf-8")
    (tmp_path / "samples/flux/shapes/E734_numu.dat").unlink()
    runpy.run_path(str(tmp_path / "scripts/make_flux_tables.py"))["shapes"]()
    assert (tmp_path / "samples/flux/shapes/E734_numu.dat").read_text(encoding="utf-8") == shipped


def test_the_page_shows_published_and_ours_side_by_side(tmp_path):
    (tmp_path / "scripts").mkdir()
    shutil.copy(PROJECT / "scripts/make_gallery.py", tmp_path / "scripts")
    shutil.copytree(PROJECT / "fits", tmp_path / "fits")
    gallery = runpy.run_path(str(tmp_path / "scripts/make_gallery.py"))
    found = gallery["experiments"]([])
    assert {*NAMES, "nova_counting"} <= set(found)
    assert "miniboone_excess" not in found
    assert list(gallery["experiments"](["miniboone_excess"])) == ["miniboone_excess"]
    with pytest.raises(SystemExit, match="no fits/none"):
        gallery["experiments"](["none"])
    (tmp_path / "results/lsnd").mkdir(parents=True)
    (tmp_path / "results/lsnd/result.json").write_text(json.dumps(result()), encoding="utf-8")
    gallery["publish"](sf.chart(results=[tmp_path / "results/lsnd"], sky=False))
    page = (tmp_path / "results/gallery/index.html").read_text(encoding="utf-8")
    assert '<a href="../lsnd/index.html">LSND</a>' in page
    assert {"muon neutrino", "6.8e-10", "7.1e-10", "1.04", "measured"} <= set(re.findall(r">([^<]+)</td>", page))
    written = {path.name for path in (tmp_path / "results/gallery").iterdir()}
    assert written == {"index.html", *(f"chart.{suffix}" for suffix in ("svg", "png", "pdf", "csv", "tex"))}
