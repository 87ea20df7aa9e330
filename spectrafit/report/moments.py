"""Makes the numbers and the table of the command `spectrafit moment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spectrafit import physics as ph
from spectrafit.errors import ConfigError, nearest
from spectrafit.physics.mixing import Mixing
from spectrafit.report.tables import Table

__all__ = ["moment_numbers", "moment_table"]

_NAMES = {12: "nu_e", 14: "nu_mu", 16: "nu_tau"}
# Where solar neutrinos of these energies (GeV) are made: electron density, N_A per cm^3.
_SOLAR = {"pp, 0.3 MeV": (0.3e-3, 62.0), "7Be, 0.86 MeV": (0.861e-3, 66.0), "8B, 8 MeV": (8e-3, 92.0)}


def moment_numbers(
    mu: Sequence[float] | npt.ArrayLike,
    eps: npt.ArrayLike | None = None,
    *,
    nature: Literal["dirac", "majorana"] = "dirac",
    ordering: Literal["normal", "inverted"] = "normal",
    mixing: Mixing | None = None,
    baseline: float = 810.0,
    e_nu: float = 2.0,
    lightest: float = 0.01,
    scale: float = 1.0,
) -> dict[str, Any]:
    """Return the effective moments that moments of the mass states give, beside predictions and naturalness bounds.

    Parameters
    ----------
    mu : shape (3,) or (3, 3), mu_B. Magnetic moments of the mass states: the matrix, or three real numbers, which are
        mu_11, mu_22, mu_33 for Dirac and mu_23, mu_31, mu_12 (times i) for Majorana neutrinos.
    eps : shape (3, 3), mu_B. Electric moments, if any.
    nature : what neutrinos are.
    ordering : takes angles and splittings of `ORDERINGS`, unless `mixing` is given.
    mixing : angles, phases and splittings of one's own.
    baseline, e_nu : distance, km, and energy, GeV, of the oscillated rows.
    lightest : mass of the lightest neutrino, eV, for the predictions; the heaviest goes into the naturalness bounds.
    scale : scale of new physics, TeV, of the naturalness bounds.

    Returns
    -------
    dict
        The arguments; `heaviest`, eV; and `rows`, each with `what` it is of, its `kind` ("effective", "model" or
        "natural"), and nu_e, nu_mu, nu_tau in mu_B: of a solar row the first alone, of a pair's bound its two flavours.

    Raises
    ------
    ConfigError
        A matrix is not Hermitian (for Majorana neutrinos also not antisymmetric), or a word is unknown.
    """
    if mixing is None and ordering not in ph.ORDERINGS:
        raise ConfigError(f"ordering: {ordering!r}{nearest(ordering, ph.ORDERINGS)}; needed 'normal' or 'inverted'")
    if nature not in ("dirac", "majorana"):
        raise ConfigError(f"nature: {nature!r}; needed 'dirac' or 'majorana'")
    if not (baseline >= 0.0 and e_nu > 0.0 and scale > 0.0):
        raise ConfigError(f"baseline {baseline} km, e_nu {e_nu} GeV, scale {scale} TeV: needed positive numbers")
    used = ph.ORDERINGS[ordering] if mixing is None else mixing
    given = np.asarray(mu, dtype=np.complex128)
    if given.shape == (3,):
        given = np.diag(given) if nature == "dirac" else ph.majorana_vector(*(float(number) for number in given.real))
    try:
        moments = ph.check_moments(given, np.zeros((3, 3)) if eps is None else eps, nature)
        masses = ph.masses(used, lightest)
    except ValueError as error:
        raise ConfigError(f"moments in the mass basis: {error}") from error

    def row(what: str, kind: str, values: Sequence[Any]) -> dict[str, Any]:
        numbers = [None if value is None else float(value) for value in values]
        return {"what": what, "kind": kind, **dict(zip(_NAMES.values(), numbers, strict=True))}

    def root(values: Sequence[Any]) -> list[float]:
        return [float(np.sqrt(max(float(value), 0.0))) for value in values]

    def short(matrices: tuple[Any, Any]) -> list[float]:
        return root([ph.effective_moment2_short(pdg, *matrices, used) for pdg in _NAMES])

    rows = [row("short baseline", "effective", short(moments))]
    for sign, what in ((1, "neutrinos"), (-1, "antineutrinos")):
        far = root([ph.effective_moment2(sign * pdg, *moments, used, baseline, e_nu) for pdg in _NAMES])
        rows.append(row(f"{what}, {baseline:g} km, {e_nu:g} GeV", "effective", far))
    for source, (energy, density) in _SOLAR.items():
        value = root([ph.effective_moment2_solar(*moments, used, energy, density)])
        rows.append(row(f"solar {source}", "effective", [*value, None, None]))
    rows.append(row("minimal Dirac model", "model", short(ph.dirac_moments(masses, used))))
    rows.append(row("minimal Majorana model", "model", short(ph.majorana_moments(masses, used))))
    heaviest = float(masses.max())
    rows.append(row("natural, Dirac", "natural", [ph.natural_dirac_moment(heaviest, scale)] * 3))
    for pair, name, flags in (("mue", "e-mu", "110"), ("taumu", "mu-tau", "011"), ("taue", "e-tau", "101")):
        bound = ph.natural_majorana_moment(pair, heaviest, scale)
        rows.append(row(f"natural, Majorana {name}", "natural", [bound if flag == "1" else None for flag in flags]))
    return {
        "nature": nature,
        "mixing": f"{ordering} ordering" if mixing is None else "given mixing",
        "baseline": baseline,
        "e_nu": e_nu,
        "lightest": lightest,
        "heaviest": heaviest,
        "scale": scale,
        "rows": rows,
    }


def moment_table(found: Mapping[str, Any]) -> Table:
    """Return what `moment_numbers` found as a table."""

    def cell(value: float | None, kind: str) -> str:
        return "" if value is None else f"{value:.1e}" if kind == "natural" else f"{value:.4g}"

    kinds = [row["kind"] for row in found["rows"]]
    bounds = f"heaviest {found['heaviest']:.3g} eV, Lambda = {found['scale']:g} TeV"
    return Table(
        title=f"Effective magnetic moments [mu_B]: {found['nature'].capitalize()}, {found['mixing']}, "
        f"lightest {found['lightest']:g} eV, {bounds}",
        columns=("", *(f">{name}" for name in _NAMES.values())),
        rows=tuple((row["what"], *(cell(row[name], row["kind"]) for name in _NAMES.values())) for row in found["rows"]),
        rules=(kinds.index("model"), kinds.index("natural")),
    )
