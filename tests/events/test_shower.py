from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from spectrafit.config import Response, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import read
from spectrafit.events.inspect import inspect
from spectrafit.events.shower import SHOWERS, leading
from tests.events.ntuples import M_E

Write = Callable[..., Path]
One = Callable[..., tuple[SampleSet, Sample]]

N = 60
LEPTON = np.array([14, 13, 11, -11])


def particles(seed: int = 3) -> dict[str, Any]:
    """Final states of random particles, the lepton first; and a plain loop's answer to which is the shower."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, N)
    codes = [[int(LEPTON[i % 4]), *rng.choice([22, 111, 111, 211, 2212], n).tolist()] for i, n in enumerate(counts)]
    momenta = [rng.normal(0, 1, (n + 1, 3)) for n in counts]
    masses = {11: M_E, 13: 0.106, 14: 0.0, 22: 0.0, 111: 0.135, 211: 0.14, 2212: 0.938}
    energies = [
        np.sqrt((p**2).sum(axis=1) + np.array([masses[abs(c)] for c in code]) ** 2)
        for code, p in zip(codes, momenta, strict=True)
    ]
    neutrino = rng.normal(0, 1, (N, 3))
    return {"codes": codes, "momenta": momenta, "energies": energies, "neutrino": neutrino}


def wanted(made: dict[str, Any], fits: Callable[[int, float], bool], beam: bool = False) -> tuple[Any, Any]:
    t, theta = np.full(N, np.nan), np.full(N, np.nan)
    for i in range(N):
        best = -1.0
        for code, energy, p in zip(made["codes"][i], made["energies"][i], made["momenta"][i], strict=True):
            if fits(code, energy) and energy > best:
                best = energy
                q = np.array([0, 0, 1.0]) if beam else made["neutrino"][i]
                t[i] = energy - M_E if abs(code) == 11 else energy
                theta[i] = np.arccos(p @ q / np.linalg.norm(p) / np.linalg.norm(q))
    return t, theta


def tree(made: dict[str, Any], preset: str) -> dict[str, Any]:
    """Lay the same events out as NuWro, GENIE and NUISANCE do."""
    start = 1 if preset == "gst" else 0
    lists = {
        "pdg": ak.values_astype(ak.Array([c[start:] for c in made["codes"]]), np.int32),
        "E": ak.Array([e[start:] for e in made["energies"]]),
        **{f"p{a}": ak.Array([p[start:, i] for p in made["momenta"]]) for i, a in enumerate("xyz")},
    }
    lepton = np.array([c[0] for c in made["codes"]], np.int32)
    e_lepton = np.array([e[0] for e in made["energies"]])
    p_lepton = np.array([p[0] for p in made["momenta"]])
    nu = made["neutrino"]
    if preset == "nuwro":
        one = {"nu_pdg": np.full(N, 14, np.int32), "nu_E": np.full(N, 9.0), "mode": np.ones(N, np.int32)}
        one |= {"lep_pdg": lepton, "lep_E": e_lepton, "weight": np.ones(N)}
        one |= {f"{who}_p{a}": p[:, i] for who, p in (("nu", nu), ("lep", p_lepton)) for i, a in enumerate("xyz")}
        return one | lists
    if preset == "gst":
        one = {"neu": np.full(N, 14, np.int32), "nuel": np.zeros(N, bool), "fspl": lepton, "Ev": np.full(N, 9.0)}
        one |= {
            "El": e_lepton,
            **{f"p{a}{w}": p[:, i] for w, p in (("v", nu), ("l", p_lepton)) for i, a in enumerate("xyz")},
        }
        return one | {f"{name}f": values for name, values in lists.items()}
    one = {"Mode": np.ones(N, np.int32), "Enu_true": np.full(N, 9.0), "ELep": e_lepton, "PDGLep": lepton}
    return one | {"PDGnu": np.full(N, 14, np.int32), "CosLep": np.ones(N)} | lists


TREES = {"nuwro": "events", "gst": "gst", "flattree": "FlatTree_VARS"}


def background(one: One, path: Path, preset: str, **keys: Any) -> tuple[Any, Any]:
    sample_set, sample = one(files=path, role="background", preset=preset, **keys)
    (chunk,) = read.scan(sample_set, sample).chunks
    return read.read(chunk, sample_set, sample)


@pytest.mark.parametrize("preset", TREES)
@pytest.mark.parametrize("shower", [*SHOWERS, "pdg == 22 && E > 0.5", "abs(pdg) == 211 || pdg == 111"])
def test_the_leading_particle_that_fits_is_the_shower(write_tree: Write, one: One, preset: str, shower: str) -> None:
    made = particles()
    rules = {
        "pdg == 22 && E > 0.5": lambda code, energy: code == 22 and energy > 0.5,
        "abs(pdg) == 211 || pdg == 111": lambda code, energy: code in (211, -211, 111),
    }
    fits = rules.get(shower, lambda code, energy: code in SHOWERS[shower])
    t, theta = wanted(made, fits, beam=preset == "flattree")
    path = write_tree("a.root", tree(made, preset), tree=TREES[preset])
    found, report = background(one, path, preset, shower=shower)
    there = np.isfinite(t)
    np.testing.assert_allclose(found["t"], t[there], rtol=1e-12)
    np.testing.assert_allclose(found["theta"], theta[there], rtol=1e-6)
    assert report.without_shower == N - there.sum()
    assert f"{N - there.sum()} without the sample's shower" in str(report)


@pytest.mark.parametrize("preset", TREES)
def test_a_lepton_that_is_no_electron_lends_nothing(write_tree: Write, one: One, preset: str) -> None:
    made = particles()
    path = write_tree("a.root", tree(made, preset), tree=TREES[preset])
    cut = {"nuwro": "abs(lep_pdg) == 11", "gst": "abs(fspl) == 11", "flattree": "abs(PDGLep) == 11"}[preset]
    with pytest.raises(
        DataError, match=r"entry 0: has no electron .*shower = .*" + cut.replace("(", r"\(").replace(")", r"\)")
    ):
        background(one, path, preset)
    found, _ = background(one, path, preset, selection=cut)
    t, theta = wanted(made, lambda code, energy: abs(code) == 11, beam=preset == "flattree")
    np.testing.assert_allclose(found["t"], t[np.isfinite(t)], rtol=1e-12)
    np.testing.assert_allclose(found["theta"], theta[np.isfinite(t)], rtol=1e-6)
    _, report = background(one, path, preset, on_bad="drop")
    assert report.bad["no electron"][0] == N // 2
    # Nor through a response, which takes nothing for "below the threshold" that has no shower.
    with pytest.raises(DataError, match="has no electron"):
        background(one, path, preset, response=Response(energy_constant=0.1))
    found, report = background(one, path, preset, response=Response(energy_constant=0.1), shower="pi0")
    assert report.below_threshold == 0
    assert report.without_shower + report.kept == N


def test_what_is_no_shower_is_refused(write_tree: Write, one: One) -> None:
    path = write_tree("a.root", tree(particles(), "nuwro"))
    with pytest.raises(
        ConfigError, match=r"x.shower: 'pi00' is no shower; did you mean 'pi0'\?.* electron, photon, pi0"
    ):
        background(one, path, "nuwro", shower="pi00")
    with pytest.raises(ConfigError, match=r"defines t and theta, and so does columns.t"):
        background(one, path, "nuwro", shower="pi0", columns={"t": "lep_E"})
    with pytest.raises(ConfigError, match=r"shower: signal is nu-e scattering, whose shower is its electron"):
        read.scan(*one(files=path, preset="nuwro", shower="pi0"))
    with pytest.raises(ConfigError, match=r"preset 'native' has no list .* gst, flattree, nuwro have one"):
        background(one, path, "native", shower="pi0")
    columns = tree(particles(), "nuwro")
    del columns["px"]
    with pytest.raises(DataError, match=r"no branch 'px'.*, wanted by .*x.shower"):
        background(one, write_tree("b.root", columns), "nuwro", shower="pi0")


def test_no_particle_at_all() -> None:
    empty = ak.values_astype(ak.Array([[], [22.0]])[:, :0], float)
    t, theta = leading(empty, empty, (empty, empty, empty))
    assert np.isnan(t).all()
    assert np.isnan(theta).all()


def test_inspect_says_which_shower_to_take(write_tree: Write) -> None:
    made = particles()
    mixed = str(inspect(write_tree("b.root", tree(made, "nuwro"))))
    assert 'selection = "abs(lep_pdg) == 11"' in mixed
    assert "shower =" not in mixed
    made["codes"] = [[14, *codes[1:]] for codes in made["codes"]]
    shown = inspect(write_tree("a.root", tree(made, "nuwro")))
    counts = {
        kind: int(np.isfinite(wanted(made, lambda c, e, k=kind: c in SHOWERS[k])[0]).sum())
        for kind in ("photon", "pi0")
    }
    assert shown.showers["pi0"] == counts["pi0"]
    assert shown.showers["photon"] == counts["photon"]
    assert shown.t is None
    assert 'shower = "pi0"' in str(shown)
