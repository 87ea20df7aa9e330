"""Makes tables of what a HistFactory workspace holds: its channels, its measurements and its parameters."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.interop.measurements import described
from spectrafit.report.tables import Table

if TYPE_CHECKING:
    from rich.console import Group

    from spectrafit.inference.model import Model

__all__ = ["Held", "channels_table", "checked_workspace", "measurements_table"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Held:
    """What a workspace holds: the tables that `check` prints."""

    channels: Table
    measurements: Table

    def __rich__(self) -> Group:
        """Return both tables, one below the other."""
        from rich.console import Group

        return Group(self.channels, self.measurements)

    @property
    def rows(self) -> list[dict[str, str]]:
        """The channels' rows by column."""
        names = [column.removeprefix(">") for column in self.channels.columns]
        return [dict(zip(names, row, strict=True)) for row in self.channels.rows]

    def summary(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {**{name.replace(" ", "_"): said for name, said in self.measurements.rows}, "channels": self.rows}


def checked_workspace(
    path: str | os.PathLike[str],
    model: Model,
    *,
    measurement: str | None = None,
    patch: str | os.PathLike[str] | None = None,
) -> Held:
    """Return what a workspace holds; the arguments are those of `measurements_table`."""
    return Held(
        channels=channels_table(model, title=Path(path).name),
        measurements=measurements_table(path, model, measurement=measurement, patch=patch),
    )


def channels_table(model: Model, *, title: str = "") -> Table:
    """Return channels with their bins, samples with their nominal events, and the counts that were observed.

    Parameters
    ----------
    model : Model
        Read from a workspace.
    title : str
    """
    rows: list[tuple[str, ...]] = []
    rules: list[int] = []
    for span in model.regions:
        inside = [part for part in model.components if span.start <= part.start < span.stop]
        expected = sum((part.nominal for part in inside), np.zeros(span.stop - span.start))
        for part in inside:
            effects = len(part.factors) + len(part.morphs) + len(part.bin_factors) + part.shared
            rows.append((span.name, part.sample, "", f"{part.nominal.sum():.6g}", str(effects)))
        counts = model.data[span.start : span.stop]
        rows.append((span.name, "all samples", str(len(counts)), f"{expected.sum():.6g}", ""))
        rows.append((span.name, model.called, str(len(counts)), f"{counts.sum():.6g}", ""))
        rules.append(len(rows))
    columns = ("channel", "sample", ">bins", ">events", ">modifiers")
    return Table(title=title, columns=columns, rows=tuple(rows), rules=tuple(rules))


def measurements_table(
    path: str | os.PathLike[str],
    model: Model,
    *,
    measurement: str | None = None,
    patch: str | os.PathLike[str] | None = None,
) -> Table:
    """Return the chosen measurement, its parameter of interest, and the numbers of parameters and modifiers.

    Parameters
    ----------
    path, measurement, patch
        As in `spectrafit.interop.pyhf.read_workspace`.
    model : Model
        That was read from them.
    """
    about = described(path, measurement=measurement, patch=patch)
    kinds = Counter("fixed" if each.fixed else each.constraint for each in model.parameters)
    profiled = 0 if model.gammas is None else sum(bool(name) for name in model.gammas.names)
    counted = [f"{kinds[kind]} {kind}" for kind in ("free", "gaussian", "poisson", "fixed") if kinds[kind]]
    if profiled:
        counted.append(f"{profiled} factors per bin, profiled in each bin")
    others = [name for name in about.measurements if name != about.measurement]
    rows = [
        ("measurement", about.measurement),
        *([("other measurements", ", ".join(others))] if others else []),
        ("parameter of interest", model.poi or about.unknown or "none"),
        ("parameters", ", ".join(counted)),
        ("modifiers", ", ".join(f"{number} {kind}" for kind, number in sorted(about.modifiers.items()))),
    ]
    return Table(title="", columns=("", ""), rows=tuple(rows))
