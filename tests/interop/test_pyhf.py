import copy
import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fitting.fit import fit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.interop.pyhf import fit_workspace, read_workspace
from tests.interop.histfactory import workspaces

pyhf = pytest.importorskip("pyhf")

pytestmark = [
    # jsonschema's and numpy's news about what pyhf calls is not ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning:pyhf"),
]

SHARED = Path(__file__).parents[3] / "shared" / "data" / "workspaces"
# 2NLL at pyhf's initial parameters minus 2NLL at its minimum: pyhf 0.7.6 with jax, SLSQP, then MIGRAD from there.
PUBLISHED = {
    "atlas_susy_1Lbb_2020": 17.744023,
    "atlas_susy_1Lbb_2020_SR_HM_disc": 13.664643,
    "atlas_susy_4L_2021": 53.417022,
    "atlas_susy_compressed_2020_sleptons": 44.527437,
}


class Referee:
    """pyhf's model of a workspace, without a parameter of interest so that any workspace will do."""

    def __init__(self, spec):
        workspace = pyhf.Workspace(spec)
        self.model = workspace.model(poi_name=None)
        self.data = workspace.data(self.model)
        self.names = self.model.config.par_names
        self.initial = np.array(self.model.config.suggested_init())
        self.bounds = np.array(self.model.config.suggested_bounds())
        self.fixed = np.array(self.model.config.suggested_fixed())

    def statistic(self, values):
        return float(np.ravel(pyhf.infer.mle.twice_nll(np.asarray(values), self.data, self.model))[0])

    def minimum(self):
        found = [math.inf]
        for optimizer in (pyhf.optimize.minuit_optimizer(tolerance=1e-3), pyhf.optimize.scipy_optimizer()):
            pyhf.set_backend("numpy", optimizer)
            try:
                found.append(float(pyhf.infer.mle.fit(self.data, self.model, return_fitted_val=True)[1]))
            except Exception:
                # One of the two usually manages.
                continue
        return min(found)


def save(spec, folder, name="workspace.json"):
    path = folder / name
    path.write_text(json.dumps(spec))
    return path


def published(name):
    path = SHARED / f"{name}.json.gz"
    if not path.exists():
        pytest.skip(f"../shared/data/workspaces/{name}.json.gz is not here: a published likelihood to compare with")
    spec = json.loads(gzip.decompress(path.read_bytes()))
    return path, spec.get("workspace", spec)


def simple(**changes):
    """Two channels with every type of modifier; parameters shared between channels, samples and types."""
    signal = [
        {"name": "mu", "type": "normfactor", "data": None},
        {"name": "lumi", "type": "lumi", "data": None},
        {"name": "theory", "type": "normsys", "data": {"lo": 0.9, "hi": 1.15}},
    ]
    spec = {
        "channels": [
            {
                "name": "signal",
                "samples": [
                    {"name": "s", "data": [2.0, 6.0, 0.0], "modifiers": signal},
                    {
                        "name": "b",
                        "data": [30.0, 20.0, 0.0],
                        "modifiers": [
                            {
                                "name": "scale",
                                "type": "histosys",
                                "data": {"lo_data": [27.0, 21.0, 0.1], "hi_data": [32.0, 18.5, 0.3]},
                            },
                            {"name": "theory", "type": "normsys", "data": {"lo": 1.02, "hi": 0.97}},
                            {"name": "stat_signal", "type": "staterror", "data": [2.0, 3.0, 0.0]},
                            {"name": "free", "type": "shapefactor", "data": None},
                        ],
                    },
                    {
                        "name": "fake",
                        "data": [4.0, 3.0, 1.0],
                        "modifiers": [
                            {"name": "fakes", "type": "shapesys", "data": [1.0, 0.0, 0.4]},
                            {"name": "stat_signal", "type": "staterror", "data": [1.0, 0.5, 0.2]},
                        ],
                    },
                ],
            },
            {
                "name": "control",
                "samples": [
                    {
                        "name": "b",
                        "data": [200.0, 150.0, 100.0],
                        "modifiers": [
                            {
                                "name": "scale",
                                "type": "histosys",
                                "data": {"lo_data": [190.0, 152.0, 99.0], "hi_data": [207.0, 148.0, 103.0]},
                            },
                            {"name": "free", "type": "shapefactor", "data": None},
                            {"name": "stat_control", "type": "staterror", "data": [5.0, 4.0, 3.0]},
                        ],
                    }
                ],
            },
        ],
        "observations": [
            {"name": "signal", "data": [41.0, 25.0, 0.0]},
            {"name": "control", "data": [211.0, 140.0, 108.0]},
        ],
        "measurements": [
            {
                "name": "first",
                "config": {
                    "poi": "mu",
                    "parameters": [
                        {"name": "lumi", "inits": [1.0], "bounds": [[0.5, 1.5]], "auxdata": [1.0], "sigmas": [0.02]}
                    ],
                },
            },
            {
                "name": "second",
                "config": {
                    "poi": "",
                    "parameters": [
                        {"name": "lumi", "inits": [1.0], "bounds": [[0.5, 1.5]], "auxdata": [1.0], "sigmas": [0.1]},
                        {"name": "mu", "inits": [0.0], "fixed": True},
                        {"name": "fakes", "factors": [9.0, 2.0, 3.0], "auxdata": [8.0, 2.0, 3.5], "fixed": False},
                        {"name": "stat_signal", "sigmas": [0.2, 0.1, 0.3], "auxdata": [1.0, 1.1, 1.0]},
                        {"name": "stat_control", "bounds": [[0.5, 2.0]] * 3, "inits": [1.1, 1.0, 0.9]},
                        {"name": "theory", "auxdata": [0.2]},
                        {"name": "unheard of", "inits": [3.0]},
                    ],
                },
            },
        ],
        "version": "1.0.0",
    }
    return spec | changes


def compare_points(spec, path, rng, *, measurement=None, points=4, spread=0.5):
    """Compare names, settings, and differences of 2NLL at random points within the bounds."""
    referee = Referee(spec)
    model = read_workspace(path, measurement=measurement, profiled=False)
    assert sorted(model.names) == sorted(referee.names)
    order = [referee.names.index(name) for name in model.names]
    np.testing.assert_array_equal(model.initial, referee.initial[order])
    np.testing.assert_array_equal([(p.lower, p.upper) for p in model.parameters], referee.bounds[order])
    # What cannot change any prediction is held besides.
    assert all(p.fixed or not f for p, f in zip(model.parameters, referee.fixed[order], strict=True))
    base, compared = None, 0
    for i in range(points):
        shift = spread * rng.normal(size=len(order)) if i else 0.0
        values = np.clip(referee.initial + shift, *referee.bounds.T)
        expected = referee.statistic(values)
        if not math.isfinite(expected):
            continue
        difference = Likelihood(model).two_nll(values[order]) - expected
        base = difference if base is None else base
        compared += 1
        assert difference == pytest.approx(base, abs=1e-8 * max(1.0, abs(expected) * 1e-3))
    return compared


# Shrinking would repeat pyhf's fits for minutes; the examples are small already.
QUICK = {
    "deadline": None,
    "derandomize": True,
    "phases": (Phase.explicit, Phase.generate),
    "suppress_health_check": list(HealthCheck),
}


@settings(max_examples=40, **QUICK)
@given(spec=workspaces(), seed=st.integers(0, 2**32 - 1))
def test_statistic_is_pyhfs_at_random_points(spec, seed, tmp_path_factory):
    assume(any(s["modifiers"] for c in spec["channels"] for s in c["samples"]))
    path = save(spec, tmp_path_factory.mktemp("workspace"))
    compare_points(spec, path, np.random.default_rng(seed))


@settings(max_examples=20, **QUICK)
@given(spec=workspaces())
def test_profiled_and_explicit_factors_have_one_minimum(spec, tmp_path_factory):
    assume(any(s["modifiers"] for c in spec["channels"] for s in c["samples"]))
    path = save(spec, tmp_path_factory.mktemp("workspace"))
    profiled, explicit = read_workspace(path), read_workspace(path, profiled=False)
    # A bin with counts and no prediction has no likelihood to compare.
    assume(np.all(Likelihood(explicit).predict().mean[explicit.data > 0] > 0))
    begun = Likelihood(profiled).two_nll(gammas=np.ones(profiled.n_bins))
    assert begun == pytest.approx(Likelihood(explicit).two_nll(), rel=1e-12, abs=1e-9)
    # From one minimum to the other: several minima are possible, so each starts where the other ended.
    first = fit(explicit)
    shared = [first.value(name) for name in profiled.names]
    second = fit(profiled, start=shared)
    assert second.two_nll <= first.two_nll + 1e-5
    found = dict(zip(second.names, second.values, strict=True)) | second.gammas
    assert Likelihood(explicit).two_nll([found[name] for name in explicit.names]) == pytest.approx(
        second.two_nll, abs=1e-7
    )


@pytest.mark.parametrize("measurement", ["first", "second"])
def test_all_modifiers_and_settings(measurement, tmp_path):
    spec = simple()
    path = save(spec, tmp_path)
    chosen = copy.deepcopy(spec)
    chosen["measurements"] = [m for m in spec["measurements"] if m["name"] == measurement]
    assert compare_points(chosen, path, np.random.default_rng(3), measurement=measurement, points=20) > 10
    result = fit_workspace(path, measurement=measurement)
    referee = Referee(chosen)
    drop = result["statistic_at_start"] - result["statistic"]
    assert drop == pytest.approx(referee.statistic(referee.initial) - referee.minimum(), abs=1e-3)
    assert result["poi"] == ("mu" if measurement == "first" else "")
    assert set(result["parameters"]) == set(referee.names)
    values = [result["parameters"][name] for name in referee.names]
    assert referee.statistic(referee.initial) - referee.statistic(values) == pytest.approx(drop, abs=1e-6)
    assert json.loads(json.dumps(result)) == result


@settings(max_examples=15, **QUICK)
@given(spec=workspaces())
def test_minimum_is_at_least_as_low_as_pyhfs(spec, tmp_path_factory):
    assume(any(s["modifiers"] for c in spec["channels"] for s in c["samples"]))
    referee = Referee(spec)
    begun = referee.statistic(referee.initial)
    assume(math.isfinite(begun))
    result = fit_workspace(save(spec, tmp_path_factory.mktemp("workspace")))
    drop = result["statistic_at_start"] - result["statistic"]
    assert drop > begun - referee.minimum() - 1e-3
    values = np.array([result["parameters"][name] for name in referee.names])
    assert begun - referee.statistic(values) == pytest.approx(drop, abs=1e-5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_likelihoods(name):
    path, spec = published(name)
    result = fit_workspace(path)
    assert result["valid"], result["message"]
    drop = result["statistic_at_start"] - result["statistic"]
    assert drop == pytest.approx(PUBLISHED[name], abs=1e-3)
    referee = Referee(spec)
    values = [result["parameters"][n] for n in referee.names]
    assert referee.statistic(referee.initial) - referee.statistic(values) == pytest.approx(drop, abs=1e-6)
    assert compare_points(spec, path, np.random.default_rng(1), spread=0.1) == 4


def test_gzip_and_key_and_absent_interest(tmp_path):
    spec = simple()
    plain = read_workspace(save(spec, tmp_path))
    inside = tmp_path / "inside.json.gz"
    inside.write_bytes(gzip.compress(json.dumps({"region": "signal", "workspace": spec}).encode()))
    assert Likelihood(read_workspace(inside)).two_nll() == Likelihood(plain).two_nll()
    # Windows' editors begin a file with a byte order mark.
    marked = tmp_path / "marked.json"
    for content in (json.dumps(spec).encode(), gzip.compress(b"\xef\xbb\xbf" + json.dumps(spec).encode())):
        marked.write_bytes(content if content[:2] == b"\x1f\x8b" else b"\xef\xbb\xbf" + content)
        assert Likelihood(read_workspace(marked)).two_nll() == Likelihood(plain).two_nll()
    assert plain.poi == "mu"
    for channel in spec["channels"]:
        channel["samples"] = [s for s in channel["samples"] if s["name"] != "s"]
    assert read_workspace(save(spec, tmp_path)).poi == ""


@pytest.mark.parametrize("kind", ["shapesys", "staterror"])
def test_interest_in_a_factor_of_the_only_bin(kind, tmp_path):
    spec = simple()
    background = {"name": "b", "data": [8.0], "modifiers": [{"name": "np", "type": kind, "data": [2.0]}]}
    spec["channels"] = [{"name": "c", "samples": [{"name": "s", "data": [5.0], "modifiers": []}, background]}]
    spec["observations"] = [{"name": "c", "data": [19.0]}]
    spec["measurements"] = [{"name": "m", "config": {"poi": "np", "parameters": []}}]
    workspace = pyhf.Workspace(spec)
    model = workspace.model()
    result = fit_workspace(save(spec, tmp_path))
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4))
    values = pyhf.infer.mle.fit(workspace.data(model), model)
    assert result["poi"] == model.config.par_names[model.config.poi_index] == "np[0]"
    assert result["parameters"]["np[0]"] == pytest.approx(values[0], abs=1e-4)


def test_counts_that_nothing_predicts_are_no_fit(tmp_path):
    spec = simple()
    signal = {"name": "s", "data": [2.0, 0.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    background = {"name": "b", "data": [9.0, 0.0], "modifiers": []}
    spec["channels"] = [{"name": "c", "samples": [signal, background]}]
    spec["observations"] = [{"name": "c", "data": [9.0, 1.0]}]
    referee = Referee(spec | {"measurements": spec["measurements"][:1]})
    assert referee.statistic(referee.initial) == math.inf
    result = fit_workspace(save(spec, tmp_path))
    assert not result["valid"]
    assert "c[1] has counts but no prediction" in result["message"]


@pytest.mark.parametrize(("seen", "limit"), [(40.0, 0.0), (105.0, 1.5)])
def test_a_minimum_at_a_bound_is_one(seen, limit, tmp_path):
    spec = simple()
    spec["measurements"][0]["config"]["parameters"].append({"name": "mu", "bounds": [[0.0, 1.5]]})
    signal = {"name": "s", "data": [20.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    rate = {"name": "rate", "type": "normsys", "data": {"lo": 0.9, "hi": 1.1}}
    background = {"name": "b", "data": [60.0], "modifiers": [rate]}
    spec["channels"] = [{"name": "c", "samples": [signal, background]}]
    spec["observations"] = [{"name": "c", "data": [seen]}]
    result = fit_workspace(save(spec, tmp_path))
    referee = Referee(spec | {"measurements": spec["measurements"][:1]})
    drop = result["statistic_at_start"] - result["statistic"]
    assert drop == pytest.approx(referee.statistic(referee.initial) - referee.minimum(), abs=1e-4)
    assert result["valid"]
    assert result["at_limit"] == ["mu"]
    assert result["parameters"]["mu"] == pytest.approx(limit, abs=1e-9)
    # The error of the rate is that of the fit with mu held there.
    assert result["errors"]["mu"] == 0.0
    assert 0.5 < result["errors"]["rate"] < 1.0
    assert result["notes"][0].startswith("mu ended at its bound: 2NLL is lowest there")
    assert len(result["notes"]) == 1


def test_data_far_from_the_model_are_told(tmp_path):
    spec = simple()
    signal = {"name": "s", "data": [20.0, 1.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    spec["channels"] = [{"name": "c", "samples": [signal, {"name": "b", "data": [60.0, 60.0], "modifiers": []}]}]
    spec["observations"] = [{"name": "c", "data": [75.0, 22000.0]}]
    spec["measurements"][0]["config"]["parameters"].append({"name": "mu", "bounds": [[0.0, 10.0]]})
    result = fit_workspace(save(spec, tmp_path))
    assert result["valid"]
    assert result["at_limit"] == ["mu"]
    assert "mu ended at its bound" in result["notes"][0]
    assert "the model does not describe the data" in result["notes"][1]


def test_parameters_without_effect_are_held(tmp_path):
    spec = simple()
    spec["channels"][0]["samples"][0]["data"] = [0.0, 0.0, 0.0]
    model = read_workspace(save(spec, tmp_path))
    assert model.parameters[model.index("mu")].fixed
    # The shapefactor of the signal channel's last bin acts on what the histosys puts there.
    assert not any(p.fixed for p in model.parameters if p.name.startswith("free"))


def test_shapefactor_takes_the_longest_channel(tmp_path):
    spec = simple()
    spec["channels"][1] = {
        "name": "a",
        "samples": [{"name": "b", "data": [9.0], "modifiers": [{"name": "free", "type": "shapefactor", "data": None}]}],
    }
    spec["observations"][1] = {"name": "a", "data": [8.0]}
    model = read_workspace(save(spec, tmp_path))
    assert [n for n in model.names if n.startswith("free")] == ["free[0]", "free[1]", "free[2]"]
    values = model.initial
    values[model.index("free[0]")] = 2.0
    mean = Likelihood(model).predict(values).mean
    assert mean[0] == pytest.approx(18.0)
    assert mean[1] == pytest.approx(2 * 30.0 + 2.0 + 4.0)


def _edit(path, value):
    """Return a change of the simple workspace: the element at `path` set, or removed if `value` is None."""

    def change(spec):
        *parents, last = path
        for key in parents:
            spec = spec[key]
        if value is None:
            del spec[last]
        else:
            spec[last] = value

    return change


SAMPLE = ("channels", 0, "samples", 1)
BAD = {
    "unknown key": (_edit((*SAMPLE, "modfiers"), []), "$.channels[0].samples[1]"),
    "missing key": (_edit((*SAMPLE, "data"), None), "$.channels[0].samples[1]"),
    "unknown modifier": (_edit((*SAMPLE, "modifiers", 0, "type"), "histsys"), "$.channels[0].samples[1].modifiers[0]"),
    "text for a number": (_edit((*SAMPLE, "data", 2), "3"), "$.channels[0].samples[1].data[2]"),
    "bins of a sample": (_edit((*SAMPLE, "data"), [1.0]), "$.channels[0].samples[1].data: 1 bins"),
    "bins of a modifier": (
        _edit((*SAMPLE, "modifiers", 0, "data", "hi_data"), [1.0, 2.0]),
        "$.channels[0].samples[1].modifiers[0].data.hi_data: 2 bins",
    ),
    "bins of the data": (_edit(("observations", 0, "data"), [1.0]), "1 bins of channel 'signal'"),
    "negative data": (_edit(("observations", 0, "data"), [1.0, -1.0, 0.0]), "must not be negative"),
    "no data": (_edit(("observations", 0, "name"), "signals"), "did you mean 'signals'"),
    "normsys without logarithm": (
        _edit((*SAMPLE, "modifiers", 1, "data", "lo"), 0.0),
        "$.channels[0].samples[1].modifiers (sample 'b', 'theory')",
    ),
    "shared shapesys": (
        _edit(("channels", 0, "samples", 2, "modifiers", 0, "name"), "scale"),
        "a shapesys cannot share",
    ),
    "name of two kinds": (_edit(("channels", 0, "samples", 0, "modifiers", 0, "name"), "scale"), "cannot share a name"),
    "sample twice": (_edit((*SAMPLE, "name"), "s"), "stands twice in channel 'signal'"),
    "channel twice": (_edit(("channels", 1, "name"), "signal"), "stands there twice"),
    "no measurement": (_edit(("measurements",), []), "$.measurements"),
    "version": (_edit(("version",), "2.0.0"), "$.version"),
    "setting twice": (
        _edit(("measurements", 0, "config", "parameters"), [{"name": "mu"}, {"name": "mu"}]),
        "$.measurements[0].config.parameters[1].name",
    ),
    "lumi without settings": (_edit(("measurements", 0, "config", "parameters"), []), "'lumi' needs inits"),
    "setting's length": (
        _edit(("measurements", 0, "config", "parameters", 0, "inits"), [1.0, 1.0]),
        "$.measurements[0].config.parameters[0].inits: 2 values",
    ),
    "setting that does not apply": (
        _edit(("measurements", 0, "config", "parameters", 0), {"name": "mu", "sigmas": [1.0]}),
        "$.measurements[0].config.parameters[0].sigmas: normfactor parameters have none",
    ),
    "sigma": (
        _edit(("measurements", 0, "config", "parameters", 0, "sigmas"), [0.0]),
        "$.measurements[0].config.parameters[0].sigmas: must be positive",
    ),
    "start outside bounds": (
        _edit(("measurements", 0, "config", "parameters", 0, "inits"), [2.0]),
        "outside its bounds [0.5, 1.5]",
    ),
    "interest of many bins": (_edit(("measurements", 0, "config", "poi"), "free"), "is a set of 3 parameters"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_named_with_their_path(case, tmp_path):
    change, said = BAD[case]
    spec = simple()
    change(spec)
    path = save(spec, tmp_path)
    with pytest.raises(ConfigError) as caught:
        read_workspace(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_mistakes_under_the_key_and_in_the_file(tmp_path):
    spec = simple()
    del spec["channels"][0]["name"]
    with pytest.raises(ConfigError, match=r"\$\.workspace\.channels\[0\]: object missing required field `name`"):
        read_workspace(save({"workspace": spec}, tmp_path))
    with pytest.raises(ConfigError, match="did you mean 'second'"):
        read_workspace(save(simple(), tmp_path), measurement="secund")
    with pytest.raises(DataError, match="cannot be read"):
        read_workspace(tmp_path / "absent.json")
    (tmp_path / "broken.json").write_text('{"channels": [')
    with pytest.raises(ConfigError, match=r"broken.json: is not JSON \(Input data was truncated\); fetch"):
        read_workspace(tmp_path / "broken.json")
    with pytest.raises(ConfigError, match=r"result.json: is no HistFactory workspace: found keys fit, limit; needs"):
        read_workspace(save({"fit": 1, "limit": 2}, tmp_path, "result.json"))
    with pytest.raises(ConfigError, match=r"list.json: \$: expected `object`, got `array`; needs pyhf's JSON"):
        read_workspace(save([1], tmp_path, "list.json"))
    (tmp_path / "broken.json.gz").write_bytes(gzip.compress(b"{}" * 100)[:-20])
    with pytest.raises(DataError, match="damaged gzip file"):
        read_workspace(tmp_path / "broken.json.gz")


@pytest.mark.parametrize("kind", ["normsys", "histosys", "normfactor", "staterror", "shapesys", "shapefactor", "lumi"])
def test_a_modifier_that_stands_twice_on_a_sample_is_refused_with_its_path(tmp_path, kind):
    data = {
        "normsys": {"lo": 0.9, "hi": 1.1},
        "histosys": {"lo_data": [9.0], "hi_data": [11.0]},
        "staterror": [1.0],
        "shapesys": [1.0],
    }.get(kind)
    modifier = {"name": "a", "type": kind, "data": data}
    spec = {
        "channels": [{"name": "c", "samples": [{"name": "s", "data": [10.0], "modifiers": [modifier, modifier]}]}],
        "observations": [{"name": "c", "data": [10.0]}],
        "measurements": [{"name": "m", "config": {"poi": "", "parameters": []}}],
        "version": "1.0.0",
    }
    path = tmp_path / "w.json"
    path.write_text(json.dumps(spec))
    with pytest.raises(
        ConfigError, match=rf"\$\.channels\[0\]\.samples\[0\]\.modifiers\[1\]: .* two {kind} called 'a'"
    ):
        read_workspace(path)


@pytest.mark.parametrize("value", [1e308, -1e308, 1e16])
def test_absurd_yields_are_refused_with_their_path(tmp_path, value):
    spec = {
        "channels": [{"name": "c", "samples": [{"name": "s", "data": [value], "modifiers": []}]}],
        "observations": [{"name": "c", "data": [10.0]}],
        "measurements": [{"name": "m", "config": {"poi": "", "parameters": []}}],
        "version": "1.0.0",
    }
    (tmp_path / "w.json").write_text(json.dumps(spec))
    with pytest.raises(ConfigError, match=r"\$\.channels\[0\]\.samples\[0\]\.data\[0\]"):
        read_workspace(tmp_path / "w.json")


@pytest.mark.parametrize(
    "content", [b'{"channels": "\x81"}', b'{"channels": [' + b"[" * 100000, b"\xff\xfe", b"", b"NaN"]
)
def test_text_that_is_no_json_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "w.json").write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        read_workspace(tmp_path / "w.json")
    assert "\n" not in str(refused.value)


def test_a_strength_without_signal_is_told_and_two_observations_of_a_channel_are_refused(tmp_path):
    spec = simple()
    signal = {"name": "s", "data": [0.0], "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
    spec["channels"] = [{"name": "c", "samples": [signal, {"name": "b", "data": [60.0], "modifiers": []}]}]
    spec["observations"] = [{"name": "c", "data": [62.0]}]
    result = fit_workspace(save(spec, tmp_path))
    assert result["notes"][0].startswith("no prediction depends on mu")
    spec["observations"].append({"name": "c", "data": [70.0]})
    with pytest.raises(ConfigError, match=r"\$\.observations\[1\]\.name: channel 'c' is observed twice"):
        fit_workspace(save(spec, tmp_path))
