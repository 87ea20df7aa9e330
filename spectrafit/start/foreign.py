"""Proposes a sample for a tree that no preset reads, from the names and values of its branches."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Column
from spectrafit.events.schema import convert
from spectrafit.start.guessing import Guess, guess
from spectrafit.start.looking import Group, numbers
from spectrafit.start.proposal import Proposal, column, observables
from spectrafit.start.units import Fitting, by_truth, energy_unit, settle

__all__ = ["by_names"]

_NEUTRINOS = (12, 14, 16)
# A sample is nu-e scattering if this share of its entries obeys the kinematics.
_MOST, _SOME = 0.9, 0.1
_BACKGROUND = re.compile(
    r"(^|[^a-z])(bkg|bg|background|nc|cc|ncpi0|pi0|cosmics?|rock|dirt|mc|sim)($|[^a-z])", re.IGNORECASE
)
_MASS = {"GeV": "m_e", "MeV": "1000*m_e", "keV": "1e6*m_e"}


def by_names(found: Group) -> Proposal:
    """Return a proposal from the names of branches, confirmed by the values of the first entries."""
    guesses = [said for name in found.scalars if (said := guess(name))]
    read = numbers(found, [said.branch for said in guesses])
    made = Proposal(group=found)
    branches = _Branches(guesses, found.whole)
    fitting = _add_truth(made, branches, read)
    truth: dict[str, Floats | None] = {name: _values(made, name, read) for name in ("t", "theta")}
    for name in ("t_reco", "theta_reco"):
        for said in branches.reconstructed(name.removesuffix("_reco"))[:1]:
            values, true = read[said.branch], truth.get(name.removesuffix("_reco"))
            unit = "cos" if said.kind == "cos" else said.unit or _unit(values, true, name)
            made.columns[name] = column(said.branch, unit)
    for said in guesses:
        if said.kind == "weight" and said.reco is not True and "weight" not in made.columns:
            made.columns["weight"] = said.branch
        if said.kind == "pdg" and np.isin(np.abs(read[said.branch]), _NEUTRINOS).mean() >= _MOST:
            made.columns.setdefault("pdg", said.branch)
    _choose_role(made, fitting)
    made.response = made.role != "data" and "t_reco" not in made.columns
    suffix = "" if made.response else "_reco"
    t, theta = (_values(made, f"{name}{suffix}", read) for name in ("t", "theta"))
    made.values = observables(t, theta)
    return made


class _Branches:
    """The branches that may hold a quantity, by their names. Whole numbers are no energies and no angles."""

    def __init__(self, guesses: list[Guess], whole: frozenset[str]) -> None:
        self.guesses = [said for said in guesses if said.branch not in whole]
        self.neutrino = any(said.kind == "e_nu" for said in self.guesses)

    def true(self, *kinds: str) -> list[Guess]:
        """Return those of the truth. Where none is named as true, those named neither true nor reconstructed."""
        mine = [said for said in self.guesses if said.kind in kinds]
        true = [said for said in mine if said.reco is False]
        return true or [said for said in mine if said.reco is None and (self.neutrino or said.kind == "e_nu")]

    def reconstructed(self, name: str) -> list[Guess]:
        """Return those of `t` or `theta` that are named as reconstructed, then those that are not taken for true."""
        kinds = ("t", "energy") if name == "t" else ("theta", "cos")
        mine = [said for said in self.guesses if said.kind in kinds]
        true = self.true(*kinds)
        return [said for said in mine if said.reco] + [
            other for other in mine if other.reco is None and other not in true
        ]


def _add_truth(made: Proposal, branches: _Branches, read: Mapping[str, Floats]) -> Fitting | None:
    """Choose the branches of true energies and angle that agree best with the kinematics, and their units."""
    energies, angles = branches.true("t", "energy"), branches.true("theta", "cos")
    compared: Sequence[Guess | None] = angles or (None,)
    best: tuple[Fitting, Guess, Guess, Guess | None] | None = None
    for e_nu, energy, angle in itertools.product(branches.true("e_nu"), energies, compared):
        fitting = settle(
            read[e_nu.branch],
            read[energy.branch],
            None if angle is None else read[angle.branch],
            total=energy.kind == "energy",
            cosine=angle is not None and angle.kind == "cos",
        )
        if best is None or fitting.share > best[0].share + 0.01:
            best = fitting, e_nu, energy, angle
    if best is None:
        for name, said in (("e_nu", branches.true("e_nu")[:1]), ("t", energies[:1]), ("theta", angles[:1])):
            for each in said:
                made.columns[name] = column(
                    each.branch, each.unit or ("rad" if name == "theta" else energy_unit(read[each.branch]))
                )
        return None
    fitting, e_nu, energy, angle = best
    units = fitting.units
    if fitting.share < _SOME:
        # No nu-e events, so the kinematics says nothing: sizes and names do.
        units = (e_nu.unit or energy_unit(read[e_nu.branch]), energy.unit or energy_unit(read[energy.branch]), "rad")
    made.columns["e_nu"] = column(e_nu.branch, units[0])
    if fitting.total if fitting.share >= _SOME else energy.kind == "energy":
        made.columns["t"] = column("", units[1], f"{energy.branch} - {_MASS[units[1]]}")
    else:
        made.columns["t"] = column(energy.branch, units[1])
    if angle is not None:
        unit = "cos" if angle.kind == "cos" else angle.unit or units[2]
        made.columns["theta"] = column(angle.branch, unit)
    return fitting


def _unit(values: Floats, truth: Floats | None, name: str) -> str:
    if truth is not None:
        return by_truth(values, truth, name)
    return energy_unit(values) if name == "t_reco" else "rad"


def _values(made: Proposal, name: str, read: Mapping[str, Floats]) -> Floats | None:
    """Return the first entries of a proposed column in GeV or rad; None where there is no such column."""
    said = made.columns.get(name)
    if isinstance(said, str):
        return read[said]
    if not isinstance(said, Column):
        return None
    branch = said.branch or said.expression.partition(" - ")[0]
    with np.errstate(all="ignore"):
        return np.asarray(convert(read[branch], name, said.unit, ""), dtype=np.float64)


def _choose_role(made: Proposal, fitting: Fitting | None) -> None:
    """Settle the role, with its reason, and say what is missing for it."""
    name, truth = made.name, "e_nu" in made.columns
    if not truth and not _BACKGROUND.search(name) and "t_reco" in made.columns:
        made.role, made.reason = "data", "no branch of a true neutrino energy, so these are taken for data"
        made.columns = {key: said for key, said in made.columns.items() if key in ("t_reco", "theta_reco", "weight")}
        return
    if fitting is None or fitting.share < _SOME:
        made.reason = (
            "no entry obeys the kinematics of nu-e scattering" if fitting else "its name, and no true neutrino"
        )
        if not {"t", "t_reco"} & {*made.columns}:
            made.missing.append(
                f"{name}: no branch is named as the energy of an electron or shower; give columns.t_reco or t"
            )
    elif not fitting.angle:
        made.role = "signal" if fitting.share >= _MOST and not _BACKGROUND.search(name) else "background"
        made.reason = f"T lies below its end point for {fitting.share:.0%} of the entries; there is no angle to check"
    else:
        made.role, made.reason = "signal", f"{fitting.share:.0%} of the entries obey the kinematics of nu-e scattering"
        if fitting.share < _MOST:
            made.missing.append(
                f"{name}: only {fitting.share:.0%} of the entries are nu-e events; make columns.pdg 0 for the others,"
                " by an expression, or give a selection"
            )
    if made.role == "background":
        made.columns.pop("pdg", None)
