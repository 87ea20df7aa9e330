"""Knobs and universes as flat CAF keeps them: vectors inside vectors, one list of weights per knob and neutrino."""

import awkward as ak
import numpy as np
import pytest
import uproot

from spectrafit import config
from spectrafit.errors import DataError
from spectrafit.physics import kinematics
from spectrafit.physics.constants import M_E
from spectrafit.templates.build import build

EDGES = (0.3, 0.7, 1.2, 2.0, 4.0)
SIGMAS = (-2.0, -1.0, 1.0, 2.0)
UNIVERSES = 12


def written(path, *, empty):
    """A file of records, a share `empty` of them without a neutrino; what is in it, as plain columns."""
    rng, size = np.random.default_rng(11), 4_000
    e_nu = rng.uniform(1.0, 6.0, size)
    t = 0.2 + rng.random(size) * (0.95 * kinematics.t_max(e_nu) - 0.2)
    there = rng.random(size) >= empty
    neutrinos = there.astype(np.int32)
    knob = 1 + 0.05 * np.outer(t, SIGMAS)
    universes = 1 + 0.1 * np.outer(np.sqrt(t), rng.normal(0, 1, UNIVERSES))

    def per_neutrino(values, each=1):
        return ak.unflatten(np.asarray(values)[there].ravel(), each * neutrinos)

    def pair(first, second):
        return per_neutrino(np.stack([np.broadcast_to(first, size), np.broadcast_to(second, size)], axis=1), 2)

    nu, prim, wgt = "rec.mc.nu", "rec.mc.nu.prim", "rec.mc.nu.wgt"
    two, none = np.full(size, 2, np.int32), np.zeros(size, np.int32)
    branches = {
        "rec.slc.e": t,
        f"{nu}..length": neutrinos,
        f"{nu}.E": per_neutrino(e_nu),
        f"{nu}.pdg": per_neutrino(np.full(size, 14, np.int32)),
        f"{nu}.genie_mode": per_neutrino(np.full(size, 5, np.int32)),
        f"{nu}.genie_inttype": per_neutrino(np.full(size, 1098, np.int32)),
        f"{prim}..length": per_neutrino(two),
        f"{prim}..idx": per_neutrino(none),
        f"{prim}.pdg": pair(np.int32(14), np.int32(11)),
        f"{prim}.genE": pair(e_nu - t, t + M_E),
        f"{wgt}..length": per_neutrino(two),
        f"{wgt}..idx": per_neutrino(none),
        f"{wgt}.univ..length": pair(np.int32(len(SIGMAS)), np.int32(UNIVERSES)),
        f"{wgt}.univ..idx": pair(np.int32(0), np.int32(len(SIGMAS))),
        f"{wgt}.univ": per_neutrino(np.concatenate([knob, universes], axis=1), len(SIGMAS) + UNIVERSES),
    }
    for axis in "xyz":
        branches[f"{nu}.momentum.{axis}"] = per_neutrino(e_nu if axis == "z" else 0 * t)
        branches[f"{prim}.genp.{axis}"] = pair(0.0, t if axis == "z" else 0 * t)
    with uproot.recreate(path) as file:
        kinds = {
            n: v.dtype if isinstance(v, np.ndarray) else f"var * {v.type.content.content}" for n, v in branches.items()
        }
        file.mktree("recTree", kinds)
        file["recTree"].extend(branches)
    return {"t": t[there], "knob": knob[there], "universes": universes[there]}


def analysis(folder, selection=""):
    (folder / "samples.toml").write_text(
        '[[samples]]\nname = "nu"\nrole = "signal"\npreset = "flatcaf"\nfiles = "caf.root"\npot = 1e20\n'
        f'columns = {{ t_reco = "rec.slc.e" }}\nselection = "{selection}"\n'
    )
    (folder / "fit.toml").write_text(
        f'samples = "samples.toml"\npot = 2e20\n[[regions]]\nname = "nd"\n'
        f'axes = [{{ observable = "t_reco", edges = {list(EDGES)} }}]\n'
        '[[systematics]]\nkind = "weight"\nname = "knob"\narray = "rec.mc.nu.wgt.univ[0]"\nsigmas = [-2, -1, 1, 2]\n'
        '[[systematics]]\nkind = "universes"\nname = "uni"\nbranch = "rec.mc.nu.wgt.univ[1]"\n'
    )
    return config.load(folder / "fit.toml")


@pytest.mark.parametrize("empty", [0.0, 0.1])
def test_knobs_and_universes_inside_vectors(tmp_path, empty):
    columns = written(tmp_path / "caf.root", empty=empty)
    templates = build(analysis(tmp_path, "rec.mc.nu..length > 0" if empty else ""))
    base = 2 * np.histogram(columns["t"], EDGES)[0]
    at = {(v.parameter, v.sigma): templates.counts[0, i, 0] for i, v in enumerate(templates.variations)}
    for k, sigma in enumerate(SIGMAS):
        expected = 2 * np.histogram(columns["t"], EDGES, weights=columns["knob"][:, k])[0]
        np.testing.assert_allclose(at["knob", sigma], expected, rtol=1e-12)
    moves = [2 * np.histogram(columns["t"], EDGES, weights=u)[0] - base for u in columns["universes"].T]
    carried = np.sum(
        [np.outer(m, m) for (name, s), c in at.items() if name.startswith("uni") and s > 0 for m in [c - base]], axis=0
    )
    np.testing.assert_allclose(carried, np.array(moves).T @ np.array(moves) / UNIVERSES, rtol=5e-3)


def test_records_without_weights_are_refused_with_what_to_do(tmp_path):
    written(tmp_path / "caf.root", empty=0.1)
    with pytest.raises(DataError, match=r"'knob'.*events have 0 to 4 weights.*select the others"):
        build(analysis(tmp_path))
