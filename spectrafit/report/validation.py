"""A table of the regions that are shown and not fitted: what the fit predicts there, and how well the data agree."""

from __future__ import annotations

from collections.abc import Sequence

from spectrafit.inference.fitting.validation import Validation
from spectrafit.report.tables import Table, quantity

__all__ = ["validation_table"]


def validation_table(found: Sequence[Validation]) -> Table:
    """Return one row a region: events predicted by the fit with their error, data, chi^2 and its p-value."""
    rows = []
    for region in found:
        blind = region.observed is None
        rows.append(
            (
                region.region,
                quantity(*region.total),
                "Asimov" if region.observed is None else f"{region.observed.sum():.0f}",
                "" if blind else f"{region.chi2:.1f} / {region.ndof}",
                "" if blind else f"{region.p_value:.3f}",
            )
        )
    return Table(
        title="Regions that are shown and not fitted",
        columns=("region", ">predicted by the fit", ">data", ">chi2 / bins", ">p-value"),
        rows=tuple(rows),
    )
