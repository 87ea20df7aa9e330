"""The base of every table of a TOML file."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["INTERNAL", "Keys"]

INTERNAL = ("path", "sample_sets", "written_in")
"""Fields that are filled when a file is loaded: no file has them as keys."""


class Keys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of a TOML file: immutable, with named keys only; unknown keys are refused."""
