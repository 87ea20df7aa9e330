#!/usr/bin/env python
"""Writes the tables of all keys into samples/README.md and fits/README.md, from the structs in spectrafit/config.

    python scripts/key_tables.py

Run it after a key was added, renamed or described anew. The words come from the docstrings of the structs: under
`Attributes` each key has the unit of its numbers, some sentences, and an example (see spectrafit/config/describing.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from spectrafit.config import Analysis, SampleSet, schema

PROJECT = Path(__file__).parents[1]
PAGES = {PROJECT / "samples/README.md": SampleSet, PROJECT / "fits/README.md": Analysis}
BEGIN = "<!-- Keys: written by scripts/key_tables.py from the docstrings in spectrafit/config. -->"
END = "<!-- End of keys. -->"
WORDS = {
    "number": "number",
    "integer": "whole number",
    "string": "text",
    "boolean": "`true`, `false`",
    "object": "table",
}
# Ends of a domain that only keep numbers finite say nothing to a reader.
FAR = 1e15


def places(kind: type) -> dict[str, list[str]]:
    """Return for each table of a file, by the name of its struct, how its head is written in TOML."""
    found: dict[str, list[str]] = {kind.__name__: ["Top level"]}
    inspect = msgspec.inspect

    def walk(info: Any, path: str, form: str) -> None:
        if isinstance(info, inspect.StructType):
            heads = found.setdefault(info.cls.__name__, [])
            if form not in heads:
                heads.append(form)
            for field in info.fields:
                inner = f"{path}.{field.encode_name}" if path else field.encode_name
                if field.encode_name not in ("sample_sets",):
                    walk(field.type, inner, f"`[{inner}]`")
        elif isinstance(info, inspect.VarTupleType):
            walk(info.item_type, path, f"`[[{path}]]`")
        elif isinstance(info, inspect.DictType):
            walk(info.value_type, f"{path}.NAME", f"`[{path}.NAME]`")
        elif isinstance(info, inspect.UnionType):
            for member in info.types:
                walk(member, path, form)

    for field in msgspec.inspect.type_info(kind).fields:
        if field.encode_name != "sample_sets":
            walk(field.type, field.encode_name, f"`[{field.encode_name}]`")
    return found


def value(said: dict[str, Any]) -> str:
    """Return in words which values a property takes."""
    if "$ref" in said:
        return "table"
    if "enum" in said:
        return ", ".join(f'`"{word}"`' for word in said["enum"])
    if "anyOf" in said:
        words = [value(each) for each in said["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if said["type"] == "array":
        return f"list of {plural(value(said.get('items', {'type': 'object'})))}"
    if said["type"] == "object" and isinstance(said.get("additionalProperties"), dict):
        return f"table of {plural(value(said['additionalProperties']))}"
    return WORDS.get(said["type"], "table") + domain(said)


def plural(words: str) -> str:
    """Return the words of several values."""
    head, separator, rest = words.partition(" ")
    if words.startswith(("text", "`")):
        return words.replace("text", "texts", 1)
    if words.startswith(("list", "table", "number")):
        return f"{head}s{separator}{rest}"
    return words.replace("whole number", "whole numbers")


def domain(said: dict[str, Any]) -> str:
    """Return the ends of a number's domain, without those that are far away."""
    low, above = said.get("minimum"), said.get("exclusiveMinimum")
    high, below = said.get("maximum"), said.get("exclusiveMaximum")
    parts = []
    if low is not None and low > -FAR:
        parts.append(f">= {low:g}")
    if above is not None and above > -FAR:
        parts.append(f"> {above:g}")
    if high is not None and high < FAR:
        parts.append(f"<= {high:.9g}")
    if below is not None and below < FAR:
        parts.append(f"< {below:g}")
    return f" {', '.join(parts)}" if parts else ""


def default(table: dict[str, Any], key: str) -> str:
    """Return what holds without the key."""
    if key in table.get("required", ()):
        return "needed"
    said = table["properties"][key]
    found = said.get("default", next((e["default"] for e in said.get("anyOf", ()) if "default" in e), None))
    if found is None or (isinstance(found, str | list | tuple | dict) and not found):
        return ""
    return f"`{json.dumps(found)}`"


def rows(table: dict[str, Any], keys: list[str]) -> list[str]:
    """Return a table of Markdown with a line for each key."""
    lines = ["| key | value | unit | without it | example | says |", "|---|---|---|---|---|---|"]
    for key in keys:
        said = table["properties"][key]
        text, unit = said["description"].removesuffix(f" Unit: {said.get('unit')}."), said.get("unit", "")
        unit = unit.removeprefix("no unit")
        example = f"`{key} = {toml(said['examples'][0])}`" if "examples" in said else ""
        cells = (f"`{key}`", value(said), unit, default(table, key), example, text)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return lines


def toml(value: Any) -> str:
    """Return a plain value as TOML on one line, numbers as a physicist writes them."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value).replace("e+", "e").replace("e-0", "e-")
    return json.dumps(value, ensure_ascii=False)


def quoted(key: str) -> str:
    """Return a key of TOML, in quotes where it needs them."""
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def section(kind: type) -> str:
    """Return the tables of all keys of one kind of file."""
    tables, heads = schema(kind)["$defs"], places(kind)
    kinds = [name for name, table in tables.items() if "kind" in table["properties"]]
    shared = [key for key in tables[kinds[0]]["properties"] if key in _shared(tables, kinds)] if kinds else []
    parts = []
    for name in sorted(tables, key=list(heads).index):
        table = tables[name]
        keys = list(table["properties"])
        title = ", ".join(heads[name])
        if name in kinds:
            if name == kinds[0]:
                every = {**table, "properties": {**table["properties"], "kind": _kinds(tables, kinds)}}
                parts.append("\n".join([f"### {title}, every kind", "", *rows(every, shared)]))
            title = f'`{title.strip("`")}` of `kind = "{table["properties"]["kind"]["enum"][0]}"`'
            keys = [key for key in keys if key not in shared]
        parts.append("\n".join([f"### {title}", "", table["description"], "", *rows(table, keys)]))
    return "\n\n".join(parts)


def _shared(tables: dict[str, Any], kinds: list[str]) -> set[str]:
    return set.intersection(*(set(tables[name]["properties"]) for name in kinds))


def _kinds(tables: dict[str, Any], kinds: list[str]) -> dict[str, Any]:
    """Return the property `kind` with the words of all kinds."""
    said = [tables[name]["properties"]["kind"] for name in kinds]
    return {**said[0], "enum": [word for each in said for word in each["enum"]]}


def written(page: str, kind: type) -> str:
    """Return the text of a page with its tables written anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page has no lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n\n{section(kind)}\n\n{end}{after}"


def main() -> None:
    """Write the tables of both pages."""
    for path, kind in PAGES.items():
        path.write_text(written(path.read_text(encoding="utf-8"), kind), encoding="utf-8")
        print(path.relative_to(PROJECT))


if __name__ == "__main__":
    main()
