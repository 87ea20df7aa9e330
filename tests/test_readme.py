"""The README holds what it says: its TOML is understood, its commands exist, its analysis gives its number."""

import re
import shutil
from pathlib import Path

import pytest

import spectrafit as sf
from spectrafit import cli

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", TEXT, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


@pytest.fixture
def own(tmp_path):
    samples, analysis = blocks("toml")
    (tmp_path / "beam.toml").write_text(samples)
    (tmp_path / "fit.toml").write_text(analysis)
    for folder, name, shipped in (
        ("ntuples", "elastic.root", "elastic_numu.root"),
        ("backgrounds", "nc_0.root", "nc_carbon.root"),
    ):
        (tmp_path / folder).mkdir()
        shutil.copy(PROJECT / "samples/nuwro" / shipped, tmp_path / folder / name)
    return tmp_path / "fit.toml"


def test_an_own_analysis_gives_the_limit_it_says(own):
    analysis = sf.load(own)
    model = sf.assemble(analysis, sf.build(analysis))
    (said,) = re.findall(r"give (\d\.\d+e-\d+) mu_B", TEXT)
    assert sf.upper_limit(model, level=0.90).value == pytest.approx(float(said), rel=0.005)


def test_every_command_shown_exists():
    known = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    known |= {group.name for group in cli.app.registered_groups}
    shown = set(re.findall(r"^spectrafit +([a-z]+)", "\n".join(blocks("sh")), re.MULTILINE))
    shown |= set(re.findall(r"`spectrafit ([a-z]+)[ `]", TEXT))
    assert shown <= known
    assert {"generate", "inspect", "fit", "limit", "reweight"} <= shown


def test_the_script_is_the_one_shipped():
    (script,) = blocks("python")
    lines = [re.sub(r"\s*#.*", "", line) for line in script.splitlines()]
    shipped = (PROJECT / "fits/nova_nd_fhc.py").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line] == [line for line in shipped if line and not line.startswith('"""')]


def test_every_file_it_names_is_there():
    for name in re.findall(r"\]\((\.?[\w/.-]+)\)", TEXT) + re.findall(
        r"`((?:samples|fits|scripts|tests)/[\w./-]*)`", TEXT
    ):
        assert (PROJECT / name).exists(), name
