"""Systematics are left out by name, with all that only they brought."""

from pathlib import Path

import msgspec
import pytest

from spectrafit.config import load
from spectrafit.config.checks import check, check_samples
from spectrafit.errors import ConfigError

TEXT = """
samples = "set.toml"
pot = 1e20
[[regions]]
name = "nd"
axes = [{ observable = "t_reco", edges = [0.3, 0.6, 0.9] }]
[[systematics]]
kind = "norm"
name = "flux"
sigma = 0.1
[[systematics]]
kind = "norm"
name = "flux_nue"
sigma = 0.1
[[systematics]]
kind = "sample"
name = "calibration"
up = { numu = "numu_up" }
[[fit.correlations]]
parameters = ["flux", "calibration"]
value = 0.3
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tables = [f"[[samples]]\nname = '{n}'\nrole = 'signal'\nfiles = '{n}.root'\n" for n in ("numu", "numu_up")]
    (tmp_path / "set.toml").write_text("".join(tables))
    (tmp_path / "fit.toml").write_text(TEXT)
    return tmp_path / "fit.toml"


@pytest.mark.parametrize(
    ("without", "kept"),
    [
        (["flux"], ["flux_nue", "calibration"]),
        (["flux*"], ["calibration"]),
        (["flux_*", "cal*"], ["flux"]),
        (["*"], []),
    ],
)
def test_names_and_globs_leave_out(path: Path, without: list[str], kept: list[str]) -> None:
    found = load(path, without=without)
    assert [s.name for s in found.systematics] == kept
    assert len(found.fit.correlations) == ({"flux", "calibration"} <= set(kept))
    # Its own key says the same.
    path.write_text(f"without = {without}\n{TEXT}")
    assert load(path) == found


def test_a_shifted_sample_goes_with_its_systematic(path: Path) -> None:
    assert [s.name for _, s in load(path).nominal] == ["numu"]
    found = load(path, without=["calibration"])
    # It would be expected beside the sample it stands for.
    assert [s.name for _, s in found.nominal] == ["numu"]
    assert [s.name for s in found.sample_sets[0].samples] == ["numu"]


def test_a_name_that_nothing_has_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="--without 'fluxx' names no systematic; did you mean 'flux'"):
        load(path, without=["fluxx"])
    path.write_text(f"without = ['calib']\n{TEXT}")
    with pytest.raises(ConfigError, match=r"fit.toml: \$.without: 'calib' names no systematic"):
        load(path)


def test_the_checks_hold_for_an_analysis_made_by_hand(path: Path) -> None:
    found = load(path)
    check(found, "x.toml")
    with pytest.raises(ConfigError, match=r"x.toml: \$.regions: an analysis needs at least one"):
        check(msgspec.structs.replace(found, regions=()), "x.toml")
    (one,) = found.sample_sets
    with pytest.raises(ConfigError, match=r"set.toml: \$.samples: two are called 'numu'"):
        check_samples(msgspec.structs.replace(one, samples=one.samples[:1] * 2), "set.toml")
