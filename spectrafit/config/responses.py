"""The keys of a detector response."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from spectrafit.config.keys import Keys
from spectrafit.config.numbers import Finite, NotNegative, Relative, Seed, Share, ShareKept
from spectrafit.config.sources import EnergyUnit

__all__ = ["Response"]


class Response(Keys, frozen=True, kw_only=True):
    """Parametric detector response, applied to true T and theta; `spectrafit.events.response` has the formulas.

    Attributes
    ----------
    unit
        Unit of T in the formulas, thresholds, widths and tables of the response: "GeV", "MeV", "keV" or "eV". Where GeV
        stands below, this unit is meant. Example: ``unit = "keV"``
    quenching
        How a nuclear recoil becomes the energy that is seen: "lindhard", or a table of T and factor. In all that
        follows T is then electron-equivalent. Example: ``quenching = "lindhard"``
    lindhard_k : no unit
        Lindhard's k; 0 is 0.133 Z^(2/3) A^(-1/2) of each nucleus. Example: ``lindhard_k = 0.157``
    energy_stochastic : GeV^(1/2)
        The a of sigma(T)/T = a / sqrt(T / GeV) + b + c / (T / GeV). Example: ``energy_stochastic = 0.07``
    energy_constant : fraction
        The b of that width. Example: ``energy_constant = 0.03``
    energy_noise : GeV
        The c of that width. Example: ``energy_noise = 0.2``
    energy_resolution
        In place of the formula, a table of T and sigma(T)/T, straight lines between its rows.
        Example: ``energy_resolution = "resolution.csv"``
    energy_matrix
        In place of both, a TH2 with true T along x and reconstructed T along y. Each column counts as a shape; the
        efficiency has keys of its own. Example: ``energy_matrix = "response.root:migration"``
    energy_scale : fraction
        Mean of reconstructed over true energy. Example: ``energy_scale = 1.02``
    angle_constant : rad
        The c0 of the width c0 + c1 / (T / GeV) of the angle's core, in each of two projections.
        Example: ``angle_constant = 0.004``
    angle_stochastic : rad GeV
        The c1 of that width. Example: ``angle_stochastic = 0.009``
    angle_tail_fraction : fraction of the events
        Share of the events that lie in the tail of the angle, outside the Gaussian core.
        Example: ``angle_tail_fraction = 0.08``
    angle_tail_scale : core widths
        How much wider than the core the tail is. Example: ``angle_tail_scale = 3.0``
    threshold : GeV
        Lowest reconstructed T; events below it are left out. Example: ``threshold = 0.10``
    efficiency : fraction
        Plateau of the selection efficiency. Example: ``efficiency = 0.30``
    efficiency_turn_on : GeV
        True T at which the efficiency is half its plateau: plateau / (1 + exp(-(T - turn_on) / width)).
        Example: ``efficiency_turn_on = 0.25``
    efficiency_width : GeV
        Width of the turn-on; 0 is an efficiency that does not depend on T. Example: ``efficiency_width = 0.05``
    efficiency_table
        A table of T and efficiency (straight lines between its rows), or ``file.root:name`` of a TH1, that multiplies
        the efficiency; 0 outside the table. Example: ``efficiency_table = "efficiency.csv"``
    efficiency_of
        Which T that table is of, "true" or "reconstructed". Example: ``efficiency_of = "reconstructed"``
    seed : no unit
        Key of the random numbers: entry i of a sample is smeared the same way on every machine. Example: ``seed = 7``
    draws : draws per event
        How often each entry of a truth-only ntuple is smeared while it is read, with that part of its weight each time.
        Takes the noise of migration out of few events. Generated files are smeared once. Example: ``draws = 20``
    """

    unit: EnergyUnit = "GeV"
    quenching: str = ""
    lindhard_k: NotNegative = 0.0
    energy_stochastic: Relative = 0.0
    energy_constant: Relative = 0.0
    energy_noise: NotNegative = 0.0
    energy_resolution: str = ""
    energy_matrix: str = ""
    energy_scale: Annotated[float, Meta(gt=0.0, le=1000.0)] = 1.0
    angle_constant: Relative = 0.0
    angle_stochastic: Relative = 0.0
    angle_tail_fraction: Share = 0.0
    angle_tail_scale: Relative = 1.0
    threshold: NotNegative = 0.0
    efficiency: ShareKept = 1.0
    efficiency_turn_on: Finite = 0.0
    efficiency_width: NotNegative = 0.0
    efficiency_table: str = ""
    efficiency_of: Literal["true", "reconstructed"] = "true"
    seed: Seed = 0
    draws: Annotated[int, Meta(ge=1, le=1000)] = 1

    @property
    def tables(self) -> tuple[str, ...]:
        """The files it names."""
        quenching = "" if self.quenching == "lindhard" else self.quenching
        named = (quenching, self.energy_resolution, self.energy_matrix, self.efficiency_table)
        return tuple(name for name in named if name)
