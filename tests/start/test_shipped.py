"""The shipped samples and fits are laid out as they are, never over other files, and the demo runs on them."""

import shutil
from pathlib import Path

import pytest

from spectrafit import cli
from spectrafit.cli import analyses, ntuples
from spectrafit.errors import ConfigError, DataError
from spectrafit.start import shipped

PROJECT = Path(__file__).parents[2]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for name in ("samples", "fits")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_file_is_laid_out_once(tmp_path):
    written = shipped.lay_out(tmp_path / "demo")
    assert files(tmp_path / "demo") == files(PROJECT)
    assert len(written) == len(files(PROJECT))
    assert shipped.lay_out(tmp_path / "demo") == ()


def test_a_file_of_the_user_is_not_overwritten(tmp_path):
    mine = tmp_path / "fits/nova_nd_fhc.toml"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(ConfigError, match=r"nova_nd_fhc\.toml: differs from the shipped file"):
        shipped.lay_out(tmp_path)
    assert mine.read_text() == "mine"
    assert not (tmp_path / "samples").exists()
    with pytest.raises(DataError, match="is a file"):
        shipped.lay_out(mine)


def test_a_wheel_has_them_inside_the_package_and_without_them_the_remedy_is_said(tmp_path, monkeypatch):
    package = tmp_path / "site/spectrafit"
    (package / "shipped").mkdir(parents=True)
    monkeypatch.setattr(shipped.spectrafit, "__file__", str(package / "__init__.py"))
    with pytest.raises(DataError, match="install spectrafit again"):
        shipped.shipped()
    for name in ("samples", "fits"):
        shutil.copytree(PROJECT / name, package / "shipped" / name)
    assert shipped.shipped() == package / "shipped"


def test_the_demo_generates_and_fits_in_its_folder(tmp_path, monkeypatch, capsys):
    called = []
    monkeypatch.setattr(ntuples, "generate", lambda samples: called.append(("generate", samples)))
    monkeypatch.setattr(analyses, "fit", lambda analysis, output: called.append(("fit", analysis, output)))
    with pytest.raises(SystemExit) as left:
        cli.main(["demo", str(tmp_path / "d")])
    assert not left.value.code
    folder = tmp_path / "d"
    assert called == [
        ("generate", folder / "samples/nova_nd_fhc.toml"),
        ("fit", folder / "fits/nova_nd_fhc.toml", folder / "results/nova_nd_fhc"),
    ]
    said = capsys.readouterr().out
    assert "$ spectrafit generate samples/nova_nd_fhc.toml" in said
    assert f"Open {folder / 'results/nova_nd_fhc/index.html'} in a browser." in said
