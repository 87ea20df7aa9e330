"""What real generators say: SBN's flat CAF and NuWro 25.11, read through the presets, against the exact formulas."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from scipy import stats

from spectrafit.config import Sample, SampleSet
from spectrafit.events import read, reweight
from spectrafit.physics import cross_sections
from tests.events.ntuples import M_E, exact_theta

S2W = 0.23116  # NuWro's
ALPHA, HBARC2 = 7.2973525643e-3, 3.893793721718594e-28


def load(path: Path, preset: str, **keys: Any) -> dict[str, Any]:
    sample = Sample(name="x", role="signal", files=str(path), preset=preset, **keys)
    sample_set = SampleSet(samples=(sample,))
    parts = [read.read(c, sample_set, sample)[0] for c in read.scan(sample_set, sample).chunks]
    return {name: np.concatenate([p[name].to_numpy() for p in parts]) for name in parts[0].fields}


@pytest.fixture(scope="module")
def nuwro(shared_events: Path) -> dict[str, Any]:
    """Per flavour: events, the file, its metadata and its flux (edges, weight per GeV)."""
    out = {}
    for name in ("numu", "nue"):
        path = shared_events / "nuwro" / f"nue_el_{name}.root"
        flux, edges = uproot.open(path)["flux"].to_numpy()
        metadata = json.loads(path.with_suffix(".json").read_text())
        out[name] = {"events": load(path, "nuwro"), "path": path, "metadata": metadata, "flux": flux, "edges": edges}
    return out


def fold(flux: Any, edges: Any, function: Any, points: int = 150) -> float:
    """Flux average of a function of E_nu; the flux is flat inside its bins."""
    nodes, weights = np.polynomial.legendre.leggauss(points)
    low, high = edges[:-1, None], edges[1:, None]
    e_nu = 0.5 * (high + low) + 0.5 * (high - low) * nodes
    per_bin = (0.5 * (high - low) * weights * function(e_nu)).sum(axis=1)
    return float((flux * per_bin).sum() / (flux * np.diff(edges)).sum())


def test_flat_caf(shared_events: Path) -> None:
    events = load(shared_events / "sbn_flatcaf" / "test.flat.root", "flatcaf")
    assert events["e_nu"] == pytest.approx([0.798, 0.578], abs=5e-4)
    assert events["t"] + M_E == pytest.approx([0.442, 0.131], abs=5e-4)
    assert events["pdg"].tolist() == [14, 14]
    # The exact relation between T, theta and E_nu, to what float32 keeps of the momenta.
    np.testing.assert_allclose(events["theta"], exact_theta(events["e_nu"], events["t"]), rtol=5e-7)
    assert (events["t"] * events["theta"] ** 2 < 2 * M_E).all()


@pytest.mark.parametrize("name", ["numu", "nue"])
def test_nuwro_angles(nuwro: dict[str, Any], name: str) -> None:
    events = nuwro[name]["events"]
    e_nu, t, theta = (events[k] for k in ("e_nu", "t", "theta"))
    # Where E - T cancels the rounding of float32 counts many times; away from there theta is good to that rounding.
    away = (t < 0.9 * e_nu) & (t > 1e-3)
    deviation = np.abs(theta / exact_theta(e_nu, t) - 1)[away]
    assert np.median(deviation) < 1e-7
    assert deviation.max() < 2e-5


@pytest.mark.parametrize("name", ["numu", "nue"])
def test_nuwro_cross_section(nuwro: dict[str, Any], name: str) -> None:
    sample = nuwro[name]
    generated = sample["metadata"]["xsec_elastic_cm2_per_electron"]
    pdg = {"numu": 14, "nue": 12}[name]
    ours = fold(sample["flux"], sample["edges"], lambda e: cross_sections.sigma_sm(pdg, e, 0.0, np.inf, S2W))
    print(f"{name}: NuWro {generated:.5e} cm2, ours {ours:.5e} cm2, ratio {generated / ours:.5f}")
    assert generated / ours == pytest.approx(1.001, abs=0.001)


@pytest.mark.parametrize("name", ["numu", "nue"])
def test_nuwro_t_spectrum_given_e_nu(nuwro: dict[str, Any], name: str) -> None:
    events = nuwro[name]["events"]
    pdg = {"numu": 14, "nue": 12}[name]
    below = cross_sections.sigma_sm(pdg, events["e_nu"], 0.0, events["t"], S2W)
    u = below / cross_sections.sigma_sm(pdg, events["e_nu"], 0.0, np.inf, S2W)
    ks = stats.kstest(u, "uniform")
    counts, _ = np.histogram(u, bins=100, range=(0, 1))
    chi2 = stats.chisquare(counts)
    print(f"{name}: KS p = {ks.pvalue:.3f}, chi2 = {chi2.statistic:.1f}/99, p = {chi2.pvalue:.3f}")
    assert counts.sum() == len(u)
    assert ks.pvalue > 0.01
    assert chi2.pvalue > 0.01


@pytest.mark.parametrize("name", ["numu", "nue"])
def test_nuwro_reweighted_to_a_moment(nuwro: dict[str, Any], name: str, tmp_path: Path) -> None:
    """The coefficient of every event, summed in bins of T, is the magnetic cross section folded with the flux."""
    sample = nuwro[name]
    events, flux, edges = (sample[k] for k in ("events", "flux", "edges"))
    pdg = {"numu": 14, "nue": 12}[name]
    out = reweight.reweight(sample["path"], tmp_path / "w.root", value=1e-9, sin2_theta_w=S2W, carriers=[pdg])
    friend = uproot.open(out)["spectrafit"].arrays(library="np")
    assert len(friend["weight"]) == len(events["t"])
    np.testing.assert_allclose(friend["weight"], 1 + 100 * friend["coefficient_1"], rtol=1e-12)

    bins = np.geomspace(0.003, 15.0, 31)
    weights = friend["weight"] - 1
    found, _ = np.histogram(events["t"], bins=bins, weights=weights)
    variance, _ = np.histogram(events["t"], bins=bins, weights=weights**2)
    scale = len(events["t"]) / fold(flux, edges, lambda e: cross_sections.sigma_sm(pdg, e, 0.0, np.inf, S2W))

    def magnetic(e_nu: Any, low: float, high: float) -> Any:
        top = np.minimum(high, 2 * e_nu**2 / (2 * e_nu + M_E))
        inside = np.maximum(top, low)
        return math.pi * ALPHA**2 / M_E**2 * HBARC2 * 1e-18 * (np.log(inside / low) - (inside - low) / e_nu)

    wanted = scale * np.array([fold(flux, edges, lambda e, b=b: magnetic(e, *b)) for b in itertools.pairwise(bins)])
    pull = (found - wanted) / np.sqrt(variance)
    chi2 = float((pull**2).sum())
    p = stats.chi2.sf(chi2, len(pull))
    print(f"{name}: chi2 = {chi2:.1f}/{len(pull)}, p = {p:.3f}; total {found.sum() / wanted.sum():.4f}")
    assert p > 0.01
    assert found.sum() / wanted.sum() == pytest.approx(1, abs=4 * math.sqrt(variance.sum()) / wanted.sum())


def test_flattree_of_the_same_events(nuwro: dict[str, Any], shared_events: Path) -> None:
    flat = load(shared_events / "nuwro" / "flattree_nue_el_numu.root", "flattree")
    same = {name: values[:200_000] for name, values in nuwro["numu"]["events"].items()}
    for name in ("pdg", "e_nu", "t"):
        np.testing.assert_array_equal(flat[name], same[name])
    np.testing.assert_allclose(flat["theta"], same["theta"], rtol=1e-12)
