"""Names, titles and labels are the user's: any characters are carried, and nothing of them is taken for markup."""

import html
import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import uproot

from spectrafit.cli import main
from tests.events.ntuples import native
from tests.test_bad_input import write_tree

NASTY = ["../../SR: one/shower", r"$\frac{$", "[/red] :smile: %s {}", "<script>alert(1)</script>", "κ 区域", "x" * 300]


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def analysis(folder: Path, name: str, other: str) -> None:
    """Write an analysis in which everything that has a name has a nasty one."""
    write_tree(folder / "nue.root", native(2000))
    (folder / "set.toml").write_text(
        f"title = {quoted(name)}\n[[samples]]\nname = {quoted(name)}\nrole = 'signal'\n"
        f"title = {quoted(other)}\nfiles = 'nue.root'\n",
        encoding="utf-8",
    )
    axis = f"{{ observable = 't_reco', edges = [0.2, 1.0, 4.0], label = {quoted(other)} }}"
    (folder / "fit.toml").write_text(
        f"""
title = {quoted(name)}
samples = "set.toml"
pot = 1e20
[[regions]]
name = {quoted(name)}
axes = [{axis}]
[[counts]]
name = "total"
title = {quoted(name)}
counts = {{ {quoted(name)} = [1.0, 1.0] }}
[[counts]]
name = "data"
counts = {{ {quoted(name)} = [1.0, 1.0] }}
[[systematics]]
kind = "norm"
name = {quoted(other)}
samples = [{quoted(name)}]
regions = [{quoted(name)}]
group = {quoted(name)}
sigma = 0.1
""",
        encoding="utf-8",
    )


@pytest.mark.parametrize("index", [0, 1, 2])
def test_any_name_is_carried_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], index: int
) -> None:
    name, other = NASTY[2 * index], NASTY[2 * index + 1]
    analysis(tmp_path, name, other)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    main_done("check", "fit.toml")
    assert name in capfd.readouterr().out.replace("\n", "")
    main_done("fit", "fit.toml", "-o", "out[bold]")
    said = capfd.readouterr()
    assert "written to out[bold]" in said.out
    assert said.err == ""
    folder = tmp_path / "out[bold]"
    assert {p.name for p in folder.iterdir()} == {"figures", "index.html", "result.json", "templates.root"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fit.toml", "nue.root", "out[bold]", "set.toml"]
    record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert record["title"] == name
    assert record["samples"] == [name, "total", "data"]
    assert record["nuisances"][0]["name"] == other
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert html.escape(name, quote=False) in page
    assert "<script>" not in page
    with uproot.open(folder / "templates.root") as file:
        titles = {key.split("/")[1]: file[key].title for key in file.keys(cycle=False) if key.endswith("/sm")}
    assert len(titles) == 4
    assert titles.pop("total") == "all samples, kappa^0"
    assert sorted(titles.values()) == sorted(f"{title}, kappa^0" for title in (other, name, "data"))
    assert all(p.stat().st_size > 0 for p in (folder / "figures").iterdir())
    main_done("export", "fit.toml", "-o", "w.json")
    channels = json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))["channels"]
    assert channels[0]["name"] == name


def main_done(*words: str) -> None:
    """Give a command that must succeed."""
    with suppress_success():
        main(list(words))


@contextmanager
def suppress_success() -> Iterator[None]:
    """Let a command end as one that succeeds, and no other."""
    ends: list[object] = []
    with suppress(SystemExit):
        try:
            yield
        except SystemExit as left:
            ends.append(left.code)
            raise
    assert ends in ([], [0], [None])


@pytest.mark.parametrize("character", ["\0", "\n", "\x1b", "\x7f", "\x85"])
@pytest.mark.parametrize("key", ["regions.0.name", "systematics.0.name", "title", "regions.0.axes.0.label"])
def test_control_characters_are_refused_with_their_path(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], key: str, character: str
) -> None:
    analysis(tmp_path, "nd", "flux")
    escaped = f'"a\\u{ord(character):04x}b"'
    assert tomllib.loads(f"x = {escaped}")["x"] == f"a{character}b"
    with pytest.raises(SystemExit) as left:
        main(["check", str(tmp_path / "fit.toml"), "--set", f"{key}={escaped}"])
    said = capfd.readouterr().err
    assert left.value.code == 2
    assert said.count("\n") == 1
    assert "holds the control character" in said
    assert "$." + key.replace(".0", "[0]") in said


@pytest.mark.parametrize("key", ["regions.0.name", "counts.0.name"])
def test_nothing_is_called_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str], key: str) -> None:
    analysis(tmp_path, "nd", "flux")
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "fit.toml"), "--set", f"{key}=' '"])
    assert "has no name; give it one" in capfd.readouterr().err


@pytest.mark.parametrize(
    "setting",
    [
        "data={ 'n*' = [1.0, 1.0] }",
        "normalise=[{ samples = ['*'], region = '*', expected = 1.0 }]",
        "pot={ '*' = 1e20 }",
    ],
)
def test_a_glob_is_no_name_where_one_name_is_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], setting: str
) -> None:
    analysis(tmp_path, "nd", "flux")
    with pytest.raises(SystemExit) as left:
        main(["check", str(tmp_path / "fit.toml"), "--set", setting])
    said = capfd.readouterr().err
    assert (left.value.code, said.count("\n")) == (2, 1)
    assert "names no" in said
