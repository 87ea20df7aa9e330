"""pyhf's own commands prune, rename and combine what `export` writes, as fits/README.md says."""

import json

import pytest

from spectrafit.interop.export import write_workspace
from spectrafit.interop.pyhf import read_workspace
from tests.interop.test_pyhf_export import model

cli = pytest.importorskip("pyhf.cli")
testing = pytest.importorskip("click.testing")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:pyhf"),
]


def pyhf(*words):
    done = testing.CliRunner().invoke(cli.cli, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def test_an_export_is_pruned_renamed_and_combined(tmp_path):
    path = write_workspace(model(mc=0.02), tmp_path / "w.json", kappa=0.9).path
    assert "near" in pyhf("inspect", path)
    pyhf("prune", path, "--modifier", "flux", "--output-file", tmp_path / "pruned.json")
    assert "flux" not in read_workspace(tmp_path / "pruned.json").names
    words = ("--channel", "near", "far", "--channel", "side", "wing", "--measurement", "spectrafit", "second")
    pyhf("rename", path, *words, "--output-file", tmp_path / "renamed.json")
    assert [span.name for span in read_workspace(tmp_path / "renamed.json").regions] == ["far", "wing"]
    pyhf("combine", path, tmp_path / "renamed.json", "--output-file", tmp_path / "both.json")
    both = read_workspace(tmp_path / "both.json", measurement="second")
    assert [span.name for span in both.regions] == ["far", "near", "side", "wing"]
    assert both.n_bins == 2 * read_workspace(path).n_bins
    assert len(json.loads((tmp_path / "both.json").read_text())["measurements"]) == 2
