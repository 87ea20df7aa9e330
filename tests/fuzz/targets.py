"""What is attacked: one function per kind of input, that mutates it and runs the program on it in this process.

A try is clean if it succeeds or is refused with a ConfigError or DataError of one line. Everything else is a failure:
another exception, a warning, a run of more than a minute, a fit called valid that holds NaN.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import math
import shutil
import signal
import tomllib
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import uproot

import spectrafit as sf
from spectrafit.errors import SpectrafitError
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.interop.pyhf import fit_workspace
from tests.events.ntuples import native
from tests.fuzz.mutations import broken_bytes, broken_tree, toml

__all__ = ["KINDS", "Case", "prepare", "run"]

SECONDS = 60
ENTRIES = 300

SET = """
[detector]
electrons = 1e31
origin = "a sum"
[flux]
numu = "flux.dat"
[response]
energy_stochastic = 0.05
angle_constant = 0.01
threshold = 0.1
seed = 1
[[samples]]
name = "sig"
role = "signal"
files = ["sig.root"]
columns = { mine = { expression = "t_reco * 2" } }
selection = "t_reco > 0.1"
friends = [{ files = "friend.root" }]
[[samples]]
name = "bkg"
role = "background"
files = "bkg.root:events"
columns = { mine = { expression = "t_reco * 2" } }
pot = 1e21
on_bad = "drop"
[[samples]]
name = "up"
role = "signal"
files = "up.root"
columns = { mine = { expression = "t_reco * 2" } }
[[samples]]
name = "dat"
role = "data"
files = "dat.root"
columns = { mine = { expression = "t_reco * 2" } }
"""
FIT = """
title = "everything"
samples = "set.toml"
pot = 1e20
sin2_theta_w = 0.231
sm_xsec = "tree"
counts = [{ name = "other", counts = { nd = [1, 1, 1, 1], side = [0.5, 0.5] }, errors = { side = [0.1, 0.1] } }]
normalise = [{ samples = ["bkg"], region = "nd", expected = 20.0 }]
coupling = { name = "magnetic_moment", carriers = ["numu"], fixed = { nue = 0.0 } }
prune = { norm = 1e-4, shape = 1e-4 }
[[regions]]
name = "nd"
cut = "t_reco < 3 && theta_reco < 1"
axes = [
  { observable = "t_reco", edges = [0.2, 1.0, 3.0], label = "T" },
  { observable = "theta_reco", bins = 2, range = [0.001, 0.2], log = true },
]
[[regions]]
name = "side"
cut = "t_reco >= 3"
axes = [{ observable = "mine", bins = 2, range = [6.0, 20.0] }]
samples = ["sig*", "bkg"]
[[systematics]]
kind = "norm"
name = "flux_norm"
group = "g"
sigma = 0.09
[[systematics]]
kind = "norm"
name = "bk"
samples = ["bkg"]
constraint = "gaussian"
sigma = 0.3
powers = "sm"
[[systematics]]
kind = "weight"
name = "wgt"
weights = ["wdn", "wup"]
samples = ["sig"]
[[systematics]]
kind = "universes"
name = "ppfx"
branch = "univ"
variance = 0.99
samples = ["sig"]
[[systematics]]
kind = "shift"
name = "escale"
column = "t_reco"
scale = 0.03
smooth = true
[[systematics]]
kind = "shift"
name = "smear"
column = "theta_reco"
smear = 0.05
[[systematics]]
kind = "sample"
name = "calib"
up = { sig = "up" }
samples = ["sig"]
[[systematics]]
kind = "covariance"
name = "det"
file = "c.csv"
regions = ["nd"]
[[systematics]]
kind = "flux"
name = "fl"
correlation = 0.7
flavours = 0.5
samples = ["sig"]
[fit]
terms = "shape+norm"
statistic = "poisson"
mc_statistics = "barlow-beeston-lite"
zero_bins = "floor"
floor = 1e-6
correlations = [{ parameters = ["flux_norm", "bk"], value = 0.3 }]
[limit]
level = 0.9
toys = 20
seed = 1
"""
WORKSPACE: dict[str, Any] = {
    "channels": [
        {
            "name": "SR",
            "samples": [
                {
                    "name": "sig",
                    "data": [3.0, 6.0, 2.0],
                    "modifiers": [
                        {"name": "mu", "type": "normfactor", "data": None},
                        {"name": "lumi", "type": "lumi", "data": None},
                        {"name": "acc", "type": "normsys", "data": {"hi": 1.1, "lo": 0.92}},
                    ],
                },
                {
                    "name": "bkg",
                    "data": [40.0, 30.0, 20.0],
                    "modifiers": [
                        {"name": "st", "type": "staterror", "data": [2.0, 2.0, 1.5]},
                        {
                            "name": "shape",
                            "type": "histosys",
                            "data": {"hi_data": [44.0, 31.0, 19.0], "lo_data": [37.0, 29.0, 21.0]},
                        },
                        {"name": "knorm", "type": "normfactor", "data": None},
                        {"name": "acc", "type": "normsys", "data": {"hi": 1.05, "lo": 0.9}},
                    ],
                },
            ],
        },
        {
            "name": "CR",
            "samples": [
                {
                    "name": "bkg",
                    "data": [100.0, 80.0],
                    "modifiers": [
                        {"name": "knorm", "type": "normfactor", "data": None},
                        {"name": "ss", "type": "shapesys", "data": [5.0, 6.0]},
                        {
                            "name": "shape",
                            "type": "histosys",
                            "data": {"hi_data": [105.0, 83.0], "lo_data": [96.0, 77.0]},
                        },
                    ],
                }
            ],
        },
    ],
    "observations": [{"name": "SR", "data": [45.0, 33.0, 22.0]}, {"name": "CR", "data": [103.0, 79.0]}],
    "measurements": [
        {
            "name": "m",
            "config": {
                "poi": "mu",
                "parameters": [
                    {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]}
                ],
            },
        }
    ],
    "version": "1.0.0",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One try: what came of it, "" if it is clean, and where it happened."""

    failure: str
    place: str


def prepare(folder: Path) -> None:
    """Write a small analysis with one of everything, and what it makes: templates, a cache, a bank, a workspace."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for name, seed in (("sig", 1), ("bkg", 2), ("up", 3), ("dat", 4)):
        columns = native(ENTRIES, seed=seed)
        columns |= {"wup": np.full(ENTRIES, 1.1), "wdn": np.full(ENTRIES, 0.9)}
        columns["univ"] = rng.normal(1.0, 0.1, (ENTRIES, 5))
        with uproot.recreate(folder / f"{name}.root") as file:
            file["events"] = columns
            file["TotalPOT"] = (np.array([1e21]), np.array([0.0, 1.0]))
    with uproot.recreate(folder / "friend.root") as file:
        file["events"] = {"extra": rng.normal(1.0, 0.1, ENTRIES)}
    with uproot.recreate(folder / "c.root") as file:
        file["cov"] = (np.diag([0.01] * 4), np.arange(5.0), np.arange(5.0))
    np.savetxt(folder / "c.csv", np.diag([0.01] * 4), delimiter=",")
    np.save(folder / "c.npy", np.diag([0.01] * 4))
    energies = np.linspace(0.0, 20.0, 9)
    rows = [f"{a} {b} {1e-4 * np.exp(-a / 4)} 0.1" for a, b in itertools.pairwise(energies)]
    (folder / "flux.dat").write_text("\n".join(rows) + "\n")
    (folder / "set.toml").write_text(SET)
    (folder / "fit.toml").write_text(FIT)
    (folder / "w.json").write_text(json.dumps(WORKSPACE))
    analysis = sf.load(folder / "fit.toml")
    templates = sf.build(analysis, executor="serial", cache=folder / "cache")
    templates.save(folder / "t.npz")
    model = sf.assemble(analysis, templates)
    toys = ToyOptions(toys=60, seed=1, bank=(folder / "bank.npz",))
    sf.upper_limit(model, method="feldman-cousins", toys=toys, expected=False)


def fitted(analysis: Any, templates: Any) -> None:
    """Fit, and refuse NaN in what is called valid."""
    model = sf.assemble(analysis, templates, unblind=False)
    best = sf.fit(model)
    if best.valid:
        numbers = [best.two_nll, *np.asarray(best.values).tolist(), best.kappa, best.kappa_error]
        assert all(math.isfinite(x) for x in numbers), f"valid with {numbers}"


def configuration(folder: Path, draw: Random) -> None:
    """Mutate the tree of one of the two TOML files; fill and fit one in four of those that load."""
    name = draw.choice(["fit.toml", "set.toml"])
    tree = tomllib.loads((folder / name).read_text())
    (folder / name).write_text(toml(broken_tree(tree, draw)), encoding="utf-8")
    analysis = sf.load(folder / "fit.toml")
    from spectrafit.report.inventories import inventory_table

    inventory_table(analysis)
    if draw.random() < 0.25:
        fitted(analysis, sf.build(analysis, executor="serial"))


def text_of_configuration(folder: Path, draw: Random) -> None:
    """Break the bytes of one of the two TOML files."""
    _break(folder / draw.choice(["fit.toml", "set.toml"]), draw)
    sf.load(folder / "fit.toml")


def root_file(folder: Path, draw: Random) -> None:
    """Break the bytes of an ntuple."""
    _break(folder / draw.choice(["sig.root", "bkg.root", "up.root", "dat.root", "friend.root"]), draw)
    analysis = sf.load(folder / "fit.toml")
    fitted(analysis, sf.build(analysis, executor="serial"))


def matrix(folder: Path, draw: Random) -> None:
    """Break the bytes of a covariance: text, numpy's or ROOT's."""
    name = draw.choice(["c.csv", "c.npy", "c.root"])
    _break(folder / name, draw)
    text = name + (":cov" if name == "c.root" else "")
    analysis = sf.load(folder / "fit.toml", overrides=[f"systematics.7.file='{text}'"])
    from spectrafit.templates.systematics import effects

    for effect in effects(analysis).values():
        effect.check(analysis)


def flux_table(folder: Path, draw: Random) -> None:
    """Break the bytes of a flux table."""
    _break(folder / "flux.dat", draw)
    from spectrafit.events import flux

    flux.load(folder / "flux.dat")


def saved_templates(folder: Path, draw: Random) -> None:
    """Break the bytes of saved templates."""
    _break(folder / "t.npz", draw)
    analysis = sf.load(folder / "fit.toml")
    fitted(analysis, sf.Templates.load(folder / "t.npz", analysis=analysis))


def cache(folder: Path, draw: Random) -> None:
    """Break the bytes of a cached chunk, or of what is said of it: the ntuple is read instead."""
    _break(draw.choice(sorted((folder / "cache").iterdir())), draw)
    analysis = sf.load(folder / "fit.toml")
    found = sf.build(analysis, executor="serial", cache=folder / "cache")
    expected = sf.Templates.load(folder / "t.npz", analysis=analysis)
    assert np.array_equal(found.counts, expected.counts), "other templates from a damaged cache"


def bank(folder: Path, draw: Random) -> None:
    """Break the bytes of a bank of toys."""
    from spectrafit.inference.toys.bank import Bank

    _break(folder / "bank.npz", draw)
    Bank.load(folder / "bank.npz")


def workspace(folder: Path, draw: Random) -> None:
    """Mutate the tree of a workspace, or break its bytes, and fit it."""
    path = folder / "w.json"
    if draw.random() < 0.2:
        _break(path, draw)
    else:
        path.write_text(json.dumps(broken_tree(json.loads(path.read_text()), draw)), encoding="utf-8")
    found = fit_workspace(path)
    if found["valid"]:
        numbers = [found["statistic"], *found["parameters"].values()]
        assert all(math.isfinite(x) for x in numbers), "valid with NaN"


def _break(path: Path, draw: Random) -> None:
    path.write_bytes(broken_bytes(path.read_bytes(), draw))


KINDS: dict[str, Callable[[Path, Random], None]] = {
    "configuration": configuration,
    "text of configuration": text_of_configuration,
    "ROOT file": root_file,
    "covariance": matrix,
    "flux table": flux_table,
    "templates": saved_templates,
    "cache": cache,
    "bank": bank,
    "workspace": workspace,
}


class _TooLong(BaseException):
    """A try took too long."""


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(kind: str, prepared: Path, place: Path, seed: int) -> Case:
    """Copy what was prepared to `place`, break it as `seed` says, run the program on it, and return what came of it."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(prepared, place)
    failure, where = "", ""
    try:
        with (
            _limited(),
            warnings.catch_warnings(record=True) as told,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("always")
            KINDS[kind](place, Random(f"{kind} {seed}"))
    except SpectrafitError as error:
        if "\n" in str(error):
            failure, where = f"more than one line: {error}", "message"
    except _TooLong:
        failure, where = f"more than {SECONDS} s", "time"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        failure = "".join(traceback.format_exception(error))
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "spectrafit" in f.filename]
        at = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"
    for warning in told:
        own = warning.category is UserWarning and "spectrafit" in str(warning.filename)
        if not failure and not own:
            failure = f"{warning.category.__name__}: {warning.message} ({warning.filename}:{warning.lineno})"
            where = f"{warning.category.__name__} at {Path(warning.filename).name}:{warning.lineno}"
    return Case(failure=failure, place=where)
