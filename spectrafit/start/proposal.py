"""A proposal: what is known of a group of ntuples, as a sample set would say it, and what only the user can say."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Column, PotSource
from spectrafit.events.schema import CANONICAL_UNITS
from spectrafit.start.looking import Group, Lists

__all__ = ["Proposal", "column", "observables"]


@dataclass(kw_only=True)
class Proposal:
    """What is proposed for one group of files.

    Attributes
    ----------
    group : Group
    role : str
        signal, background or data.
    reason : str
        Why that role.
    preset : str
        Empty for a tree that no preset reads.
    columns : dict
        As in the TOML.
    lines : list of str
        Further lines of TOML, with their remarks.
    friends, friend_remarks : list of str
        Tables of TOML, and what is known of each.
    pot : PotSource or None
    pot_remark : str
    has_pot : bool
        Whether the exposure is known, from `pot` or from the preset.
    response : bool
        Whether the files hold truth only.
    universes : tuple of (name, Lists)
        Weights of universes, by the name that columns have.
    knobs : tuple of (name, Lists)
        Shorter lists of weights.
    scores : tuple of str
        Branches on which an analysis may cut.
    missing : list of str
        What only the user can say.
    values : dict of str to array
        `t_reco` (GeV) and `t_theta2_reco` (GeV rad^2) of the first entries, for the axes; of truth where there is only
        truth.
    """

    group: Group
    role: str = "background"
    reason: str = ""
    preset: str = ""
    columns: dict[str, str | float | Column] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    friends: list[str] = field(default_factory=list)
    friend_remarks: list[str] = field(default_factory=list)
    pot: PotSource | None = None
    pot_remark: str = ""
    has_pot: bool = False
    response: bool = False
    universes: tuple[tuple[str, Lists], ...] = ()
    knobs: tuple[tuple[str, Lists], ...] = ()
    scores: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    values: dict[str, Floats] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the sample."""
        return self.group.name


def column(branch: str, unit: str, expression: str = "") -> str | Column:
    """Return a column of a branch or expression: a branch alone where its unit is GeV or rad."""
    if unit in CANONICAL_UNITS and not expression:
        return branch
    said = {"expression": expression} if expression else {"branch": branch}
    return msgspec.convert(said | ({} if unit in CANONICAL_UNITS else {"unit": unit}), Column)


def observables(t: Floats | None, theta: Floats | None) -> dict[str, Floats]:
    """Return values of the usual axes, from energies (GeV) and angles (rad)."""
    found: dict[str, Floats] = {}
    if t is not None:
        found["t_reco"] = t
        if theta is not None:
            found["t_theta2_reco"] = t * np.square(theta)
    return found
