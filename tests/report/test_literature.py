"""Published limits are read as their table says them, and wrong tables are refused in one line."""

import tomllib
from pathlib import Path

import pytest

from spectrafit.errors import ConfigError, DataError
from spectrafit.physics.bounds import ASTROPHYSICAL_BOUNDS
from spectrafit.report import literature

SHIPPED = Path(literature.__file__).with_name("limits.toml")


def test_the_shipped_table_is_read_whole():
    raw = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["limits"]
    found = literature.published_limits()
    assert len(found) == len(raw) > 30
    for row, limit in zip(raw, found, strict=True):
        for key, value in row.items():
            said = getattr(limit, key)
            assert (list(said) if isinstance(said, tuple) else said) == value


def test_known_limits_are_there():
    strongest = {}
    for limit in literature.published_limits():
        if limit.kind == "measured":
            key = (limit.flavour, limit.experiment)
            strongest[key] = min(limit.strength, strongest.get(key, 1.0))
    # The technical overview's table, and the abstracts of hep-ex/0101039 and hep-ex/0102026.
    assert strongest["numu", "LSND"] == 6.8e-10
    assert strongest["nutau", "DONUT"] == 3.9e-7
    assert strongest["nue", "GEMMA"] == 2.9e-11
    assert strongest["effective", "Borexino"] == 2.8e-11


def test_bounds_from_the_sky_keep_their_numbers():
    sky = literature.from_the_sky()
    assert [limit.value for limit in sky] == [bound.value for bound in ASTROPHYSICAL_BOUNDS]
    for limit, bound in zip(sky, ASTROPHYSICAL_BOUNDS, strict=True):
        assert limit.note.startswith("Dirac only") == bound.dirac_only
        assert limit.level == bound.level


ROW = '[[limits]]\nexperiment = "X"\nyear = 2000\nflavour = "numu"\nkind = "measured"\nreference = "r"\n'


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("", "give `value`, `interval` or both"),
        ("value = 0.0", "excludes every moment"),
        ("value = -1e-9", "value"),
        ("value = 2.0", "value"),
        ("interval = [2e-9, 1e-9]", "must increase"),
        ("value = 1e-9\nlevel = 90.0", "level"),
        ("value = 1e-9\ncl = 0.9", "unknown field `cl`"),
        ('value = "1e-9"', "value"),
        ("value = 1e-9 mu_B", "[[limits]]"),
    ],
)
def test_wrong_tables_are_refused(tmp_path, added, said):
    table = tmp_path / "own.toml"
    table.write_text(ROW + added, encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        literature.published_limits(table)
    assert str(error.value).startswith(str(table))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        literature.published_limits(tmp_path / "no.toml")
