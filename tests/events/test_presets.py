from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import mpmath
import numpy as np
import pytest

from spectrafit.config import Column
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import expressions, read
from spectrafit.events.inspect import inspect
from spectrafit.events.presets import PRESETS, angle, find, matching
from tests.events.ntuples import M_E, truth

N = 200
Write = Callable[..., Path]
One = Callable[..., Any]


def momenta(columns: dict[str, Any], axis: tuple[float, float, float], seed: int = 3) -> tuple[Any, Any]:
    """Neutrino along `axis`, electron at theta from it at a random azimuth: (N, 3) momenta."""
    rng = np.random.default_rng(seed)
    n = np.array(axis) / np.linalg.norm(axis)
    u = np.cross(n, [0.3, -0.2, 0.9])
    u /= np.linalg.norm(u)
    v = np.cross(n, u)
    phi = rng.uniform(0, 2 * np.pi, len(columns["t"]))
    direction = np.cos(columns["theta"])[:, None] * n + np.sin(columns["theta"])[:, None] * (
        np.cos(phi)[:, None] * u + np.sin(phi)[:, None] * v
    )
    p = np.sqrt(columns["t"] * (columns["t"] + 2 * M_E))
    return columns["e_nu"][:, None] * n, p[:, None] * direction


def events(one: One, **keys: Any) -> Any:
    sample_set, sample = one(**keys)
    inventory = read.scan(sample_set, sample)
    return read.read(inventory.chunks[0], sample_set, sample)[0]


def assert_truth(found: Any, wanted: dict[str, Any], rtol: float = 1e-9) -> None:
    for name in ("e_nu", "t", "theta"):
        np.testing.assert_allclose(found[name].to_numpy(), wanted[name], rtol=rtol)


@pytest.mark.parametrize("theta", ["1e-9", "1e-6", "1e-3", "0.1", "1.5", "3.0"])
def test_angle_keeps_its_digits(theta: str) -> None:
    with mpmath.workdps(40):
        th, tilt = mpmath.mpf(theta), mpmath.mpf("0.1")
        p = [mpmath.sin(th + tilt) * 3, mpmath.mpf(0), mpmath.cos(th + tilt) * 3]
        q = [mpmath.sin(tilt) * 7, mpmath.mpf(0), mpmath.cos(tilt) * 7]
        columns = {n: np.array([float(x)]) for n, x in zip(("px", "py", "pz", "qx", "qy", "qz"), p + q, strict=True)}
    found = expressions.evaluate(angle(("px", "py", "pz"), ("qx", "qy", "qz")), columns)[0]
    # The rounding of the components themselves is 1e-16 rad: what arccos would lose is 1e-8 rad.
    assert found == pytest.approx(float(theta), abs=4e-16, rel=1e-15)


def gst(columns: dict[str, Any], nuel: Any) -> dict[str, Any]:
    nu, electron = momenta(columns, (0.1, -0.2, 0.97))
    n = len(nuel)
    out = {
        "neu": columns["pdg"],
        "nuel": nuel,
        "fspl": np.full(n, 11, dtype=np.int32),
        "wght": np.linspace(0.5, 1.5, n),
        "Ev": columns["e_nu"],
        "El": columns["t"] + M_E,
        "t": np.full(n, -1.0),  # Mandelstam t, which must not be taken for ours
    }
    for i, axis in enumerate("xyz"):
        out |= {f"p{axis}v": nu[:, i], f"p{axis}l": electron[:, i]}
    return out


def test_gst(write_tree: Write, one: One) -> None:
    columns = truth(N)
    nuel = np.arange(N) % 3 == 0
    path = write_tree("a.root", gst(columns, nuel), tree="gst")
    with pytest.raises(
        ConfigError, match=r"'t > 0': 't' is a branch of the tree, and also a column .*columns.my_t = 't'"
    ):
        events(one, files=path, preset="gst", selection="t > 0")
    assert len(events(one, files=path, preset="gst", selection="my_t > 0", columns={"my_t": "t"})) == 0
    found = events(one, files=path, preset="gst", selection="my_t < 0", columns={"my_t": "t"})
    assert_truth(found, columns)
    assert found["pdg"].to_numpy().tolist() == np.where(nuel, 14, 0).tolist()
    np.testing.assert_allclose(found["weight"], np.linspace(0.5, 1.5, N))


def test_inverse_muon_decay_is_no_nu_e_event(write_tree: Write, one: One) -> None:
    columns = gst(truth(N), np.ones(N, dtype=bool)) | {"fspl": np.full(N, 13, dtype=np.int32)}
    assert not events(one, files=write_tree("a.root", columns, tree="gst"), preset="gst")["pdg"].to_numpy().any()


def flattree(columns: dict[str, Any], mode: Any, *, full: bool, lepton: int = 11) -> dict[str, Any]:
    _, electron = momenta(columns, (0, 0, 1))
    n = len(mode)
    outgoing = columns["e_nu"] - columns["t"]
    is_electron = lepton == 11
    out = {
        "Mode": mode,
        "Enu_true": columns["e_nu"],
        "PDGnu": columns["pdg"],
        "PDGLep": np.full(n, lepton, dtype=np.int32),
        "ELep": columns["t"] + M_E if is_electron else outgoing,
        "CosLep": np.cos(columns["theta"]) if is_electron else np.ones(n),
    }
    if full:
        pdg = np.tile(np.array([14, 11], dtype=np.int32), n)
        flat = {"E": np.stack([outgoing, columns["t"] + M_E], 1).ravel()}
        for i, axis in enumerate("xyz"):
            flat[f"p{axis}"] = np.stack([-electron[:, i], electron[:, i]], 1).ravel()
        out |= {name: ak.unflatten(values, np.full(n, 2)) for name, values in {"pdg": pdg, **flat}.items()}
        out["Weight"] = np.full(n, 2.0)
    return out


@pytest.mark.parametrize("code", [54, -54, 59])
def test_full_flattree(write_tree: Write, one: One, code: int) -> None:
    columns = truth(N)
    mode = np.where(np.arange(N) % 2, code, 1).astype(np.int32)
    # NUISANCE keeps the lepton of the highest momentum, here the neutrino; the electron is in the final state.
    path = write_tree("a.root", flattree(columns, mode, full=True, lepton=14), tree="FlatTree_VARS")
    found = events(one, files=path, preset="flattree")
    assert_truth(found, columns)
    assert found["pdg"].to_numpy().tolist() == np.where(np.arange(N) % 2, 14, 0).tolist()
    assert (found["weight"].to_numpy() == 2.0).all()


def test_slimmed_flattree(write_tree: Write, one: One) -> None:
    columns = truth(N)
    path = write_tree("a.root", flattree(columns, np.full(N, 54, dtype=np.int32), full=False), tree="FlatTree_VARS")
    found = events(one, files=path, preset="flattree")
    assert_truth(found, columns, rtol=1e-5)  # what an arc cosine leaves in double precision
    assert (found["weight"].to_numpy() == 1.0).all()


def test_slimmed_flattree_that_kept_the_neutrino(write_tree: Write, one: One) -> None:
    columns = truth(N)
    tree = flattree(columns, np.full(N, 54, dtype=np.int32), full=False, lepton=14)
    path = write_tree("a.root", tree, tree="FlatTree_VARS")
    # T is the energy the neutrino lost; the electron's angle is gone, and is said to be wanting.
    with pytest.raises(DataError, match="theta = nan rad"):
        events(one, files=path, preset="flattree")
    exact = Column(
        expression="atan(sqrt(2*m_e*(1 - t1/tm)*Enu_true^2/((Enu_true + m_e)^2*t1)))".replace(
            "t1", "(Enu_true - ELep)"
        ).replace("tm", "(2*Enu_true^2/(2*Enu_true + m_e))"),
        unit="rad",
    )
    assert_truth(events(one, files=path, preset="flattree", columns={"theta": exact}), columns, rtol=1e-6)


def test_a_flavour_the_tree_does_not_say(write_tree: Write, one: One) -> None:
    columns = truth(N)
    mode = np.where(np.arange(N) % 2, 54, 1).astype(np.int32)
    tree = flattree(columns, mode, full=False)
    del tree["PDGnu"]
    path = write_tree("a.root", tree, tree="FlatTree_VARS")
    with pytest.raises(DataError, match=r"pdg cannot be read: preset 'flattree' needs 'PDGnu'.*set columns.pdg"):
        events(one, files=path, preset="flattree")
    # Said by the user, it is still that of the elastic events alone.
    found = events(one, files=path, preset="flattree", columns={"pdg": -12.0})
    assert found["pdg"].tolist() == np.where(np.arange(N) % 2, -12, 0).tolist()
    shown = inspect(path)
    assert (shown.nu_e, shown.flavours) == (N // 2, {})
    assert "columns.pdg = 14" in str(shown)


def test_nuwro(write_tree: Write, one: One) -> None:
    columns = truth(N)
    nu, electron = momenta(columns, (0, 0, 1))
    tree = {"nu_pdg": columns["pdg"], "nu_E": columns["e_nu"], "lep_E": columns["t"] + M_E}
    tree |= {"mode": np.full(N, 12, dtype=np.int32), "lep_pdg": np.where(np.arange(N) < 5, 13, 11).astype(np.int32)}
    for i, axis in enumerate("xyz"):
        tree |= {f"nu_p{axis}": nu[:, i], f"lep_p{axis}": electron[:, i]}
    found = events(one, files=write_tree("a.root", tree), preset="nuwro")
    assert_truth(found[5:], {name: values[5:] for name, values in columns.items()})
    # A muon's energy and angle are not lent to an electron.
    assert np.isnan(found["t"][:5].to_numpy()).all()
    assert np.isnan(found["theta"][:5].to_numpy()).all()
    assert found["pdg"].to_numpy().tolist() == [0] * 5 + [14] * (N - 5)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_matches_its_own_layout_only(name: str) -> None:
    preset = PRESETS[name]
    others = {branch for other in PRESETS.values() if other is not preset for branch in other.needs}
    found = matching(preset.trees[0], set(preset.needs))
    assert found is preset
    assert matching("another", set(preset.needs)) is None
    assert matching(preset.trees[0], others - set(preset.needs)) is not preset


@pytest.mark.parametrize("name", PRESETS)
def test_every_expression_of_a_preset_compiles(name: str) -> None:
    for ways in PRESETS[name].columns.values():
        for column in ways:
            assert bool(column.branch) != bool(column.expression)
            if column.expression:
                expressions.compile(column.expression)
    for text in PRESETS[name].elastic:
        expressions.compile(text)


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(ConfigError, match=r"here: no preset 'gts'; did you mean 'gst'\? \(there are: native, gst"):
        find("gts", "here")


def test_truth_oracle_agrees_with_the_physics_room() -> None:
    # The angle of these ntuples comes from four-momentum conservation, that of the physics room from the tangent form.
    from spectrafit.physics import kinematics

    columns = truth(1000)
    np.testing.assert_allclose(kinematics.theta(columns["e_nu"], columns["t"]), columns["theta"], rtol=1e-6)
