"""Two couplings from a TOML to limits, contours, reports and workspaces, with real processes."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import uproot
from iminuit.cost import template_chi2_jsc

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.likelihood import Likelihood
from tests.conftest import Walk

MOMENTS = (
    '[[couplings]]\nname = "magnetic_moment"\n[[couplings]]\nname = "magnetic_moment"\ncarriers = ["nue", "nuebar"]\n'
)
ANGLE = '[[couplings]]\nname = "charge_radius"\n[[couplings]]\nname = "weak_mixing_angle"\n'
ALIKE = (
    '[[couplings]]\nname = "charge_radius"\n[[couplings]]\nname = "weak_mixing_angle"\ncarriers = ["numu", "numubar"]\n'
)


def variant(walk: Walk, name: str, tables: str) -> str:
    text = (walk.folder / "fits/nova_nd_nuwro.toml").read_text()
    assert 'coupling = "magnetic_moment"\n' in text
    path = walk.folder / "fits" / f"{name}.toml"
    path.write_text(text.replace('coupling = "magnetic_moment"\n', "") + "\n" + tables)
    return f"fits/{name}.toml"


def model_of(walk: Walk, name: str, tables: str) -> tuple[sf.Templates, sf.Model]:
    analysis = sf.load(walk.folder / variant(walk, name, tables))
    templates = sf.build(analysis, executor="serial")
    return templates, sf.assemble(analysis, templates)


def test_two_moments_from_the_file_to_the_report(walk: Walk) -> None:
    name = variant(walk, "moments", MOMENTS)
    walk.done("build", name, "-o", "moments.npz")
    said = walk.done("fit", name, "--templates", "moments.npz", "-o", "moments")
    assert "kappa_nue, profiled" in said
    result = json.loads((walk.folder / "moments/result.json").read_text())
    assert [(row["parameter"], row["carriers"]) for row in result["couplings"]] == [
        ("kappa", ["numu", "numubar"]),
        ("kappa_nue", ["nue", "nuebar"]),
    ]
    assert "kappa_nue" not in {row["name"] for row in result["nuisances"]}
    assert [row["monomial"] for row in result["monomials"]] == ["1", "kappa", "kappa_nue"]
    assert "(kappa)" in (walk.folder / "moments/index.html").read_text()
    with uproot.open(walk.folder / "moments/templates.root") as file:
        sums = {row["monomial"]: row["events"]["nd"] for row in result["monomials"]}
        assert file["nd/total/kappa_nue1"].values().sum() == pytest.approx(sums["kappa_nue"])
        assert file["nd/numu/kappa_nue1"].values().sum() == 0.0
    other = walk.done("limit", name, "--templates", "moments.npz", "--interest", "kappa_nue")
    assert "profile" in other
    refused = walk.run("limit", name, "--templates", "moments.npz", "--interest", "kappa_nux")
    assert refused.returncode == 2
    assert "did you mean 'kappa_nue'" in refused.stderr

    drawn = walk.run("-q", "contour", name, "--templates", "moments.npz", "--json", "-o", "c.png")
    assert (drawn.returncode, drawn.stderr) == (0, "c.png\n")
    said = json.loads(drawn.stdout)
    assert said["parameters"] == ["kappa", "kappa_nue"]
    low, high = said["regions"][-1]["kappa"]
    assert said["kappa"][0] < low < 0.0 < high < said["kappa"][-1]
    assert matplotlib.image.imread(walk.folder / "c.png").shape[:2] == (960, 1200)

    walk.done("export", name, "--templates", "moments.npz", "-o", "moments.json")
    fitted = json.loads(walk.done("fit", "moments.json", "--json"))
    # The same errors as here, in units of each reference.
    errors = {row["parameter"]: row["error"] for row in result["couplings"]}
    assert fitted["errors"]["signal_strength"] * 2.0 == pytest.approx(errors["kappa"], rel=0.02)
    assert fitted["errors"]["signal_strength_kappa_nue"] * 90.0 == pytest.approx(errors["kappa_nue"], rel=0.02)


def test_a_contour_needs_two_parameters(walk: Walk) -> None:
    refused = walk.run("contour", "fits/nova_nd_nuwro.toml")
    assert refused.returncode == 2
    assert "--y is needed: the analysis has no other coupling; name one of flux, flux_nue" in refused.stderr


def test_2nll_with_a_product_of_couplings_is_that_of_an_independent_likelihood(walk: Walk) -> None:
    templates, model = model_of(walk, "angle", ANGLE)
    monomials, counts = templates.monomials, templates.counts[:, 0]
    assert (1, 1) in monomials.exponents
    points = np.random.default_rng(3).normal(size=(20, 2)) * [4.0, 4.0]
    for radius, angle in points:
        at = np.array([{"kappa": radius, "kappa_weak_mixing_angle": angle}[name] for name in monomials.parameters])
        sizes = [np.prod(at ** np.array(powers)) for powers in monomials.exponents]
        squares = [np.prod(at ** np.array(powers)) for powers in monomials.products]
        mean = np.einsum("m,smb->b", sizes, counts)
        variance = np.einsum("q,sqb->b", squares, templates.squares)
        values = model.initial
        values[model.index("kappa")], values[model.index("kappa_weak_mixing_angle")] = radius, angle
        expected = template_chi2_jsc(model.data, mean, variance)
        assert Likelihood(model).two_nll(values) == pytest.approx(expected, rel=1e-8, abs=1e-8)
    with pytest.raises(ConfigError, match="HistFactory cannot tie its factor"):
        sf.export(model, walk.folder / "angle.json")


def test_couplings_that_do_the_same_are_degenerate(walk: Walk) -> None:
    _, model = model_of(walk, "alike", ALIKE)
    best = sf.fit(model)
    assert not best.valid
    assert "kappa, kappa_weak_mixing_angle are degenerate" in best.message
    with pytest.raises(DataError, match="does not change with kappa and kappa_weak_mixing_angle"):
        sf.upper_limit(model)
    with pytest.raises(DataError, match="no contour"):
        sf.contour(model, "kappa", "kappa_weak_mixing_angle")


def test_a_report_of_another_interest_needs_no_model(walk: Walk, tmp_path: Path) -> None:
    templates, model = model_of(walk, "moments_again", MOMENTS)
    other = model.with_interest("kappa_nue")
    best = sf.fit(other)
    limit = sf.upper_limit(other, simulation=False)
    analysis = sf.load(walk.folder / "fits/moments_again.toml")
    folder = sf.report(tmp_path / "report", analysis, templates, best, limit, figures=False)
    result = json.loads((folder / "result.json").read_text())
    assert result["coupling"]["parameter"] == "kappa_nue"
    assert result["couplings"][1]["interest"] is False
    assert any("profiled without its boundary" in note for note in result["limit"]["notes"])
