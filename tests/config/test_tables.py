"""Tables of an analysis: what is refused when the file is read, and which files they name."""

import msgspec
import pytest

from spectrafit.config import Analysis, DataFile, TableSample, load, schema
from spectrafit.config.inputs import inputs_of


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "give either a file, or values"),
        ({"file": "a.csv", "values": [1.0]}, "give either a file, or values"),
        ({"file": "a.csv", "edges": [1.0, 2.0]}, "edges and points stand in its file"),
        ({"values": [1.0], "edges": [1.0, 2.0], "points": [1.0]}, "give edges or points, not both"),
        ({"values": [1.0], "edges": [1.0]}, "1 edges for 1 values, needs 2"),
        ({"values": [1.0], "points": [1.0, 2.0]}, "2 points for 1 values, needs 1"),
        ({"values": [1.0], "errors": [1.0, 2.0]}, "2 errors for 1 values, needs 1"),
        ({"values": [1.0], "errors": "gauss"}, "errors"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused(table, message):
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert({"name": "a", **table}, TableSample)


def test_the_schema_and_the_inputs_know_them(tmp_path):
    found = schema(Analysis)
    assert {"TableSample", "DataFile"} <= set(found["$defs"])
    for name in ("a.csv", "on.txt"):
        (tmp_path / name).write_text("1 2\n")
    (tmp_path / "fit.toml").write_text(
        'exposure = "1 t yr"\n[[regions]]\nname = "er"\naxes = [{ observable = "t_reco", edges = [1, 2] }]\n'
        '[[tables]]\nname = "b"\nfile = "a.csv"\ncolumns = { x = 1, value = 2 }\nper = "GeV"\n'
        '[data]\ner = { file = "on.txt", columns = { event = 1 } }\n'
    )
    analysis = load(tmp_path / "fit.toml")
    assert isinstance(analysis.data["er"], DataFile)
    assert {path.name for path in inputs_of(analysis)} == {"fit.toml", "a.csv", "on.txt"}
