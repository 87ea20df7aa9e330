"""Events per second of reweighting and filling, of universes and of a whole build, beside numpy and boost-histogram."""

import boost_histogram as bh
import msgspec
import numpy as np
import pytest
import uproot

from spectrafit import config
from spectrafit.physics import dsigma_dt_magnetic, dsigma_dt_sm, t_max, weigh
from spectrafit.physics.constants import SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.templates import fill
from spectrafit.templates.build import build
from spectrafit.templates.observables import Quantities
from spectrafit.templates.regions import Grid, lay_out

N, UNIVERSES, BLOCK = 500_000, 100, 32_768
PLACES = np.array([[0, 1], [1, 2]])
ENERGY = np.concatenate([np.linspace(0.3, 1.3, 16)[:-1], np.geomspace(1.3, 5.0, 11)]).tolist()
ANGLE = [0.0, *np.geomspace(1e-4, 0.02, 28).tolist()]
REGION = {
    "name": "nd",
    "axes": [{"observable": "t_reco", "edges": ENERGY}, {"observable": "t_theta2_reco", "edges": ANGLE}],
}


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(1)
    e_nu = rng.uniform(1.0, 6.0, N)
    t = 0.2 + rng.random(N) * (0.95 * t_max(e_nu) - 0.2)
    return {
        "pdg": np.full(N, 14, np.int32),
        "e_nu": e_nu,
        "t": t,
        "t_reco": t * rng.normal(1.0, 0.05, N),
        "theta_reco": np.abs(rng.normal(0.0, 0.03, N)),
        "weight": rng.uniform(0.5, 1.5, N),
    }


@pytest.fixture(scope="module")
def regions():
    return (msgspec.convert(REGION, config.Region),)


def rate(benchmark, n=N):
    if benchmark.stats is not None:
        benchmark.extra_info["million events per second"] = n / benchmark.stats.stats.min / 1e6


def ours(events, regions):
    grid = Grid.of(regions, "numu")
    sums = np.zeros((grid.size, 6))
    for start in range(0, N, BLOCK):
        view = Quantities({name: values[start : start + BLOCK] for name, values in events.items()})
        powers = weigh(COUPLINGS["magnetic_moment"], view["pdg"], view["e_nu"], view["t"])
        for cells in grid.cells(view, len(view["t"])):
            fill.add_events(cells, view["weight"], powers, PLACES, sums)
    return sums[:, 0], sums[:, 1], sums[:, 3]


def numpy_and_boost_histogram(events, regions):
    x, y = events["t_reco"], events["t_reco"] * events["theta_reco"] ** 2
    e_nu, t, weight = events["e_nu"], events["t"], events["weight"]
    ratio = dsigma_dt_magnetic(e_nu, t, 1e-9) / dsigma_dt_sm(14, e_nu, t, SIN2_THETA_W)
    axes = lay_out(regions)[0].axes
    one, two = (bh.Histogram(*axes, storage=bh.storage.Weight()) for _ in range(2))
    both = bh.Histogram(*axes, storage=bh.storage.Double())
    one.fill(x, y, weight=weight)
    two.fill(x, y, weight=weight * ratio)
    both.fill(x, y, weight=2 * weight * weight * ratio)
    return tuple(h.values(flow=True).ravel() for h in (one, two, both))


@pytest.mark.benchmark(group="reweight and fill 25 x 28 variable bins: T_0, T_1 and squares")
@pytest.mark.parametrize("how", [ours, numpy_and_boost_histogram])
def test_reweight_and_fill(benchmark, events, regions, how):
    found = benchmark(how, events, regions)
    rate(benchmark)
    for mine, expected in zip(found, numpy_and_boost_histogram(events, regions), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.benchmark(group="100 universes of 20 000 events, two powers of kappa")
@pytest.mark.parametrize("how", ["spectrafit", "boost-histogram"])
def test_universes(benchmark, events, regions, how):
    size = 20_000
    rng = np.random.default_rng(2)
    view = Quantities({name: values[:size] for name, values in events.items()})
    ratios = rng.normal(1.0, 0.1, (size, UNIVERSES)).astype(np.float32)
    powers = weigh(COUPLINGS["magnetic_moment"], view["pdg"], view["e_nu"], view["t"])
    grid = Grid.of(regions, "numu")
    (cells,) = grid.cells(view, size)

    def with_kernel():
        sums, noise, weight = np.zeros((grid.size, 2, UNIVERSES)), np.zeros((grid.size, 1, 1)), view["weight"]
        products = fill.products_of(powers[:1], PLACES[:1, :1])
        fill.add_universes(cells, weight, weight, powers, products, ratios, sums, noise)
        return sums

    def with_fills():
        sums = np.zeros((grid.size, 2, UNIVERSES))
        for u in range(UNIVERSES):
            for p in range(2):
                histogram = bh.Histogram(*lay_out(regions)[0].axes, storage=bh.storage.Double())
                histogram.fill(view["t_reco"], view["t_theta2_reco"], weight=view["weight"] * powers[p] * ratios[:, u])
                sums[:, p, u] = histogram.values(flow=True).ravel()
        return sums

    found = benchmark(with_kernel if how == "spectrafit" else with_fills)
    rate(benchmark, size * UNIVERSES * 2)
    np.testing.assert_allclose(found, with_kernel(), rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def ntuple(events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuple")
    with uproot.recreate(folder / "numu.root", compression=uproot.ZSTD(3)) as file:
        columns = {k: v if k == "pdg" else v.astype(np.float32) for k, v in events.items()}
        file.mktree("events", {name: values.dtype for name, values in columns.items()})
        file["events"].extend(columns)
    (folder / "samples.toml").write_text(
        '[[samples]]\nname = "numu"\nrole = "signal"\nfiles = "numu.root"\npot = 1e20\n'
    )
    axes = ", ".join(f'{{ observable = "{a["observable"]}", edges = {a["edges"]} }}' for a in REGION["axes"])
    (folder / "fit.toml").write_text(
        f'samples = "samples.toml"\npot = 1e20\n[[regions]]\nname = "nd"\naxes = [{axes}]\n'
    )
    return folder


@pytest.mark.benchmark(group="a build from a ZSTD ROOT file")
@pytest.mark.parametrize("how", ["first pass", "two threads", "from the cache", "uproot alone"])
def test_build(benchmark, ntuple, how, tmp_path):
    analysis = config.load(ntuple / "fit.toml")
    if how == "uproot alone":
        names = ["pdg", "e_nu", "t", "t_reco", "theta_reco", "weight"]
        found = benchmark(lambda: list(uproot.iterate({ntuple / "numu.root": "events"}, names, library="np")))
        assert sum(len(part["t"]) for part in found) == N
    elif how == "from the cache":
        pytest.importorskip("pyarrow", reason="needs the extra [cache]")
        build(analysis, cache=tmp_path)
        found = benchmark(build, analysis, cache=tmp_path)
        assert found.provenance["chunks_from_cache"] == found.provenance["chunks"]
    else:
        options = {"executor": "threads", "workers": 2} if how == "two threads" else {}
        found = benchmark(build, analysis, **options)
        assert found.entries.sum() > 0
    rate(benchmark)
