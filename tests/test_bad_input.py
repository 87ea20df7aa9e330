"""What a user may get wrong, through the shell: one line that says where, what and what to do; nothing half-written."""

import json
import os
import re
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from spectrafit.cli import main
from tests.conftest import Walk
from tests.events.ntuples import native

Refused = Callable[..., str]

SET = """
[[samples]]
name = "nue_x"
role = "signal"
files = "nue.root"
"""
FIT = """
samples = "set.toml"
pot = 1e20

[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.2, 1.0, 4.0] }]

[[systematics]]
kind = "norm"
name = "flux"
sigma = 0.1
"""


def write_tree(path: Path, columns: dict[str, Any], *, tree: str = "events", pot: float | None = 1e21) -> None:
    with uproot.recreate(path) as file:
        file[tree] = columns
        if pot is not None:
            file["TotalPOT"] = (np.array([pot]), np.array([0.0, 1.0]))


def changed(column: str, entry: int, value: float) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        columns = native(2000)
        columns[column][entry] = value
        write_tree(folder / "nue.root", columns)

    return write


def renamed(old: str, new: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        columns = native(2000)
        columns[new] = columns.pop(old)
        write_tree(folder / "nue.root", columns)

    return write


def in_mev(folder: Path) -> None:
    columns = native(2000)
    columns["t"] *= 1e3
    write_tree(folder / "nue.root", columns)


def shorter_friend(folder: Path) -> None:
    write_tree(folder / "up.root", {"up": np.ones(1999)})


def damaged(fraction: float) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        path = folder / "nue.root"
        path.write_bytes(path.read_bytes()[: int(fraction * path.stat().st_size)])

    return write


@pytest.fixture
def mine(tmp_path: Path) -> Walk:
    """A user's own analysis of one ntuple, in which nothing is wrong yet."""
    write_tree(tmp_path / "nue.root", native(2000))
    (tmp_path / "set.toml").write_text(SET)
    (tmp_path / "fit.toml").write_text(FIT)
    return Walk(folder=tmp_path)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def refused(mine: Walk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Give a command, in this process, that must be refused as the user's mistake; return its one line."""
    monkeypatch.chdir(mine.folder)

    def run(*words: str) -> str:
        before = sorted(mine.folder.rglob("*"))
        with pytest.raises(SystemExit) as left:
            main(list(words))
        said = capfd.readouterr().err
        assert left.value.code == 2, said
        assert one_line(said)
        assert sorted(mine.folder.rglob("*")) == before
        return said

    return run


def one_line(said: str) -> bool:
    return said.startswith("error: ") and said.endswith("\n") and said.count("\n") == 1


def test_nothing_is_wrong_to_begin_with(mine: Walk) -> None:
    mine.done("fit", "fit.toml", "--no-figures")
    assert json.loads((mine.folder / "results/fit/result.json").read_text())["fit"]["valid"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("fit.toml", "sigma =", "sigmma =", r"fit.toml: $.systematics[0].sigmma: unknown key; did you mean 'sigma'?"),
        ("fit.toml", "pot =", "exposures =", "fit.toml: $.exposures: unknown key"),
        ("fit.toml", "pot = 1e20", 'pot = "much"', "$.pot"),
        ("fit.toml", "pot = 1e20", "pot = -1.0", "$.pot: Expected a number >= 1e-06; found -1.0"),
        ("fit.toml", "[0.2, 1.0, 4.0]", "[0.2, 4.0, 1.0]", "edges must increase, found 4.0 before 1.0"),
        (
            "fit.toml",
            'name = "flux"',
            'name = "flux"\nsamples = ["neu_x"]',
            "'neu_x' names no sample; did you mean 'nue_x'",
        ),
        ("fit.toml", 'kind = "norm"', 'kind = "nrom"', "'nrom'"),
        ("fit.toml", "sigma = 0.1", "sigma = 0.1\nregions = [", "fit.toml: not valid TOML"),
        ("fit.toml", '"set.toml"', '"sett.toml"', "sett.toml: no such file; did you mean 'set.toml'"),
        ("set.toml", "files =", "file =", "set.toml: $.samples[0].file: unknown key; did you mean 'files'"),
        ("set.toml", '"signal"', '"sginal"', "'sginal'"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_mistakes_in_a_toml(mine: Walk, refused: Refused, file: str, old: str, new: str, message: str) -> None:
    edit(mine.folder / file, old, new)
    assert message in refused("fit", "fit.toml")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("fit.trems=shape", "$.fit.trems: unknown key; did you mean 'terms'?"),
        ("fit.terms=shapes", "$.fit.terms"),
        ("regions.3.name=x", "'3' is not an index below 1"),
        ("limit.method=feldman-cousin", "feldman-cousin"),
        ("pot", "needs key=value"),
    ],
)
def test_mistakes_in_a_setting(refused: Refused, setting: str, message: str) -> None:
    assert message in refused("fit", "fit.toml", "--set", setting)


@pytest.mark.parametrize(
    ("prepare", "columns", "messages"),
    [
        (damaged(0.5), "", ("nue.root: is truncated or damaged",)),
        (damaged(0.0), "", ("nue.root: is empty",)),
        (lambda folder: (folder / "nue.root").write_text("run,event\n" * 99), "", ("nue.root: is not a ROOT file",)),
        (lambda folder: (folder / "nue.root").rename(folder / "nue_1.root"), "", ("no such file", "'nue_1.root'")),
        (None, 'tree = "event"', ("nue.root: no tree 'event'", "did you mean 'events'?")),
        (renamed("e_nu", "e_nu_true"), "", ("preset 'native' needs 'e_nu'", "did you mean 'e_nu_true'")),
        (None, 'columns = { weight = "weigth" }', ("no branch 'weigth'", "did you mean 'weight'?")),
        (changed("t_reco", 1234, np.nan), "", ("nue.root:events entry 1234: t_reco = nan", 'on_bad = "drop"')),
        (changed("t", 17, 25.0), "", ("nue.root:events entry 17: t = 25 GeV exceeds the kinematic limit",)),
        (changed("e_nu", 5, -1.0), "", ("nue.root:events entry 5: e_nu",)),
        (in_mev, "", ("exceeds the kinematic limit", "check the unit")),
        (
            lambda folder: write_tree(folder / "nue.root", native(0)),
            "",
            ("nue_x", "no entries", "check files and tree"),
        ),
        (lambda folder: write_tree(folder / "nue.root", native(99), pot=None), "", ("nue_x", "pot")),
        (shorter_friend, 'friends = [{ files = "up.root" }]', ("up.root", "1999", "2000")),
    ],
    ids=[
        "truncated",
        "empty file",
        "text",
        "no file",
        "no tree",
        "no branch",
        "no column",
        "NaN",
        "T above T_max",
        "negative energy",
        "MeV",
        "no entries",
        "no POT",
        "column of another length",
    ],
)
def test_mistakes_in_an_ntuple(
    mine: Walk, refused: Refused, prepare: Callable[[Path], Any] | None, columns: str, messages: tuple[str, ...]
) -> None:
    if prepare is not None:
        prepare(mine.folder)
    (mine.folder / "set.toml").write_text(SET + columns + "\n")
    said = refused("fit", "fit.toml", "--no-figures")
    for message in messages:
        assert message in said


def test_what_is_dropped_on_request_is_counted_and_named(mine: Walk) -> None:
    columns = native(2000)
    columns["t_reco"][[7, 70]] = np.nan
    columns["t"][700] = 99.0
    write_tree(mine.folder / "nue.root", columns)
    (mine.folder / "set.toml").write_text(SET + 'on_bad = "drop"\n')
    mine.done("fit", "fit.toml", "--no-figures")
    (sample,) = json.loads((mine.folder / "results/fit/result.json").read_text())["provenance"]["inputs"]
    dropped = sample["dropped"]
    assert (dropped["entries"], dropped["kept"]) == (2000, 1997)
    assert "entry 7" in str(dropped["bad"])
    assert "entry 700" in str(dropped["bad"])


def test_bad_files_are_left_out_on_request_and_named(mine: Walk, refused: Refused) -> None:
    write_tree(mine.folder / "nue_1.root", native(500))
    (mine.folder / "nue_2.root").write_text("run,event\n" * 99)
    edit(mine.folder / "set.toml", "nue.root", "nue*.root")
    assert "nue_2.root: is not a ROOT file" in refused("fit", "fit.toml")
    assert mine.run("fit", "fit.toml", "--no-figures", "--skip-bad-files").returncode == 0
    (sample,) = json.loads((mine.folder / "results/fit/result.json").read_text())["provenance"]["inputs"]
    assert [Path(name).name for name, _ in sample["skipped"]] == ["nue_2.root"]
    assert (sample["entries"], sample["pot"]) == (2500, 2e21)
    # Every command that fills says it at once.
    for words in (("build", "fit.toml", "-o", "t.npz"), ("limit", "fit.toml"), ("export", "fit.toml", "-o", "w.json")):
        done = mine.run(*words, "--skip-bad-files")
        assert done.returncode == 0, done.stderr
        assert re.search(r"left out .*nue_2\.root: is not a ROOT file", done.stderr)
        assert "2500 entries, 2e+21 POT" in done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("fit.toml", 'name = "nd"', 'name = "nd"\ncut = "{}"'),
        ("fit.toml", '"t_reco"', '"{}"'),
        ("fit.toml", 'kind = "norm"\nname = "flux"\nsigma = 0.1', 'kind = "weight"\nname = "w"\nweights = ["1", "{}"]'),
        ("set.toml", 'role = "signal"', 'role = "signal"\nselection = "{}"'),
        ("set.toml", 'role = "signal"', 'role = "signal"\ncolumns = {{ weight = {{ expression = "{}" }} }}'),
    ],
    ids=["cut", "observable", "weights", "selection", "column"],
)
def test_an_expression_never_runs_code(mine: Walk, refused: Refused, file: str, old: str, new: str) -> None:
    edit(mine.folder / file, old, new.format("__import__('os').system('touch trap')").replace("{{", "{"))
    assert "__import__" in refused("fit", "fit.toml")
    assert not (mine.folder / "trap").exists()


def test_other_commands_refuse_too(mine: Walk, refused: Refused) -> None:
    (mine.folder / "text.root").write_text("run,event\n" * 99)
    assert "no sample has a recipe" in refused("generate", "set.toml")
    assert "text.root: is not a ROOT file" in refused("reweight", "text.root", "-o", "out.root")
    assert "'magnetic'" in refused("reweight", "nue.root", "-o", "out.root", "--coupling", "magnetic")
    assert "kept as .npz" in refused("build", "fit.toml", "-o", "nd.root")
    assert "nowhere.npz: no such file" in refused("fit", "fit.toml", "--templates", "nowhere.npz")
    assert "no executor 'thread'" in refused("build", "fit.toml", "-o", "nd.npz", "--executor", "thread")
    assert mine.run("inspect", "text.root").returncode == 2


def test_a_process_says_the_same_and_a_traceback_only_when_asked(mine: Walk) -> None:
    (mine.folder / "nue.root").write_text("run,event\n" * 99)
    done = mine.run("fit", "fit.toml")
    assert done.returncode == 2
    assert one_line(done.stderr)
    asked = mine.run("fit", "fit.toml", "--debug")
    assert asked.returncode != 0
    for said in (done.stderr, asked.stderr):
        assert "nue.root: is not a ROOT file" in said
    assert "Traceback" in asked.stderr


# --- what stops half-way ----------------------------------------------------------------------------------------------

STOPPED = "stopped: no unfinished output was written, and earlier outputs are untouched\n"
# What writes, and the file of before that it replaces last.
WRITING = {
    "generate": ("nuebar.root", "generate", "samples/nova_nd_fhc.toml", "--folder", "out"),
    "generate, processes": (
        "nuebar.root",
        *("generate", "samples/nova_nd_fhc.toml", "--folder", "out", "--executor", "processes"),
    ),
    "fit": ("result.json", "fit", "fits/nova_nd_fhc.toml", "--force", "-o", "out"),
    "build": ("nd.npz", "build", "fits/nova_nd_fhc.toml", "-o", "out/nd.npz"),
    "reweight": ("friend.root", "reweight", "generated/nova_nd_fhc/numu.root", "-o", "out/friend.root"),
}


@pytest.fixture
def out(walk: Walk) -> Iterator[Path]:
    folder = walk.folder / "out"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def begun(folder: Path) -> bool:
    """Say whether anything lies under a temporary name, in the folder or beside it."""
    inside = any(path.name.startswith(".") for path in folder.iterdir())
    return inside or any(path.name.startswith(f".{folder.name}") for path in folder.parent.iterdir())


def earlier(walk: Walk, out: Path, what: str) -> Path:
    """Put an earlier output in place: of `generate` and `reweight` one of their own, for no other is replaced."""
    name, *words = WRITING[what]
    if what.startswith("generate"):
        shutil.copy(walk.folder / "generated/nova_nd_fhc" / name, out / name)
    elif what == "reweight":
        assert walk.run(*words).returncode == 0
    else:
        (out / name).write_text("of before")
    return out / name


@pytest.mark.parametrize("what", ["generate", "fit", "build", "reweight"])
def test_a_full_disk_leaves_what_was_there(walk: Walk, out: Path, what: str) -> None:
    words, old = WRITING[what][1:], earlier(walk, out, what)
    before = old.read_bytes()
    # A limit on the size of files is refused by the system as a full disk is, and needs no disk of one's own.
    full = walk.run("-q", *words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)))
    assert full.returncode == 2
    assert one_line(full.stderr)
    assert full.stderr.startswith("error: out")
    assert "cannot be written" in full.stderr
    assert old.read_bytes() == before
    assert not begun(out)


def test_a_full_disk_in_the_cache(walk: Walk, out: Path) -> None:
    words = ("build", "fits/nova_nd_fhc.toml", "-o", "out/nd.npz", "--cache", "out/cache")
    full = walk.run("-q", *words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    assert full.returncode == 2
    assert one_line(full.stderr)
    assert "build without a cache" in full.stderr
    assert not [path for path in out.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("generate", signal.SIGINT),
        ("generate", signal.SIGTERM),
        ("generate, processes", signal.SIGINT),
        ("fit", signal.SIGINT),
        ("reweight", signal.SIGINT),
    ],
)
def test_a_stop_while_writing_leaves_what_was_there(walk: Walk, out: Path, what: str, number: signal.Signals) -> None:
    words, old = WRITING[what][1:], earlier(walk, out, what)
    before = old.read_bytes()
    process = walk.start("-q", *words)
    while not begun(out) and process.poll() is None:
        time.sleep(0.002)
    # A terminal's ctrl-C goes to every process; a batch system ends the first.
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    said, complained = process.communicate(timeout=60)
    assert (process.returncode, said, complained) == (128 + number, "", STOPPED)
    assert old.read_bytes() == before
    assert not begun(out)
    for path in out.glob("*.root"):
        assert path == old or uproot.open(path)["TotalPOT"].values().sum() > 0


@pytest.mark.parametrize("name", ["fit.toml", "set.toml", "nue.root", "link.json", "./sub/../nue.root"])
def test_an_export_never_takes_the_place_of_an_input(mine: Walk, refused: Refused, name: str) -> None:
    (mine.folder / "sub").mkdir()
    (mine.folder / "link.json").hardlink_to(mine.folder / "nue.root")
    before = {p: p.read_bytes() for p in mine.folder.iterdir() if p.is_file()}
    said = refused("export", "fit.toml", "-o", name)
    assert "is read here" in said if name.endswith(".json") else "a workspace is kept as .json" in said
    assert {p: p.read_bytes() for p in mine.folder.iterdir() if p.is_file()} == before


def test_a_result_never_takes_the_place_of_an_ntuple(mine: Walk, refused: Refused) -> None:
    (mine.folder / "results").mkdir()
    (mine.folder / "nue.root").rename(mine.folder / "results" / "templates.root")
    edit(mine.folder / "set.toml", "nue.root", "results/*.root")
    assert "is read here" in refused("fit", "fit.toml", "-o", "results", "--no-figures")


def test_templates_older_than_what_they_were_made_of_are_told(mine: Walk) -> None:
    mine.done("build", "fit.toml", "-o", "t.npz")
    assert "note" not in mine.done("limit", "fit.toml", "--templates", "t.npz")
    os.utime(mine.folder / "t.npz", (1e9, 1e9))
    found = mine.run("-q", "limit", "fit.toml", "--templates", "t.npz")
    assert found.returncode == 0
    assert found.stderr == "note: t.npz is older than nue.root; build the templates again to use what changed\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("limit", "fit.toml", "--first-toy", "-1"), "--first-toy -1"),
        (("limit", "fit.toml", "--first-toy", "9223372036854775798"), "--first-toy"),
        (("limit", "fit.toml", "--workers", "0"), "--workers 0"),
        (("coverage", "fit.toml", "--experiments", "0"), "--experiments 0"),
        (("coverage", "fit.toml", "--seed", "-1"), "--seed -1"),
        (("coverage", "fit.toml", "--kappa", "nan"), "--kappa nan"),
        (("sensitivity", "fit.toml", "--exposure", "inf"), "--exposure inf"),
        (("sensitivity", "fit.toml", "--systematics", "-1"), "--systematics -1"),
        (("export", "fit.toml", "-o", "w.json", "--kappa", "nan"), "--kappa nan"),
        (("xsec", "--e-nu", "nan"), "--e-nu nan"),
        (("xsec", "--sin2-theta-w", "7"), "--sin2-theta-w 7"),
        (("moment", "0", "0", "inf"), "inf"),
        (("generate", "set.toml", "--seed", "-1"), "--seed -1"),
    ],
)
def test_numbers_of_the_shell_have_domains(refused: Refused, words: tuple[str, ...], message: str) -> None:
    assert message in refused(*words)


@pytest.mark.parametrize(
    ("matrix", "message"), [("1e10,0\n0,0.005\n", "variance of bin 0 is 1e+10"), ("0,0\n0,0\n", "zero")]
)
def test_a_covariance_that_says_nothing_or_too_much_is_told(mine: Walk, matrix: str, message: str) -> None:
    (mine.folder / "c.csv").write_text(matrix)
    with (mine.folder / "fit.toml").open("a") as file:
        file.write('[[systematics]]\nkind = "covariance"\nname = "c"\nfile = "c.csv"\n')
    found = mine.run("check", "fit.toml")
    assert found.returncode == 0
    assert found.stderr.startswith("note: ")
    assert found.stderr.count("\n") == 1
    assert message in found.stderr
