"""Tells what binnings are worth: a table, a CSV, figures, and a folder with all of it and one page."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.output import publishing, replacing, slugs
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.page import Picture, Section, page
from spectrafit.report.symbols import numbers, symbols
from spectrafit.report.tables import Table, quantity

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.studies.binnings import Binnings
    from spectrafit.report.figures import Drawing
    from spectrafit.templates.cells import Cells
    from spectrafit.templates.truths import Truths

__all__ = [
    "binnings_csv",
    "binnings_table",
    "draw_binnings",
    "draw_diagnostics",
    "save_drawings",
    "truth_table",
    "write_binnings",
    "write_csv",
]

_PARTS = ("figures", "binnings.csv", "binnings.json", "optimum.toml", "index.html")


def binnings_table(found: Binnings) -> Table:
    """Return binnings side by side: the limit with and without noise, how well bins are filled, what is kept."""
    unit, median = found.rows[0].limit.unit, found.rows[0].median
    power = math.floor(math.log10(abs(median))) if median and math.isfinite(median) else 0
    power = 0 if -3 < power < 4 else power
    rows = []
    for row in found.rows:
        said = row.judgement
        independent = quantity(row.halves[1].guarded, row.halves[1].uncertainty) if row.halves else ""
        rows.append(
            (
                row.name,
                str(said.bins),
                f"{row.median / 10.0**power:.4g}",
                f"{row.guarded / 10.0**power:.4g}",
                f"{said.entries:.0f}",
                f"{said.background_entries:.0f}",
                f"{100 * row.kept:.1f}",
                independent,
            )
        )
    size = f"{f'1e{power} ' if power else ''}{unit}".strip()
    return Table(
        title=(
            f"Expected limit{f' [{size}]' if size else ''}, fewest simulated events of a bin, share kept of the\nmost"
            f" information known of, error of {found.parameter} on the half not chosen with"
        ),
        columns=("", ">bins", ">limit", ">no noise", ">events", ">bkg.", ">kept %", ">other half"),
        rows=tuple(rows),
    )


def binnings_csv(found: Binnings) -> str:
    """Return the same numbers, and more, as CSV with a line of names."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    head = ["binning", "bins", "limit", "limit_corrected", "limit_guarded", "kept", "simulated", "backgrounds"]
    head += ["relative_error", "error_naive", "error_corrected", "error_guarded", "error_uncertainty"]
    head += ["error_choosing_half", "error_independent_half", "error_independent_half_uncertainty"]
    writer.writerow(head)
    for row in found.rows:
        said = row.judgement
        halves = [row.halves[0].guarded, row.halves[1].guarded, row.halves[1].uncertainty] if row.halves else [""] * 3
        writer.writerow(
            [
                *(row.name, said.bins, row.median, row.corrected, row.guarded, row.kept, said.entries),
                *(said.background_entries, said.relative_error, said.naive, said.corrected, said.guarded),
                *(said.uncertainty, *halves),
            ]
        )
    return stream.getvalue()


def write_csv(path: Path, found: Binnings) -> Path:
    """Write the CSV, whole or not at all, and return its path. Raises DataError if it cannot be written."""
    with replacing(path) as part:
        part.write_text(binnings_csv(found), encoding="utf-8")
    return path


def truth_table(truths: Truths) -> Table:
    """Return what the diagnostics of each axis come to."""
    rows = []
    for one in truths.regions:
        for axis in one.axes:
            lost = float(np.nansum(axis.selected) / np.nansum(axis.generated)) if np.nansum(axis.generated) else np.nan
            rows.append(
                (
                    one.region.name,
                    axis.observable,
                    axis.truth,
                    f"{np.nanmedian(axis.resolution):.3g}",
                    f"{np.nanmedian(axis.bias):.2g}",
                    f"{np.nanmin(axis.purity):.2f} to {np.nanmax(axis.purity):.2f}",
                    f"{np.nanmin(axis.stability):.2f} to {np.nanmax(axis.stability):.2f}",
                    f"{lost:.3f}",
                )
            )
    return Table(
        title="True against reconstructed, of the signal",
        columns=(
            "region",
            "observable",
            "truth",
            ">resolution",
            ">bias",
            ">purity",
            ">stability",
            ">efficiency",
        ),
        rows=tuple(rows),
    )


def draw_binnings(found: Binnings, analysis: Analysis) -> Iterator[Drawing]:
    """Draw the comparison, and the optimum's edges and the best partition on the plane of each region with two axes.

    Within `spectrafit.report.figures.look`.
    """
    from spectrafit.report.figures import Drawing, binnings

    about: Any = {"left": analysis.title or "", "right": _exposure(analysis)}
    coupling = found.coupling
    symbol = COUPLINGS[coupling].symbol if coupling else ""
    yield Drawing(
        name="binnings",
        caption="Expected limits: circles as a fit has them, diamonds without what is noise of the simulation. Right:"
        " the error of kappa on the half of the simulation that the optimum was chosen with, and on the other.",
        figure=binnings.comparison(found.rows, symbol=symbol, **about),
    )
    if found.best is None:
        return
    for place, region in enumerate(found.grid.regions):
        if len(region.shape) != 2:
            continue
        edges, labels = (region.edges[0], region.edges[1]), (found.labels[place][0], found.labels[place][1])
        naive, corrected = found.information(place)
        across, upward = found.best.found.edges[place]
        yield Drawing(
            name=f"{region.name}_optimum",
            caption=f"Region {region.name}: what each cell of the fine grid says of {found.parameter}, as a fit has it"
            " and without noise, with the edges of the optimum.",
            figure=binnings.map_of_cells(
                (("as fitted", naive), ("without noise", corrected)),
                edges,
                labels,
                of=f"information on {found.parameter}",
                scale="symlog",
                binning=(across, upward),
                **about,
            ),
        )
        if found.best.partition is not None:
            numbers = found.best.partition_of(region.name)
            yield Drawing(
                name=f"{region.name}_partition",
                caption=f"Region {region.name}: the best partition of the cells, ordered by signal to expectation.",
                figure=binnings.partition(numbers, edges, labels, **about),
            )


def draw_diagnostics(truths: Truths | None, found: Binnings, analysis: Analysis) -> Iterator[Drawing]:
    """Draw resolution, bias, efficiency, migration, purity, stability, information and simulated events.

    Within `spectrafit.report.figures.look`.
    """
    from spectrafit.report.figures import Drawing, binnings, diagnostics

    about: Any = {"left": analysis.title or "", "right": _exposure(analysis)}
    for one in truths.regions if truths is not None else ():
        name = one.region.name
        for axis in one.axes:
            yield Drawing(
                name=f"{name}_{axis.observable}_resolution",
                caption=f"Region {name}, {axis.observable}: resolution and bias against the true value, of signal"
                " events past the cut; efficiency: the share of all events of the files that is in a bin.",
                figure=diagnostics.along_truth(axis, **about),
            )
            yield Drawing(
                name=f"{name}_{axis.observable}_migration",
                caption=f"Region {name}, {axis.observable}: where the signal's events of each true bin are"
                " reconstructed, in per cent; purity and stability of every bin.",
                figure=diagnostics.migration(axis, **about),
            )
        purity, stability = one.purity, one.stability
        if len(one.region.shape) == 2 and purity is not None and stability is not None:
            shape = one.region.shape
            first, second = (np.asarray(axis.edges) for axis in one.region.axes)
            yield Drawing(
                name=f"{name}_purity",
                caption=f"Region {name}: purity and stability of the bins, over both axes at once.",
                figure=binnings.map_of_cells(
                    (("purity", purity.reshape(shape)), ("stability", stability.reshape(shape))),
                    (first, second),
                    (one.region.labels[0], one.region.labels[1]),
                    of="share of signal events",
                    scale="share",
                    **about,
                ),
            )
    for place, region in enumerate(found.grid.regions):
        naive, corrected = found.information(place)
        signal, background = found.simulated(place)
        information = (("as fitted", naive), ("without noise", corrected))
        events = (("signal", signal), ("background", background))
        told = f"what each cell says of {found.parameter}, as a fit has it and without noise"
        for what, panels, of, caption in (
            ("information", information, f"information on {found.parameter}", told),
            ("simulated", events, "simulated events", "simulated events in each cell of the fine grid"),
        ):
            if len(region.shape) == 2:
                figure = binnings.map_of_cells(
                    panels,
                    (region.edges[0], region.edges[1]),
                    (found.labels[place][0], found.labels[place][1]),
                    of=of,
                    scale="symlog" if what == "information" else "log",
                    **about,
                )
            elif len(region.shape) == 1:
                figure = binnings.line_of_cells(panels, region.edges[0], found.labels[place][0], of=of, **about)
            else:
                continue
            yield Drawing(name=f"{region.name}_{what}", caption=f"Region {region.name}: {caption}.", figure=figure)


def save_drawings(folder: Path, drawings: Iterable[Drawing]) -> dict[str, Picture]:
    """Save figures as PNG and PDF in a folder that is there, and return them for a page."""
    from spectrafit.report.figures import look
    from spectrafit.report.figures.saving import carried

    pictures: dict[str, Picture] = {}
    with look():
        drawn = list(drawings)
        names = slugs(drawing.name for drawing in drawn)
        for drawing in drawn:
            name = names[drawing.name]
            with carried(drawing.figure) as figure:
                figure.savefig(folder / f"{name}.png", dpi=150, pil_kwargs={"compress_level": 3})
                figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
            image = (folder / f"{name}.png").read_bytes()
            width = float(drawing.figure.get_figwidth())
            pictures[name] = Picture(png=image, caption=drawing.caption, width=width)
    return pictures


def write_binnings(
    path: str | os.PathLike[str], analysis: Analysis, cells: Cells, found: Binnings, truths: Truths | None = None
) -> Path:
    """Write a folder: one page, CSV, JSON, the optimum as TOML and the best partition as CSV, and the figures.

    Parameters
    ----------
    path : folder to publish, whole or not at all.
    analysis, cells : what the binnings are of.
    found : see `spectrafit.compare_binnings`.
    truths : see `spectrafit.templates.diagnostics.look_at_truth`; None leaves these diagnostics out.

    Raises
    ------
    DataError
        Something cannot be written.
    """
    from spectrafit.templates.partition import write_partition

    target = Path(path)
    best = found.best
    named = {} if best is None or best.partition is None else slugs(region.name for region in best.regions)
    partitions = {region: f"partition_{name}.csv" for region, name in named.items()}
    with publishing(target, names=(*_PARTS, *partitions.values())) as staged:
        (staged / "figures").mkdir()
        compared = save_drawings(staged / "figures", draw_binnings(found, analysis))
        looked = save_drawings(staged / "figures", draw_diagnostics(truths, found, analysis))
        (staged / "binnings.csv").write_text(binnings_csv(found), encoding="utf-8")
        summary = found.summary() | {"digest": cells.digest, "version": version("spectrafit-numm")}
        (staged / "binnings.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
        if best is not None:
            (staged / "optimum.toml").write_text(best.toml(), encoding="utf-8")
            for region, name in partitions.items():
                write_partition(staged / name, best.partition_of(region))
        sections = [
            Section(title="Binnings", pictures=tuple(compared.values()), tables=(binnings_table(found),)),
            Section(
                title="Diagnostics",
                pictures=tuple(looked.values()),
                tables=() if truths is None else (truth_table(truths),),
            ),
        ]
        if best is not None:
            sections.insert(1, Section(title="Optimum, to paste", texts=(("axes", best.toml()),)))
        (staged / "index.html").write_text(_page(analysis, found, sections, truths), encoding="utf-8")
    return target


def _page(analysis: Analysis, found: Binnings, sections: list[Section], truths: Truths | None) -> str:
    own = found.rows[0]
    best = own if found.best is None else found.best.rated
    unit = own.limit.unit
    headline = (
        f"{best.name}, {best.judgement.bins} bins: {best.median:.4g} {unit}, without noise {best.guarded:.4g} {unit}"
    )
    meaning = (
        f"as it is, {own.judgement.bins} bins: {own.median:.4g} {own.limit.unit}, without noise {own.guarded:.4g};"
        f" expected limits at {100 * own.limit.level:g} % CL, {own.limit.method}, {own.limit.sides}-sided"
    )
    return page(
        f"Binning: {analysis.title or Path(analysis.path).stem}",
        f"spectrafit {version('spectrafit-numm')}, a fine grid of {found.fine_cells} cells",
        numbers(symbols(headline)),
        meaning,
        sections,
        alarms=(*found.notes, *(truths.notes if truths is not None else ())),
    )


def _exposure(analysis: Analysis) -> str:
    from spectrafit.report.figures.style import exposure_label

    return f"{exposure_label(analysis)}, simulation"
