import dataclasses
import pickle

import boost_histogram as bh
import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import Monomials
from spectrafit.templates.regions import RegionBins
from spectrafit.templates.templates import Templates
from spectrafit.templates.variations import NOMINAL, Variation


def made(seed=0, **changes):
    rng = np.random.default_rng(seed)
    grid = RegionBins(
        name="nd",
        axes=(bh.axis.Regular(3, 0.5, 2.0), bh.axis.Variable([0.0, 0.1, 0.4])),
        observables=("t_reco", "t_theta2_reco"),
        labels=("T", "T theta^2"),
        start=0,
    )
    line = RegionBins(name="side", axes=(bh.axis.Regular(4, 0, 1),), observables=("x",), labels=("x",), start=6)
    variations = (NOMINAL, Variation(parameter="scale", sigma=-1.0), Variation(parameter="scale", sigma=1.0))
    given = {
        "samples": ("a", "b"),
        "roles": ("signal", "background"),
        "titles": ("A", "B"),
        "regions": (grid, line),
        "monomials": Monomials(parameters=("kappa",), exponents=((0,), (1,), (2,))),
        "variations": variations,
        "counts": rng.random((2, 3, 3, 10)),
        "squares": rng.random((2, 5, 10)),
        "entries": rng.integers(0, 9, (2, 10)),
        "residual": rng.random((5, 10)),
        "flow": rng.random((2, 3, 2)),
        "data": rng.random(10),
        "digest": "d",
    }
    return Templates(**{**given, **changes})


def test_histogram_is_what_the_arrays_say():
    t = made()
    h = t.histogram("b", "nd", monomial=2)
    assert h.axes == bh.Histogram(*t.regions[0].axes).axes
    np.testing.assert_array_equal(h.values().ravel(), t.counts[1, 0, 2, :6])
    np.testing.assert_array_equal(h.variances().ravel(), t.squares[1, 4, :6])
    total = t.histogram(None, "side", variation=2)
    np.testing.assert_allclose(total.values(), t.counts[:, 2, 0, 6:].sum(axis=0))


def test_projection_is_boost_histograms():
    t = made()
    one = t.projection("nd", "t_theta2_reco")
    for power in (0, 2):
        expected = t.histogram("a", "nd", monomial=power)[sum, :]
        found = one.histogram("a", "nd", monomial=power)
        np.testing.assert_allclose(found.values(), expected.values())
        np.testing.assert_allclose(found.variances(), expected.variances())
    assert one.data.sum() == pytest.approx(t.data[:6].sum())
    assert one.regions[0].observables == ("t_theta2_reco",)


def test_arrays_are_read_only_and_shapes_checked():
    t = made()
    with pytest.raises(ValueError, match="read-only"):
        t.counts[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.digest = "x"
    with pytest.raises(ValueError, match="residual has shape"):
        made(residual=np.zeros((2, 10)))
    with pytest.raises(ValueError, match="nominal"):
        made(variations=(Variation(parameter="x", sigma=1.0),) * 3)


def test_variance_is_the_polynomial():
    t = made()
    kappa = 0.37
    expected = sum(kappa**k * (t.squares[:, k].sum(axis=0) + t.residual[k]) for k in range(5))
    np.testing.assert_allclose(t.variance(kappa), expected)


def test_unknown_names_are_refused_with_the_nearest():
    t = made()
    with pytest.raises(ConfigError, match="did you mean 'side'"):
        t.region("sidee")
    with pytest.raises(ConfigError, match="monomial 3"):
        t.histogram("a", "nd", monomial=3)
    with pytest.raises(ConfigError, match="t_theta2_reco"):
        t.projection("nd", "t_theta2")


def test_pickled_is_the_same():
    t = pickle.loads(pickle.dumps(made()))
    np.testing.assert_array_equal(t.counts, made().counts)


def test_templates_made_by_hand_have_no_cells(tmp_path):
    for act in (lambda t: t.save(tmp_path / "t.npz"), lambda t: t.rebinned({})):
        with pytest.raises(ConfigError, match="have no cells"):
            act(made())


def test_it_prints_a_few_lines():
    t = made(samples=("<a>", "b"))
    assert len(repr(t).splitlines()) == 4
    assert f"{t.counts[1, 0, 0, 6:].sum():.6g}" in repr(t)
    assert "&lt;a&gt;" in t._repr_html_()
    assert "<a>" not in t._repr_html_()
