"""Published spectra in the bins of a region: quadrature and hand-made files as oracles."""

import itertools
import json

import numpy as np
import pytest
import uproot
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spectrafit.errors import ConfigError, DataError
from spectrafit.templates.spectra import Spectrum, events_of, read

EDGES = np.array([0.0, 1.0, 2.5, 4.0])


def spectrum(places, values, errors=None, points=False):
    return Spectrum(places=(np.array(places, float),), values=np.array(values, float), errors=errors, points=points)


def test_lines_between_points_are_integrated():
    x = np.array([0.0, 0.7, 1.9, 2.2, 5.0])
    y, errors = np.array([1.0, 3.0, 0.5, 2.0, 4.0]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    sums, variances = spectrum(x, y, errors, points=True).onto([EDGES], "here", density=True, zero=False)
    for at, (low, high) in enumerate(itertools.pairwise(EDGES)):
        inside = x[(x > low) & (x < high)]
        assert sums[at] == pytest.approx(quad(lambda t: np.interp(t, x, y), low, high, points=inside)[0], rel=1e-10)
        hats = [quad(lambda t, i=i: np.interp(t, x, np.eye(5)[i]), low, high, points=inside)[0] for i in range(5)]
        assert variances[at] == pytest.approx(np.sum((np.array(hats) * errors) ** 2), rel=1e-8)


def test_a_density_in_bins_is_constant_in_them():
    edges, values = np.array([-1.0, 0.5, 3.0, 6.0]), np.array([2.0, 1.0, 5.0])
    sums, _ = spectrum(edges, values).onto([EDGES], "here", density=True, zero=False)
    assert sums == pytest.approx([0.5 * 2 + 0.5, 1.5, 0.5 * 1 + 1.0 * 5])


@given(st.lists(st.floats(0.01, 5.0), min_size=2, max_size=20), st.integers(0, 2**32 - 1))
def test_the_integral_is_kept(widths, seed):
    rng = np.random.default_rng(seed)
    places = np.concatenate([[0.0], np.cumsum(widths)])
    whole = np.array([0.0, *np.sort(rng.uniform(0.0, places[-1], 3)), places[-1]])
    whole = whole[np.r_[True, np.diff(whole) > 1e-9]]
    values = rng.uniform(0.0, 10.0, len(widths))
    sums, _ = spectrum(places, values).onto([whole], "here", density=True, zero=False)
    assert sums.sum() == pytest.approx(np.sum(values * widths), rel=1e-9)
    at = rng.uniform(0.0, 10.0, len(places))
    sums, _ = spectrum(places, at, points=True).onto([whole], "here", density=True, zero=False)
    assert sums.sum() == pytest.approx(np.trapezoid(at, places), rel=1e-9)


def test_finer_bins_are_added_up_and_others_refused():
    fine = spectrum(np.arange(9) * 0.5, np.arange(8.0), np.ones(8))
    sums, variances = fine.onto([EDGES], "here", density=False, zero=False)
    assert sums.tolist() == [0 + 1, 2 + 3 + 4, 5 + 6 + 7]
    assert variances.tolist() == [2, 3, 3]
    with pytest.raises(DataError, match=r"here: the region's edge 2.5 cuts the table's bin from 2 to 3, and nobody"):
        spectrum([0, 1, 2, 3, 4], np.ones(4)).onto([EDGES], "here", density=False, zero=False)
    with pytest.raises(DataError, match=r"the region reaches from 0 to 4, the table from 0 to 2.5 in the same unit"):
        spectrum([0, 1, 2.5], np.ones(2)).onto([EDGES], "here", density=False, zero=False)
    assert spectrum([0, 1, 2.5], [3, 4]).onto([EDGES], "here", density=False, zero=True)[0].tolist() == [3, 4, 0]
    with pytest.raises(DataError, match="values at points need per = a unit of the axis"):
        spectrum([0, 4], [1, 1], points=True).onto([EDGES], "here", density=False, zero=False)


def test_two_axes_are_each_added_up():
    values = np.random.default_rng(5).uniform(size=(8, 4))
    fine = Spectrum(places=(np.arange(9) * 0.5, np.arange(5.0)), values=values, errors=values)
    sums, variances = fine.onto([EDGES, np.array([0.0, 3.0, 4.0])], "here", density=False, zero=False)
    expected = np.add.reduceat(np.add.reduceat(values, [0, 2, 5], axis=0), [0, 3], axis=1)
    np.testing.assert_allclose(sums, expected.ravel())
    expected = np.add.reduceat(np.add.reduceat(values**2, [0, 2, 5], axis=0), [0, 3], axis=1)
    np.testing.assert_allclose(variances, expected.ravel())


HEPDATA = """
independent_variables:
- header: {name: T, units: keV}
  values: [{low: 1, high: 2}, {low: 2, high: 4}]
dependent_variables:
- header: {name: events}
  values:
  - {value: 3.0, errors: [{symerror: 3.0, label: stat}, {asymerror: {plus: 5.0, minus: -3.0}, label: syst}]}
  - {value: 4.0, errors: [{symerror: 0.5}]}
- header: {name: rate}
  values: [{value: 1.0}, {value: 2.0}]
"""


def hepdata_of_cells(cells, second="theta"):
    """Return a table of two independent variables, of (low, high) of both and a value per cell, with 10 % error."""
    first = [{"low": low, "high": high} for (low, high), _, _ in cells]
    other = [{"low": low, "high": high} for _, (low, high), _ in cells]
    values = [{"value": value, "errors": [{"symerror": 0.1 * value}]} for _, _, value in cells]
    return json.dumps(
        {
            "independent_variables": [
                {"header": {"name": "T", "units": "MeV"}, "values": first},
                {"header": {"name": second, "units": "mrad"}, "values": other},
            ],
            "dependent_variables": [{"header": {"name": "events"}, "values": values}],
        }
    )


T_BINS, THETA_BINS = ((100, 200), (200, 500), (500, 1000)), ((0, 10), (10, 40))
CELLS = [(t, theta, 10.0 * i + j + 1) for i, t in enumerate(T_BINS) for j, theta in enumerate(THETA_BINS)]


def test_a_hepdata_table_of_two_variables_is_a_grid(tmp_path):
    beside = str(tmp_path / "fit.toml")
    expected = np.array([[1.0, 2.0], [11.0, 12.0], [21.0, 22.0]])
    # HEPData lists cells in any order: by the first variable, by the second, or mixed.
    for name, order in (("first", [0, 1, 2, 3, 4, 5]), ("second", [0, 2, 4, 1, 3, 5]), ("mixed", [3, 5, 0, 4, 2, 1])):
        (tmp_path / f"{name}.yaml").write_text(hepdata_of_cells([CELLS[at] for at in order]))
        found = read(f"{name}.yaml", {}, beside, "here")
        assert [place.tolist() for place in found.places] == [[100, 200, 500, 1000], [0, 10, 40]]
        np.testing.assert_array_equal(found.values, expected)
        np.testing.assert_allclose(found.errors, 0.1 * expected)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (CELLS[:-1], r"no grid of 3 x 2: the cell with T from 500 to 1000, theta from 10 to 40 is missing"),
        ([*CELLS, CELLS[0]], r"no grid of 3 x 2: the cell with T from 100 to 200, theta from 0 to 10 is listed more"),
        ([(t, th, v) for t, th, v in CELLS if t[0] != 200], r"'T': a bin ends at 200 and the next begins at 500"),
        ([*CELLS, ((150, 300), (0, 10), 1.0)], r"'T': a bin ends at 200 and the next begins at 150; bins must join"),
    ],
)
def test_cells_that_are_no_grid_are_refused(tmp_path, cells, message):
    (tmp_path / "a.yaml").write_text(hepdata_of_cells(cells))
    with pytest.raises(DataError, match=message):
        read("a.yaml", {}, str(tmp_path / "fit.toml"), "here")


def test_points_of_two_variables_and_other_lengths_are_refused(tmp_path):
    beside, content = str(tmp_path / "fit.toml"), json.loads(hepdata_of_cells(CELLS))
    content["independent_variables"][1]["values"] = [{"value": 1.0}] * 6
    (tmp_path / "points.yaml").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"points.yaml: 'theta' has points; a table of several axes needs low and high"):
        read("points.yaml", {}, beside, "here")
    content = json.loads(hepdata_of_cells(CELLS))
    content["independent_variables"][1]["values"].pop()
    (tmp_path / "short.yaml").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"short.yaml: 6 values of 'events', and another number of bins of 'theta'"):
        read("short.yaml", {}, beside, "here")
    content["independent_variables"] = []
    (tmp_path / "none.yaml").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"none.yaml: has no independent variable"):
        read("none.yaml", {}, beside, "here")


def test_files_are_read(tmp_path):
    beside = str(tmp_path / "fit.toml")
    (tmp_path / "a.csv").write_text("# a comment\nlow, high, rate, err\n1, 2, 3.5, 0.1\n2, 4, 4.5, 0.2\n")
    (tmp_path / "a.txt").write_text("1 3.5\n2 4.5 # more\n\n")
    (tmp_path / "a.yaml").write_text(HEPDATA)
    with uproot.recreate(tmp_path / "a.root") as file:
        file["one"] = np.histogram([1.5, 2.5, 2.5], bins=[1.0, 2.0, 4.0])
        file["two"] = np.histogram2d([1.5, 2.5], [0.5, 1.5], bins=[[1.0, 2.0, 4.0], [0.0, 1.0, 3.0]])
    columns = {"low": "low", "high": 2, "value": "rate", "error": 4}
    found = read("a.csv", columns, beside, "here")
    assert (found.places[0].tolist(), found.values.tolist(), found.errors.tolist()) == (
        [1, 2, 4],
        [3.5, 4.5],
        [0.1, 0.2],
    )
    (tmp_path / "said.csv").write_text("value;error;low;high\n3.5;0.1;1;2\n4.5;0.2;2;4\n")
    said = read("said.csv", {}, beside, "here")
    assert (said.places[0].tolist(), said.values.tolist(), said.errors.tolist()) == ([1, 2, 4], [3.5, 4.5], [0.1, 0.2])
    (tmp_path / "said.txt").write_text("x value\n1 3.5\n2 4.5\n")
    assert read("said.txt", {}, beside, "here").points
    found = read("a.txt", {"x": 1, "value": 2}, beside, "here")
    assert (found.places[0].tolist(), found.values.tolist(), found.points) == ([1, 2], [3.5, 4.5], True)
    found = read("a.yaml", {"value": "events"}, beside, "here")
    assert (found.places[0].tolist(), found.values.tolist(), found.errors.tolist()) == ([1, 2, 4], [3, 4], [5, 0.5])
    assert read("a.yaml", {"value": "rate"}, beside, "here").errors is None
    found = read("a.root:one", {}, beside, "here")
    assert (found.places[0].tolist(), found.values.tolist()) == ([1, 2, 4], [1, 2])
    assert found.errors == pytest.approx(np.sqrt([1, 2]))
    assert read("a.root:two", {}, beside, "here").values.tolist() == [[1, 0], [0, 1]]
    assert events_of("a.txt", {"event": 2}, beside, "here").tolist() == [3.5, 4.5]


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("a.csv", {}, r"which column of a.csv is what\? Its headings \(T, rate\) are not low, high and value, or x"),
        ("nan.csv", {}, r"Its headings \(none\) are not"),
        ("a.csv", {"x": 1, "low": 2, "value": 3}, r"columns has x, low, value; needs"),
        ("a.csv", {"x": 1, "value": "ratte"}, r"no column 'ratte'; did you mean 'rate'\? \(there are: T, rate\)"),
        ("a.csv", {"x": 1, "value": 3}, r"line 1 of numbers has no number in column 3: \['1', '2'\]"),
        ("gone.csv", {"x": 1, "value": 2}, r"gone.csv: cannot be read \(No such file"),
        ("gap.csv", {"low": 1, "high": 2, "value": 3}, r"a bin ends at 2 and the next begins at 3; bins must join"),
        ("back.csv", {"x": 1, "value": 2}, r"edges or points must be finite and increase"),
        ("nan.csv", {"x": 1, "value": 2}, r"value 1 is no finite number"),
        ("a.yaml", {}, r"a.yaml has 'events', 'rate'; say which"),
        ("bad.yaml", {}, r"cannot be read as a table of HEPData"),
        ("a.root:gone", {}, r"no histogram 'gone'.*there are: one, text"),
        ("a.root:text", {}, r"'text' is a TObjString; a table is a TH1 or TH2"),
        ("a.xls", {"x": 1, "value": 2}, r"'a.xls' is no .csv, .txt, .dat, .yaml or file.root:histogram"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, columns, message):
    (tmp_path / "a.csv").write_text("T,rate\n1,2\n2,3\n")
    (tmp_path / "gap.csv").write_text("1,2,5\n3,4,5\n")
    (tmp_path / "back.csv").write_text("2,5\n1,5\n")
    (tmp_path / "nan.csv").write_text("1,5\n2,nan\n")
    (tmp_path / "a.yaml").write_text(HEPDATA)
    (tmp_path / "bad.yaml").write_text("independent_variables: [")
    with uproot.recreate(tmp_path / "a.root") as file:
        file["one"] = np.histogram([1.5], bins=[1.0, 2.0, 4.0])
        file["text"] = "words"
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        read(name, columns, str(tmp_path / "fit.toml"), "here")
    assert "\n" not in str(caught.value)
