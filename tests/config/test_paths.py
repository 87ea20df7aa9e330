from pathlib import Path

import pytest

from spectrafit.config import load_samples, paths
from spectrafit.config.paths import is_url, local, substituted
from spectrafit.errors import ConfigError


@pytest.mark.parametrize(
    "name",
    [
        "reference://a.root::file://ref.json",
        "memory://a.root",
        "simplecache::reference://x",
        "REFERENCE://x",
        "zip://a::b.zip",
        "github://o:r@/x.root",
        "data:///x",
        "ftp://h/x.root",
        "simplecache::zip://a.root::https://h/a.zip",
    ],
)
def test_a_protocol_that_is_not_on_the_list_is_refused_at_load(tmp_path: Path, name: str) -> None:
    path = tmp_path / "set.toml"
    path.write_text(f'[[samples]]\nname = "s"\nrole = "signal"\nfiles = "{name}"\n')
    with pytest.raises(
        ConfigError, match=r"\$.samples\[0\].files: .* is read by the protocol .*there are: file, http, https"
    ):
        load_samples(path)
    friends = f'[{{ files = "a.root" }}, {{ files = "{name}" }}]'
    path.write_text(f'[[samples]]\nname = "s"\nrole = "signal"\nfiles = "a.root"\nfriends = {friends}\n')
    with pytest.raises(ConfigError, match=r"friends\[1\].files"):
        load_samples(path)


@pytest.mark.parametrize(
    "name",
    ["https://h/a.root", "root://h//a.root", "s3://b/a.root", "simplecache::https://h/a.root?x=1", "file:///a.root"],
)
def test_the_protocols_there_are(name: str) -> None:
    assert is_url(name)
    assert substituted(name, "x") == name


def test_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRODUCTION", "/data/v1")
    assert substituted("$PRODUCTION/a_${PRODUCTION}.root", "x") == "/data/v1/a_/data/v1.root"
    assert local("$PRODUCTION/a.root", tmp_path, "x") == Path("/data/v1/a.root")
    assert local("a.root", tmp_path, "x") == tmp_path / "a.root"
    monkeypatch.delenv("PRODUCTIONS", raising=False)
    with pytest.raises(
        ConfigError, match=r"x: '\$PRODUCTIONS/a': the environment variable 'PRODUCTIONS' is not set; did you"
    ):
        substituted("$PRODUCTIONS/a", "x")
    # A variable cannot bring in what a text may not.
    monkeypatch.setenv("PRODUCTION", "reference://")
    with pytest.raises(ConfigError, match="protocol 'reference'"):
        substituted("${PRODUCTION}a.root", "x")


def test_names_that_are_none() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        substituted("a\0b", "x")
    with pytest.raises(ConfigError, match="no such user"):
        local("~nobody-of-that-name/a", Path(), "x")


def test_toml_is_utf_8_with_or_without_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    path = tmp_path / "set.toml"
    path.write_bytes('\ufefftitle = "νμ"\n[[samples]]\nname = "s"\nrole = "signal"\nfiles = "a.root"\n'.encode())
    assert load_samples(path).title == "νμ"


RECIPES = """
[flux]
numu = "f.dat"
[detector]
electrons = 1e31
origin = "x"
[[samples]]
name = "one"
role = "signal"
files = "x.root"
generate = { flavour = "numu", events = 10 }
[[samples]]
name = "two"
role = "signal"
files = "FILES"
generate = { flavour = "numu", events = 10 }
"""


@pytest.mark.parametrize("files", ["x.root", "./x.root", "a/../x.root", "*.root", "https://h/x.root", "x"])
def test_a_recipe_writes_one_file_of_its_own(tmp_path: Path, files: str) -> None:
    path = tmp_path / "set.toml"
    path.write_text(RECIPES.replace("FILES", files))
    with pytest.raises(ConfigError, match=r"samples\[1\].files: .*(both write|the one .root file to write)"):
        load_samples(path)
    path.write_text(RECIPES.replace("FILES", "y.root"))
    assert len(load_samples(path).samples) == 2


def test_names_on_disk_are_utf8_in_every_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths.os, "fsencode", lambda name: name.encode("ascii", "surrogateescape"))
    monkeypatch.setattr(paths.os, "fsdecode", lambda name: name.decode("ascii", "surrogateescape"))
    found = paths.substituted("données.root", "x")
    assert found.encode("ascii", "surrogateescape") == "données.root".encode()
    assert paths.substituted("plain.root", "x") == "plain.root"
