"""A file that includes another is the file one would write out by hand."""

import re
import shutil
from pathlib import Path

import pytest

from spectrafit.config import digest, inputs_of, load
from spectrafit.config.including import Written
from spectrafit.config.injected import toml
from spectrafit.errors import ConfigError
from tests.config.test_loading import FIT, SAMPLES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set.toml").write_text(SAMPLES)
    (tmp_path / "base.toml").write_text(FIT)
    return tmp_path


def written(folder: Path, text: str, name: str = "fit.toml") -> Path:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_tables_are_merged_by_key_and_lists_of_named_tables_by_name(folder: Path) -> None:
    short = load(
        written(
            folder,
            """
            include = "base.toml"
            pot = 1e21
            limit.level = 0.95
            [[systematics]]
            name = "flux"
            sigma = 0.05
            [[systematics]]
            kind = "norm"
            name = "nc"
            sigma = 0.4
            [[regions]]
            name = "nd"
            axes = [{ observable = "t_reco", edges = [0.3, 0.9] }]
            """,
        )
    )
    long = FIT.replace("3.62e20", "1e21\nlimit.level = 0.95").replace("0.1", "0.05").replace("0.3, 0.6,", "0.3,")
    whole = load(written(folder, long + "[[systematics]]\nkind = 'norm'\nname = 'nc'\nsigma = 0.4\n"))
    assert short == whole
    assert digest(short) == digest(whole)


def test_a_table_of_another_kind_takes_the_place(folder: Path) -> None:
    shift = "[[systematics]]\nkind = 'shift'\nname = 'flux'\ncolumn = 't_reco'\nscale = 0.03\n"
    found = load(written(folder, f"include = 'base.toml'\n{shift}")).systematics
    assert [(s.name, type(s).__name__, s.samples) for s in found] == [("flux", "Shift", ("*",))]


def test_names_of_files_are_relative_to_the_file_that_says_them(folder: Path) -> None:
    samples = SAMPLES + "[[samples.friends]]\nfiles = ['f/*.root', '/a/b.root', 'https://host/c.root']\n[flux]\n"
    (folder / "set.toml").write_text(samples + "numu = 'flux.csv'\n")
    (folder / "base.toml").write_text(FIT + "[[systematics]]\nkind = 'covariance'\nname = 'm'\nfile = 'm.csv'\n")
    inner = written(folder, 'include = "../base.toml"\nsamples = "mine.toml"', "inner/fit.toml")
    written(folder, 'include = "../set.toml"\n', "inner/mine.toml")
    found = load(inner)
    assert (found.samples, found.systematics[1].file) == ("mine.toml", "../m.csv")
    (one,) = found.sample_sets
    assert (one.samples[0].files, one.flux) == ("../numu.root", {"numu": "../flux.csv"})
    assert one.samples[1].friends[0].files == ("../f/*.root", "/a/b.root", "https://host/c.root")
    resolved = {path.resolve() for path in inputs_of(found)}
    assert {folder / "m.csv", folder / "numu.root", folder / "flux.csv"} <= resolved
    # And the sample set of the base itself, where the inner file names none.
    assert load(written(folder, 'include = "../base.toml"', "inner/fit.toml")).samples == "../set.toml"


def test_the_counts_that_data_names_are_relative_to_the_file_that_says_them(folder: Path) -> None:
    (folder / "counts.toml").write_text(toml({"nd": [3.0, 4.0]}, injected="toy 1"), encoding="utf-8")
    written(folder, 'include = "base.toml"\ndata = "counts.toml"', "with_data.toml")
    inner = written(folder, 'include = "../with_data.toml"', "inner/fit.toml")
    assert load(inner).data == {"nd": (3.0, 4.0)}
    assert load(inner).injected == "toy 1"
    # A setting on the command line is relative to the file that it is laid over.
    with pytest.raises(ConfigError, match=r"inner/counts\.toml: no such file, named by data"):
        load(inner, overrides=["data=counts.toml"])


def test_several_files_are_laid_over_each_other_in_order(folder: Path) -> None:
    written(folder, "pot = 1e21\ntitle = 'a'", "a.toml")
    written(folder, "pot = 2e21\ninclude = 'a.toml'", "b.toml")
    found = load(written(folder, "include = ['base.toml', 'b.toml']\nlimit.level = 0.95"))
    assert (found.pot, found.title, found.limit.level) == (2e21, "a", 0.95)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("include = 'fit.toml'", r"fit\.toml: \$\.include: 'fit.toml' includes itself \(fit.toml -> fit.toml\)"),
        ("include = 'round.toml'", r"round\.toml: .*\(fit.toml -> round.toml -> fit.toml\); take one of them out"),
        ("include = 'bass.toml'", r"no file 'bass.toml'; did you mean 'base.toml'"),
        ("include = 3", "needs the name of a TOML file, or a list of names; found 3"),
        ("include = 'bad.toml'", r"bad\.toml: not valid TOML"),
    ],
)
def test_a_file_that_cannot_be_included_is_refused(folder: Path, text: str, expected: str) -> None:
    written(folder, "include = 'fit.toml'", "round.toml")
    written(folder, "x = ", "bad.toml")
    with pytest.raises(ConfigError, match=expected):
        load(written(folder, text))


def test_a_mistake_names_the_file_and_the_key_where_it_is_written(folder: Path) -> None:
    (folder / "base.toml").write_text(FIT.replace("sigma = 0.1", "sigmma = 0.1"))
    extra = "[[systematics]]\nkind = 'norm'\nname = 'nc'\nsamples = ['numuu']\nsigma = 0.1\n"
    path = written(folder, f"include = 'base.toml'\n{extra}")
    with pytest.raises(ConfigError, match=r"base\.toml: \$\.systematics\[0\]\.sigmma: unknown key"):
        load(path)
    (folder / "base.toml").write_text(FIT)
    # In the merged list the table is the second, in its own file the first.
    with pytest.raises(ConfigError, match=r"fit\.toml: \$\.systematics\[0\]\.samples: 'numuu' names no sample"):
        load(path)


def test_a_name_that_several_tables_have_is_refused(folder: Path) -> None:
    twin = "[[systematics]]\nkind = 'norm'\nname = 'flux'\nsamples = ['other']\nsigma = 0.2\n"
    (folder / "base.toml").write_text(FIT + twin)
    with pytest.raises(ConfigError, match="'flux' is the name of several tables"):
        load(written(folder, "include = 'base.toml'\n[[systematics]]\nname = 'flux'\nsigma = 0.3\n"))


def test_a_place_is_told_as_deep_as_it_is_known() -> None:
    inner = Written.of({"sigma": 0.1}, "base.toml", "$.systematics[4]")
    whole = Written(value={"systematics": Written(value=[inner], file="fit.toml", at="$.s")}, file="fit.toml", at="$")
    assert whole.plain == {"systematics": [{"sigma": 0.1}]}
    told = [whole.told(f"fit.toml: $.systematics[0]{rest}") for rest in (".sigma: x", ".sigmma: x", ": x")]
    assert told == [f"base.toml: $.systematics[4]{rest}" for rest in (".sigma: x", ".sigmma: x", ": x")]
    assert whole.told("fit.toml: $.systematics[7].a: x") == "fit.toml: $.s[7].a: x"
    assert whole.told("other.toml: $.systematics[0]: x") == "other.toml: $.systematics[0]: x"


def test_the_example_in_the_readme_of_fits_is_the_shipped_analysis_changed(tmp_path: Path) -> None:
    project = Path(__file__).parents[2]
    for name in ("fits", "samples"):
        shutil.copytree(project / name, tmp_path / name, ignore=shutil.ignore_patterns("*.root"))
    text = (project / "fits/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(include = .*?)```", text, re.DOTALL)
    found = load(written(tmp_path, example, "fits/more.toml"))
    base = load(tmp_path / "fits/nova_nd_fhc.toml")
    assert (found.pot, found.regions) == (10 * base.pot, base.regions)
    assert {s.name: getattr(s, "sigma", None) for s in found.systematics} == {
        s.name: 0.05 if s.name == "flux" else getattr(s, "sigma", None) for s in base.systematics if s.name != "angle"
    }
