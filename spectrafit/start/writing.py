"""Writes a first sample set and a first analysis for ntuples of the user's, with remarks on what they propose."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from spectrafit.config import Column, PotSource
from spectrafit.config.paths import is_url
from spectrafit.start.axes import region
from spectrafit.start.looking import Group, exposure
from spectrafit.start.proposal import Proposal

__all__ = ["analysis", "path_in", "sample_set", "set_names"]

_ORDER = ("pdg", "e_nu", "t", "theta", "t_reco", "theta_reco", "weight")


def path_in(folder: Path, file: str) -> str:
    """Return how a TOML in a folder names a file: relative where that is shorter, URLs as they are."""
    if is_url(file):
        return file
    relative = Path(os.path.relpath(file, folder.resolve())).as_posix()
    return relative if len(relative) <= len(file) else Path(file).as_posix()


def files_of(group: Group, folder: Path) -> str:
    """Return the value of `files`: one name, a glob that matches just these files, or a list."""
    paths = [path_in(folder, file) for file in group.files]
    if len(paths) == 1:
        return _quoted(paths[0])
    first = Path(group.files[0])
    if not is_url(group.files[0]):
        pattern = f"{re.sub(r'[0-9]+$', '', first.name.partition('.root')[0])}*{first.suffix}"
        if sorted(str(path) for path in first.parent.glob(pattern)) == sorted(group.files):
            return _quoted(f"{Path(paths[0]).parent.as_posix()}/{pattern}")
    return "[\n" + "".join(f"    {_quoted(path)},\n" for path in paths) + "]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _value(said: str | float | Column) -> str:
    if isinstance(said, Column):
        unit = f", unit = {_quoted(said.unit)}" if said.unit else ""
        kind, text = ("branch", said.branch) if said.branch else ("expression", said.expression)
        return f"{{ {kind} = {_quoted(text)}{unit} }}"
    return _quoted(said) if isinstance(said, str) else f"{said:g}"


def _pot(said: PotSource) -> str:
    if said.histogram:
        return f"{{ histogram = {_quoted(said.histogram)} }}"
    return f"{{ branch = {_quoted(said.branch)}, tree = {_quoted(said.tree)} }}"


def set_names(places: Sequence[str]) -> dict[str, str]:
    """Return the file name of the sample set of each place: beam.toml if there is one place."""
    found = dict.fromkeys(places)
    if len(found) < 2:
        return dict.fromkeys(found, "beam.toml")
    return {place: f"{'beam_' if place == 'fit' else ''}{place}.toml" for place in found}


def sample_set(found: Sequence[Proposal], folder: Path, schema: str, name: str) -> tuple[str, list[str]]:
    """Return the text of the sample set called `name`, and what is missing in it."""
    missing: list[str] = []
    lines = [
        f"#:schema {schema}",
        "# Written by `spectrafit new` from a look at the files. Every key: samples/README.md of spectrafit.",
        'title = "My detector"',
    ]
    if any(each.role == "signal" for each in found):
        lines.append("sin2_theta_w = 0.23863  # PUT YOURS: what the generator used; another value makes wrong weights")
        missing.append(f"{name}: sin2_theta_w, as the generator of the signal had it; 0.23863 stands there for now")
    if any(each.response for each in found):
        lines += [
            "",
            "[response]  # PUT YOURS: some files hold truth only; these numbers are an example",
            "energy_stochastic = 0.07  # sigma(T)/T = 0.07 / sqrt(T / GeV) + 0.03",
            "energy_constant = 0.03",
            "angle_constant = 0.004  # rad per projection: 0.004 + 0.009 / (T / GeV)",
            "angle_stochastic = 0.009",
            "efficiency = 0.30",
        ]
        missing.append(
            f"{name}: [response], your detector's, because some files hold truth only; an example stands there"
        )
    for each in found:
        lines += ["", *_sample(each, folder)]
    return "\n".join(lines) + "\n", missing


def _sample(made: Proposal, folder: Path) -> list[str]:
    lines = ["[[samples]]", f"name = {_quoted(made.name)}", f"role = {_quoted(made.role)}  # {made.reason}"]
    lines.append(f"files = {files_of(made.group, folder)}")
    if made.preset and made.preset != "native":
        lines.append(f"preset = {_quoted(made.preset)}")
    if not made.preset or made.preset == "native":
        lines.append(f"tree = {_quoted(made.group.tree.name)}")
    lines += made.lines
    if made.friends:
        lines += [f"friends = [{', '.join(made.friends)}]  # {'; '.join(made.friend_remarks)}"]
    if made.response:
        lines.append("response = true")
    if made.pot is not None:
        lines.append(f"pot = {_pot(made.pot)}  # {made.pot_remark}")
    elif not made.has_pot and made.role != "data":
        lines.append(f"# MISSING: pot = ...  # protons on target of these files; {made.pot_remark}")
    if made.columns:
        lines.append("[samples.columns]")
        known = [name for name in _ORDER if name in made.columns]
        lines += [f"{name} = {_value(made.columns[name])}" for name in known]
    lines += [f"# MISSING: {text}" for text in made.missing if ": pot, " not in text]
    return lines


def analysis(found: Sequence[Proposal], sets: Mapping[str, str], schema: str) -> tuple[str, list[str]]:
    """Return the text of the analysis, and what is missing in it.

    Parameters
    ----------
    found : sequence of Proposal
    sets : mapping of str to str
        The file of the sample set of each place.
    schema : str
        Where the analysis finds its schema.
    """
    names = list(sets.values())
    lines = [
        f"#:schema {schema}",
        "# Written by `spectrafit new` from a look at the files. Every key: fits/README.md of spectrafit.",
        'title = "My analysis"',
        f"samples = {_quoted(names[0]) if len(names) == 1 else json.dumps(names, ensure_ascii=False)}",
    ]
    pots = {place: _exposure([each for each in found if each.group.place == place]) for place in sets}
    missing = list[str]()
    if all(pots.values()):
        remark = "of the data"
    else:
        remark = "PUT YOURS: the exposure to expect events at, in protons on target"
        missing.append("fit.toml: pot, the exposure to expect events at; 1e20 stands there for now")
    said = {place: f"{pot or 1e20:.6g}" for place, pot in pots.items()}
    if len(said) == 1:
        lines.append(f"pot = {next(iter(said.values()))}  # {remark}")
    else:
        each_set = (f"{_key(sets[place].removesuffix('.toml'))} = {pot}" for place, pot in said.items())
        lines.append(f"pot = {{ {', '.join(each_set)} }}  # {remark}")
    lines.append('coupling = "magnetic_moment"')
    if not any(each.role == "signal" for each in found):
        missing.append(
            "fit.toml: no sample is a signal, so nothing depends on the coupling; see the roles in the sample set"
        )
    columns = set[str]()
    for place, name in sets.items():
        mine = [each for each in found if each.group.place == place]
        text, asked, observables = _region(mine, "" if len(sets) == 1 else name.removesuffix(".toml"))
        lines += text
        missing += asked
        columns |= observables
    lines += ["", *_systematics(found, sets, columns)]
    return "\n".join(lines) + "\n", missing


def _exposure(found: Sequence[Proposal]) -> float:
    """Return the protons on target of all data together; 0 if there are no data, or if one of them does not say."""
    known = [exposure(each.group, each.pot) or 0.0 for each in found if each.role == "data"]
    return sum(known) if all(known) else 0.0


def _region(found: Sequence[Proposal], place: str) -> tuple[list[str], list[str], set[str]]:
    """Return the lines of a region, what is missing in it, and its observables."""
    missing: list[str] = []
    nominal = [each for each in found if each.role != "data"]
    signal = [each for each in nominal if each.role == "signal"] or nominal
    smeared = any(each.response for each in signal)
    axes = region(
        [each.values["t_reco"] for each in signal if "t_reco" in each.values],
        [each.values["t_theta2_reco"] for each in signal if "t_theta2_reco" in each.values],
        smeared=smeared,
    )
    everywhere = all(each.response or "theta_reco" in each.columns or each.preset for each in found)
    if "t_theta2_reco" in axes and not everywhere:
        del axes["t_theta2_reco"]
    lines = ["", "[[regions]]", f"name = {_quoted(place or 'signal')}"]
    if place:
        remark = "a detector or mode of the beam; files of one and the same belong into one folder"
        lines.append(f"samples = [{_quoted(f'{place}/*')}]  # {remark}")
    if not axes:
        missing.append("fit.toml: axes, for no sample has a known energy of the electron to take edges from")
        lines.append("# MISSING: axes = [{ observable = ..., edges = [...] }]")
    else:
        lines.append(
            "axes = [  # round edges at quantiles of the first entries; `spectrafit binning` finds better ones"
        )
        for name, cut in axes.items():
            lines.append(f'    {{ observable = "{name}", edges = [{", ".join(f"{edge:g}" for edge in cut)}] }},')
        lines.append("]")
    scores = sorted(set.intersection(*({*each.scores} for each in found))) if found else []
    lines += [f'# cut = "{name} > ..."  # a score that all samples have' for name in scores]
    return lines, missing, {*axes}


def _systematics(found: Sequence[Proposal], sets: Mapping[str, str], observables: set[str]) -> list[str]:
    """Return the systematics that the files have weights for, and examples of others as comments."""
    lines: list[str] = []
    listed: dict[str, list[str]] = {}
    lengths: dict[str, int] = {}
    for each in found:
        for name, seen in each.universes if each.role != "data" else ():
            of_set = "" if len(sets) == 1 else sets[each.group.place].removesuffix(".toml") + "/"
            listed.setdefault(name, []).append(of_set + each.name)
            lengths[name] = seen.length
    for name, samples in listed.items():
        lines += [
            f"[[systematics]]  # {lengths[name]} weights in each entry, near 1 on average",
            'kind = "universes"',
            f"name = {_quoted(name.rpartition('.')[2])}",
            f"branch = {_quoted(name)}",
            f"samples = {json.dumps(samples, ensure_ascii=False)}",
            "",
        ]
    knobs = sorted({(name, seen.length) for each in found if each.role != "data" for name, seen in each.knobs})
    for name, length in knobs:
        lines.append(f'# {name} has {length} weights in each entry: kind = "weight", array = "{name}", sigmas = [...]')
    lines += [
        "# Uncertainties that no ntuple knows, as examples; take away the # and put your numbers.",
        "# [[systematics]]",
        '# kind = "norm"',
        '# name = "flux"',
        "# sigma = 0.10",
    ]
    if "t_reco" in observables:
        lines += [
            "#",
            "# [[systematics]]",
            '# kind = "shift"',
            '# name = "energy_scale"',
            '# column = "t_reco"',
            "# scale = 0.03",
        ]
    return lines
