"""The presets: known layouts of ntuples, which a sample chooses by name. They say which branch is which quantity.

A preset is written with the same columns and expressions as a user's TOML, so it is also an example to start from.
Theta is the arc tangent of cross over dot product of two momenta: the arc cosine would lose half of the digits.

`t` and `theta` belong to an electron or positron. In an entry without one they are NaN, since the leading lepton need
not be a shower. For such entries the sample names the particle with `shower`; see `spectrafit.events.shower`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from spectrafit.config import Column, PotSource
from spectrafit.errors import ConfigError, nearest
from spectrafit.events import flatcaf
from spectrafit.events.shower import FinalState

__all__ = ["PRESETS", "Preset", "find", "matching"]


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A layout of ntuples.

    Attributes
    ----------
    name, title : str
    trees : tuple of str
        Names the tree may have.
    needs : tuple of str
        Branches by which the layout is recognised: a tree must have all of them.
    columns : dict
        Column name to the ways to make the column, best first: the first way whose branches all exist is taken.
        `nu_pdg` is the neutrino of any entry, whatever its interaction.
    elastic : tuple of str
        Conditions, best first as in `columns`, for nu-e elastic entries; other entries get `pdg` = 0. Without a
        condition, all entries with a `pdg` are nu-e elastic.
    electron : str
        The condition that an entry has an electron to take `t` and `theta` from, for messages. Empty if only nu-e
        events have `t`.
    final : FinalState or None
        Where the particles of the final state are listed.
    pot : PotSource or None
        Where POT usually is.
    choose : callable or None
        Reduces the jagged branches of a layout to one candidate per entry; see `spectrafit.events.flatcaf.choose`.
    companions : callable or None
        Returns the branches that `choose` needs besides the wanted ones.
    """

    name: str
    title: str
    trees: tuple[str, ...]
    needs: tuple[str, ...]
    columns: Mapping[str, tuple[Column, ...]]
    elastic: tuple[str, ...] = ()
    electron: str = ""
    final: FinalState | None = None
    pot: PotSource | None = None
    choose: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    companions: Callable[[Collection[str], Collection[str]], set[str]] | None = field(default=None)

    def matches(self, tree: str, branches: Collection[str]) -> bool:
        """Tell whether a tree with these branches has this layout."""
        return tree in self.trees and all(name in branches for name in self.needs)


def _branch(*names: str) -> tuple[Column, ...]:
    return tuple(Column(branch=name) for name in names)


def _expression(*texts: str) -> tuple[Column, ...]:
    return tuple(Column(expression=text) for text in texts)


def angle(p: tuple[str, str, str], q: tuple[str, str, str]) -> str:
    """Return the expression of the angle between two momenta, each given by the names of its components."""
    (px, py, pz), (qx, qy, qz) = p, q
    cross = f"({py}*{qz} - {pz}*{qy})^2 + ({pz}*{qx} - {px}*{qz})^2 + ({px}*{qy} - {py}*{qx})^2"
    return f"atan2(sqrt({cross}), {px}*{qx} + {py}*{qy} + {pz}*{qz})"


def _electron(condition: str, value: str) -> str:
    """Return the expression of a value of the electron, which is NaN where the condition finds no electron."""
    return f"where({condition}, {value}, TMath::QuietNaN())"


_TOTAL_POT = PotSource(histogram="TotalPOT")
# NUISANCE keeps the lepton of the highest momentum, which in nu-e scattering may be the neutrino. If the tree has the
# full final state, the hardest electron or positron is found there. Otherwise ELep is the energy of either of the two.
_HARDEST = "Max$(E*(abs(pdg) == 11))"
_ELECTRON = f"(abs(pdg) == 11 && E == {_HARDEST})"
_ANY_ELECTRON = "Sum$(abs(pdg) == 11) > 0"
_NUISANCE_MODES = "abs(Mode) == 54 || abs(Mode) == 59"

_TABLE = (
    Preset(
        name="native",
        title="flat tree in canonical names, as `spectrafit generate` writes it",
        trees=("events",),
        needs=("pdg", "e_nu", "t"),
        columns={
            **{name: _branch(name) for name in ("pdg", "e_nu", "t", "theta", "t_reco", "theta_reco", "weight")},
            "nu_pdg": _branch("nu_pdg", "pdg"),
        },
        pot=_TOTAL_POT,
    ),
    Preset(
        name="gst",
        title="GENIE summary tree, made by gntpc -f gst",
        trees=("gst",),
        needs=("neu", "nuel", "fspl", "Ev", "El", "pxv", "pxl"),
        columns={
            "pdg": _branch("neu"),
            "nu_pdg": _branch("neu"),
            "e_nu": _branch("Ev"),
            "t": _expression(_electron("abs(fspl) == 11", "El - m_e")),
            "theta": _expression(_electron("abs(fspl) == 11", angle(("pxl", "pyl", "pzl"), ("pxv", "pyv", "pzv")))),
            "weight": _branch("wght"),
        },
        elastic=("nuel && fspl == 11",),
        electron="abs(fspl) == 11",
        final=FinalState(
            lists=("pdgf", "Ef", "pxf", "pyf", "pzf"),
            lepton=("fspl", "El", "pxl", "pyl", "pzl"),
            neutrino=("pxv", "pyv", "pzv"),
        ),
    ),
    Preset(
        name="flattree",
        title="NUISANCE flat tree",
        trees=("FlatTree_VARS",),
        needs=("Mode", "Enu_true", "ELep", "PDGLep"),
        columns={
            "pdg": _branch("PDGnu"),
            "nu_pdg": _branch("PDGnu"),
            "e_nu": _branch("Enu_true"),
            "t": _expression(
                _electron(_ANY_ELECTRON, f"{_HARDEST} - m_e"),
                f"where(abs(PDGLep) == 11, ELep - m_e, {_electron(_NUISANCE_MODES, 'Enu_true - ELep')})",
            ),
            "theta": _expression(
                _electron(
                    _ANY_ELECTRON, f"atan2(sqrt(Sum$(px*{_ELECTRON})^2 + Sum$(py*{_ELECTRON})^2), Sum$(pz*{_ELECTRON}))"
                ),
                _electron("abs(PDGLep) == 11", "acos(CosLep)"),
            ),
            "weight": _branch("Weight"),
        },
        elastic=(f"({_NUISANCE_MODES}) && Sum$(pdg == 11) == 1", f"({_NUISANCE_MODES}) && PDGLep != 13"),
        electron="abs(PDGLep) == 11",
        final=FinalState(lists=("pdg", "E", "px", "py", "pz")),
    ),
    Preset(
        name="nuwro",
        title="flat tree of NuWro events: nu_*, lep_* and the final state",
        trees=("events",),
        needs=("nu_pdg", "nu_E", "nu_px", "mode", "lep_pdg", "lep_E", "lep_px"),
        columns={
            "pdg": _branch("nu_pdg"),
            "nu_pdg": _branch("nu_pdg"),
            "e_nu": _branch("nu_E"),
            "t": _expression(_electron("abs(lep_pdg) == 11", "lep_E - m_e")),
            "theta": _expression(
                _electron("abs(lep_pdg) == 11", angle(("lep_px", "lep_py", "lep_pz"), ("nu_px", "nu_py", "nu_pz")))
            ),
            "weight": _branch("weight"),
        },
        elastic=("mode == 12 && lep_pdg == 11",),
        electron="abs(lep_pdg) == 11",
        final=FinalState(lists=("pdg", "E", "px", "py", "pz"), neutrino=("nu_px", "nu_py", "nu_pz")),
    ),
    Preset(
        name="flatcaf",
        title="flat CAF record tree (SBN, NOvA style); " + flatcaf.RULE,
        trees=("recTree",),
        needs=flatcaf.NEEDS,
        columns={
            "pdg": _branch("rec.mc.nu.pdg"),
            "nu_pdg": _branch("rec.mc.nu.pdg"),
            "e_nu": _branch("rec.mc.nu.E"),
            "t": _expression("rec.mc.nu.prim.genE - m_e"),
            "theta": _expression(
                angle(
                    ("rec.mc.nu.prim.genp.x", "rec.mc.nu.prim.genp.y", "rec.mc.nu.prim.genp.z"),
                    ("rec.mc.nu.momentum.x", "rec.mc.nu.momentum.y", "rec.mc.nu.momentum.z"),
                )
            ),
        },
        elastic=(f"rec.mc.nu.genie_mode == {flatcaf.MODE} && rec.mc.nu.genie_inttype == {flatcaf.INTERACTION}",),
        pot=_TOTAL_POT,
        choose=flatcaf.choose,
        companions=flatcaf.companions,
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _TABLE}
"""Every preset by the name a TOML gives it."""


def find(name: str, where: str) -> Preset:
    """Return the preset called `name`; ConfigError naming the ones there are, at the key `where`."""
    if name not in PRESETS:
        raise ConfigError(f"{where}: no preset {name!r}{nearest(name, PRESETS)} (there are: {', '.join(PRESETS)})")
    return PRESETS[name]


def matching(tree: str, branches: Collection[str]) -> Preset | None:
    """Return the preset whose layout a tree has, or None."""
    return next((preset for preset in _TABLE if preset.matches(tree, branches)), None)
