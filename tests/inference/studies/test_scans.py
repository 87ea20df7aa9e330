"""Scans against limits of analyses edited by hand and filled afresh."""

import json
from pathlib import Path

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.studies.expected import Expected
from spectrafit.inference.studies.points import LimitRule, Point, expected_limits
from tests.inference.conftest import FIT, SAMPLES
from tests.inference.models import counting


def by_hand(folder: Path, *edits: tuple[str, str], samples: tuple[str, str] = ("", "")) -> np.ndarray:
    """The quantiles of the limit of files that were edited and filled."""
    text = FIT
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    (folder / "other.toml").write_text(SAMPLES.replace(*samples))
    (folder / "edited.toml").write_text(text.replace("set.toml", "other.toml"))
    edited = sf.load(folder / "edited.toml")
    limit = sf.limit(sf.assemble(edited, sf.build(edited)), simulation=False)
    return np.array(limit.expected.values)


EDGES_IN_MEV = 'unit = "MeV", edges = [200, 400, 700, 1200, 2000]'
CUT = ("[0.2, 0.4, 0.7, 1.2, 2.0]", "[0.4, 0.7, 1.2, 2.0]")


@pytest.mark.parametrize(
    ("over", "edit"),
    [
        ("pot=1e20,3e20", ("pot = 1e20", "pot = 3e20")),
        ("systematics.flux.sigma=0.1,0.2", ("sigma = 0.1", "sigma = 0.2")),
        ("regions.nd.axes.t_reco.low=0.2,0.4", CUT),
    ],
)
def test_what_acts_on_filled_cells_needs_no_fill(analysis, templates, folder, over, edit):
    found = sf.scan(analysis, [over], templates=templates, executor="serial")
    assert found.fills == 0
    np.testing.assert_allclose(found.quantiles[0, 1], by_hand(folder, edit), rtol=1e-6)
    np.testing.assert_allclose(found.quantiles[0, 0], by_hand(folder), rtol=1e-6)


def test_ends_of_an_axis_are_in_the_unit_of_the_file(analysis, templates, folder):
    (folder / "mev.toml").write_text(FIT.replace("edges = [0.2, 0.4, 0.7, 1.2, 2.0]", EDGES_IN_MEV))
    written = sf.load(folder / "mev.toml")
    found = sf.scan(written, ["regions.nd.axes.t_reco.low=200,400"], templates=templates, executor="serial")
    assert found.fills == 0
    np.testing.assert_allclose(found.quantiles[0, 1], by_hand(folder, CUT), rtol=1e-6)
    assert "regions.nd.axes.t_reco.low [MeV]" in str(found)
    assert found.summary()["units_of_keys"] == {"regions.nd.axes.t_reco.low": "MeV"}
    same = sf.scan(analysis, ["regions.nd.axes.t_reco.low=0.2,0.4"], templates=templates, executor="serial")
    np.testing.assert_array_equal(same.quantiles, found.quantiles)
    assert "regions.nd.axes.t_reco.low [GeV]" in str(same)


def test_another_response_and_finer_edges_are_filled_once_for_each_value(analysis, templates, folder):
    over = {"samples:response.energy_constant": (0.05, 0.2), "systematics.nc.sigma": (0.3, 0.6)}
    found = sf.scan(analysis, over, templates=templates, executor="serial")
    assert found.fills == 1
    wide = ("energy_constant = 0.05", "energy_constant = 0.2")
    expected = by_hand(folder, ("sigma = 0.3", "sigma = 0.6"), samples=wide)
    np.testing.assert_allclose(found.quantiles[0, 1, 1], expected, rtol=1e-6)
    # A lower end that is no edge: its fill answers for the edges that are there as well.
    finer = sf.scan(analysis, {"regions.nd.axes.t_reco.low": (0.3, 0.2)}, executor="serial")
    assert finer.fills == 2
    np.testing.assert_allclose(finer.quantiles[0, 0], by_hand(folder, ("[0.2, ", "[0.3, ")), rtol=1e-6)
    coarser = sf.scan(analysis, {"regions.nd.axes.t_reco.low": (0.4, 0.1, 0.2)}, executor="serial")
    assert coarser.fills == 1
    np.testing.assert_allclose(coarser.quantiles[0, 2], by_hand(folder), rtol=1e-6)


def test_analyses_are_compared_and_settings_laid_over_the_first(analysis, templates, folder):
    (folder / "strong.toml").write_text("include = 'fit.toml'\n[[systematics]]\nname = 'nc'\nsigma = 0.9\n")
    others = [folder / "strong.toml", "systematics.flux.sigma=0.3; limit.level=0.9", "fit.mc_statistics=none"]
    found = sf.scan(analysis, ["pot=1e20,2e20"], compare=others, templates=templates, executor="serial")
    assert found.variants == ("fit", "strong", "systematics.flux.sigma=0.3; limit.level=0.9", "fit.mc_statistics=none")
    assert found.fills == 0
    edits = [(), [("sigma = 0.3", "sigma = 0.9")], [("sigma = 0.1", "sigma = 0.3")]]
    for row, edit in zip(found.quantiles[:3, 1], edits, strict=True):
        np.testing.assert_allclose(row, by_hand(folder, ("pot = 1e20", "pot = 2e20"), *edit), rtol=1e-6)
    alone = sf.scan(analysis, compare=others, templates=templates, executor="serial")
    np.testing.assert_allclose(alone.quantiles, found.quantiles[:, 0], rtol=1e-12)


def test_multiples_of_exposure_priors_and_simulation(analysis, templates, folder):
    exposure = sf.scan(analysis, ["exposure=1,3", "priors.beam=1,2"], templates=templates, executor="serial")
    np.testing.assert_allclose(exposure.quantiles[0, 1, 0], by_hand(folder, ("pot = 1e20", "pot = 3e20")), rtol=1e-6)
    # A prior twice as wide: the log-normal's sigma of 1.1^2 - 1.
    np.testing.assert_allclose(exposure.quantiles[0, 0, 1], by_hand(folder, ("sigma = 0.1", "sigma = 0.21")), rtol=1e-6)
    # Without priors: the limit without the systematics.
    model = sf.assemble(analysis, templates)
    short = sf.sensitivity(model, [1.0, 3.0], systematics=[0.0, 1.0])
    same = sf.scan(analysis, ["exposure=1,3", "priors=0,1"], templates=templates, executor="serial")
    np.testing.assert_allclose(short.quantiles, same.quantiles, rtol=1e-12)
    bare = sf.load(folder / "fit.toml", without=["*"])
    without = sf.limit(sf.assemble(bare, sf.build(bare)))
    np.testing.assert_allclose(same.median[0, 0], without.expected.median, rtol=1e-6)
    # Much simulation is as good as a simulation without an error.
    much = sf.scan(analysis, ["simulated=1,1e9"], templates=templates, executor="serial").median
    none = sf.scan(analysis, compare=["fit.mc_statistics=none"], templates=templates, executor="serial").median
    assert much[1] == pytest.approx(none[1], rel=1e-6)
    assert much[0] > 1.001 * much[1]
    both = [sf.scan(analysis, [f"simulated.{n}=1e9"], templates=templates).median[0] for n in ("numu", "nc")]
    assert all(much[1] < one < much[0] for one in both)


@pytest.mark.parametrize("executor", ["threads", "dask"])
def test_every_executor_finds_the_same(analysis, templates, executor):
    if executor == "dask":
        pytest.importorskip("distributed", reason="needs the extra [dask]")
        from concurrent.futures import ThreadPoolExecutor

        # As dask's own executor does, it takes pickled work: a cluster is started in tests of execution.
        executor = ThreadPoolExecutor(2)
    over = {"pot": np.array([1e20, 2e20]), "systematics.nc.sigma": (0.1, 0.3)}
    one, two = (sf.scan(analysis, over, templates=templates, executor=e) for e in ("serial", executor))
    np.testing.assert_array_equal(one.quantiles, two.quantiles)


@pytest.mark.parametrize("method", ["feldman-cousins", "cls"])
def test_any_method_draws_the_limits(analysis, templates, method):
    found = sf.scan(analysis, ["pot=1e20,4e20"], templates=templates, method=method, toys=50, executor="serial")
    assert found.first.method == method
    assert found.quantiles[0, 1, 2] < found.quantiles[0, 0, 2]


def test_a_point_without_a_limit_does_not_take_the_others_along(analysis, templates):
    points = [Point(source=counting(100.0, 100.0, 0.1), name="whole")]
    blind = counting(100.0, 1e-12, 0.1)
    limits = expected_limits([*points, Point(source=blind, name="blind")], LimitRule())
    assert limits[0].value > 0
    assert isinstance(limits[1], str)
    with pytest.raises(DataError):
        expected_limits([Point(source=blind, name="blind")], LimitRule())
    found = Expected(
        keys=("x",),
        values=((1.0, 2.0),),
        variants=("a",),
        limits=(limits[0], None),
        failures=("", limits[1]),
    )
    assert np.isnan(found.median[1])
    assert [row["why_not"] for row in found.rows()] == ["", limits[1]]
    assert limits[1] in str(found)
    json.dumps(found.summary(), allow_nan=False)


@pytest.mark.parametrize(
    ("over", "compare", "expected"),
    [
        (["systematics.fluxx.sigma=0.1"], [], "did you mean 'flux'"),
        (["pot=1", "exposure=1", "priors=1"], [], "one or two can be scanned"),
        (["pot=1e20", "pot=2e20"], [], "scanned twice"),
        (["pot=1e20,2e20", "priors=0,1"], ["fit.terms=shape"], "compare goes with one key at most"),
        (["systematics.flux.sigma=-1,1"], [], r"systematics\[0\]\.sigma"),
        (["priors.flx=1,2"], [], "no systematic or group 'flx'; did you mean 'flux'"),
        (["simulated.ncc=1,2"], [], "no sample 'ncc'; did you mean 'nc'"),
        (["simulated=0"], [], "positive multiple"),
        (["exposure=0"], [], "positive multiple"),
        ({"pot": ()}, [], "has no values"),
        ({"fit.terms": ("shape", "norm")}, [], "needs finite numbers; other settings go into compare"),
        ({"pot": (1e20, float("nan"))}, [], "needs finite numbers"),
        ([], ["nowhere.toml"], "nowhere.toml: no such file"),
    ],
)
def test_what_cannot_be_scanned_is_refused(analysis, templates, over, compare, expected):
    with pytest.raises(ConfigError, match=expected):
        sf.scan(analysis, over, compare=compare, templates=templates, executor="serial")
