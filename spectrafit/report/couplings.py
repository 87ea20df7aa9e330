"""Makes the report's tables of the fitted couplings: their carriers, their best fits, and the events each adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.flavours import FLAVOURS
from spectrafit.report.tables import Table, quantity
from spectrafit.report.units import kappa_scaled, kappa_unit

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit
    from spectrafit.templates.templates import Templates

__all__ = ["coupling_rows", "couplings_table", "monomial_sums", "monomials_table", "profiled", "title"]


def title(couplings: Mapping[str, str], parameter: str) -> str:
    """Return the name of a coupling for captions, with its parameter if there are several couplings."""
    found = COUPLINGS[couplings[parameter]].title
    return f"{found} ({parameter})" if len(couplings) > 1 else found


def profiled(couplings: Mapping[str, str], interest: str) -> str:
    """Return the other couplings as words for a headline, an empty text if there are none."""
    others = [title(couplings, name) for name in couplings if name != interest]
    return f"profiled: {', '.join(others)}" if others else ""


def coupling_rows(
    analysis: Analysis, model: Model, best: FitResult, impacts: Sequence[Impact], limit: Limit | None = None
) -> list[dict[str, Any]]:
    """Return the values that `result.json` keeps of each coupling of the analysis, the coupling of interest first.

    Couplings that are only held at fixed values have no best fit.
    """
    moves = {impact.name: impact for impact in impacts if not impact.group}
    names = {code: name for name, code in FLAVOURS.items()}
    rows = []
    for settled in sorted(analysis.fitted_couplings, key=lambda c: c.parameter != model.poi):
        coupling, name = settled.coupling, settled.parameter
        row: dict[str, Any] = {
            "parameter": name,
            "name": coupling.name,
            "title": coupling.title,
            "symbol": coupling.symbol,
            "unit": coupling.unit,
            "carriers": [names[code] for code in settled.carriers],
            "fixed": {names[code]: value for code, value in settled.fixed},
            "interest": name == model.poi,
        }
        if settled.carriers:
            at = model.index(name)
            kappa, move = float(best.values[at]), moves.get(name)
            row |= {
                "kappa": kappa,
                "error": float(best.errors[at]),
                "unit_of_kappa": kappa_unit(coupling.name),
                "reported": coupling.reported(kappa),
                "smallest_physical_kappa": coupling.lower,
                "correlation_with_interest": float(best.correlation[at, model.index(model.poi)]),
                "impact_up": move.up if move else None,
                "impact_down": move.down if move else None,
            }
            if limit is not None and row["interest"]:
                row["limit"] = limit.value
        rows.append(row)
    return rows


def couplings_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the rows of `coupling_rows` as a table."""

    def carriers(row: Mapping[str, Any]) -> str:
        held = [f"{name} held at {value:g} {row['unit']}".strip() for name, value in row["fixed"].items()]
        return "; ".join([", ".join(row["carriers"]), *held] if row["carriers"] else held)

    def scaled(row: Mapping[str, Any]) -> tuple[str, str]:
        if not row["carriers"]:
            return "", row["unit"]
        size, unit = kappa_scaled(row["name"], row["error"])
        return quantity(size * row["kappa"], size * row["error"]), unit

    def role(row: Mapping[str, Any]) -> str:
        return "of interest" if row["interest"] else "profiled" if row["carriers"] else "fixed"

    return Table(
        title="Couplings",
        columns=("parameter", "coupling", "flavours", "role", ">kappa", "unit", ">correlation"),
        rows=tuple(
            (
                row["parameter"] if row["carriers"] else "",
                row["title"],
                carriers(row),
                role(row),
                *scaled(row),
                "" if row["interest"] or not row["carriers"] else f"{row['correlation_with_interest']:+.3f}",
            )
            for row in rows
        ),
    )


def monomial_sums(templates: Templates) -> list[dict[str, Any]]:
    """Return, for each monomial of the couplings, its factors and the sum of its template in every region, events."""
    monomials = templates.monomials
    return [
        {
            "monomial": " ".join(
                name if power == 1 else f"{name}^{power}" for name, power in monomials.factors(exponents)
            )
            or "1",
            "powers": dict(monomials.factors(exponents)),
            "events": {
                region.name: float(templates.counts[:, 0, index, region.bins].sum()) for region in templates.regions
            },
        }
        for index, exponents in enumerate(monomials.exponents)
    ]


def monomials_table(sums: Sequence[Mapping[str, Any]]) -> Table:
    """Return the sums of `monomial_sums` as a table."""
    return Table(
        title="Expected events that each product of couplings multiplies",
        columns=("times", *(f">{name}" for name in sums[0]["events"])),
        rows=tuple((row["monomial"], *(f"{events:.5g}" for events in row["events"].values())) for row in sums),
    )
