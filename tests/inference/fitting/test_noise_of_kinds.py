"""Every kind of systematic, on few simulated events with a known truth: a simulation forty times larger."""

import dataclasses

import numpy as np
import pytest

from spectrafit.inference.fitting.bins import Shared
from spectrafit.inference.fitting.information import information
from spectrafit.inference.fitting.linear import bins_of
from tests.inference.simulated import SAMPLES, SCALE_X, SCALE_Y, SHIFT, TOTAL, assembled, simulate, write

# Weights scatter within a bin by a number of their own, so that the change of a bin is known less well than the bin.
COLUMNS = {
    "z": lambda rng, x, y: rng.normal(size=x.size),
    **{f"u{k}": lambda rng, x, y, k=k: 1 + 0.1 * np.sin((k + 1) * x) + rng.normal(0, 0.5, x.size) for k in range(4)},
}
SETS = "".join(
    f"""
[[samples]]
name = "background_{name}"
role = "background"
files = "{name}.root"
pot = 1e20
"""
    for name in ("up", "down")
)
KINDS = {
    "shift": 'kind = "shift"\ncolumn = "t_reco"\nscale = 0.10',
    "weight": 'kind = "weight"\nweights = ["1 - 0.1 * t_reco - 0.4 * z", "1 + 0.1 * t_reco + 0.4 * z"]',
    "one_sided": 'kind = "weight"\nweights = ["1 + 0.2 * t_reco + 0.8 * z"]\nsigmas = [2.0]',
    "sample": 'kind = "sample"\nup = { background = "background_up" }\ndown = { background = "background_down" }',
    "mirrored": 'kind = "sample"\nup = { background = "background_up" }',
    "universes": 'kind = "universes"\nbranches = ["u0", "u1", "u2", "u3"]',
    "flux": 'kind = "flux"',
    "norm": 'kind = "norm"\nsigma = 0.3\nconstraint = "gaussian"',
}
ANALYSIS = "".join(
    f'\n[[systematics]]\nname = "{name}"\nsamples = ["{"signal" if name == "flux" else "background"}"]\n{keys}\n'
    for name, keys in KINDS.items()
)
SHAPE, FEW, SEEDS, MORE = (12, 6), 800, 12, 40


def made(folder, seed, more=1):
    """Return the bins of an analysis of `more` times few events."""
    simulate(folder, seed, FEW * more, COLUMNS, signal=600 * more)
    rng = np.random.default_rng([3, seed])
    for name, scale in (("up", 1 + SHIFT), ("down", 1 - SHIFT)):
        x, y = rng.exponential(SCALE_X * scale, FEW * more), rng.exponential(SCALE_Y, FEW * more)
        write(folder / f"{name}.root", x, y, TOTAL / FEW / more, pdg=0)
    (folder / "samples.toml").write_text(SAMPLES + SETS)
    (folder / "numu.dat").write_text("".join(f"{e}.0 {e + 1}.0 1.0 {0.1 + 0.1 * (e % 2)}\n" for e in range(8)))
    _, templates, model = assembled(folder, ANALYSIS, SHAPE)
    return bins_of(model, templates)


def by_kind(bins, found):
    """Return the information of each kind, naive and corrected: components of one systematic added up."""
    kinds = [name.partition("[")[0] for name in bins.parameters]
    sizes = np.array([np.diag(found.data), np.diag(found.data - found.noise)])
    return {kind: sizes[:, [k for k, one in enumerate(kinds) if one == kind]].sum(axis=1) for kind in KINDS}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    large = made(tmp_path_factory.mktemp("large"), 1000, MORE)
    # The variance of the count is that of a small simulation; what noise is left is subtracted.
    truth = dataclasses.replace(
        large, variance=MORE * np.asarray(large.variance), noise=0 * large.noise, shared=Shared.none(), together=()
    )
    rows = []
    for seed in range(SEEDS):
        bins = made(tmp_path_factory.mktemp("few"), seed)
        rows.append(by_kind(bins, information(bins)))
    left = by_kind(large, information(large))
    exactly = by_kind(truth, information(truth))
    return rows, {kind: exactly[kind][0] * left[kind][1] / left[kind][0] for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_without_its_noise_each_kind_says_what_a_large_simulation_says(found, kind):
    rows, truth = found
    naive, corrected = np.array([row[kind] for row in rows]).T
    error = corrected.std(ddof=1) / np.sqrt(SEEDS)
    assert corrected.mean() == pytest.approx(truth[kind], abs=3.5 * error + 0.03 * truth[kind])
    if kind != "norm":
        assert naive.mean() > truth[kind] + 4.0 * error
