"""The six flavours of neutrino: their names and their PDG codes (pure Python, nothing heavy)."""

from __future__ import annotations

from typing import Final

__all__ = ["FLAVOURS", "flavour"]

FLAVOURS: Final = {"nue": 12, "nuebar": -12, "numu": 14, "numubar": -14, "nutau": 16, "nutaubar": -16}
"""PDG code of each flavour's name."""


def flavour(name: str | int) -> int:
    """Return the PDG code of a flavour given by name ("numu", "nuebar", ...) or already by code.

    Raises
    ------
    ValueError
        If it is neither; the message lists the names.
    """
    code = FLAVOURS.get(name, 0) if isinstance(name, str) else int(name)
    if code not in FLAVOURS.values():
        raise ValueError(f"flavour {name!r}: not a neutrino; needed one of {', '.join(FLAVOURS)} or its PDG code")
    return code
