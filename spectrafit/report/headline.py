"""Writes the headline of a result: the limit, and beside the number what a deficit or an excess makes of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.symbols import symbols

if TYPE_CHECKING:
    from spectrafit.inference.results import Limit
    from spectrafit.physics.couplings import Coupling

__all__ = ["beside", "headline", "scientific"]


def headline(coupling: Coupling, limit: Limit, parameter: str = "") -> str:
    """Return the limit as the page's headline, with the parameter's name where there are several couplings."""
    symbol, unit = symbols(coupling.symbol), symbols(coupling.unit)
    symbol += f" ({parameter})" if parameter else ""
    upper = f"{scientific(limit.value)} {unit}"
    if limit.empty:
        return f"no {symbol} ≥ {upper} is allowed: empty interval"
    if limit.lower_kappa > 0 or (coupling.lower is None and limit.sides == "two"):
        return f"{scientific(coupling.reported(limit.lower_kappa))} &lt; {symbol} &lt; {upper}"
    return f"{symbol} &lt; {upper}"


def beside(limit: Limit, coupling: str) -> list[str]:
    """Return the sentences that belong beside the number of a limit: on the page, in the terminal, in `result.json`.

    A deficit that made the limit small: the limits to quote instead, and the expected one. An excess that the level
    resolves: its significance and its two-sided interval. Nothing for any other limit, or for Asimov data.

    Parameters
    ----------
    limit : Limit
    coupling : str
        Key of `COUPLINGS`; empty for a workspace.
    """
    found = limit.standing
    if found is None:
        return []
    kind = COUPLINGS[coupling] if coupling else None
    symbol, unit = (kind.symbol, kind.unit) if kind else (limit.parameter, "")
    if limit.beside:
        instead = "; ".join(f"{name}: {symbol} < {value:.4g} {unit}".rstrip() for name, value in limit.beside.items())
        expected = f" Expected without a signal: {limit.expected.median:.4g} {unit}".rstrip() if limit.expected else ""
        return [
            f"A deficit made this limit {'empty' if limit.empty else 'small'}: the data lie {-found.significance:.1f} "
            f"sigma below {limit.parameter} = {found.null:g}. Quote instead (here without toys) {instead}."
            + (f"{expected}." if expected else "")
        ]
    if found.reported is None:
        return []
    low, high = found.reported
    side = "above" if found.significance > 0 else "below"
    name = "Excess" if found.significance > 0 else "Deficit"
    return [
        f"{name} of {abs(found.significance):.1f} sigma {side} {limit.parameter} = {found.null:g} "
        f"(p = {found.p_value:.2g}): the two-sided {100 * found.level:g} % interval is {low:.4g} to "
        f"{high:.4g} {unit}".rstrip()
        + "."
    ]


def scientific(value: float) -> str:
    """Return a number as HTML with three digits, as `1.26 × 10⁻⁹` where it needs a power of ten."""
    if value == 0 or not math.isfinite(value) or 1e-3 <= abs(value) < 1e4:
        return f"{value:.3g}"
    exponent = math.floor(math.log10(abs(value)))
    return f"{value / 10.0**exponent:.2f} × 10<sup>{exponent}</sup>".replace("-", "−")
