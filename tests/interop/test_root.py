"""The ROOT file read back with uproot: contents, variances, edges and names against the arrays they came from."""

from __future__ import annotations

import boost_histogram as bh
import numpy as np
import pytest
import uproot

from spectrafit.errors import ConfigError, DataError
from spectrafit.interop import root
from spectrafit.physics.couplings import Monomials
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates
from spectrafit.templates.variations import NOMINAL


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
    return Templates(
        samples=("nue", "nc"),
        roles=("signal", "background"),
        titles=("nu_e e", "NC"),
        regions=(region, side),
        monomials=Monomials(parameters=("kappa",), exponents=((0,), (1,))),
        variations=(NOMINAL,),
        counts=rng.random((2, 1, 2, bins)),
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
    assert written == {*root.histogram_names(made), "shower/data", "side/data"}
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
