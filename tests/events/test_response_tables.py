import math

import numpy as np
import pytest
import uproot

from spectrafit.config import Response
from spectrafit.errors import DataError
from spectrafit.events import response
from spectrafit.events.targets import nucleus_code
from spectrafit.physics.quenching import lindhard_electron_energy
from spectrafit.random import stream_key

COUNT = 100_000


def smeared(options, t, **more):
    return response.apply(options, np.full(COUNT, t), np.zeros(COUNT), key=stream_key("tables"), first=0, **more)


def test_a_unit_scales_every_energy_of_the_formulas():
    numbers = {"energy_stochastic": 0.1, "energy_constant": 0.01, "angle_constant": 0.01, "angle_stochastic": 0.02}
    edges = {"threshold": 0.4, "efficiency": 0.7, "efficiency_turn_on": 0.9, "efficiency_width": 0.2}
    t, theta = np.linspace(0.1, 3.0, 500), np.linspace(0.0, 0.3, 500)
    in_gev = response.apply(Response(**numbers, **edges), t, theta, key=stream_key("u"), first=3)
    in_kev = response.apply(Response(unit="keV", **numbers, **edges), t * 1e-6, theta, key=stream_key("u"), first=3)
    np.testing.assert_allclose(in_kev[0] * 1e6, in_gev[0], rtol=1e-12)
    for k in (1, 2):
        np.testing.assert_allclose(in_kev[k], in_gev[k], rtol=1e-12)


def test_the_third_term_of_the_resolution_is_a_constant_width():
    t_reco, _, _ = smeared(Response(unit="keV", energy_noise=0.3), 5e-6)
    assert t_reco.std() == pytest.approx(0.3e-6, rel=5 / math.sqrt(2 * COUNT))
    # The three add up, as the formula says; they are not added in squares.
    t_reco, _, _ = smeared(Response(unit="keV", energy_stochastic=0.1, energy_constant=0.02, energy_noise=0.3), 4e-6)
    assert t_reco.std() == pytest.approx((0.1 / 2 + 0.02 + 0.3 / 4) * 4e-6, rel=5 / math.sqrt(2 * COUNT))


def test_a_table_of_resolutions_is_read_on_straight_lines(tmp_path):
    (tmp_path / "width.csv").write_text("# keV, sigma/T\n1, 0.3\n3, 0.1\n")
    table = Response(unit="keV", energy_resolution=str(tmp_path / "width.csv"))
    for t, width in ((2.0, 0.2), (0.5, 0.3), (9.0, 0.1)):
        t_reco, _, _ = smeared(table, t * 1e-6)
        assert t_reco.std() / (t * 1e-6) == pytest.approx(width, rel=5 / math.sqrt(2 * COUNT))


@pytest.mark.parametrize("kind", ["true", "reconstructed"])
def test_an_efficiency_comes_from_a_table_or_a_histogram(tmp_path, kind):
    (tmp_path / "e.csv").write_text("1 0.2\n3 0.8\n")
    with uproot.recreate(tmp_path / "e.root") as file:
        file["e"] = (np.array([0.2, 0.8]), np.array([1.0, 2.0, 3.0]))
    lines = Response(unit="keV", efficiency=0.5, efficiency_table=str(tmp_path / "e.csv"), efficiency_of=kind)
    steps = Response(unit="keV", efficiency=0.5, efficiency_table=f"{tmp_path / 'e.root'}:e", efficiency_of=kind)
    scale = 1.0 if kind == "true" else 2.0
    t = np.array([0.9, 1.0, 1.5, 1.999, 2.0, 2.5, 3.0, 3.1]) * 1e-6 / scale
    options = {"energy_scale": scale} if kind == "reconstructed" else {}
    for table, expected in (
        (lines, [0.0, 0.2, 0.35, 0.4997, 0.5, 0.65, 0.8, 0.0]),
        (steps, [0.0, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0.0]),
    ):
        made = Response(**{name: getattr(table, name) for name in table.__struct_fields__} | options)
        _, _, efficiency = response.apply(made, t * (1 + 1e-12), np.zeros(8), key=stream_key("e"), first=0)
        np.testing.assert_allclose(efficiency[:6], 0.5 * np.array(expected[:6]), rtol=1e-9)
        assert efficiency[7] == 0.0


def test_a_matrix_gives_each_true_bin_its_shape(tmp_path):
    contents = np.array([[1.0, 3.0, 0.0], [0.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
    with uproot.recreate(tmp_path / "m.root") as file:
        file["m"] = (contents, np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 4.0]))
    matrix = Response(unit="keV", energy_matrix=f"{tmp_path / 'm.root'}:m", threshold=0.1, seed=3)
    for t, shares in ((0.5, [0.25, 0.75, 0.0]), (1.5, [0.0, 0.5, 0.5])):
        t_reco, _, efficiency = smeared(matrix, t * 1e-6)
        counts = np.histogram(t_reco * 1e6, [0.0, 1.0, 2.0, 4.0])[0] / COUNT
        np.testing.assert_allclose(counts, shares, atol=5 / math.sqrt(COUNT))
        # Uniform within a bin.
        last = t_reco[t_reco > 1e-6] * 1e6
        assert np.mean(last < 1.5) == pytest.approx(0.5 * np.mean(last < 2.0), abs=0.01)
        assert np.all(efficiency[t_reco >= 0.1e-6] == 1.0)
    # A true energy without a column is not seen.
    for t in (2.5, 7.0):
        t_reco, _, efficiency = smeared(matrix, t * 1e-6)
        assert np.all(t_reco == 0.0)
        assert np.all(efficiency == 0.0)


def test_quenching_is_for_nuclei_alone(tmp_path):
    (tmp_path / "q.csv").write_text("0 0.1\n10 0.3\n")
    t = np.array([1e-6, 5e-6])
    germanium = nucleus_code(np.array([32, 32]), np.array([74, 70]))
    table = response.resolved(Response(unit="keV", quenching="q.csv"), tmp_path, "here")
    np.testing.assert_allclose(response.visible(table, t, germanium), [0.12e-6, 1e-6])
    lindhard = Response(quenching="lindhard", lindhard_k=0.157)
    expected = lindhard_electron_energy(t, 32.0, 0.157)
    np.testing.assert_allclose(response.visible(lindhard, t, germanium), expected)
    assert response.visible(lindhard, t, None).tolist() == t.tolist()
    assert response.visible(Response(), t, germanium).tolist() == t.tolist()


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("efficiency_table", "1 2 3\n", "is no table of two columns"),
        ("efficiency_table", "1 0.5\n0 0.5\n", "energies must be finite and increase"),
        ("efficiency_table", "1 0.5\n2 1.5\n", "an efficiency is 1.5; it cannot be above 1"),
        ("energy_resolution", "1 -0.5\n2 0.5\n", "not negative"),
        ("energy_resolution", None, "cannot be read as a table"),
        ("energy_matrix", "1 2\n", "is file.root:name of a TH2"),
    ],
)
def test_damaged_tables_are_refused(tmp_path, key, text, message):
    if text is not None:
        (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        smeared(Response(**{key: str(tmp_path / "t.csv")}), 1.0)


def test_histograms_of_the_wrong_kind_are_refused(tmp_path):
    with uproot.recreate(tmp_path / "h.root") as file:
        file["h"] = (np.array([1.0]), np.array([0.0, 1.0]))
    with pytest.raises(DataError, match="is a TH1D; needed a TH2"):
        smeared(Response(energy_matrix=f"{tmp_path / 'h.root'}:h"), 1.0)
    with pytest.raises(DataError, match="no histogram 'g'"):
        smeared(Response(efficiency_table=f"{tmp_path / 'h.root'}:g"), 1.0)
