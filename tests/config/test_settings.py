"""Settings by name give the analysis that the same edit of the file gives."""

from pathlib import Path

import msgspec
import pytest

from spectrafit.config import Analysis, load, varied
from spectrafit.config.settings import by_set, lay
from spectrafit.errors import ConfigError
from tests.config.test_loading import FIT, SAMPLES

MORE = """
[[systematics]]
kind = "norm"
name = "nc.rate"
samples = ["other"]
sigma = 0.4
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(fit: str = FIT + MORE, samples: str = SAMPLES + "[response]\nenergy_constant = 0.02\n") -> Path:
        (tmp_path / "set.toml").write_text(samples)
        (tmp_path / "fit.toml").write_text(fit)
        return tmp_path / "fit.toml"

    return write


@pytest.mark.parametrize(
    ("setting", "old", "new"),
    [
        ("systematics.flux.sigma=0.3", "sigma = 0.1", "sigma = 0.3"),
        ("systematics.nc.rate.sigma=0.3", "sigma = 0.4", "sigma = 0.3"),
        ("systematics.1.sigma=0.3", "sigma = 0.4", "sigma = 0.3"),
        ("regions.nd.cut='t_reco > 0'", 'name = "nd"', "name = 'nd'\ncut = 't_reco > 0'"),
        ("regions.nd.axes.t_reco.edges=[0.3, 0.9]", "[0.3, 0.6, 0.9]", "[0.3, 0.9]"),
        ("regions.nd.axes.t_reco.edges.1=0.5", "[0.3, 0.6, 0.9]", "[0.3, 0.5, 0.9]"),
        ("regions.nd.axes.t_reco.low=0.6", "[0.3, 0.6, 0.9]", "[0.6, 0.9]"),
        ("regions.nd.axes.t_reco.low=0.7", "[0.3, 0.6, 0.9]", "[0.7, 0.9]"),
        ("regions.nd.axes.t_reco.low=0.1", "[0.3, 0.6, 0.9]", "[0.1, 0.3, 0.6, 0.9]"),
        ("regions.nd.axes.t_reco.high=0.6", "[0.3, 0.6, 0.9]", "[0.3, 0.6]"),
        ("limit.level=0.95", "samples = ", "limit.level = 0.95\nsamples = "),
    ],
)
def test_a_name_finds_its_table(write, setting: str, old: str, new: str) -> None:
    plain = load(write())
    edited = load(write((FIT + MORE).replace(old, new, 1)))
    key, _, value = setting.partition("=")
    said = msgspec.toml.decode(f"x = {value}")["x"]
    assert load(write(), overrides=[setting]) == edited
    assert varied(plain, {key: said}) == edited
    assert plain != edited


def test_the_end_of_an_axis_of_equal_bins_is_that_of_its_edges(write) -> None:
    text = FIT.replace("edges = [0.3, 0.6, 0.9]", "bins = 4, range = [0.1, 0.9]")
    cut = load(write(text), overrides=["regions.nd.axes.t_reco.low=0.5"])
    assert cut.regions[0].axes[0].edges == pytest.approx((0.5, 0.7, 0.9), rel=1e-15)
    text = FIT.replace("edges = [0.3, 0.6, 0.9]", "bins = 3, range = [0.01, 10.0], log = true")
    cut = load(write(text), overrides=["regions.nd.axes.t_reco.high=1.0"])
    assert cut.regions[0].axes[0].edges == pytest.approx((0.01, 0.1, 1.0), rel=1e-12)


def test_a_key_of_the_sample_set_stands_behind_samples(write) -> None:
    edited = write(samples=SAMPLES + "[response]\nenergy_constant = 0.07\n")
    wanted = load(edited)
    setting = "samples:response.energy_constant=0.07"
    assert load(write(), overrides=[setting]) == wanted
    assert load(write(), overrides=[setting.replace("samples:", "samples:set:")]) == wanted
    assert varied(load(write()), {"samples:response.energy_constant": 0.07}) == wanted
    assert load(write(), overrides=["samples:samples.other.pot=2e20"]).sample("other")[1].pot == 2e20
    with pytest.raises(ConfigError, match=r"samples has no 'othr'; did you mean 'other'"):
        load(write(), overrides=["samples:samples.othr.pot=2e20"])


def test_of_several_sample_sets_one_must_be_said() -> None:
    assert by_set(["b:pot=1"], ["a", "b"]) == [(), ("pot=1",)]
    with pytest.raises(ConfigError, match="several sample sets; say which, as in samples:near:pot=1"):
        by_set(["pot=1"], ["near", "far"])
    with pytest.raises(ConfigError, match="did you mean 'near'"):
        by_set(["nearr:pot=1"], ["near", "far"])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("systematics.fluxx.sigma=1", "systematics has no 'fluxx'; did you mean 'flux'"),
        ("regions.far.cut=x", r"regions has no 'far' \(there are: nd\)"),
        ("regions.nd.axes.t_rec.low=1", "axes has no 't_rec'; did you mean 't_reco'"),
        ("counts.cosmics.counts.nd=1", r"counts has no 'cosmics' \(there are: none\)"),
        ("regions.nd.axes.t_reco.low=7", "no bin is left above 7"),
        ("regions.nd.axes.t_reco.low=x", "needs a number, found 'x'"),
        ("pot.x=1", "pot is a value, not a table"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_those_that_are(write, setting: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load(write(), overrides=[setting])


def test_a_name_of_two_tables_needs_the_number() -> None:
    twins = {"systematics": [{"name": "flux"}, {"name": "flux"}]}
    with pytest.raises(ConfigError, match="2 are called 'flux'; give the number, 0 or 1"):
        lay(twins, "systematics.flux.sigma", 0.1)
    lay(twins, "systematics.1.sigma", 0.1)
    assert twins["systematics"] == [{"name": "flux"}, {"name": "flux", "sigma": 0.1}]


def test_the_schema_has_the_new_keys() -> None:
    assert {"include", "without"} <= set(Analysis.__struct_fields__)
