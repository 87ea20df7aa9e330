"""The ROOT file read back with uproot: contents, variances, edges and names against the arrays they came from."""

from __future__ import annotations

import dataclasses

import boost_histogram as bh
import numpy as np
import pytest
import uproot

from spectrafit.errors import ConfigError, DataError
from spectrafit.interop import root
from spectrafit.physics.couplings import Monomials
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates
from spectrafit.templates.variations import NOMINAL, Variation


def templates(axes: int = 2, data: bool = False) -> Templates:
    rng = np.random.default_rng(7)
    every = (
        bh.axis.Variable([0.1, 0.2, 0.5, 1.5]),
        bh.axis.Regular(4, 0.0, 0.004),
        bh.axis.Regular(2, 0.0, 1.0),
        bh.axis.Regular(2, 0.0, 1.0),
    )[:axes]
    region = RegionBins(
        name="shower",
        axes=every,
        observables=("t_reco", "t_theta2_reco", "a", "b")[:axes],
        labels=("$T_e$ [GeV]", r"$T_e\,\theta_e^2$ [GeV rad$^2$]", "a", "b")[:axes],
        start=0,
    )
    side = RegionBins(name="side", axes=(every[0],), observables=("t_reco",), labels=("T [GeV]",), start=region.size)
    bins = region.size + side.size
    counts = rng.random((2, 3, 2, bins))
    counts[1] = counts[1, :1]
    return Templates(
        samples=("nue", "nc"),
        roles=("signal", "background"),
        titles=("nu_e e", "NC"),
        regions=(region, side),
        monomials=Monomials(parameters=("kappa",), exponents=((0,), (1,))),
        variations=(
            NOMINAL,
            Variation(parameter="flux[0]", sigma=1.0, samples=("nue",)),
            Variation(parameter="flux[0]", sigma=-2.0, samples=("nue",)),
        ),
        counts=counts,
        squares=rng.random((2, 3, bins)),
        entries=rng.integers(1, 9, (2, bins)),
        residual=np.zeros((3, bins)),
        flow=np.zeros((2, 2, 2)),
        data=np.arange(bins, dtype=float) if data else None,
    )


def test_contents_variances_and_edges_come_back(tmp_path):
    made = templates()
    with uproot.open(root.write(tmp_path / "new" / "templates.root", made)) as file:
        for sample, name in enumerate(made.samples):
            for power, word in enumerate(("sm", "kappa1")):
                found = file[f"shower/{name}/{word}"]
                assert found.classname == "TH2D"
                np.testing.assert_array_equal(found.values().ravel(), made.counts[sample, 0, power, :12])
                np.testing.assert_array_equal(found.variances().ravel(), made.squares[sample, 2 * power, :12])
        np.testing.assert_array_equal(found.axis(0).edges(), [0.1, 0.2, 0.5, 1.5])
        np.testing.assert_allclose(found.axis(1).edges(), [0, 0.001, 0.002, 0.003, 0.004])
        assert found.axis(1).member("fTitle") == "T_{e} #theta_{e}^{2} [GeV rad^{2}]"
        assert found.title == "NC, kappa^1"
        total = file["side/total/sm"]
        assert total.classname == "TH1D"
        np.testing.assert_allclose(total.values(), made.counts[:, 0, 0, 12:].sum(axis=0))
        assert "shower/data" not in file


def test_every_template_is_named_once_and_data_come_along(tmp_path):
    made = templates(data=True)
    with uproot.open(root.write(tmp_path / "templates.root", made)) as file:
        written = set(file.keys(cycle=False, filter_classname="TH*"))
        np.testing.assert_array_equal(file["shower/data"].values().ravel(), np.arange(12))
    assert written == {*root.histogram_names(made), *root.variation_names(made), "shower/data", "side/data"}
    # Two sides, two powers and two regions of the one sample that varies.
    assert len(root.variation_names(made)) == 8
    assert len(root.histogram_names(made)) == 2 * 3 * 2


def test_more_axes_than_root_has_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'shower' has 4 axes"):
        root.write(tmp_path / "templates.root", templates(axes=4))
    assert not list(tmp_path.iterdir())


def test_an_existing_file_stays_whole_when_writing_fails(tmp_path, monkeypatch):
    target = root.write(tmp_path / "templates.root", templates())
    before = target.read_bytes()
    monkeypatch.setattr(
        Templates, "histogram", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(DataError, match="No space left on device"):
        root.write(target, templates())
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["templates.root"]


def moments(values, axes):
    """Return what ROOT's statistics of a histogram are, from its bins."""
    centres = np.meshgrid(*(axis.centers for axis in axes), indexing="ij")
    return {letter: np.sum(values * centre) / values.sum() for letter, centre in zip("XYZ", centres, strict=False)}


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_statistics_are_those_of_the_bins(tmp_path, axes):
    made = templates(axes=axes)
    region = made.regions[0]
    with uproot.open(root.write(tmp_path / "t.root", made)) as file:
        found = file["shower/nue/kappa1"]
        varied = file[next(name for name, of in root.variation_names(made).items() if of == ("shower", "nue", 1, 2))]
    values = made.counts[0, 0, 1, region.bins].reshape(region.shape)
    assert found.member("fTsumw") == pytest.approx(values.sum())
    assert found.member("fTsumw2") == pytest.approx(made.squares[0, 2, region.bins].sum())
    assert found.member("fEntries") == made.entries[0, region.bins].sum()
    for letter, mean in moments(values, region.axes).items():
        name = "fTsumwx" if letter == "X" else f"fTsumw{letter.lower()}"
        assert found.member(name) / found.member("fTsumw") == pytest.approx(mean)
    np.testing.assert_array_equal(varied.variances(), found.variances())
    assert "sigma" in varied.title


def test_a_partition_comes_with_its_grid(tmp_path):
    made = templates()
    numbers = np.array([[1, 1, 2, 2], [1, 3, 3, 0], [4, 4, 4, 4]])
    region = made.regions[0].partitioned(numbers, 0)
    bins = region.size
    sole = dataclasses.replace(
        made,
        regions=(region,),
        counts=made.counts[..., :bins],
        squares=made.squares[..., :bins],
        entries=made.entries[..., :bins],
        residual=made.residual[..., :bins],
        flow=made.flow[..., :1],
    )
    with uproot.open(root.write(tmp_path / "t.root", sole)) as file:
        grid = file["shower/partition"]
        np.testing.assert_array_equal(grid.values(), numbers)
        np.testing.assert_array_equal(grid.axis(0).edges(), [0.1, 0.2, 0.5, 1.5])
        np.testing.assert_array_equal(file["shower/nc/sm"].values(), made.counts[1, 0, 0, :bins])


def test_root_reads_the_same(tmp_path):
    """ROOT's own answers, where ROOT is installed."""
    ROOT = pytest.importorskip("ROOT", reason="ROOT is not installed")
    made = templates(data=True)
    target = root.write(tmp_path / "t.root", made)
    file = ROOT.TFile.Open(str(target))
    region = made.regions[0]
    for name, (where, sample, power) in root.histogram_names(made).items():
        if where != "shower" or sample is None:
            continue
        found, at = file.Get(name), made.sample(sample)
        values, squares = made.counts[at, 0, power, :12], made.squares[at, 2 * power, :12]
        assert found.GetEffectiveEntries() == pytest.approx(values.sum() ** 2 / squares.sum())
        assert found.GetEntries() == made.entries[at, :12].sum()
        assert found.Integral() == pytest.approx(values.sum())
        assert found.GetBinContent(2, 3) == values.reshape(3, 4)[1, 2]
        assert found.GetBinError(2, 3) == pytest.approx(np.sqrt(squares.reshape(3, 4)[1, 2]))
        assert [found.GetXaxis().GetBinLowEdge(i) for i in (1, 2, 3, 4)] == [0.1, 0.2, 0.5, 1.5]
        expected = moments(values.reshape(3, 4), region.axes)
        assert found.GetMean(1) == pytest.approx(expected["X"])
        assert found.GetMean(2) == pytest.approx(expected["Y"])
    for name in root.variation_names(made):
        assert file.Get(name).GetSumw2N() > 0
    assert file.Get("shower/data").GetBinContent(3, 4) == 11
    file.Close()


def test_a_template_is_a_histogram_of_hist():
    hist = pytest.importorskip("hist", reason="hist is not installed")
    made = templates()
    found = hist.Hist(made.histogram("nue", "shower"))
    np.testing.assert_array_equal(found.values().ravel(), made.counts[0, 0, 0, :12])
