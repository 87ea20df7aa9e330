"""Edges of bins that a workspace keeps, and that other programs pass over."""

import json

import pytest

from spectrafit.bench.workspaces import make
from spectrafit.errors import ConfigError
from spectrafit.interop.edges import settings_of
from spectrafit.interop.measurements import described

# At the top: warnings of an import are errors within a test.
pyhf = pytest.importorskip("pyhf", reason="pyhf judges the schema")

EDGES = [0.0, 0.5, 1.0, 2.0, 4.0]


def workspace(tmp_path, axes, bins=4, *, channel="spectrum"):
    spec = make(bins, 1)
    spec["measurements"][0]["config"]["parameters"] += settings_of(channel, axes, bins)
    path = tmp_path / "w.json"
    path.write_text(json.dumps(spec))
    return spec, path


def test_what_is_kept_is_read_back(tmp_path):
    for axes in ([("T [GeV]", EDGES)], [("", EDGES)], [("T", [0.0, 1.0, 2.0]), ("theta [rad]", [0.0, 0.1, 0.3])]):
        _, path = workspace(tmp_path, axes)
        assert described(path).axes == {"spectrum": axes}
    assert described(workspace(tmp_path, [])[1]).axes == {}
    assert described(workspace(tmp_path, [("T", EDGES)], channel="other")[1]).axes == {}


def test_axes_of_other_bins_are_not_kept():
    # The bins of a channel from which empty ones are left out are not those of the axis.
    assert settings_of("spectrum", [("T", EDGES)], 3) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pyhf_passes_over_them(tmp_path):
    spec, _ = workspace(tmp_path, [("T [GeV]", EDGES)])
    read = pyhf.Workspace(spec)  # validates
    plain = pyhf.Workspace(make(4, 1))
    assert read.model().config.parameters == plain.model().config.parameters
    start = plain.model().config.suggested_init()
    found = [each.model().logpdf(start, each.data(each.model()))[0] for each in (read, plain)]
    assert found[0] == found[1]


def test_edges_that_are_none_are_refused(tmp_path):
    for inits, said in (([0.0, 2.0, 1.0], "must increase"), ([0.0, 1.0, 2.0], "edges of 2 bins, .* has 4")):
        spec, path = workspace(tmp_path, [])
        spec["measurements"][0]["config"]["parameters"] = [{"name": "spectrum.axis[0] T", "inits": inits}]
        path.write_text(json.dumps(spec))
        with pytest.raises(ConfigError, match=said):
            described(path)
