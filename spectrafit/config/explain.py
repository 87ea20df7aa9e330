"""Explains what is wrong with a TOML file: the path of the key, the value found, and the nearest choice."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from spectrafit.config.keys import INTERNAL
from spectrafit.errors import nearest

__all__ = ["explain"]

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<at>\$.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")
_CHOICE = re.compile(r"Invalid (?:enum )?value '(?P<word>.*)'")
_TYPES = re.compile(r"`(?P<types>(?:float|int|str|bool|array|object|null)(?: \| \w+)*)`")
_WORDS = {
    "float": "a number",
    "int": "a whole number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def explain(message: str, raw: Any, kind: type) -> str:
    """Return a message of msgspec in the words of TOML.

    Parameters
    ----------
    message : str
        What `msgspec.convert` says is wrong.
    raw : plain values
        What was converted.
    kind : type
        The struct it was converted to.

    Returns
    -------
    str
        The path of the key, the mistake, and the nearest choice or key if there is one.
    """
    found = _AT.match(message)
    what, at = (found["what"], found["at"] or "$") if found else (message, "$")
    at = _named(at, message, raw, kind)
    unknown = _UNKNOWN.match(what)
    if unknown:
        return f"{at}.{unknown['key']}: unknown key{nearest(unknown['key'], _keys_at(at, raw, kind))}"
    word = _CHOICE.match(what)
    if word:
        choices = _choices_at(at, raw, kind)
        return f"{at}: no choice {word['word']!r}{nearest(word['word'], choices)} (there are: {', '.join(choices)})"
    missing = _MISSING.match(what)
    if missing:
        choices = _choices_at(at, raw, kind) if missing["key"] == "kind" else []
        listed = f" (there are: {', '.join(choices)})" if choices else ""
        return f"{at}: {missing['key']} is missing{listed}"
    value = _value_at(at, raw)
    shown = "" if value is None or isinstance(value, dict | list) else f"; found {value!r}"
    return f"{at}: {_TYPES.sub(_in_words, what)}{shown}"


def _named(at: str, message: str, raw: Any, kind: type) -> str:
    """Return a path with the names of keys, where msgspec says `[...]` for any key of a table.

    A table that holds only this key gets the same message.
    """
    while "[...]" in at:
        before, _, after = at.partition("[...]")
        table = _value_at(before, raw)
        if not isinstance(table, dict):
            break
        for key, value in table.items():
            alone = _with(raw, _tokens(before), {key: value})
            try:
                msgspec.convert(alone, kind, strict=True)
            except msgspec.ValidationError as error:
                if str(error) == message:
                    at, raw = f"{before}.{key}{after}", alone
                    break
        else:
            break
    return at


def _with(raw: Any, tokens: list[str], value: Any) -> Any:
    """Return a copy of plain values with another value at a path."""
    if not tokens:
        return value
    if isinstance(raw, list):
        position = int(tokens[0])
        return [_with(item, tokens[1:], value) if index == position else item for index, item in enumerate(raw)]
    return {key: _with(item, tokens[1:], value) if key == tokens[0] else item for key, item in raw.items()}


def _in_words(found: re.Match[str]) -> str:
    """Return the names of types in the words of TOML."""
    return " or ".join(_WORDS.get(name, name) for name in found["types"].split(" | "))


def _tokens(at: str) -> list[str]:
    return [name or index for name, index in re.findall(r"\.([^.\[\]]+)|\[([^\]]*)\]", at)]


def _value_at(at: str, raw: Any) -> Any:
    for token in _tokens(at):
        if isinstance(raw, list) and token.isdigit() and int(token) < len(raw):
            raw = raw[int(token)]
        elif isinstance(raw, dict) and token in raw:
            raw = raw[token]
        else:
            return None
    return raw


def _types_at(at: str, raw: Any, kind: type) -> list[Any]:
    """Types allowed at a path: walk them beside the data, which picks the member of a tagged union."""
    types: list[Any] = [msgspec.inspect.type_info(kind)]
    for token in _tokens(at):
        raw = raw[int(token)] if isinstance(raw, list) else raw.get(token) if isinstance(raw, dict) else None
        types = [member for parent in types for member in _inside(parent, token)]
    return types


def _choices_at(at: str, raw: Any, kind: type) -> list[str]:
    """Return the words allowed at a path, or the kinds of its table; none where any text is allowed."""
    inspect = msgspec.inspect
    found = [
        str(value)
        for kind_of in _types_at(at, raw, kind)
        if isinstance(kind_of, inspect.LiteralType)
        for value in kind_of.values
    ]
    tagged = _types_at(at.removesuffix(".kind"), raw, kind)
    return found or [
        str(member.tag) for member in tagged if isinstance(member, inspect.StructType) and member.tag is not None
    ]


def _keys_at(at: str, raw: Any, kind: type) -> list[str]:
    """Names allowed at a path: those of the member of a tagged union that the data say."""
    value = _value_at(at, raw)
    return [
        field.encode_name
        for member in _types_at(at, raw, kind)
        if isinstance(member, msgspec.inspect.StructType)
        and (not isinstance(value, dict) or member.tag is None or value.get("kind") == member.tag)
        for field in member.fields
        if field.encode_name not in INTERNAL
    ]


def _inside(info: Any, token: str) -> list[Any]:
    inspect = msgspec.inspect
    if isinstance(info, inspect.StructType):
        inner = [field.type for field in info.fields if field.encode_name == token]
    elif isinstance(info, inspect.VarTupleType):
        inner = [info.item_type]
    elif isinstance(info, inspect.DictType):
        inner = [info.value_type]
    else:
        inner = []
    return [member for one in inner for member in (one.types if isinstance(one, inspect.UnionType) else (one,))]
