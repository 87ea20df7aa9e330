"""Numbers with units, as a TOML writes them: ``"1.16 t yr"``, ``"365.25 d"``, ``"2 /cm^2/s/MeV"``.

A unit is a product of powers of named units. Words beside one another, or joined by ``*``, multiply; ``/`` divides by
the one word after it, and by a number before this word, as in ``"/ m^2 / 10^6 POT / GeV"``. ``^`` raises to a whole
power.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from spectrafit.errors import ConfigError, nearest

__all__ = ["UNITS", "Quantity", "converted", "factor", "quantity"]

_BASES = ("GeV", "kg", "s", "m", "POT", "rad")
_DAY = 86_400.0
_JOULE = 1e-9 / 1.602176634e-19  # in GeV, exact by the definition of the ampere

_SIZES = {
    "GeV": {"eV": 1e-9, "keV": 1e-6, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3, "J": _JOULE},
    "kg": {"mg": 1e-6, "g": 1e-3, "kg": 1.0, "t": 1e3, "kt": 1e6, "Mt": 1e9},
    "s": {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": _DAY, "yr": 365.25 * _DAY},
    "m": {"fm": 1e-15, "mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3},
    "POT": {"POT": 1.0},
    "rad": {"mrad": 1e-3, "rad": 1.0, "deg": math.pi / 180.0},
}
_POWER = {"W": 1.0, "kW": 1e3, "MW": 1e6, "GW": 1e9}

UNITS: Final[dict[str, tuple[float, dict[str, int]]]] = {
    **{name: (size, {base: 1}) for base, names in _SIZES.items() for name, size in names.items()},
    **{name: (size * _JOULE, {"GeV": 1, "s": -1}) for name, size in _POWER.items()},
}
"""Of every unit: its size in GeV, kg, s, m, POT and rad, and the powers of these. A year has 365.25 days."""

_WORD = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z]+)|(?P<mark>[*/]))"
    r"(?:\^(?P<power>[+-]?\d{1,2}))?"
)


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number with a unit.

    Attributes
    ----------
    value : float
        The number before the unit; 1 if there is none.
    unit : str
        The unit as it was written, "" for a plain number.
    size : float
        The unit in GeV, kg, s, m, POT and rad.
    powers : tuple of int
        Powers of these six.
    """

    value: float
    unit: str
    size: float
    powers: tuple[int, ...]

    @property
    def dimension(self) -> str:
        """The powers in words, as in "kg s" or "1/m^2 s"; "no unit" for a plain number."""
        over = [_power(base, power) for base, power in zip(_BASES, self.powers, strict=True) if power > 0]
        under = [_power(base, -power) for base, power in zip(_BASES, self.powers, strict=True) if power < 0]
        return (" ".join(over) or ("1" if under else "no unit")) + "".join(f"/{word}" for word in under)


def _power(base: str, power: int) -> str:
    return base if power == 1 else f"{base}^{power}"


def quantity(text: str, where: str) -> Quantity:
    """Return the number and the unit that a text says.

    Parameters
    ----------
    text : str
        As ``"1.16 t yr"``, ``"365.25 d"``, ``"3.62e20 POT"``, ``"/ cm^2 / s / MeV"`` or ``"12"``.
    where : str
        File and key, for messages.

    Raises
    ------
    ConfigError
        A unit that there is not, or a text that is no product of units.
    """
    value, size, powers, place, sign = 1.0, 1.0, dict.fromkeys(_BASES, 0), 0, 1
    stripped = text.strip()
    head = re.match(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\d^.])", stripped)
    if head:
        value, place = float(head[0]), head.end()
    unit = stripped[place:].strip()
    joined = False
    while place < len(stripped):
        found = _WORD.match(stripped, place)
        if found is None or (found["mark"] and (joined or found["power"])):
            raise _unclear(text, where)
        place, power = found.end(), sign * int(found["power"] or 1)
        joined = bool(found["mark"])
        if found["mark"]:
            sign = -1 if found["mark"] == "/" else 1
            continue
        if found["number"]:
            size *= float(found["number"]) ** power
            continue
        sign = 1
        if found["name"] not in UNITS:
            known = ", ".join(UNITS)
            raise ConfigError(
                f"{where}: {text!r} has the unit {found['name']!r}, which is none"
                f"{nearest(found['name'], UNITS)} (there are: {known})"
            )
        one, dimension = UNITS[found["name"]]
        size *= one**power
        for base, times in dimension.items():
            powers[base] += power * times
    if (unit and joined) or not (stripped and math.isfinite(value) and math.isfinite(size) and size > 0.0):
        raise _unclear(text, where)
    return Quantity(value=value, unit=unit, size=size, powers=tuple(powers.values()))


def _unclear(text: str, where: str) -> ConfigError:
    return ConfigError(
        f"{where}: {text!r} is no number with a unit; write one as in '1.16 t yr', '365.25 d' or '/ cm^2 / s / MeV'"
    )


def converted(value: float | str, unit: str, where: str) -> float:
    """Return a number in `unit`; a plain number is in this unit already.

    Parameters
    ----------
    value : float or str
        A number, or a text with a unit of its own.
    unit : str
        The unit that is wanted, as ``"keV"`` or ``"kg d"``.
    where : str
        File and key, for messages.

    Raises
    ------
    ConfigError
        The text says no number, or its unit has another dimension.
    """
    if not isinstance(value, str):
        return float(value)
    found, wanted = quantity(value, where), quantity(unit, where)
    if not found.unit:
        return found.value
    if found.powers != wanted.powers:
        raise ConfigError(
            f"{where}: {value!r} is in {found.dimension}, and a number in {unit} ({wanted.dimension}) is needed"
        )
    return found.value * found.size / (wanted.value * wanted.size)


def factor(unit: str, other: str, where: str) -> float:
    """Return by what a number in `unit` is multiplied to be in the `other` unit. ConfigError as of `converted`."""
    return converted(f"1 {unit}" if unit else 1.0, other, where)
