"""What files hold: the inputs of an analysis, and any ROOT file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectrafit.report.plain import plain
from spectrafit.report.tables import Table

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.events.inspect import Inspection

__all__ = ["inspection_rows", "inspections_summary", "inventory_rows", "inventory_table"]


def inspections_summary(found: Sequence[Inspection], refused: dict[str, str]) -> dict[str, Any]:
    """Return all that is known of each file, with the table to start a sample set from; and files that were refused."""
    return {"files": [plain(one) | {"start": one.start} for one in found], "refused": refused}


def inspection_rows(found: Sequence[Inspection]) -> Iterator[dict[str, Any]]:
    """Yield each file as a row of a table."""
    for one in found:
        row = {name: getattr(one, name) for name in ("path", "size", "tree", "preset", "entries", "nu_e", "electrons")}
        for name in ("e_nu", "t"):
            row[f"{name}_low"], row[f"{name}_high"] = getattr(one, name) or (None, None)
        yield row | {"reconstructed": one.reconstructed, "pot": one.pot, "notes": "; ".join(one.notes)}


def inventory_rows(analysis: Analysis, *, skip_bad_files: bool = False) -> list[dict[str, Any]]:
    """Open every file that an analysis names and return what is in them, by sample; no event is read.

    Raises
    ------
    ConfigError, DataError
        A build would fail. With `skip_bad_files` simulation that cannot be read is left out instead.
    """
    from spectrafit.templates.plan import survey

    rows = []
    for source in survey(analysis, {} if skip_bad_files else None):
        found, plan = source.inventory, source.plan
        rows.append(
            {
                "sample_set": plan.sample_set.name,
                "sample": plan.sample.name,
                "stands_for": plan.stands_for,
                "role": plan.sample.role,
                "files": len(found.identities),
                "entries": found.entries,
                "pot": found.pot,
                "scale": None if plan.sample.role == "data" else source.scale,
                "left_out": len(found.skipped),
            }
        )
    for table in analysis.tables:
        rows.append(
            {
                "sample_set": "",
                "sample": table.name,
                "stands_for": table.name,
                "role": table.role,
                "files": int(bool(table.file)),
                "entries": 0,
                "pot": None,
                "scale": None,
                "left_out": 0,
            }
        )
    return rows


def inventory_table(
    analysis: Analysis, *, skip_bad_files: bool = False, rows: Sequence[Mapping[str, Any]] | None = None
) -> Table:
    """Open every file that an analysis names and return its contents as a table; no event is read.

    Parameters
    ----------
    analysis : Analysis
    skip_bad_files : bool
        Leave out simulation that cannot be read.
    rows : sequence of mapping, optional
        What `inventory_rows` found.

    Raises
    ------
    ConfigError, DataError
        As `inventory_rows`.
    """
    several = len(analysis.sample_sets) > 1
    shown = []
    for row in inventory_rows(analysis, skip_bad_files=skip_bad_files) if rows is None else rows:
        name = row["sample"] if row["sample"] == row["stands_for"] else f"{row['sample']} (for {row['stands_for']})"
        shown.append(
            (
                f"{row['sample_set']}/{name}" if several and row["sample_set"] and "/" not in name else name,
                row["role"],
                str(row["files"]),
                str(row["entries"]),
                "" if row["pot"] is None else f"{row['pot']:.4g}",
                "" if row["scale"] is None else f"{row['scale']:.4g}",
                str(row["left_out"]),
            )
        )
    units = " or ".join(dict.fromkeys(unit for _, unit in analysis.exposures.values()))
    columns = ("sample", "role", ">files", ">entries", f">{units}", ">scale", ">left out")
    return Table(title=analysis.title or "Input", columns=columns, rows=tuple(shown))
