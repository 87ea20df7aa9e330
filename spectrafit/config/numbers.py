"""The domains of the numbers in a TOML file: which values each key may have.

A domain stands beside its key as a type. `refuse_wild` refuses values that no key may have: NaN, infinities, whole
numbers of more than 64 bits, and control characters. No number may be larger than 1e30 in size, so that its square is
still a number.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any

from msgspec import Meta

from spectrafit.errors import ConfigError

__all__ = [
    "MOST_CELLS",
    "Correlation1",
    "Events",
    "Finite",
    "Level",
    "Natural",
    "NotNegative",
    "Positive",
    "Pot",
    "PriorWidth",
    "Relative",
    "Seed",
    "Share",
    "ShareKept",
    "ShiftScale",
    "Sigma",
    "Toys",
    "refuse_wild",
]

LARGEST = 1e30
# Keys whose text is shown on one line.
_ONE_LINE = ("name", "title", "label", "group", "observable", "column")

Finite = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
"""Any number that can be squared."""
NotNegative = Annotated[float, Meta(ge=0.0, le=LARGEST)]
Positive = Annotated[float, Meta(gt=0.0, le=LARGEST)]
Pot = Annotated[float, Meta(ge=1e-6, le=LARGEST)]
"""Protons on target."""
Events = Annotated[float, Meta(ge=0.0, le=1e15)]
"""A number of events in a bin; above 1e15 a double no longer counts one by one."""
PriorWidth = Annotated[float, Meta(ge=1e-6, le=1000.0)]
"""The width of a prior in standard deviations."""
Sigma = Annotated[float, Meta(ge=0.0, le=1000.0)]
"""A fractional uncertainty."""
Relative = Annotated[float, Meta(ge=0.0, le=1000.0)]
"""A relative width or change."""
ShiftScale = Annotated[float, Meta(gt=-1.0, lt=1.0)]
"""A relative shift that does not change the sign of the shifted number, at +1 and at -1 sigma."""
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
ShareKept = Annotated[float, Meta(gt=0.0, le=1.0)]
Correlation1 = Annotated[float, Meta(ge=-1.0, le=1.0)]
Level = Annotated[float, Meta(ge=0.01, le=0.9999999)]
"""A confidence level; the upper end is 5.3 sigma, where double precision still resolves the tail."""
Natural = Annotated[int, Meta(ge=0, le=2**53)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Toys = Annotated[int, Meta(ge=1, le=10**7)]

MOST_CELLS = 20_000_000
"""Cells, with flow, of all regions together: one template of so many is 160 MB, and a build keeps several a sample."""


def refuse_wild(raw: Any, where: str, at: str = "$") -> None:
    """Refuse numbers that no key may have, anywhere in the plain values of a file.

    Parameters
    ----------
    raw : plain values, as tomllib or json gives them
    where : str
        The file, for the message.
    at : str
        Path of `raw` in the file.

    Raises
    ------
    ConfigError
        A number is NaN or infinite, a whole number has more than 64 bits, or a text holds control characters; the
        message holds the path.
    """
    todo = [(at, raw)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            for key in value:
                _refuse_text(key, where, path, one_line=True)
            todo += [(f"{path}.{key}", item) for key, item in reversed(value.items())]
        elif isinstance(value, list | tuple):
            todo += [(f"{path}[{place}]", item) for place, item in reversed(list(enumerate(value)))]
        elif isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{where}: {path}: found {value}; needs a finite number")
        elif isinstance(value, int) and value.bit_length() > 63:
            raise ConfigError(f"{where}: {path}: found a whole number of {value.bit_length()} bits; at most 63 fit")
        elif isinstance(value, str):
            _refuse_text(value, where, path, one_line=path.rpartition(".")[2] in _ONE_LINE)


def _refuse_text(text: str, where: str, at: str, *, one_line: bool) -> None:
    """Refuse control characters: no name, title or expression needs them, and files and terminals damage them."""
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cs" or (kind == "Cc" and (one_line or character not in "\t\n\r")):
            shown = ascii(text if len(text) <= 40 else f"{text[:37]}...")
            raise ConfigError(f"{where}: {at}: {shown} holds the control character {character!a}; leave it out")
