"""The base of every table of a TOML file."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Keys"]


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of a TOML file: immutable, with named keys only; unknown keys are refused."""
