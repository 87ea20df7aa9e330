"""The JSON Schema of the TOML files, with the unit, an example and a description of each key.

The docstring of a table's struct describes its keys. Under `Attributes` stands each key with the unit of its numbers,
some sentences, and an example::

    threshold : GeV
        Lowest reconstructed T; events below it are left out. Example: ``threshold = 0.10``
"""

from __future__ import annotations

import inspect
import re
import tomllib
from typing import Any, NamedTuple

import msgspec

from spectrafit.config.analysis import Analysis
from spectrafit.config.keys import INTERNAL
from spectrafit.config.samples import SampleSet

__all__ = ["Key", "keys_of", "schema", "schema_of"]

_KEY = re.compile(r"(?P<name>\w+)(?: : (?P<unit>.+))?")
_EXAMPLE = re.compile(r"\s*Example: ``(?P<example>.+)``$")


class Key(NamedTuple):
    """What a docstring says of a key: the `unit` of its numbers ("" for texts), `text`, and an `example` as TOML."""

    unit: str
    text: str
    example: str


def keys_of(kind: type) -> dict[str, Key]:
    """Return what the docstrings of a struct and of its bases say of each key."""
    found: dict[str, Key] = {}
    for base in reversed(kind.__mro__):
        found |= _parsed(base.__doc__ if "__doc__" in base.__dict__ else None)
    return found


def _parsed(docstring: str | None) -> dict[str, Key]:
    """Return the keys under the title `Attributes` of a docstring."""
    _, _, listed = inspect.cleandoc(docstring or "").partition("Attributes\n----------\n")
    found: dict[str, Key] = {}
    name, unit, lines = "", "", list[str]()
    for line in (*listed.splitlines(), "end"):
        if line.startswith("    "):
            lines.append(line.strip())
        elif line.strip():
            if name:
                text = " ".join(lines)
                example = _EXAMPLE.search(text)
                found[name] = Key(unit, text[: example.start()] if example else text, example[1] if example else "")
            key = _KEY.fullmatch(line)
            name, unit, lines = (key["name"], key["unit"] or "", []) if key else ("", "", [])
    return found


def schema(kind: type[Analysis] | type[SampleSet]) -> dict[str, Any]:
    """Return the JSON Schema of a TOML file, for editors that complete, explain and check as one types.

    Every property has a description. Numbers with a unit have it in the description and as `unit`.
    """
    found = schema_of(kind)
    properties = found["$defs"][kind.__name__]["properties"]
    for table in found["$defs"].values():
        for internal in INTERNAL:
            table["properties"].pop(internal, None)
    if kind is Analysis:
        said = properties["data"]
        words = {key: said.pop(key) for key in ("description", "unit", "examples") if key in said}
        properties["data"] = words | {"anyOf": [{"type": "string"}, said]}
        # `exposure` stands in its place.
        found["$defs"][kind.__name__]["required"].remove("pot")
    # Sample sets are files of their own: their tables are no part of an analysis' file.
    used = _used(found, f"#/$defs/{kind.__name__}")
    found["$defs"] = {name: table for name, table in found["$defs"].items() if name in used}
    return found


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a struct, each property with what its docstring says of it."""
    structs: dict[str, type] = {}
    _collect(msgspec.inspect.type_info(kind), structs)
    found = msgspec.json.schema(kind)
    for name, table in found["$defs"].items():
        table["description"] = inspect.cleandoc(table.get("description", "")).partition("\n\nAttributes\n")[0]
        for key, said in keys_of(structs[name]).items():
            if key in table["properties"]:
                table["properties"][key] = _with(table["properties"][key], key, said)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def _with(said: dict[str, Any], key: str, words: Key) -> dict[str, Any]:
    """Return a property with its description; a reference to a table stays one."""
    unit = f" Unit: {words.unit}." if words.unit else ""
    more: dict[str, Any] = {"description": f"{words.text}{unit}"}
    if words.unit:
        more["unit"] = words.unit
    if words.example:
        more["examples"] = [tomllib.loads(words.example)[key]]
    return more | said


def _collect(info: Any, found: dict[str, type]) -> None:
    """Gather every struct that a type can hold, by name."""
    if isinstance(info, msgspec.inspect.StructType):
        if info.cls.__name__ in found:
            return
        found[info.cls.__name__] = info.cls
        inner = [field.type for field in info.fields]
    else:
        inner = [getattr(info, name) for name in ("item_type", "value_type") if hasattr(info, name)]
        inner += getattr(info, "types", ())
    for each in inner:
        _collect(each, found)


def _used(found: Any, reference: str) -> set[str]:
    """Return the names of the tables that a table refers to, itself included."""
    used: set[str] = set()
    todo = [reference]
    while todo:
        name = todo.pop().rpartition("/")[2]
        if name not in used:
            used.add(name)
            todo += re.findall(r"'\$ref': '([^']+)'", str(found["$defs"][name]))
    return used
