import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from spectrafit.config import Analysis, SampleSet, chosen, digest, load, load_samples, schema
from spectrafit.errors import ConfigError

SAMPLES = """
[[samples]]
name = "numu"
role = "signal"
files = "numu.root"

[[samples]]
name = "other"
role = "background"
files = "other.root"
"""
FIT = """
samples = "set.toml"
pot = 3.62e20

[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.3, 0.6, 0.9] }]

[[systematics]]
kind = "norm"
name = "flux"
samples = ["numu"]
sigma = 0.1
"""


@pytest.fixture
def write(tmp_path: Path):
    def write(fit: str = FIT, samples: str = SAMPLES) -> Path:
        (tmp_path / "set.toml").write_text(samples)
        (tmp_path / "fit.toml").write_text(fit)
        return tmp_path / "fit.toml"

    return write


def test_a_file_becomes_an_analysis_with_its_samples(write) -> None:
    analysis = load(write())
    assert [s.name for s in analysis.sample_sets[0].samples] == ["numu", "other"]
    assert analysis.regions[0].axes[0].edges == (0.3, 0.6, 0.9)
    assert analysis.coupling_options.name == "magnetic_moment"
    assert analysis.exposure_of(analysis.sample_sets[0]) == 3.62e20


def test_an_analysis_prints_a_few_lines(write) -> None:
    analysis = load(write('title = "<b>"\n' + FIT))
    first, *lines = repr(analysis).splitlines()
    assert first.endswith("fit.toml: <b>")
    assert [line.strip() for line in lines] == [
        "coupling: magnetic_moment; statistic poisson, limit by profile",
        "exposure: 3.62e+20 POT",
        "samples: numu, other",
        "regions: nd (t_reco)",
        "systematics: flux",
    ]
    assert "&lt;b&gt;" in analysis._repr_html_()
    assert "<b>" not in analysis._repr_html_()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("sigma = 0.1", "sigmma = 0.1", r"\$\.systematics\[0\]\.sigmma: unknown key; did you mean 'sigma'"),
        ("pot = 3.62e20", "pott = 3.62e20", r"\$\.pott: unknown key; did you mean 'pot'"),
        (
            "observable",
            "observible",
            r"axes\[0\]\.observible: unknown key; did you mean 'observable'",
        ),
        ("0.6, 0.9", "0.9, 0.6", r"edges must increase, found 0\.9 before 0\.6"),
        ('["numu"]', '["nuum"]', r"\$\.systematics\[0\]\.samples: 'nuum' names no sample; did you mean 'numu'"),
        (
            '"norm"',
            '"nrm"',
            r"\$\.systematics\[0\]\.kind: no choice 'nrm'; did you mean 'norm'\? \(there are: .*weight",
        ),
        ('kind = "norm"\n', "", r"\$\.systematics\[0\]: kind is missing \(there are: .*norm"),
        ("pot = 3.62e20", "", r"\$: pot is missing"),
        (
            "pot = 3.62e20",
            'pot = 1.0\nlimit = {method = "CLs"}',
            r"\$\.limit\.method: no choice 'CLs'; did you mean 'cls'",
        ),
        ("pot = 3.62e20", 'pot = "1e20"', r"\$\.pot: Expected a number or a table, got text; found '1e20'"),
        ("sigma = 0.1", 'sigma = "a"', r"\$\.systematics\[0\]\.sigma: Expected a number, got text; found 'a'"),
        ("sigma = 0.1", "sigma = 0.0", r"needs sigma > 0, or free = true"),
        ("pot = 3.62e20", "pot = -1.0", r"\$\.pot: Expected a number >= 1e-06; found -1\.0"),
        ("pot = 3.62e20", "pot = {sett = 1.0}", r"\$\.pot: 'sett' names no sample set; did you mean 'set'"),
        ("pot = 3.62e20", "pot = 1.0\ndata = {nd = [1.0]}", r"\$\.data\.nd: 1 numbers for 2 bins"),
        (
            "pot = 3.62e20",
            'pot = 1.0\ncoupling = "magnetic"',
            r"'magnetic'; did you mean 'magnetic_moment'",
        ),
        ("pot = 3.62e20", 'pot = 1.0\npath = "x"', r"\$\.path: unknown key"),
        ('"set.toml"', '"sett.toml"', r"sett\.toml: no such file; did you mean 'set\.toml'"),
        ("pot = 3.62e20", "pot = ", r"not valid TOML"),
        ("[[regions]]", "[[regionss]]", r"unknown key; did you mean 'regions'"),
    ],
)
def test_mistakes_name_file_key_and_remedy(write, old: str, new: str, expected: str) -> None:
    path = write(FIT.replace(old, new))
    with pytest.raises(ConfigError, match=expected) as raised:
        load(path)
    assert ".toml" in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "other"', 'name = "numu"', "two are called 'numu'"),
        ('files = "other.root"', "", "has no files"),
        ('files = "other.root"', 'files = "x.root"\nresponse = true', r"true takes the set's \[response\]"),
        ('files = "other.root"', 'files = "x.root"\npot = {histogram = "a", branch = "b"}', "give one of histogram"),
        (
            'files = "other.root"',
            'files = "x.root"\ngenerate = {flavour = "numu", events = 10}',
            "no flux for 'numu'",
        ),
    ],
)
def test_mistakes_in_a_sample_set(write, old: str, new: str, expected: str) -> None:
    path = write(samples=SAMPLES.replace(old, new)).parent / "set.toml"
    with pytest.raises(ConfigError, match=expected):
        load_samples(path)


def test_overrides_are_laid_over_the_file_and_checked(write) -> None:
    path = write()
    analysis = load(path, overrides=["fit.terms=shape", "systematics.0.sigma=0.2", "limit.level=0.95"])
    assert (analysis.fit.terms, analysis.systematics[0].sigma, analysis.limit.level) == ("shape", 0.2, 0.95)
    with pytest.raises(ConfigError, match="unknown key; did you mean 'terms'"):
        load(path, overrides=["fit.term=shape"])
    with pytest.raises(ConfigError, match="is not an index below 1"):
        load(path, overrides=["systematics.7.sigma=0.2"])
    with pytest.raises(ConfigError, match="needs key=value"):
        load(path, overrides=["fit.terms"])


def test_the_digest_follows_the_content_and_not_the_place(write, tmp_path: Path) -> None:
    first = load(write())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "fit.toml").write_text(FIT)
    (elsewhere / "set.toml").write_text(SAMPLES)
    assert digest(load(elsewhere / "fit.toml")) == digest(first)
    assert digest(load(elsewhere / "fit.toml", overrides=["systematics.0.sigma=0.2"])) != digest(first)
    (elsewhere / "set.toml").write_text(SAMPLES.replace("other.root", "another.root"))
    assert digest(load(elsewhere / "fit.toml")) != digest(first)


def test_a_table_cannot_be_changed(write) -> None:
    analysis = load(write())
    with pytest.raises(AttributeError):
        analysis.pot = 1.0


@pytest.mark.parametrize(("kind", "text"), [(Analysis, FIT), (SampleSet, SAMPLES)])
def test_the_schema_accepts_what_the_loader_accepts_and_refuses_unknown_keys(kind, text: str) -> None:
    document = json.loads(json.dumps(tomllib.loads(text)))
    jsonschema.validate(document, schema(kind))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "sample_sets": []}, schema(kind))


def test_globs_choose_in_order() -> None:
    assert chosen(("b*", "a"), ("a", "ab", "ba", "b")) == ("a", "ba", "b")


@pytest.mark.parametrize(
    ("said", "pot", "unit", "line"),
    [
        ('exposure = "1.16 t yr"', 1.16, "t yr", "exposure: 1.16 t yr"),
        ('exposure = "365.25 d"', 365.25, "d", "exposure: 365.25 d"),
        ('exposure = "3.62e20 POT"', 3.62e20, "POT", "exposure: 3.62e+20 POT"),
        ("pot = 3.62e20", 3.62e20, "POT", "exposure: 3.62e+20 POT"),
        ('exposure = { set = "20 kg d" }', {"set": 20.0}, "kg d", "exposure: set 20 kg d"),
    ],
)
def test_an_exposure_is_a_number_with_its_unit(write, said, pot, unit, line) -> None:
    analysis = load(write(FIT.replace("pot = 3.62e20", said)))
    assert analysis.pot == pot
    assert analysis.exposure_unit("set") == unit
    assert line in repr(analysis)
    number = analysis.exposure_of(analysis.sample_sets[0])
    assert analysis.exposures == {"set" if isinstance(pot, dict) else "": (number, unit)}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ('pot = 1.0\nexposure = "1 t yr"', r"\$\.exposure: is there beside pot"),
        ("exposure = 3.0", r"\$\.exposure: needs a text with a unit, as in '1.16 t yr'; found 3.0"),
        ('exposure = "3.0"', r"\$\.exposure: '3.0' has no unit"),
        ('exposure = "3.0 ton"', r"\$\.exposure: '3.0 ton' has the unit 'ton', which is none \(there are: eV, keV"),
        ('exposure = "-3.0 t"', r"\$\.pot: Expected a number >= 1e-06"),
    ],
)
def test_an_exposure_that_is_none_is_refused(write, said, message) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(FIT.replace("pot = 3.62e20", said)))
