from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from rich.console import Console

from spectrafit import physics as ph
from spectrafit.errors import ConfigError, DataError
from spectrafit.report.cross_sections import cross_section_numbers, cross_section_table, draw_cross_sections
from spectrafit.report.figures.scattering import scattering


def shown(table):
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def made(**options):
    return cross_section_table(cross_section_numbers(**options))


def row(table, label, energy=None):
    return next(r for r in table.rows if r[0] == label and (energy is None or r[1] == energy))


def test_the_core_table_of_the_specification():
    table = made(e_nu=2.0, mu=1e-9, t=[0.1, 0.3, 0.5, 0.9, 1.5], sin2_theta_w=0.23863)
    published = {
        "100 MeV": (98.19185794836, 0.9641640967351, 2.062874856086, 2.369938413668, 1.1488522),
        "300 MeV": (53.74518380295, 0.866563434604, 1.88626807748, 0.7068237374096, 0.37472072),
        "500 MeV": (39.12269668185, 0.7652926978299, 1.729287325544, 0.374200802158, 0.21639018),
        "900 MeV": (24.97819851157, 0.5615193607953, 1.474203901684, 0.152452178657, 0.10341322),
        "1.5 GeV": (13.04459371396, 0.2552421377433, 1.238773965921, 0.04157786690645, 0.033563724),
    }
    for energy, numbers in published.items():
        cells = [float(cell) for cell in row(table, "", energy)[2:]]
        assert cells == pytest.approx(numbers, rel=1e-3)
    assert row(table, "equal")[1] == "114.8 MeV"
    assert row(table, "low-T limit")[1] == "115.6 MeV"
    assert row(table, "T_max")[1] == "1.9997 GeV"
    assert float(row(table, "1e-42 cm^2")[4]) == pytest.approx(1e42 * ph.sigma_sm(14, 2.0, 0.1, np.inf, 0.23863), 1e-3)
    assert "nu_mu e, E_nu = 2 GeV" in shown(table)


@pytest.mark.parametrize("sm", ["tree", "effective", "bks"])
@pytest.mark.parametrize("flavour", ["nue", "numubar"])
def test_the_crossing_is_where_both_are_equal(flavour, sm):
    table = made(flavour=flavour, e_nu=1.0, mu=5e-10, sm=sm)
    t, standard, magnetic, ratio = (row(table, "equal")[k] for k in (1, 4, 5, 6))
    assert standard == magnetic
    assert ratio == "1"
    exact = ph.dsigma_dt_expected(ph.flavour(flavour), 1.0, float(t.split()[0]) * 1e-3, sm)
    assert float(standard) * 1e-42 == pytest.approx(exact, rel=1e-3)


def test_a_moment_that_never_wins_or_always_does_has_no_crossing():
    assert not [r for r in made(e_nu=1e-3, mu=1e-6).rows if r[0] == "equal"]
    assert row(made(e_nu=1e-3, mu=1e-6), "low-T limit")


def test_numbers_are_in_gev_rad_and_cm2():
    found = cross_section_numbers(e_nu=2.0, mu=1e-9, t=[0.5])
    (point,) = found["points"]
    assert point["theta"] == pytest.approx(np.arccos((1 + 0.51099895e-3 / 2.0) / np.sqrt(1 + 2 * 0.51099895e-3 / 0.5)))
    assert point["t_theta2"] == pytest.approx(0.5 * point["theta"] ** 2)
    assert point["standard_model"] == pytest.approx(float(ph.dsigma_dt_expected(14, 2.0, 0.5, "tree", 0.23863)))
    assert point["ratio"] == pytest.approx(point["magnetic"] / point["standard_model"])
    assert found["equal"]["ratio"] == 1.0
    assert found["integral"]["standard_model"] == pytest.approx(float(ph.sigma_sm(14, 2.0, 0.5, np.inf, 0.23863)))


def test_energies_are_in_a_unit_that_suits_them():
    table = made(flavour="nuebar", e_nu=0.003, mu=5e-11, t=[1e-6, 1e-3])
    assert [r[1] for r in table.rows[:2]] == ["1 keV", "1 MeV"]
    assert "E_nu = 3 MeV" in table.title


def test_nonsense_is_refused():
    for wrong, words in (
        ({"flavour": "nmu"}, "did you mean 'numu'"),
        ({"e_nu": -1.0}, "needed a positive energy"),
        ({"e_nu": float("nan")}, "needed a positive energy"),
        ({"mu": 0.0}, "needed positive moments"),
        ({"t": [3.0]}, "up to T_max"),
        ({"sm": "three"}, "needed one of tree"),
    ):
        with pytest.raises(ConfigError, match=words):
            cross_section_numbers(**wrong)


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_the_figure_is_written_whole(tmp_path, kind):
    path = tmp_path / f"why.{kind}"
    assert draw_cross_sections(path, mu=[1e-9, 2.9e-10], threshold=0.15) == path
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    first = path.read_bytes()
    draw_cross_sections(path, mu=[2.9e-10, 1e-9], threshold=0.15)
    assert path.read_bytes() == first
    assert plt.get_fignums() == []


def test_the_figure_that_cannot_be_written(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'png'"):
        draw_cross_sections(tmp_path / "why.pngg")
    with pytest.raises(ConfigError, match="lowest"):
        draw_cross_sections(tmp_path / "why.png", lowest=5.0)
    with pytest.raises(DataError, match="cannot be written"):
        draw_cross_sections(Path(__file__) / "why.png")
    assert list(tmp_path.iterdir()) == []


def test_the_curves_are_the_numbers_given():
    t = np.geomspace(0.01, 2.0, 50)
    standard, magnetic = np.full(50, 2.0), 0.2 / t
    figure = scattering(t, standard, {1e-9: magnetic}, {1e-9: (0.1, "100 MeV")}, unit="GeV", threshold=0.3)
    lower, upper = figure.axes
    drawn = [line.get_ydata() for line in upper.lines]
    for curve in (standard, magnetic, standard + magnetic):
        assert any(np.array_equal(curve, y) for y in drawn)
    assert any(np.array_equal(magnetic / standard, line.get_ydata()) for line in lower.lines)
    assert "100 MeV" in [text.get_text() for text in lower.texts]
    assert any("0.3 GeV" in text.get_text() for text in upper.texts)
