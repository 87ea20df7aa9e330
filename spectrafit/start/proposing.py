"""Proposes a sample for each group of ntuples: its role, preset or columns with units, friends and exposure."""

from __future__ import annotations

import json
from collections.abc import Sequence

from spectrafit.config import Column
from spectrafit.events.presets import PRESETS
from spectrafit.start.foreign import by_names, reconstructed_as, source
from spectrafit.start.guessing import is_score, is_weights, match_key
from spectrafit.start.looking import Group, canonical, lists, numbers, pot_source
from spectrafit.start.proposal import Proposal, observables

__all__ = ["propose"]

# A list of so many weights per entry is of universes, a shorter one of knobs.
_UNIVERSES, _MOST_LISTS = 20, 40


def propose(groups: Sequence[Group], paths: dict[str, str]) -> tuple[Proposal, ...]:
    """Return a proposal for each group; a group that is a friend of another becomes a line of that one.

    Parameters
    ----------
    groups : sequence of Group
    paths : dict of str to str
        How the TOML writes each file.
    """
    found = [_by_preset(each) if each.first.preset and each.first.entries else by_names(each) for each in groups]
    _share_units(found)
    for data in (each for each in found if each.role == "data" and not each.preset):
        for each in found:
            if each.role != "data" and not each.preset:
                reconstructed_as(each, data.columns)
    kept = []
    for each in found:
        owner = _owner(each, found)
        if owner is None:
            kept.append(each)
        else:
            _add_friend(owner, [paths[name] for name in each.group.files], each.group)
    for each in kept:
        for tree in each.group.friends:
            if any(is_weights(name) or is_score(name) for name, _ in tree.branches):
                key = match_key((name for name, _ in each.group.tree.branches), (name for name, _ in tree.branches))
                _add_friend_line(each, [paths[name] for name in each.group.files], tree.name, key)
                _add_lists(
                    each,
                    each.group,
                    tree.name,
                    [name for name, kind in tree.branches if not _is_scalar(kind)],
                    f"{tree.name}.",
                )
        own = [name for name, kind in each.group.tree.branches if not _is_scalar(kind)]
        _add_lists(each, each.group, each.group.tree.name, own, "")
        each.scores = tuple(name for name in each.group.scalars if is_score(name))
        _add_exposure(each)
        if each.role == "signal" and not each.preset and "pdg" not in each.columns:
            _take_numu(each)
    return tuple(kept)


def _is_scalar(kind: str) -> bool:
    return "[" not in kind and "vector" not in kind.lower()


def _take_numu(made: Proposal) -> None:
    made.columns["pdg"] = 14.0
    made.missing.append(f"{made.name}: no branch says which neutrino it was; columns.pdg = 14 takes it for a nu_mu")


def _by_preset(found: Group) -> Proposal:
    """Return a proposal for a tree that a preset reads: `inspect` has counted its nu-e events."""
    first = found.first
    preset = PRESETS[first.preset or ""]
    says = f"{first.nu_e} of the {first.entries} entries of the first file are nu-e events"
    made = Proposal(group=found, role="signal" if first.nu_e else "background", reason=says, preset=preset.name)
    if first.nu_e and not first.flavours:
        _take_numu(made)
    electrons, shower = first.electrons, max(first.showers.values(), default=0)
    if not first.nu_e and 2 * electrons < first.entries and shower:
        particle = max(first.showers, key=first.showers.__getitem__)
        made.lines.append(f'shower = "{particle}"  # the particle that most entries have; it is taken for the electron')
    elif electrons < first.entries and preset.electron:
        made.lines.append(f'selection = "{preset.electron}"  # only these {electrons} entries have an electron')
    made.response = not first.reconstructed
    suffix = "" if made.response else "_reco"
    plain: dict[str, str] = {}
    for name in ("t", "theta"):
        for way in preset.columns.get(f"{name}{suffix}", ()):
            if way.branch in found.scalars:
                plain.setdefault(name, way.branch)
    read = numbers(found, plain.values())
    values = {name: read[branch] for name, branch in plain.items()}
    if first.nu_e and "t" not in values:
        named = [f"{name}{suffix}" for name in ("t", "theta") if preset.columns.get(f"{name}{suffix}")]
        values = {name.removesuffix("_reco"): read for name, read in canonical(found, named).items()}
    made.values = observables(values.get("t"), values.get("theta"))
    return made


def _share_units(found: Sequence[Proposal]) -> None:
    """Give a branch of a background or of data the unit that the same branch has in a signal, where it was measured."""
    known: dict[tuple[str, str], str | float | Column] = {}
    for each in found:
        if each.role == "signal":
            known |= {(key, source(said)): said for key, said in each.columns.items() if source(said)}
    for each in found:
        if each.role != "signal":
            each.columns = {key: known.get((key, source(said)), said) for key, said in each.columns.items()}


def _owner(made: Proposal, found: Sequence[Proposal]) -> Proposal | None:
    """Return the sample whose friend a group is: it has no energy, and as many files and entries."""
    if made.preset or {"e_nu", "t", "t_reco"} & {*made.columns}:
        return None
    for other in found:
        same = len(other.group.files) == len(made.group.files) and other.group.tree.entries == made.group.tree.entries
        if other is not made and same and {"e_nu", "t", "t_reco"} & {*other.columns, *other.values}:
            return other
    return None


def _add_friend(owner: Proposal, files: list[str], friend: Group) -> None:
    tree = friend.tree
    _add_friend_line(
        owner,
        files,
        tree.name,
        match_key((name for name, _ in owner.group.tree.branches), (name for name, _ in tree.branches)),
    )
    _add_lists(
        owner, friend, tree.name, [name for name, kind in tree.branches if not _is_scalar(kind)], f"{tree.name}."
    )


def _add_friend_line(owner: Proposal, files: list[str], tree: str, key: str) -> None:
    named = json.dumps(files[0] if len(files) == 1 else files, ensure_ascii=False)
    match = f", match = {json.dumps(key)}" if key else ""
    owner.friends.append(f"{{ files = {named}, tree = {json.dumps(tree)}{match} }}")
    owner.friend_remarks.append(
        f"{tree} has as many entries"
        + (f"; {key} must agree entry by entry" if key else ", and no number of the event")
    )


def _add_lists(made: Proposal, found: Group, tree: str, branches: Sequence[str], prefix: str) -> None:
    """Note the weights of universes and knobs that a tree has."""
    seen = lists(found, tree, [name for name in branches if is_weights(name)][:_MOST_LISTS])
    near = [each for each in seen if 0.2 < each.mean < 5.0]
    made.universes += tuple((prefix + each.branch, each) for each in near if each.length >= _UNIVERSES)
    made.knobs += tuple((prefix + each.branch, each) for each in near if 2 <= each.length < _UNIVERSES)


def _add_exposure(made: Proposal) -> None:
    """Say where the protons on target stand, or that they are missing."""
    made.pot, made.pot_remark = pot_source(made.group)
    made.has_pot = made.pot is not None or bool(made.group.first.pot)
    if not made.has_pot and made.role != "data":
        made.missing.append(f"{made.name}: pot, the protons on target of its files ({made.pot_remark})")
