"""The walk from a moment to a limit in fits/README.md: each number of its tables is what its command gives today."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.physics import dsigma_dt_expected, dsigma_dt_magnetic
from spectrafit.report.moments import moment_numbers, moment_table

TEXT = (Path(__file__).parents[1] / "fits/README.md").read_text(encoding="utf-8")


def rows(head):
    """Return the body of the table whose first line starts with `head`, cell by cell."""
    after = TEXT[TEXT.index(f"\n| {head}") + 1 :]
    lines = after[: after.index("\n\n")].splitlines()
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines[2:]]


def line(start):
    (found,) = [line for line in TEXT.splitlines() if line.startswith(start)]
    return shlex.split(found)


def column(table, name, flavour=0):
    """Return the number of a row of a table of moments, mu_B."""
    (row,) = [row for row in table.rows if row[0] == name]
    return float(row[1 + flavour])


def test_effective_moments_are_those_of_the_command():
    moments = [float(word) for word in line("spectrafit moment 1e-11 2e-11 5e-11 --nature")[2:5]]
    tables = [moment_table(moment_numbers(moments, nature=nature)) for nature in ("dirac", "majorana")]
    places = {
        "nu_mu, short baseline": ("short baseline", 1),
        "nu_e, short baseline": ("short baseline", 0),
        "nu_tau, short baseline": ("short baseline", 2),
        "solar neutrinos, pp": ("solar pp, 0.3 MeV", 0),
        "solar neutrinos, 7Be": ("solar 7Be, 0.86 MeV", 0),
        "solar neutrinos, 8B": ("solar 8B, 8 MeV", 0),
    }
    said = rows("effective moment [10^-11 mu_B]")
    assert [row[0] for row in said] == list(places)
    for name, *numbers, _ in said:
        for number, table in zip(numbers, tables, strict=True):
            assert float(number) == pytest.approx(1e11 * column(table, *places[name]), abs=0.006), name


def test_the_ratio_of_cross_sections_is_that_of_the_command():
    (numbers,) = rows("T [MeV], nu_mu of 2 GeV")
    energies = TEXT[TEXT.index("| T [MeV], nu_mu") :].splitlines()[0].strip("| ").split("|")[1:]
    t = 1e-3 * np.array([float(energy) for energy in energies])
    ratio = dsigma_dt_magnetic(2.0, t, 1e-9) / dsigma_dt_expected(14, 2.0, t, "tree", 0.23863)
    np.testing.assert_allclose([float(number) for number in numbers[1:]], ratio, rtol=5e-3)


def test_natural_moments_are_those_of_the_command():
    table = moment_table(moment_numbers([1e-15] * 3, lightest=0.3))
    names = ("minimal Dirac model", "minimal Majorana model", "natural, Dirac", "natural, Majorana mu-tau")
    for name, (_, number) in zip(names, rows("| nu_mu [mu_B]"), strict=True):
        assert float(number) == pytest.approx(column(table, name, 1), rel=0.05), name


def test_what_threshold_and_exposure_buy_is_what_the_scan_finds(walk):
    words = line("spectrafit scan fits/nova_nd_fhc.toml --set 'regions.nd.axes.t_reco.edges")
    overrides = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    over = dict(words[i + 1].split("=") for i, word in enumerate(words) if word == "--over")
    analysis = sf.load(walk.folder / words[2], overrides=overrides)
    axes = {key: [float(value) for value in values.split(",")] for key, values in over.items()}
    found = sf.scan(analysis, axes)
    said = np.array([[float(cell) for cell in row[1:]] for row in rows("expected limit [10^-9 mu_B]")])
    np.testing.assert_allclose(1e9 * found.quantiles[0, :, :, 2], said, rtol=5e-3)
    # How much more exposure a threshold of 0.5 GeV needs to reach the limit of 0.15 GeV.
    pot, limits = np.array(axes["pot"]), said[:, 2]
    worth = np.exp(np.interp(-np.log(said[0, 0]), -np.log(limits), np.log(pot))) / pot[0]
    assert float(re.findall(r"as much as (\S+) times the exposure", TEXT)[0]) == pytest.approx(worth, rel=0.03)
    assert f"leave {said[0, 0] / said[-1, 0]:.2f}" in TEXT


def test_limits_of_the_shipped_fits_are_what_they_say(walk):
    analysis = sf.load(walk.folder / "fits/nova_nd_sideband.toml")
    model = sf.assemble(analysis, sf.build(analysis))
    said = {row[0].strip("`"): float(row[2].split()[0]) for row in rows("file | is") if row[2][0].isdigit()}
    assert sf.upper_limit(model, level=0.90).value == pytest.approx(said["nova_nd_sideband.toml"], rel=5e-3)
    alone = sf.load(walk.folder / "fits/nova_nd_sideband.toml", overrides=["regions.sideband.fit=false"])
    limit = sf.upper_limit(sf.assemble(alone, sf.build(alone)), level=0.90).value
    assert f"and {1e9 * limit:.2f} if the sideband is not fitted" in TEXT
