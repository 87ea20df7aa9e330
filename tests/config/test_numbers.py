"""Every number of every key has a domain: the schema is walked, and what lies outside is refused with its path."""

import copy
import math
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spectrafit.config import Analysis, SampleSet, load, load_samples, schema
from spectrafit.config.numbers import MOST_CELLS, refuse_wild
from spectrafit.errors import ConfigError

SET = """
title = "every key"
sin2_theta_w = 0.23
seed = 3
[detector]
electrons = 1e31
origin = "a sum"
[flux]
numu = [
    "flux.dat",
    { kind = "table", file = "more.dat", scale = 2.0 },
    { kind = "lines", unit = "1/cm^2/POT", lines = [[30.0, 1e-7]], scale = 1.0 },
    { kind = "pion decay at rest", distance = 30.0, per_proton = 0.09 },
    { kind = "solar", fluxes = { 7Be = 4.8e9 } },
    { kind = "reactor", power = 3.0, distance = 14.0, fractions = { U235 = 1.0 }, captures = 0.6 },
]
[target]
material = { Xe = 1.0 }
mass = 1000.0
binding = { Xe = [[1.0, 54.0]] }
[response]
lindhard_k = 0.16
energy_noise = 0.1
energy_stochastic = 0.05
energy_constant = 0.01
energy_scale = 1.0
angle_constant = 0.01
angle_stochastic = 0.01
angle_tail_fraction = 0.1
angle_tail_scale = 2.0
threshold = 0.1
efficiency = 0.9
efficiency_turn_on = 0.2
efficiency_width = 0.1
draws = 2
seed = 1
[[samples]]
name = "sig"
role = "signal"
files = "sig.root"
columns = { mine = 1.0, weight = 2.0 }
pot = 1e20
sin2_theta_w = 0.231
[samples.generate]
flavour = "numu"
events = 100
kappa = 1.0
t_min = 0.1
t_max = 5.0
[[samples]]
name = "up"
role = "signal"
files = "up.root"
generate = { flavour = "numu", events = 100, couplings = { charge_radius = 0.5 } }
[samples.pot]
flux = 1.0
cross_section = 1e-38
targets = 1e31
entries = 100
"""
FIT = """
samples = "set.toml"
pot = 1e20
sin2_theta_w = 0.23
data = { nd = [1.0, 2.0], side = { file = "events.txt", columns = { event = 1 } } }
counts = [{ name = "other", counts = { nd = [1.0, 2.0] }, errors = { nd = [0.1, 0.2] } }]
normalise = [{ samples = ["sig"], region = "nd", expected = 20.0 }]
coupling = { name = "magnetic_moment", fixed = { nue = 0.0 } }
prune = { norm = 1e-4, shape = 1e-4 }
[[tables]]
name = "binned"
role = "signal"
power = 1
at = 1e-11
edges = [0.2, 1.0, 4.0]
values = [3.0, 2.0]
errors = [0.3, 0.2]
factor = 0.5
[[tables]]
name = "points"
role = "signal"
power = { kappa = 1 }
points = [0.0, 9.0]
values = [3.0, 2.0]
[[tables]]
name = "file"
file = "b.csv"
columns = { x = 1, value = 2 }
[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.2, 1.0, 4.0] }]
[[regions]]
name = "side"
cut = "t_reco > 4"
axes = [{ observable = "t_reco", bins = 3, range = [4.0, 9.0] }]
[[systematics]]
kind = "norm"
prior_width = 1.0
name = "norm"
sigma = 0.1
[[systematics]]
kind = "norm"
prior_width = 1.0
name = "other"
sigma = 0.1
[[systematics]]
kind = "weight"
prior_width = 1.0
name = "weight"
sigmas = [-1.0, 1.0]
weights = ["a", "b"]
[[systematics]]
kind = "shift"
prior_width = 1.0
name = "shift"
scale = 0.1
offset = 0.1
[[systematics]]
kind = "shift"
prior_width = 1.0
name = "smear"
smear = 0.1
[[systematics]]
kind = "universes"
prior_width = 1.0
name = "universes"
branch = "u"
variance = 0.9
[[systematics]]
kind = "sample"
prior_width = 1.0
name = "sample"
up = { sig = "up" }
[[systematics]]
kind = "covariance"
prior_width = 1.0
name = "covariance"
file = "c.csv"
variance = 0.9
[[systematics]]
kind = "flux"
prior_width = 1.0
name = "flux"
correlation = 0.5
flavours = 0.5
variance = 0.9
[fit]
floor = 1e-6
correlations = [{ parameters = ["norm", "other"], value = 0.3 }]
[limit]
level = 0.9
toys = 100
seed = 1
"""


def numbers(plain: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every number in plain values."""
    if isinstance(plain, dict | list):
        for key, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from numbers(value, (*at, key))
    elif isinstance(plain, int | float) and not isinstance(plain, bool):
        yield at


def properties(kind: type) -> set[tuple[str, str]]:
    """Return (table, key) of every key of the schema that may be a number, or hold numbers."""
    found = set()

    def numeric(said: dict[str, Any]) -> bool:
        if said.get("type") in ("number", "integer"):
            return True
        inner = [*said.get("anyOf", ()), *(said[k] for k in ("items", "additionalProperties") if k in said)]
        return any(numeric(x) for x in inner if isinstance(x, dict))

    for table, said in schema(kind)["$defs"].items():
        found |= {(table, key) for key, value in said.get("properties", {}).items() if numeric(value)}
    return found


def domain(plain: Any, kind: type, at: tuple[Any, ...]) -> tuple[str, str, dict[str, Any]]:
    """Return the table and key of the number at a place, and what the schema says of that number."""
    defs = schema(kind)["$defs"]

    def step(said: dict[str, Any], value: Any, rest: tuple[Any, ...], where: tuple[str, str]) -> Iterator[Any]:
        if "$ref" in said:
            table = said["$ref"].rsplit("/", 1)[1]
            inner = defs[table]
            tag = inner.get("properties", {}).get("kind", {}).get("enum")
            if tag and isinstance(value, dict) and value.get("kind") not in tag:
                return
            if rest and rest[0] in inner.get("properties", {}):
                name = rest[0]
                yield from step(inner["properties"][name], value[name], rest[1:], (table, name))
            return
        for other in said.get("anyOf", ()):
            yield from step(other, value, rest, where)
        if said.get("type") in ("number", "integer") and not rest:
            yield (*where, said)
        for key, wanted in (("items", list), ("additionalProperties", dict)):
            if key in said and isinstance(said[key], dict) and isinstance(value, wanted) and rest:
                yield from step(said[key], value[rest[0]], rest[1:], where)

    (found,) = step({"$ref": f"#/$defs/{kind.__name__}"}, plain, at, ("", ""))
    return found


def put(plain: Any, at: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(plain)
    node = changed
    for key in at[:-1]:
        node = node[key]
    node[at[-1]] = value
    return changed


def toml(value: Any) -> str:
    """Write plain values as TOML, tables inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f"'{value}'" if isinstance(value, str) else repr(value)


def document(plain: dict[str, Any]) -> str:
    return "\n".join(f"{key} = {toml(value)}" for key, value in plain.items())


def path_of(at: tuple[Any, ...]) -> str:
    return "$" + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in at)


PLAIN = {Analysis: tomllib.loads(FIT), SampleSet: tomllib.loads(SET)}
CASES = [(kind, at) for kind, plain in PLAIN.items() for at in numbers(plain)]


@pytest.fixture
def read(tmp_path: Path):
    (tmp_path / "set.toml").write_text(SET)

    def read(kind: type, plain: dict[str, Any]) -> None:
        path = tmp_path / ("fit.toml" if kind is Analysis else "other.toml")
        path.write_text(document(plain))
        load(path) if kind is Analysis else load_samples(path)

    return read


@pytest.mark.parametrize("kind", [Analysis, SampleSet])
def test_the_documents_hold_every_number_there_is(read, kind: type) -> None:
    read(kind, PLAIN[kind])
    held = {domain(PLAIN[kind], kind, at)[:2] for at in numbers(PLAIN[kind])}
    missing = properties(kind) - held
    if kind is Analysis:
        # A parameter of kind "sample" has no number; exposures per sample set are tried below.
        missing = {m for m in missing if m[0] in schema(kind)["$defs"] and m[0] not in schema(SampleSet)["$defs"]}
    assert not missing


@pytest.mark.parametrize(("kind", "at"), CASES, ids=lambda x: path_of(x) if isinstance(x, tuple) else x.__name__)
def test_a_number_outside_its_domain_is_refused_with_its_path(read, kind: type, at: tuple[Any, ...]) -> None:
    said = domain(PLAIN[kind], kind, at)[2]
    low, high = said.get("minimum", said.get("exclusiveMinimum")), said.get("maximum", said.get("exclusiveMaximum"))
    assert low is not None, "a number without a lower end"
    assert high is not None, "a number without an upper end"
    whole = said["type"] == "integer"
    outside = [math.nan, math.inf, -math.inf, 2**64, 10**400, low - 1 if low >= 0 else 2 * low - 1, 2 * high + 1]
    outside += [low] if "exclusiveMinimum" in said else []
    outside += [high] if "exclusiveMaximum" in said else []
    for value in outside:
        with pytest.raises(ConfigError) as refused:
            read(kind, put(PLAIN[kind], at, value if not whole or isinstance(value, float) else int(value)))
        message = str(refused.value)
        assert path_of(at) in message, message
        assert "\n" not in message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 0.0, 1e308])
def test_exposures_of_sample_sets_have_the_domain_of_the_one_exposure(read, value: float) -> None:
    with pytest.raises(ConfigError, match=r"\$\.pot\.set"):
        read(Analysis, PLAIN[Analysis] | {"pot": {"set": value}})


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("limit.seed=-1", r"\$\.limit\.seed"),
        ("limit.toys=0", r"\$\.limit\.toys"),
        ("limit.level=0.9999999999999", r"\$\.limit\.level"),
        ("pot=nan", r"\$\.pot: found nan"),
        (f"pot={'9' * 5000}", "too many digits"),
        (f"pot={'[' * 5000}", "too deeply"),
    ],
)
def test_settings_laid_over_a_file_have_the_same_domains(read, tmp_path: Path, setting: str, expected: str) -> None:
    read(Analysis, PLAIN[Analysis])
    with pytest.raises(ConfigError, match=expected):
        load(tmp_path / "fit.toml", overrides=[setting])


@pytest.mark.parametrize(
    ("text", "expected"),
    [(f"x = {'9' * 5000}", "too many digits"), (f"x = {'[' * 5000}", "too deeply"), ("x = 1e999", r"\$\.x: found inf")],
)
def test_numbers_and_lists_no_machine_holds_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "fit.toml").write_text(text)
    with pytest.raises(ConfigError, match=expected):
        load(tmp_path / "fit.toml")


@pytest.mark.parametrize("axes", [40, 400, 1])
def test_regions_too_large_for_a_machine_are_refused_before_they_are_made(read, axes: int) -> None:
    bins = MOST_CELLS if axes == 1 else 2
    many = [{"observable": "t_reco", "bins": bins, "range": [0.2, 4.0]}] * axes
    plain = put(PLAIN[Analysis], ("regions", 1, "axes"), many)
    with pytest.raises(ConfigError, match=r"\$\.regions\[1\]\.axes: .* GB; at most 20000000 cells"):
        read(Analysis, plain)


def test_a_region_has_axes(read) -> None:
    with pytest.raises(ConfigError, match=r"\$\.regions\[1\]\.axes: region 'side' has none"):
        read(Analysis, put(PLAIN[Analysis], ("regions", 1, "axes"), []))


def test_a_generators_units_are_looked_at(read) -> None:
    with pytest.raises(ConfigError, match="look at their units"):
        read(SampleSet, put(PLAIN[SampleSet], ("samples", 1, "pot", "cross_section"), 1e-200))


def test_wild_numbers_are_found_however_deep() -> None:
    deep: Any = math.nan
    for _ in range(3000):
        deep = [deep]
    with pytest.raises(ConfigError, match="found nan"):
        refuse_wild({"x": deep}, "file")
