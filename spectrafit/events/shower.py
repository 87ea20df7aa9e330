"""The electromagnetic shower of an event that has no recoil electron: the particle of its final state that is seen.

A background is taken for an electron because something in it showers: a photon, a neutral pion, an electron of another
reaction. Generators list the particles of the final state, and a sample's `shower` says which of them count. The one of
highest energy gives the event's `t` (GeV: kinetic energy of an electron or positron, whole energy of everything else,
as a shower shows it) and `theta` (rad, to the neutrino). A neutral pion that the generator did not decay counts as one
shower of its energy along its momentum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, nearest
from spectrafit.events import expressions
from spectrafit.physics.constants import M_E

__all__ = ["SHOWERS", "FinalState", "Quantity", "leading"]


SHOWERS: dict[str, tuple[int, ...]] = {
    "electron": (11, -11),
    "photon": (22,),
    "pi0": (111,),
    "electromagnetic": (11, -11, 22, 111),
}
"""The words `shower` may be, and the PDG codes of the particles each one means."""

_PARTICLE = ("pdg", "E", "px", "py", "pz")


@dataclass(frozen=True, kw_only=True, slots=True)
class FinalState:
    """The branches in which a layout lists the particles of an event.

    Attributes
    ----------
    lists : tuple of str
        Branches with a list per entry: PDG code, energy (GeV), momentum in x, y and z (GeV).
    lepton : tuple of str
        The same for one particle that is not in the lists, a number per entry; empty if the lists hold all particles.
    neutrino : tuple of str
        Momentum of the neutrino in x, y and z; empty where the neutrino flies along z.
    """

    lists: tuple[str, str, str, str, str]
    lepton: tuple[str, ...] = ()
    neutrino: tuple[str, ...] = ()

    @property
    def branches(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.lists, *self.lepton, *self.neutrino)

    def particles(self, raw: Mapping[str, Any]) -> dict[str, ak.Array]:
        """Return `pdg`, `E`, `px`, `py` and `pz` of every particle, (N, var) each."""
        found = {}
        for index, (name, branch) in enumerate(zip(_PARTICLE, self.lists, strict=True)):
            values = ak.values_astype(ak.Array(raw[branch]), np.float64)
            if self.lepton:
                alone = np.asarray(raw[self.lepton[index]], np.float64)[:, np.newaxis]
                values = ak.concatenate([ak.from_numpy(alone), values], axis=1)
            found[name] = values
        return found


def leading(
    pdg: ak.Array,
    energy: ak.Array,
    momentum: tuple[ak.Array, ak.Array, ak.Array],
    *,
    among: ak.Array | str = "electromagnetic",
    neutrino: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = (0.0, 0.0, 1.0),
) -> tuple[Floats, Floats]:
    """Return energy and angle of the shower of highest energy in every event.

    Parameters
    ----------
    pdg, energy : (N, var) arrays
        PDG code and energy (GeV) of every particle of the final state.
    momentum : three (N, var) arrays
        Its components in x, y and z, GeV.
    among : str or (N, var) array of bool
        Which particles count: one of `SHOWERS`, or a mask.
    neutrino : three (N,) arrays or numbers
        Direction of the neutrino, of any length.

    Returns
    -------
    t, theta : (N,) float64 arrays
        GeV and rad; NaN in an event without such a particle.
    """
    if isinstance(among, str):
        code: Any = False
        for wanted in SHOWERS[among]:
            code = code | (pdg == wanted)
        among = code
    # Particles that do not count become None: they cannot be the largest, and positions in the list stay the same.
    hardest = ak.argmax(ak.mask(energy, among), axis=1, keepdims=True)

    def of_hardest(values: ak.Array) -> Floats:
        taken = ak.firsts(values[hardest], axis=1)
        return np.asarray(ak.to_numpy(ak.fill_none(ak.values_astype(taken, np.float64), np.nan)))

    codes, highest = of_hardest(pdg), of_hardest(energy)
    px, py, pz = (of_hardest(component) for component in momentum)
    qx, qy, qz = (np.asarray(component, np.float64) for component in neutrino)
    across = np.sqrt((py * qz - pz * qy) ** 2 + (pz * qx - px * qz) ** 2 + (px * qy - py * qx) ** 2)
    theta = np.arctan2(across, px * qx + py * qy + pz * qz)
    return np.where(np.abs(codes) == 11, highest - M_E, highest), theta


@dataclass(frozen=True, slots=True)
class Quantity:
    """`t` or `theta` of the shower that a sample asks for, used in place of an expression.

    Attributes
    ----------
    name : str
        "t" or "theta".
    text : str
        The sample's `shower`: one of `SHOWERS`, or a condition on particles, in which `pdg`, `E`, `px`, `py` and `pz`
        are those of each particle, whatever the branches are called, and other names are branches of the event.
    final : FinalState
    """

    name: str
    text: str
    final: FinalState

    @property
    def is_column(self) -> bool:
        """Never: it is computed."""
        return False

    @property
    def variables(self) -> tuple[str, ...]:
        """The branches it reads."""
        if self.text in SHOWERS:
            return self.final.branches
        own = {*_PARTICLE, *self.final.lists}
        others = (name for name in expressions.compile(self.text).variables if name not in own)
        return (*self.final.branches, *others)

    def check(self, where: str) -> None:
        """Refuse a shower that is neither a known word nor a condition on particles, with a ConfigError."""
        names = (*_PARTICLE, *self.final.lists)
        if self.text not in SHOWERS and not set(names).intersection(expressions.compile(self.text).variables):
            raise ConfigError(
                f"{where}: {self.text!r} is no shower{nearest(self.text, SHOWERS)}; it is one of"
                f" {', '.join(SHOWERS)}, or a condition on the particles' {', '.join(_PARTICLE)}, as in pdg == 22 &&"
                " E > 0.1"
            )

    def __call__(self, raw: Mapping[str, Any]) -> Floats:
        """Return the quantity for every entry, (N,), NaN where no particle is such a shower."""
        particles = self.final.particles(raw)
        among: Any = self.text
        if self.text not in SHOWERS:
            columns = {**raw, **dict(zip(self.final.lists, particles.values(), strict=True)), **particles}
            among = expressions.compile(self.text)(columns)
            if getattr(among, "ndim", 0) < 2:
                raise ConfigError(f"shower = {self.text!r}: has one value per entry; needs one value per particle")
            among = ak.values_astype((among != 0) & (among == among), np.bool_)
        neutrino: Any = tuple(raw[name] for name in self.final.neutrino) or (0.0, 0.0, 1.0)
        t, theta = leading(
            particles["pdg"],
            particles["E"],
            (particles["px"], particles["py"], particles["pz"]),
            among=among,
            neutrino=neutrino,
        )
        return t if self.name == "t" else theta
