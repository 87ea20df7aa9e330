"""Every key of the TOML files is described, with the unit of its numbers and an example that the key takes."""

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from spectrafit.config import Analysis, SampleSet, schema
from spectrafit.config.describing import Key, keys_of
from spectrafit.config.keys import INTERNAL

PROJECT = Path(__file__).parents[2]


def structs(kind: type) -> dict[str, type]:
    """Return the struct of each table that a file can have, by walking the types."""
    found: dict[str, type] = {}
    todo: list[Any] = [msgspec.inspect.type_info(kind)]
    while todo:
        info = todo.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls.__name__ not in found:
            found[info.cls.__name__] = info.cls
            todo += [field.type for field in info.fields if field.encode_name not in INTERNAL]
        todo += [getattr(info, name) for name in ("item_type", "value_type") if hasattr(info, name)]
        todo += getattr(info, "types", ())
    return found


SCHEMAS = {kind: schema(kind) for kind in (Analysis, SampleSet)}
TABLES = structs(Analysis) | structs(SampleSet)
KEYS = [
    (name, field) for name, cls in TABLES.items() for field in msgspec.structs.fields(cls) if field.name not in INTERNAL
]


def numeric(said: Any) -> bool:
    """Return whether a property may be a number, or hold numbers of its own."""
    if isinstance(said, list):
        return any(map(numeric, said))
    if not isinstance(said, dict):
        return False
    inner = [said[key] for key in ("anyOf", "items", "additionalProperties") if key in said]
    return said.get("type") in ("number", "integer") or any(map(numeric, inner))


@pytest.mark.parametrize(("table", "field"), KEYS, ids=lambda x: x if isinstance(x, str) else x.name)
def test_a_key_says_what_it_is_its_unit_and_an_example(table: str, field: Any) -> None:
    cls = TABLES[table]
    where = f"the docstring of {cls.__name__} in {cls.__module__}"
    remedy = f"{where}: under Attributes write `{field.name} : UNIT`, and below a sentence and Example: ``key = value``"
    said = keys_of(cls).get(field.name)
    assert said is not None, f"{field.name} is not described. In {remedy}; then run scripts/key_tables.py"
    assert said.text.endswith("."), f"{field.name} needs a whole sentence. In {remedy}"
    assert said.example, f"{field.name} has no example. In {remedy}"
    example = tomllib.loads(said.example)
    assert list(example) == [field.name], f"{where}: the example of {field.name} is for another key"
    msgspec.convert(example[field.name], field.type, strict=True)
    property_ = next(s["$defs"][table]["properties"][field.name] for s in SCHEMAS.values() if table in s["$defs"])
    assert bool(said.unit) == numeric(property_), (
        f"{field.name}: a key with numbers has a unit ('no unit' for a pure number), others have none. In {remedy}"
    )
    assert property_["description"].startswith(said.text)
    assert property_.get("unit", "") == said.unit
    assert property_["examples"] == [example[field.name]]


@pytest.mark.parametrize("table", TABLES)
def test_no_key_is_described_that_is_not_there(table: str) -> None:
    known = {f.name for f in msgspec.structs.fields(TABLES[table])}
    known |= {"kind"} if TABLES[table].__struct_config__.tag_field == "kind" else set()
    assert set(keys_of(TABLES[table])) <= known, f"{TABLES[table].__module__}: the docstring of {table} has other keys"


@pytest.mark.parametrize("kind", [Analysis, SampleSet])
def test_every_property_of_the_schema_has_a_description(kind: type) -> None:
    found = SCHEMAS[kind]
    jsonschema.Draft202012Validator.check_schema(found)
    for name, table in found["$defs"].items():
        assert table["description"]
        for key, said in table["properties"].items():
            assert len(said["description"].split()) >= 2, f"{name}.{key}"
    assert not set(INTERNAL) & set(found["$defs"][kind.__name__]["properties"])
    assert ("SampleSet" in found["$defs"]) == (kind is SampleSet)


def test_units_that_were_asked_for_are_said() -> None:
    tables = SCHEMAS[SampleSet]["$defs"]
    assert tables["PotSource"]["properties"]["flux"]["unit"] == "neutrinos / m^2 / 10^6 POT"
    assert tables["Response"]["properties"]["threshold"]["unit"] == "GeV"
    for unit in tables["Column"]["properties"]["unit"]["anyOf"][0]["enum"]:
        assert f'"{unit}"' in tables["Column"]["properties"]["unit"]["description"]


def test_the_parser_reads_the_unit_the_text_and_the_example() -> None:
    class Base:
        """A base.

        Attributes
        ----------
        first : GeV
            One of
            two lines. Example: ``first = 1``
        second
            Without a unit.
        """

    class Own(Base):
        """A table of its own.

        Attributes
        ----------
        second : rad
            Said anew. Example: ``second = "a ``b"``
        """

    assert keys_of(Own) == {
        "first": Key("GeV", "One of two lines.", "first = 1"),
        "second": Key("rad", "Said anew.", 'second = "a ``b"'),
    }
    assert keys_of(int) == {}


def test_the_pages_have_the_tables_of_today() -> None:
    spec = importlib.util.spec_from_file_location("key_tables", PROJECT / "scripts/key_tables.py")
    assert spec is not None
    assert spec.loader is not None
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    for path, kind in tables.PAGES.items():
        text = path.read_text(encoding="utf-8")
        page = f"{path.relative_to(PROJECT)}"
        assert tables.written(text, kind) == text, f"{page} has old tables of keys: run `python scripts/key_tables.py`"
        for table in structs(kind).values():
            for field in msgspec.structs.fields(table):
                assert field.name in INTERNAL or f"| `{field.name}` |" in text


def test_the_shipped_files_are_valid_for_editors() -> None:
    for folder, kind in (("samples", SampleSet), ("fits", Analysis)):
        files = sorted((PROJECT / folder).glob("*.toml"))
        assert files
        for path in files:
            jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), SCHEMAS[kind])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"samples": [{"name": "a", "role": "sgnal"}]}, SCHEMAS[SampleSet])
