import copy
import hashlib
import json

import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.likelihood import Likelihood
from spectrafit.interop import patch as patching
from spectrafit.interop.pyhf import fit_workspace, read_workspace
from tests.interop.test_pyhf import Referee, save, simple

jsonpatch = pytest.importorskip("jsonpatch")
pyhf = pytest.importorskip("pyhf")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DOCUMENT = {"a": {"b": [1, 2, {"c/d": 3, "e~f": True}]}, "g": None, "": 5}
OPERATIONS = [
    [{"op": "add", "path": "/a/h", "value": [4]}],
    [{"op": "add", "path": "/a/b/1", "value": {"x": 1}}],
    [{"op": "add", "path": "/a/b/-", "value": 9}],
    [{"op": "add", "path": "/a/b/3", "value": 9}],
    [{"op": "add", "path": "/g", "value": 0}],
    [{"op": "add", "path": "", "value": [1]}],
    [{"op": "remove", "path": "/a/b/0"}],
    [{"op": "remove", "path": "/a/b/2/c~1d"}, {"op": "remove", "path": "/g"}],
    [{"op": "replace", "path": "/a/b/2/e~0f", "value": {"y": []}}],
    [{"op": "replace", "path": "/a/b/0", "value": 7}, {"op": "replace", "path": "/", "value": 6}],
    [{"op": "move", "from": "/a/b/0", "path": "/a/b/2"}],
    [{"op": "move", "from": "/a/b", "path": "/b"}],
    [{"op": "copy", "from": "/a/b/2", "path": "/a/b/0"}, {"op": "remove", "path": "/a/b/3/c~1d"}],
    [{"op": "test", "path": "/a/b/2", "value": {"c/d": 3, "e~f": True}}, {"op": "add", "path": "/z", "value": 1}],
    [{"op": "test", "path": "/a/b/0", "value": 1.0}],
]


@pytest.mark.parametrize("operations", OPERATIONS)
def test_operations_are_those_of_the_standard(operations):
    before = copy.deepcopy(DOCUMENT)
    assert patching.apply(DOCUMENT, operations) == jsonpatch.apply_patch(DOCUMENT, operations)
    assert before == DOCUMENT


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ([{"op": "remove", "path": "/a/x"}], "no key 'x'"),
        ([{"op": "replace", "path": "/a/b/3", "value": 1}], "no element '3' in a list of 3"),
        ([{"op": "replace", "path": "/a/b/01", "value": 1}], "no element '01'"),
        ([{"op": "add", "path": "/a/b/4", "value": 1}], "no element '4'"),
        ([{"op": "add", "path": "/a/b/0/x", "value": 1}], "neither a list nor an object"),
        ([{"op": "test", "path": "/a/b/0", "value": 2}], "test of '/a/b/0' failed: found 1"),
        ([{"op": "test", "path": "/a/b/0", "value": True}], "failed"),
        ([{"op": "move", "from": "/a", "path": "/a/b"}], "into itself"),
        ([{"op": "copy", "path": "/a/b"}], "no JSON pointer"),
        ([{"op": "add", "path": "a", "value": 1}], "no JSON pointer"),
        ([{"op": "add", "path": "/a"}], "needs the key value"),
        ([{"op": "merge", "path": "/a"}], "is not add, remove"),
        ([{"op": "add", "path": "/q", "value": 1}, {"path": "/a"}], "operation 1: needs the keys op and path"),
        ("text", "needs a list of operations or a patchset"),
        ({"patches": []}, "neither a list of operations nor a patchset"),
    ],
)
def test_operations_that_do_not_fit(operations, said):
    with pytest.raises(ConfigError, match=said):
        patching.apply(DOCUMENT, operations)


def signal_patch(scale):
    return [{"op": "replace", "path": "/channels/0/samples/0/data", "value": [scale, 3.0 * scale, 0.0]}]


def patchset(spec, **changes):
    text = json.dumps(spec, sort_keys=True, ensure_ascii=False).encode()
    metadata = {
        "references": {"hepdata": "ins1234567"},
        "description": "two signals",
        "digests": {"sha256": hashlib.sha256(text).hexdigest()},
        "labels": ["scale"],
    }
    patches = [
        {"metadata": {"name": f"signal_{scale}", "values": [scale]}, "patch": signal_patch(float(scale))}
        for scale in (2, 5)
    ]
    return {"metadata": metadata | changes, "patches": patches, "version": "1.0.0"}


def test_a_patch_changes_the_model_as_in_pyhf(tmp_path):
    spec = simple()
    path, patch = save(spec, tmp_path), save(signal_patch(5.0), tmp_path, "patch.json")
    model = read_workspace(path, patch=patch, profiled=False)
    referee = Referee(jsonpatch.apply_patch(spec, signal_patch(5.0)))
    order = [referee.names.index(n) for n in model.names]
    shifted = referee.initial.copy()
    shifted[referee.names.index("mu")] = 2.0
    drop = referee.statistic(referee.initial) - referee.statistic(shifted)
    assert Likelihood(model).two_nll() - Likelihood(model).two_nll(shifted[order]) == pytest.approx(drop, abs=1e-9)


@pytest.mark.parametrize("packed", [False, True])
def test_a_patchset_chooses_by_name(packed, tmp_path):
    spec = simple()
    path = save({"workspace": spec} if packed else spec, tmp_path)
    patches = save(patchset(spec), tmp_path, "patchset.json")
    patched = pyhf.PatchSet(patchset(spec)).apply(pyhf.Workspace(spec), "signal_5")
    expected = fit_workspace(save(dict(patched), tmp_path, "patched.json"))
    found = fit_workspace(path, patch=f"{patches}:signal_5")
    assert found["statistic"] == expected["statistic"]
    assert found["parameters"] == expected["parameters"]
    with pytest.raises(ConfigError, match=r"holds 2 patches \(signal_2, signal_5\); choose one"):
        read_workspace(path, patch=patches)
    with pytest.raises(ConfigError, match="did you mean 'signal_5'"):
        read_workspace(path, patch=f"{patches}:signal_6")
    plain = save(signal_patch(1.0), tmp_path, "patch.json")
    with pytest.raises(ConfigError, match="has no patch named"):
        read_workspace(path, patch=f"{plain}:signal_5")


def test_a_patchset_for_another_workspace_is_refused(tmp_path):
    spec = simple()
    patches = save(patchset(spec), tmp_path, "patchset.json")
    spec["observations"][0]["data"][0] += 1
    with pytest.raises(ConfigError, match="made for a workspace with sha256"):
        read_workspace(save(spec, tmp_path), patch=f"{patches}:signal_2")
    unknown = save(patchset(spec, digests={"sha1": "0"}), tmp_path, "unknown.json")
    with pytest.raises(ConfigError, match="'sha1' is not known"):
        read_workspace(save(spec, tmp_path), patch=f"{unknown}:signal_2")


def test_mistakes_after_a_patch_have_their_path(tmp_path):
    patch = save([{"op": "remove", "path": "/channels/1/name"}], tmp_path, "patch.json")
    with pytest.raises(ConfigError, match=r"\$\.channels\[1\]: object missing required field `name`"):
        read_workspace(save(simple(), tmp_path), patch=patch)
