"""Analyses made of tables alone: sums by hand, the ON/OFF likelihood by scipy, and HistFactory's by pyhf."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import uproot
from scipy.optimize import minimize_scalar

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.likelihood import Likelihood
from spectrafit.report.inventories import inventory_table
from spectrafit.templates.published import counts_of, samples_of_tables
from spectrafit.templates.regions import lay_out

FIT = """
exposure = "2 t yr"
coupling = "magnetic_moment"
[[regions]]
name = "er"
axes = [{ observable = "t_reco", edges = [1e-6, 2e-6, 4e-6, 8e-6] }]
"""
SIGNAL = """
[[tables]]
name = "pp"
role = "signal"
points = [0.0, 10.0]
values = [40.0, 40.0]
errors = [1.0, 0.0]
unit = "keV"
per = "t yr keV"
[[tables]]
name = "pp"
role = "signal"
power = 1
at = 2e-11
edges = [1.0, 2.0, 4.0, 8.0]
values = [4.0, 3.0, 2.0]
unit = "keV"
per = "t yr"
"""
BACKGROUND = """
[[tables]]
name = "kr"
title = "85Kr"
values = [30.0, 20.0, 10.0]
errors = [3.0, 2.0, 1.0]
"""


@pytest.fixture
def load(tmp_path):
    def load(text, **options):
        (tmp_path / "fit.toml").write_text(text)
        return sf.load(tmp_path / "fit.toml", **options)

    return load


def test_tables_are_brought_to_bins_exposure_and_kappa(load):
    templates = sf.build(load(FIT + SIGNAL + BACKGROUND))
    assert templates.samples == ("pp", "kr")
    assert templates.roles == ("signal", "background")
    assert templates.titles == ("pp", "85Kr")
    pp, kr = templates.counts[:, 0]
    # 40 per t yr keV for 2 t yr and bins of 1, 2 and 4 keV.
    assert pp[0] == pytest.approx([80.0, 160.0, 320.0])
    # kappa is (mu / 1e-9)^2, so that 2e-11 is kappa = 4e-4.
    assert pp[1] == pytest.approx(2 * np.array([4.0, 3.0, 2.0]) / 4e-4)
    assert kr[0].tolist() == [30.0, 20.0, 10.0]
    assert templates.squares[1, 0].tolist() == [9.0, 4.0, 1.0]
    # The point at 0 has the error: the integral of 1 - x/10 over each bin, twice.
    assert np.sqrt(templates.squares[0, 0]) == pytest.approx(2 * np.array([0.85, 1.4, 1.6]))
    doubled = sf.build(load((FIT + SIGNAL + BACKGROUND).replace("2 t yr", "1461 t d")))
    assert doubled.counts[0] == pytest.approx(2 * templates.counts[0])
    assert doubled.counts[1] == pytest.approx(templates.counts[1])


def test_a_limit_from_tables_is_that_of_pyhf(load):
    import pyhf

    norm = '[[systematics]]\nkind = "norm"\nname = "kr_rate"\nsamples = ["kr"]\nsigma = 0.2\nconstraint = "gaussian"\n'
    text = FIT + SIGNAL.replace("errors = [1.0, 0.0]", "") + BACKGROUND.replace("errors = [3.0, 2.0, 1.0]", "")
    analysis = load(text + norm + "[data]\ner = [115, 185, 322]\n")
    model = sf.assemble(analysis, sf.build(analysis), unblind=True)
    spec = {
        "channels": [
            {
                "name": "er",
                "samples": [
                    {"name": "sm", "data": [80.0, 160.0, 320.0], "modifiers": []},
                    {
                        "name": "mu",
                        "data": [20000.0, 15000.0, 10000.0],
                        "modifiers": [{"name": "kappa", "type": "normfactor", "data": None}],
                    },
                    {
                        "name": "kr",
                        "data": [30.0, 20.0, 10.0],
                        "modifiers": [
                            {
                                "name": "kr_rate",
                                "type": "histosys",
                                "data": {"hi_data": [36.0, 24, 12], "lo_data": [24.0, 16, 8]},
                            }
                        ],
                    },
                ],
            }
        ]
    }
    other = pyhf.Model(spec, poi_name="kappa", validate=False)
    data = [115, 185, 322, *other.config.auxdata]

    def theirs(values):
        ordered = [values[name] for name in other.config.par_order]
        return -2 * float(other.logpdf(ordered, data)[0])

    start = {"kappa": 0.0, "kr_rate": 0.0}
    for point in ({"kappa": 1e-3, "kr_rate": 0.3}, {"kappa": -2e-4, "kr_rate": -1.0}):
        ours = [
            Likelihood(model).two_nll(np.array([values[name] for name in model.names])) for values in (point, start)
        ]
        assert ours[0] - ours[1] == pytest.approx(theirs(point) - theirs(start), rel=1e-9, abs=1e-8)
    assert sf.fit(model).valid


def test_counts_with_the_source_off_have_poisson_errors_of_their_own(load):
    """ON = kappa s + b, OFF = b / ratio: the profile over b of two Poisson counts."""
    off, on, shape, ratio = np.array([12, 7, 30]), np.array([5, 4, 9]), np.array([4.0, 3.0, 2.0]), 0.25
    text = (
        FIT
        + f"""
[[tables]]
name = "mu"
role = "signal"
power = 1
values = {(shape * 1000).tolist()}
[[tables]]
name = "off"
values = {off.tolist()}
errors = "poisson"
factor = {ratio}
[data]
er = {on.tolist()}
[fit]
mc_statistics = "barlow-beeston"
"""
    )
    analysis = load(text)
    templates = sf.build(analysis)
    assert templates.counts[1, 0, 0] == pytest.approx(off * ratio)
    assert templates.squares[1, 0] == pytest.approx(off * ratio**2)
    likelihood = Likelihood(sf.assemble(analysis, templates, unblind=True))

    def profile(kappa):
        def two_nll(n_on, n_off, s):
            def at(b):
                return 2 * (s + ratio * b - n_on * np.log(s + ratio * b) + b - n_off * np.log(b))

            return minimize_scalar(at, bounds=(1e-6, 300), method="bounded", options={"xatol": 1e-10}).fun

        return sum(two_nll(a, b, 1000 * kappa * s) for a, b, s in zip(on, off, shape, strict=True))

    for kappa in (2e-4, 1e-3, 3e-3):
        ours = likelihood.two_nll(np.array([kappa])) - likelihood.two_nll(np.array([0.0]))
        assert ours == pytest.approx(profile(kappa) - profile(0.0), abs=1e-5)
    _is_named_as_given(likelihood.model)


def _is_named_as_given(model):
    """Nothing of the counts with the source off is called simulation."""
    limit = sf.upper_limit(model, level=0.90, simulation=True)
    assert limit.simulation_error > 0
    assert limit.simulation_error_from == "given errors of off"
    assert "(given errors of off)" in str(limit)
    best = sf.fit(model)
    found = {impact.name for impact in sf.impacts(model, best)}
    assert "given errors of off" in found
    text = str(sf.breakdown(model))
    assert "Given errors of sample off divided by the root of 2 would gain" in text
    assert "simulation" not in text + str(limit) + "".join(found)


def test_data_are_read_from_bins_and_from_events(load, tmp_path):
    (tmp_path / "events.txt").write_text("# keV\n1.5\n2.0\n3.9\n7.0\n9.0\n0.2\n")
    (tmp_path / "binned.csv").write_text("low,high,n\n1,1.5,2\n1.5,2,3\n2,4,4\n4,8,1\n8,16,5\n")
    with uproot.recreate(tmp_path / "binned.root") as file:
        file["h"] = np.array([5.0, 4.0, 1.0]), np.array([1.0, 2.0, 4.0, 8.0])
    text = FIT + SIGNAL + BACKGROUND
    for said, expected in (
        ('{ file = "events.txt", columns = { event = 1 }, unit = "keV" }', [1, 2, 1]),
        ('{ file = "binned.csv", columns = { low = 1, high = 2, value = "n" }, unit = "keV" }', [5, 4, 1]),
        (
            '{ file = "binned.csv", columns = { low = 1, high = 2, value = 3 }, unit = "keV", per = "t yr keV" }',
            [5, 16, 8],
        ),
        ('{ file = "binned.root:h", unit = "keV" }', [5, 4, 1]),
    ):
        analysis = load(text + f"[data]\ner = {said}\n")
        model = sf.assemble(analysis, sf.build(analysis), unblind=True)
        assert model.data.tolist() == expected, said


def test_a_check_reads_tables_and_data_and_names_them(load, tmp_path):
    text = FIT + SIGNAL + BACKGROUND
    found = inventory_table(load(text))
    assert [row[:2] for row in found.rows] == [("pp", "signal"), ("pp", "signal"), ("kr", "background")]
    assert found.columns[4] == ">t yr"
    with pytest.raises(DataError, match=r"\$.data.er: .*gone.txt: cannot be read"):
        inventory_table(load(text + '[data]\ner = { file = "gone.txt", columns = { event = 1 } }\n'))
    with pytest.raises(ConfigError, match=r"values for region 'er', which has 3 bins"):
        inventory_table(load(text.replace("values = [30.0, 20.0, 10.0]\nerrors = [3.0, 2.0, 1.0]", "values = [1.0]")))


def test_tables_stand_beside_events_and_follow_norms(tmp_path, load):
    from tests.events.ntuples import native
    from tests.test_bad_input import write_tree

    write_tree(tmp_path / "nue.root", native(2000))
    (tmp_path / "set.toml").write_text("[[samples]]\nname = 'nue'\nrole = 'signal'\nfiles = 'nue.root'\npot = 2e20\n")
    text = """
samples = "set.toml"
pot = 1e20
[[regions]]
name = "a"
axes = [{ observable = "t_reco", edges = [0.2, 1.0, 4.0] }]
[[tables]]
name = "rock"
edges = [0.2, 0.6, 1.0, 4.0]
values = [1.0, 2.0, 3.0]
per = "1e20 POT"
[[systematics]]
kind = "norm"
name = "rate"
samples = ["rock"]
sigma = 0.5
"""
    templates = sf.build(load(text))
    assert templates.counts[1, 0, 0].tolist() == [3.0, 3.0]
    assert sf.build(load(text, overrides=["pot=3e20"])).counts[1, 0, 0] == pytest.approx([9.0, 9.0])
    saved = templates.save(tmp_path / "built.npz")
    again = sf.Templates.load(saved, analysis=load(text, overrides=["pot=3e20", "tables.rock.values=[1.0, 1.0, 3.0]"]))
    assert again.counts[1, 0, 0] == pytest.approx([6.0, 9.0])
    assert "rate" in sf.assemble(load(text), templates).names


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'per = "t yr keV"',
            'per = "kg"',
            r"\(.pp.\): per = 'kg' is in kg; needs the exposure \(t yr\), the axis \(GeV\)",
        ),
        ('per = "t yr keV"', 'per = "t yr"', r"values at points need per = a unit of the axis"),
        ("power = 1\n", "power = 2\n", r"the cross section has no term of power \{'kappa': 2\}"),
        ("power = 1\n", "power = { mu = 1 }\n", r"power names 'mu', which no fitted coupling has.*there are: kappa"),
        ('"kr"', '"kr"\npower = 1', r"a background does not change with the coupling; write role = 'signal'"),
        ("values = [30.0, 20.0, 10.0]", "values = [30.0, 20.0]", r"3 errors for 2 values, needs 2"),
        ("errors = [3.0, 2.0, 1.0]", 'region = "e"', r"region 'e' is none; did you mean 'er'"),
        ("errors = [3.0, 2.0, 1.0]", 'file = "x.csv"', r"give either a file, or values"),
        ('name = "kr"', 'name = "pp"', r"two parts of 'pp' are signal and background"),
        (
            "errors = [3.0, 2.0, 1.0]",
            "edges = [1.0, 3.0, 4.0, 8.0]\nunit = 'keV'",
            r"edge 2e-06 cuts the table's bin from 1e-06",
        ),
        ('unit = "keV"\nper = "t yr keV"', 'unit = "kg"\nper = "t yr keV"', r"'1 kg' is in kg, and a number in GeV"),
        ("power = 1\nat = 2e-11\n", "", r"a table of the same name, region and power is there already"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(load, old, new, message):
    text = FIT + SIGNAL + BACKGROUND
    assert old in text
    with pytest.raises((ConfigError, DataError), match=message):
        sf.build(load(text.replace(old, new)))


def test_an_analysis_of_nothing_is_refused(load):
    with pytest.raises(ConfigError, match=r"\$: samples is missing; .*tables"):
        load(FIT)


def test_the_example_of_the_page_gives_a_limit(load):
    page = (Path(__file__).parents[2] / "fits/README.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"## Tables in place of events.*?```toml\n(.*?)```", page, re.DOTALL)
    analysis = load(text)
    templates = sf.build(analysis)
    # Straight lines between the points, 20 kg d, and kappa = (5e-11 / 1e-9)^2 at the moment that is said.
    assert templates.counts[0, 0, 1] == pytest.approx(20 * np.array([0.64, 0.875, 0.8]) / 2.5e-3)
    assert templates.counts[1, 0, 0] == pytest.approx([200.0, 400.0, 600.0])
    model = sf.assemble(analysis, templates, unblind=True)
    assert sf.fit(model).valid
    assert 1e-11 < sf.upper_limit(model, level=0.90).value < 1e-9


def test_samples_are_made_for_any_regions(load):
    analysis = load(FIT + SIGNAL + BACKGROUND)
    templates = sf.build(analysis)
    pp, kr = samples_of_tables(analysis, templates.regions, templates.monomials)
    inner = templates.cells.layout.inner
    np.testing.assert_array_equal(pp.sums[:, inner], templates.counts[0, 0])
    np.testing.assert_array_equal(kr.sums[:, inner], templates.counts[1, 0])
    assert pp.tabulated


def test_events_of_a_region_with_two_axes_are_refused(load):
    second = '{ observable = "theta_reco", edges = [0.0, 0.1] }'
    text = FIT.replace("8e-6] }]", f"8e-6] }}, {second}]") + BACKGROUND
    analysis = load(text + '[data]\ner = { file = "a.txt", columns = { event = 1 } }\n')
    (region,) = lay_out(analysis.regions)
    with pytest.raises(ConfigError, match=r"here: a list of events has one column, event, and a region with one axis"):
        counts_of(analysis, analysis.data["er"], region, "here")


def grid_of_two(path, name, values):
    """Write a HEPData table of T (keV) and theta (mrad), 2 x 2 cells."""
    places = [(t, theta) for t in ((1, 2), (2, 4)) for theta in ((0, 20), (20, 100))]
    axes = [
        {"header": {"name": word}, "values": [{"low": place[at][0], "high": place[at][1]} for place in places]}
        for at, word in enumerate(("T", "theta"))
    ]
    dependent = [{"header": {"name": name}, "values": [{"value": value} for value in values]}]
    path.write_text(json.dumps({"independent_variables": axes, "dependent_variables": dependent}))


def test_a_hepdata_grid_is_a_sample_and_data_of_two_axes(load, tmp_path):
    grid_of_two(tmp_path / "two.yaml", "rate", [5.0, 6.0, 7.0, 8.0])
    second = '{ observable = "theta_reco", edges = [0.0, 0.02, 0.1] }'
    text = FIT.replace(", 8e-6] }]", f"] }}, {second}]")
    table = '[[tables]]\nname = "kr"\nrole = "background"\nfile = "two.yaml"\nunit = "keV, mrad"\n'
    templates = sf.build(load(text + table))
    assert templates.counts[0, 0, 0].tolist() == [5.0, 6.0, 7.0, 8.0]
    analysis = load(text + table + '[data]\ner = { file = "two.yaml", unit = "keV, mrad", per = "keV mrad" }\n')
    (region,) = lay_out(analysis.regions)
    # Per keV and mrad: cells of 1 x 20, 1 x 80, 2 x 20 and 2 x 80.
    counts = counts_of(analysis, analysis.data["er"], region, "here")
    assert counts == pytest.approx([100.0, 480.0, 280.0, 1280.0])
    with pytest.raises(ConfigError, match=r"unit = 'keV, mrad, s' has 3 units, and the table 2 axes"):
        sf.build(load(text + table.replace("keV, mrad", "keV, mrad, s")))
    with pytest.raises(DataError, match=r"the table has 2 axes, the region 1"):
        sf.build(load(FIT + table))
