import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrafit.config import Analysis, schema
from spectrafit.config.injected import counts_of, quoted, toml
from spectrafit.errors import ConfigError


@settings(max_examples=40)
@given(st.text(st.characters(codec="utf-8"), max_size=30), st.lists(st.floats(0, 1e9), max_size=5))
def test_what_is_written_is_read(name, values):
    text = toml({name: values}, injected=name)
    assert tomllib.loads(text) == {"injected": name, "data": {name: values}}
    assert tomllib.loads(f"x = {quoted(name)}")["x"] == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file, named by data"),
        ("data = [", "cannot be read as the TOML file of counts"),
        ("[data]\nnd = [1.0]\n", "holds data; a file that data names is one of spectrafit inject"),
        ('injected = ""\n[data]\nnd = [1.0]\n', "holds injected, data"),
    ],
)
def test_another_file_is_refused(tmp_path, text, message):
    path = tmp_path / "counts.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        counts_of(path)


def test_an_editor_knows_that_data_may_be_a_file():
    kinds = schema(Analysis)["$defs"]["Analysis"]["properties"]["data"]["anyOf"]
    assert {kind["type"] for kind in kinds} == {"string", "object"}
