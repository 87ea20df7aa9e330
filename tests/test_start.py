"""The start of a user with nothing but the package: schema, demo and new."""

import json

import pytest

from spectrafit import cli
from spectrafit.config import Analysis, SampleSet, schema


def told(capsys, *words, code=0):
    """Run a command; return what it printed on both streams."""
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    assert (left.value.code or 0) == code
    return capsys.readouterr()


@pytest.mark.parametrize(("word", "kind"), [("analysis", Analysis), ("samples", SampleSet)])
def test_the_schema_is_printed_for_editors(capsys, word, kind):
    assert json.loads(told(capsys, "schema", word).out) == json.loads(json.dumps(schema(kind)))
    refused = told(capsys, "schema", "fits", code=2).err
    assert "'analysis'" in refused
    assert "'samples'" in refused
