import dataclasses
import pickle

import boost_histogram as bh
import numpy as np
import pytest

from spectrafit.errors import ConfigError, DataError
from spectrafit.templates import archive
from spectrafit.templates.store import NOMINAL, RegionBins, Templates, Variation


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
        "powers": 2,
        "variations": variations,
        "counts": rng.random((2, 3, 3, 10)),
        "squares": rng.random((2, 5, 10)),
        "entries": rng.integers(0, 9, (2, 10)),
        "residual": rng.random((5, 10)),
        "flow": rng.random((2, 3, 2)),
        "data": rng.random(10),
        "configuration": {"regions": [{"edges": (1.0, 2.0)}], "pot": 1e20},
        "digest": "d",
    }
    return Templates(**{**given, **changes})


ARRAYS = ("counts", "squares", "entries", "residual", "flow", "data")


def test_histogram_is_what_the_arrays_say():
    t = made()
    h = t.histogram("b", "nd", power=2)
    assert h.axes == bh.Histogram(*t.regions[0].axes).axes
    np.testing.assert_array_equal(h.values().ravel(), t.counts[1, 0, 2, :6])
    np.testing.assert_array_equal(h.variances().ravel(), t.squares[1, 4, :6])
    total = t.histogram(None, "side", variation=2)
    np.testing.assert_allclose(total.values(), t.counts[:, 2, 0, 6:].sum(axis=0))


def test_projection_is_boost_histograms():
    t = made()
    one = t.projection("nd", "t_theta2_reco")
    for power in (0, 2):
        expected = t.histogram("a", "nd", power=power)[sum, :]
        found = one.histogram("a", "nd", power=power)
        np.testing.assert_allclose(found.values(), expected.values())
        np.testing.assert_allclose(found.variances(), expected.variances())
    assert one.data.sum() == pytest.approx(t.data[:6].sum())
    assert one.regions[0].observables == ("t_theta2_reco",)


def test_arrays_are_read_only_and_shapes_checked():
    t = made()
    with pytest.raises(ValueError, match="read-only"):
        t.counts[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.powers = 3
    with pytest.raises(ValueError, match="residual has shape"):
        made(residual=np.zeros((2, 10)))
    with pytest.raises(ValueError, match="nominal"):
        made(variations=(Variation(parameter="x", sigma=1.0),) * 3)


def test_variance_is_the_polynomial():
    t = made()
    kappa = 0.37
    expected = sum(kappa**k * (t.squares[:, k].sum(axis=0) + t.residual[k]) for k in range(5))
    np.testing.assert_allclose(t.variance(kappa), expected)


def test_sum_of_two_parts():
    a, b = made(1), made(2)
    total = a + b
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(total, name), getattr(a, name) + getattr(b, name))
    np.testing.assert_array_equal((a + made(2, data=None)).data, a.data)


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": ("a", "c")},
        {"components": {"ppfx": {}}},
        {"variations": (NOMINAL, Variation(parameter="x", sigma=-1.0), Variation(parameter="x", sigma=1.0))},
    ],
)
def test_sum_of_unlike_parts_is_refused(changes):
    with pytest.raises(ConfigError):
        made() + made(**changes)


def test_unknown_names_are_refused_with_the_nearest():
    t = made()
    with pytest.raises(ConfigError, match="did you mean 'side'"):
        t.region("sidee")
    with pytest.raises(ConfigError, match="power 3"):
        t.histogram("a", "nd", power=3)
    with pytest.raises(ConfigError, match="t_theta2_reco"):
        t.projection("nd", "t_theta2")


def test_saved_and_loaded_is_the_same(tmp_path):
    t = made()
    path = t.save(tmp_path / "deep" / "t.npz")
    again = Templates.load(path)
    for f in dataclasses.fields(t):
        a, b = getattr(t, f.name), getattr(again, f.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        elif f.name == "regions":
            assert all(x.same(y) and x.labels == y.labels for x, y in zip(a, b, strict=True))
        elif f.name != "configuration":
            assert a == b, f.name
    assert archive.differing_key(t.configuration, again.configuration) == ""
    assert [p.name for p in path.parent.iterdir()] == ["t.npz"]
    assert Templates.load(made(data=None).save(tmp_path / "u.npz")).data is None


def test_pickled_is_the_same():
    t = pickle.loads(pickle.dumps(made()))
    np.testing.assert_array_equal(t.counts, made().counts)


def test_damaged_files_are_refused(tmp_path):
    path = made().save(tmp_path / "t.npz")
    whole = path.read_bytes()
    with pytest.raises(DataError, match="no such file"):
        Templates.load(tmp_path / "none.npz")
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        Templates.load(path)
    flipped = bytearray(whole)
    flipped[whole.index(b"counts.npy") + 300] ^= 1
    path.write_bytes(bytes(flipped))
    with pytest.raises(DataError, match="damaged"):
        Templates.load(path)
    with path.open("wb") as stream:
        np.savez(stream, x=np.arange(3))
    with pytest.raises(DataError, match="not a templates file"):
        Templates.load(path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = made().save(tmp_path / "t.npz")
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match="No space left"):
        made(3).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ConfigError, match=r"t\.npz"):
        made().save(tmp_path / "t.root")


def test_the_differing_key_is_named():
    made_with = {"regions": [{"axes": [{"edges": (1.0, 2.0)}]}], "pot": 1e20}
    assert archive.differing_key(made_with, {"regions": [{"axes": [{"edges": [1.0, 2.0]}]}], "pot": 1e20}) == ""
    key = archive.differing_key(made_with, {"regions": [{"axes": [{"edges": [1.0, 3.0]}]}], "pot": 1e20})
    assert key.startswith("$.regions[0].axes[0].edges[1] is 3.0 in the analysis, 2.0")
    assert "$.cut" in archive.differing_key(made_with, {**made_with, "cut": "x"})
