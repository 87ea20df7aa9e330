import numpy as np
import pytest

from spectrafit import physics as ph
from spectrafit.errors import ConfigError, SpectrafitError
from spectrafit.report.moments import moment_numbers, moment_table
from tests.report.test_cross_sections import row, shown


def made(*arguments, **options):
    return moment_table(moment_numbers(*arguments, **options))


def test_moments_of_flavours_from_those_of_masses():
    mixing = ph.ORDERINGS["normal"]
    table = made([1e-10, 2e-10, 3e-10])
    weights = np.abs(ph.pmns(mixing)) ** 2
    expected = np.sqrt(weights @ np.array([1.0, 4.0, 9.0])) * 1e-10
    assert [float(c) for c in row(table, "short baseline")[1:]] == pytest.approx(expected, rel=1e-3)
    # Diagonal moments do not notice oscillations.
    assert row(table, "neutrinos, 810 km, 2 GeV")[1:] == row(table, "short baseline")[1:]
    assert row(table, "natural, Majorana e-mu")[3] == ""
    # |M^dagger M|_kk of a Majorana neutrino lacks its own component of the vector.
    table = made([1e-11, 0.0, 0.0], nature="majorana", ordering="inverted")
    weights = np.abs(ph.pmns(ph.ORDERINGS["inverted"])) ** 2
    expected = np.sqrt(weights[:, 1] + weights[:, 2]) * 1e-11
    assert [float(c) for c in row(table, "short baseline")[1:]] == pytest.approx(expected, rel=1e-3)
    assert "inverted ordering" in shown(table)


def test_predictions_beside_them():
    table = made([1e-10, 2e-10, 3e-10], lightest=0.05, scale=10.0)
    heaviest = ph.masses(ph.ORDERINGS["normal"], 0.05).max()
    assert float(row(table, "natural, Dirac")[1]) == pytest.approx(3e-15 * heaviest / 100, rel=0.05)
    assert 1e-20 < float(row(table, "minimal Dirac model")[2]) < 3e-20
    own = ph.Mixing(sin2_12=0.0, sin2_13=0.0, sin2_23=0.0, delta=0.0, dm21=7.5e-5, dm31=2.5e-3)
    assert row(made([1e-10, 2e-10, 3e-10], mixing=own), "short baseline")[1:] == (
        "1e-10", "2e-10", "3e-10"
    )  # fmt: skip


def test_moments_that_cannot_be():
    for arguments, words in (
        (([1.0, 2.0],), "shape"),
        ((np.triu(np.ones((3, 3))),), "not Hermitian"),
    ):
        with pytest.raises(SpectrafitError, match=words):
            moment_numbers(*arguments)
    for wrong, words in (
        ({"ordering": "reverse"}, "needed 'normal' or 'inverted'"),
        ({"nature": "weyl"}, "needed 'dirac' or 'majorana'"),
        ({"e_nu": 0.0}, "needed positive numbers"),
        ({"lightest": -1.0}, "not negative"),
    ):
        with pytest.raises(ConfigError, match=words):
            moment_numbers([1e-10, 0.0, 0.0], **wrong)
    with pytest.raises(ConfigError, match="transition moments only"):
        moment_numbers(np.eye(3), nature="majorana")
