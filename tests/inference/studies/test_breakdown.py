"""Breakdowns against limits of analyses without the systematics, filled and fitted by themselves."""

import dataclasses
import json

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.studies.breakdown import SIMULATION, breakdown
from tests.inference.models import counting


@pytest.fixture(scope="module")
def found(analysis, templates):
    return breakdown(sf.assemble(analysis, templates))


def limit_of(folder, without=(), simulation=True):
    settings = () if simulation else ("fit.mc_statistics=none",)
    less = sf.load(folder / "fit.toml", without=without, overrides=settings)
    return sf.limit(sf.assemble(less, sf.build(less))).expected.median


def test_frozen_is_left_out_and_alone_is_all_others_left_out(found, folder):
    assert {part.name for part in found.parts} == {"flux", "nc", "scale", SIMULATION}
    for part in found.parts:
        if part.name == SIMULATION:
            pairs = [(part.frozen, (), False), (part.alone, ("*",), True)]
        else:
            others = tuple(n for n in ("flux", "nc", "scale") if n != part.name)
            pairs = [(part.frozen, (part.name,), True), (part.alone, others, False)]
        for limit, without, simulation in pairs:
            assert limit.expected.median == pytest.approx(limit_of(folder, without, simulation), rel=1e-6), part.name
    assert found.whole.expected.median == pytest.approx(limit_of(folder), rel=1e-9)
    assert found.statistics.expected.median == pytest.approx(limit_of(folder, ("*",), simulation=False), rel=1e-6)
    gains = [found.gain(part.frozen) for part in found.parts]
    assert gains == sorted(gains, reverse=True)


def test_more_simulation_is_what_a_scan_of_it_finds(found, analysis, templates):
    assert set(found.more) == {"", "numu", "nc"}
    for name, limit in found.more.items():
        key = f"simulated.{name}" if name else "simulated"
        scanned = sf.scan(analysis, {key: (2.0,)}, templates=templates, executor="serial")
        assert limit.expected.median == pytest.approx(scanned.median[0], rel=1e-9)
    (said,) = [line for line in found.sentences() if "sample nc" in line]
    assert said == f"Twice the simulation of sample nc would gain {100 * found.gain(found.more['nc']):.2g} %."


def test_groups_are_those_of_the_analysis_or_by_globs(analysis, templates):
    model = sf.assemble(analysis, templates)
    by_group = {part.name: part.parameters for part in breakdown(model, groups="group").parts}
    assert by_group == {"beam": ("flux",), "nc": ("nc",), "scale": ("scale",), SIMULATION: ()}
    own = breakdown(model, groups={"rates": ["flux", "n*"]})
    assert {part.name: set(part.parameters) for part in own.parts} == {
        "rates": {"flux", "nc"},
        "others": {"scale"},
        SIMULATION: set(),
    }
    with pytest.raises(ConfigError, match=r"group 'x' matches no systematic \(there are: flux, nc, scale\)"):
        breakdown(model, groups={"x": ["y*"]})
    with pytest.raises(ConfigError, match="'flux' is in two groups, 'a' and 'b'"):
        breakdown(model, groups={"a": ["flux"], "b": ["fl*"]})
    with pytest.raises(ConfigError, match="factor = 0"):
        breakdown(model, factor=0.0)


def test_in_one_bin_the_numbers_are_those_of_the_root_of_a_sum_of_squares():
    # Gaussian: 100 counts +- 10, a background of 100 +- 10 %: the limit is 1.2816 sigma above nothing.
    model = counting(100.0, 100.0, 0.1, statistic="gaussian")
    found = breakdown(model)
    (part,) = found.parts
    assert found.statistics.expected.median == pytest.approx(12.815516, rel=1e-4)
    assert found.whole.expected.median == pytest.approx(12.815516 * np.sqrt(2.0), rel=1e-2)
    assert part.alone.value == pytest.approx(found.whole.value)
    assert part.frozen.value == pytest.approx(found.statistics.value)
    assert found.more == {}
    assert found.gain(part.frozen) == pytest.approx(1 - np.sqrt(0.5), abs=0.01)


def test_it_prints_and_keeps_every_limit(found):
    rows = found.rows()
    assert [row["what"] for row in rows].count("frozen") == len(found.parts) == 4
    assert rows[0]["median"] == found.whole.expected.median
    json.dumps(found.summary(), allow_nan=False)
    text = str(found)
    assert all(part.name in text for part in found.parts)
    assert str(dataclasses.replace(found, factor=3.0)).count("3 times the simulation") == 3
