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
from spectrafit.start.units import Fitting, angle_unit, by_truth, energy_unit, settle

__all__ = ["by_names", "reconstructed_as", "source"]

_NEUTRINOS = (12, 14, 16)
# A sample is nu-e scattering if this share of its entries obeys the kinematics.
_MOST, _SOME = 0.9, 0.1
_NOT_SIGNAL = "bkg|bg|background|nc|cc|ncpi0|pi0|cosmics?|rock|dirt"
_CALLED_BACKGROUND = re.compile(rf"(^|[^a-z])({_NOT_SIGNAL})($|[^a-z])", re.IGNORECASE)
# Simulation that is not known to be signal.
_BACKGROUND = re.compile(rf"(^|[^a-z])({_NOT_SIGNAL}|mc|sim)($|[^a-z])", re.IGNORECASE)
_DATA = re.compile(r"(^|[^a-z])(data|observed|beamdata|onbeam)($|[^a-z])", re.IGNORECASE)
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
            _take(made, name, said, read[said.branch], truth[name.removesuffix("_reco")])
    for said in guesses:
        if said.kind == "weight" and said.reco is not True and "weight" not in made.columns:
            made.columns["weight"] = said.branch
        if said.kind == "pdg" and np.isin(np.abs(read[said.branch]), _NEUTRINOS).mean() >= _MOST:
            made.columns.setdefault("pdg", said.branch)
    _choose_role(made, fitting)
    _settle_values(made, read)
    return made


def reconstructed_as(made: Proposal, data: Mapping[str, str | float | Column]) -> None:
    """Give simulation the reconstructed columns that data have, where its branches have the same names."""
    for name in ("t_reco", "theta_reco"):
        branch = source(data[name]) if name in data else ""
        used = {source(said) for said in made.columns.values()}
        said = guess(branch)
        if name in made.columns or branch not in made.group.scalars or branch in used or said is None:
            continue
        read = numbers(made.group, [branch, *used & {*made.group.scalars}])
        _take(made, name, said, read[branch], _values(made, name.removesuffix("_reco"), read))
        _settle_values(made, read)


def source(said: str | float | Column) -> str:
    """Return the branch that a proposed column is made of, or an empty string."""
    if isinstance(said, Column):
        return said.branch or said.expression.partition(" - ")[0]
    return said if isinstance(said, str) else ""


def _take(made: Proposal, name: str, said: Guess, values: Floats, truth: Floats | None) -> None:
    """Propose a branch as a reconstructed column, in the unit of its name or of its values."""
    unit = "cos" if said.kind == "cos" else said.unit or _unit(values, truth, name)
    made.columns[name] = column(said.branch, unit)
    if name == "theta_reco" and truth is None and not said.unit and unit in ("deg", "mrad"):
        made.missing.append(
            f"{made.name}: the unit of columns.theta_reco; {unit} stands there by the size of its values"
        )


def _settle_values(made: Proposal, read: Mapping[str, Floats]) -> None:
    """Say whether a response is needed, and keep the values that edges are taken from."""
    made.response = made.role != "data" and "t_reco" not in made.columns
    suffix = "" if made.response else "_reco"
    t, theta = (_values(made, f"{name}{suffix}", read) for name in ("t", "theta"))
    made.values = observables(t, theta)


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
    return energy_unit(values) if name == "t_reco" else angle_unit(values)


def _values(made: Proposal, name: str, read: Mapping[str, Floats]) -> Floats | None:
    """Return the first entries of a proposed column in GeV or rad; None where there is no such column."""
    said = made.columns.get(name)
    if isinstance(said, str):
        return read.get(said)
    if not isinstance(said, Column) or source(said) not in read:
        return None
    branch = source(said)
    with np.errstate(all="ignore"):
        return np.asarray(convert(read[branch], name, said.unit, ""), dtype=np.float64)


def _choose_role(made: Proposal, fitting: Fitting | None) -> None:
    """Settle the role, with its reason, and say what is missing for it."""
    name, truth = made.name, "e_nu" in made.columns
    named = bool(_DATA.search(name))
    if not truth and (named or (not _BACKGROUND.search(name) and "t_reco" in made.columns)):
        because = "named as data, and no" if named else "no"
        made.role, made.reason = "data", f"{because} branch of a true neutrino energy, so these are taken for data"
        made.columns = {key: said for key, said in made.columns.items() if key in ("t_reco", "theta_reco", "weight")}
        _ask_for_energy(made, "t_reco")
        return
    if fitting is None or fitting.share < _SOME:
        if fitting:
            made.reason = "no entry obeys the kinematics of nu-e scattering"
        elif truth:
            made.reason = "no branch of a true electron's energy, so nothing says that these are nu-e events"
        else:
            made.reason = "no branch of a true neutrino energy, so these cannot be reweighted to a signal"
        _ask_for_energy(made, "t_reco", "t")
    elif not fitting.angle:
        made.role = "signal" if fitting.share >= _MOST and not _BACKGROUND.search(name) else "background"
        made.reason = f"T lies below its end point for {_percent(fitting)} of the entries; there is no angle to check"
    else:
        made.role = "signal"
        made.reason = f"{_percent(fitting)} of the entries obey the kinematics of nu-e scattering"
        if _CALLED_BACKGROUND.search(name):
            made.missing.append(
                f"{name}: the role, for the name says background and the events are nu-e scattering;"
                ' "signal" stands there, which reweights them'
            )
        if fitting.share < _MOST:
            made.missing.append(
                f"{name}: only {_percent(fitting)} of the entries are nu-e events; make columns.pdg 0 for the others,"
                " by an expression, or give a selection"
            )
    if made.role == "background":
        made.columns.pop("pdg", None)


def _percent(fitting: Fitting) -> str:
    return f"{100 * fitting.share:.0f} %"


def _ask_for_energy(made: Proposal, *names: str) -> None:
    """Say that no column holds the energy of an electron; name a branch of lists that may hold it."""
    if {*names} & {*made.columns}:
        return
    scalars = {*made.group.scalars}
    listed = [
        name
        for name, _ in made.group.tree.branches
        if name not in scalars and (said := guess(name)) and said.kind in ("t", "energy")
    ]
    hint = f', as columns.t_reco = {{ expression = "Max$({listed[0]})" }} of the lists in {listed[0]}' if listed else ""
    made.missing.append(
        f"{made.name}: no branch is named as the energy of an electron or shower;"
        f" give columns.{' or '.join(names)}{hint}"
    )
