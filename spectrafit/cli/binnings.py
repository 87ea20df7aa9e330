"""The command `binning`: compares binnings of an analysis and looks for the best one."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import spectrafit as sf
from spectrafit.cli.options import AnalysisFile, Cache, Executor, Saved, Scheduler, Set, SkipBad, Workers
from spectrafit.errors import ConfigError, nearest

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.studies.binnings import Binnings
    from spectrafit.inference.studies.optimise import Rules
    from spectrafit.templates.cells import Cells
    from spectrafit.templates.truths import Truths

__all__ = ["binning", "cells_of"]

_PER_AXIS = "for an axis, or for all: OBSERVABLE=NUMBER; may be repeated"


def binning(
    analysis: AnalysisFile,
    edges: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AXIS=EDGES[;...]",
            help="a binning to compare, 't_reco=0.15,0.3,1; t_theta2_reco=0,0.01'; axes left out stay; may be repeated",
        ),
    ] = None,
    optimise: Annotated[bool, typer.Option("--optimise", help="search thoroughly, under the conditions below")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="with --optimise: the edges found, as TOML to paste")
    ] = None,
    partition: Annotated[
        Path | None, typer.Option(help="with --optimise: the best partition, as CSV for a region's partition")
    ] = None,
    most_bins: Annotated[int | None, typer.Option(help="most bins of all regions together")] = None,
    least_entries: Annotated[float, typer.Option(help="least simulated events of a bin")] = 20.0,
    least_background: Annotated[float, typer.Option(help="least simulated background events of a bin")] = 10.0,
    relative_error: Annotated[
        float | None, typer.Option(help="greatest error of a bin's expectation from the simulation, as a share of it")
    ] = None,
    least_width: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=NUMBER", help=f"least width in resolutions, {_PER_AXIS}")
    ] = None,
    round_to: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=STEP", help="edges are multiples of the step; may be repeated")
    ] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="AXIS=LOW:HIGH",
            help="let edges lie outside the analysis' own range, t_reco=0.10:6; may be repeated",
        ),
    ] = None,
    fine: Annotated[
        int | None, typer.Option(help="cut every bin into so many cells along each axis; default: 60 cells an axis")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="keep the filled grid (*.npz), for --templates of the next time")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="write the numbers as CSV")] = None,
    json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    figure: Annotated[Path | None, typer.Option(help="draw the comparison: *.png, *.pdf")] = None,
    diagnostics: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="draw resolution, migration, purity, efficiency, information")
    ] = None,
    report: Annotated[Path | None, typer.Option(metavar="FOLDER", help="write all of this with one page")] = None,
    set_: Set = None,
    templates: Saved = None,
    executor: Executor = "threads",
    workers: Workers = None,
    scheduler: Scheduler = None,
    cache: Cache = None,
    skip_bad_files: SkipBad = False,
) -> None:
    """Compare the analysis' binning with equal width, equal statistics, hand-made ones and the optimum."""
    loaded = sf.load(analysis, overrides=set_ or ())
    _check_outputs(loaded, templates, optimise, output, partition, save, csv, figure, report)
    regions = _axes(loaded)
    wanted = {f"edges {index}": _edges(text, regions) for index, text in enumerate(edges or (), start=1)}
    steps = _numbers("--round-to", round_to, regions)
    widths = _numbers("--least-width", least_width, regions)
    ranges = _ranges(range_, regions)
    crew: dict[str, Any] = {
        "executor": executor,
        "workers": workers or (None if scheduler else os.cpu_count()),
        "scheduler": scheduler,
    }
    cells = cells_of(
        loaded, templates, list(wanted.values()), steps, fine, {**crew, "cache": cache}, skip_bad_files, ranges=ranges
    )
    if save is not None:
        from spectrafit.templates.archive import save as keep

        typer.echo(f"{keep(save, cells)}: kept, for --templates", err=True)
    truths = None
    if widths or diagnostics is not None or report is not None:
        truths = _truths(loaded, crew)
    rules = _rules(
        cells,
        truths,
        widths,
        steps,
        most_bins,
        least_entries,
        least_background,
        relative_error,
        parameter=loaded.interest,
    )
    found = _compared(loaded, cells, wanted, rules, 3 if optimise else 1, crew)
    _tell(found, truths, json)
    if output is not None and found.best is not None:
        from spectrafit.output import replacing

        with replacing(output) as part:
            part.write_text(found.best.toml(), encoding="utf-8")
        typer.echo(f"{output}: edges to paste", err=json)
    if partition is not None:
        _write_partitions(partition, found, json)
    if csv is not None:
        from spectrafit.report.binnings import write_csv

        typer.echo(write_csv(csv, found), err=json)
    _draw(loaded, cells, found, truths, figure, diagnostics, report, json)


def _check_outputs(
    analysis: Analysis,
    saved: Path | None,
    optimise: bool,
    output: Path | None,
    partition: Path | None,
    *others: Path | None,
) -> None:
    """Refuse outputs that are inputs, or have a name that does not go, before the work."""
    from spectrafit.config import inputs_of
    from spectrafit.output import refuse_inputs
    from spectrafit.report.figures.saving import check_name
    from spectrafit.templates.archive import check_name as check_templates

    if not optimise and (output is not None or partition is not None):
        raise ConfigError("-o and --partition write what --optimise finds; add --optimise")
    save, _, figure, _ = others
    if figure is not None:
        check_name(figure)
    if save is not None:
        check_templates(save)
    for target in (output, partition, *others):
        if target is not None:
            refuse_inputs(target, (*inputs_of(analysis), *([saved] if saved and saved != save else [])))


def _axes(analysis: Analysis) -> dict[str, tuple[str, ...]]:
    """Return the observables of every region."""
    return {region.name: tuple(axis.observable for axis in region.axes) for region in analysis.regions}


def _named(option: str, text: str, regions: dict[str, tuple[str, ...]]) -> tuple[list[tuple[str, str]], str]:
    """Return the regions and observable that ``[REGION:]OBSERVABLE=...`` means, and what follows."""
    name, found, rest = text.strip().rpartition("=")
    if not found:
        raise ConfigError(f"{option} {text!r}: needs OBSERVABLE=..., such as t_reco=0.15,0.3,1.0")
    region, colon, observable = name.partition(":")
    if not colon or region not in regions:
        region, observable = "", name
    places = [
        (one, observable.strip()) for one in ([region] if region else regions) if observable.strip() in regions[one]
    ]
    if not places:
        known = sorted({axis for axes in regions.values() for axis in axes})
        raise ConfigError(
            f"{option} {text!r}: no axis {observable.strip()!r}{nearest(observable.strip(), known)}"
            f" (there are: {', '.join(known)})"
        )
    return places, rest


def _edges(text: str, regions: dict[str, tuple[str, ...]]) -> dict[str, dict[str, list[float]]]:
    result: dict[str, dict[str, list[float]]] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        places, rest = _named("--edges", part, regions)
        values = [_number("--edges", part, one) for one in rest.split(",") if one.strip()]
        if len(values) < 2 or any(high <= low for low, high in itertools.pairwise(values)):
            raise ConfigError(f"--edges {part.strip()!r}: needs two or more numbers that increase")
        for region, observable in places:
            result.setdefault(region, {})[observable] = values
    if not result:
        raise ConfigError(f"--edges {text!r}: needs OBSERVABLE=..., such as t_reco=0.15,0.3,1.0")
    return result


def _numbers(option: str, texts: Sequence[str] | None, regions: dict[str, tuple[str, ...]]) -> dict[str, float]:
    result: dict[str, float] = {}
    for text in texts or ():
        places, rest = _named(option, text, regions)
        value = _number(option, text, rest)
        if not value > 0:
            raise ConfigError(f"{option} {text!r}: needs a positive number")
        result |= {observable: value for _, observable in places}
    return result


def _ranges(texts: Sequence[str] | None, regions: dict[str, tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    result: dict[str, tuple[float, float]] = {}
    for text in texts or ():
        places, rest = _named("--range", text, regions)
        first, colon, last = rest.partition(":")
        if not colon:
            raise ConfigError(f"--range {text!r}: needs OBSERVABLE=LOW:HIGH, such as t_reco=0.10:6")
        low, high = _number("--range", text, first), _number("--range", text, last)
        result |= {observable: (low, high) for _, observable in places}
    return result


def _number(option: str, text: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not math.isfinite(number):
        raise ConfigError(f"{option} {text.strip()!r}: {value.strip()!r} is no finite number")
    return number


def cells_of(
    analysis: Analysis,
    saved: Path | None,
    edges: list[dict[str, dict[str, list[float]]]],
    steps: dict[str, float],
    fine: int | None,
    options: dict[str, Any],
    skip_bad_files: bool,
    *,
    ranges: dict[str, tuple[float, float]] | None = None,
) -> Cells:
    """Return the cells of a fine grid: the saved ones, or filled once."""
    from spectrafit.templates.refine import is_fine, load_fine, refined
    from spectrafit.templates.regions import lay_out

    if saved is not None:
        cells = load_fine(saved, analysis)
        if is_fine(cells, analysis):
            if fine is not None or ranges:
                option = "--range" if ranges else f"--fine {fine}"
                raise ConfigError(f"{option}: {saved} is a grid already; leave out one of the two")
            return cells
        typer.echo(f"note: {saved} holds no finer bins than the analysis, or no halves of the simulation", err=True)
    planned = lay_out(refined(analysis, fine=fine, edges=edges, steps=steps, ranges=ranges).regions)
    grid = ", ".join(f"{region.name} {' x '.join(map(str, region.shape))}" for region in planned)
    typer.echo(f"note: a finer grid is filled from the ntuples, once: {grid} cells; --save keeps it", err=True)
    return sf.fine_cells(
        analysis,
        fine=fine,
        edges=edges,
        steps=steps,
        ranges=ranges,
        skip_bad_files=skip_bad_files,
        **options,
    )


def _truths(analysis: Analysis, crew: dict[str, Any]) -> Truths:
    from spectrafit.templates.diagnostics import look_at_truth

    typer.echo("note: the signal's ntuples are read once more, for true against reconstructed values", err=True)
    return look_at_truth(analysis, **crew)


def _rules(
    cells: Cells,
    truths: Truths | None,
    widths: dict[str, float],
    steps: dict[str, float],
    most_bins: int | None,
    least_entries: float,
    least_background: float,
    relative_error: float | None,
    *,
    parameter: str,
) -> Rules:
    least, rounded = [], []
    for region in cells.regions:
        least.append(
            [
                truths.axis(region.name, name).widths(axis.centers, widths[name])
                if truths is not None and name in widths
                else None
                for name, axis in zip(region.observables, region.axes, strict=True)
            ]
        )
        rounded.append([steps.get(name) for name in region.observables])
    return sf.Rules(
        bins=most_bins,
        entries=least_entries,
        background_entries=least_background,
        relative_error=math.inf if relative_error is None else relative_error,
        widths=least,
        steps=rounded,
    )


def _compared(
    analysis: Analysis, cells: Cells, wanted: dict[str, Any], rules: Rules, starts: int, crew: dict[str, Any]
) -> Binnings:
    from spectrafit.execution import executor as opened
    from spectrafit.inference.toys.options import ToyOptions

    said = analysis.limit
    if said.method in ("profile", "cls", "bayes", "bayes-mu"):
        return sf.compare_binnings(analysis, cells, wanted, rules=rules, starts=starts)
    with opened(crew["executor"], crew["workers"], scheduler=crew["scheduler"]) as pool:
        toys = ToyOptions(toys=said.toys, seed=said.seed, ensemble=said.ensemble, executor=pool)
        return sf.compare_binnings(analysis, cells, wanted, rules=rules, starts=starts, toys=toys)


def _tell(found: Binnings, truths: Truths | None, json: bool) -> None:
    from rich.console import Console

    from spectrafit.report.binnings import binnings_table

    notes = (*found.notes, *(truths.notes if truths is not None else ()))
    if json:
        import json as writer

        typer.echo(writer.dumps(found.summary() | {"notes": list(notes)}))
        return
    console = Console()
    console.print(binnings_table(found))
    for note in notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    if found.best is not None:
        typer.echo(f"\n{found.best}")


def _write_partitions(path: Path, found: Binnings, json: bool) -> None:
    from spectrafit.output import slugs
    from spectrafit.templates.partition import write_partition

    if found.best is None or found.best.partition is None:
        typer.echo("note: the events do not allow a partition, so none was written", err=True)
        return
    names = slugs(region.name for region in found.best.regions)
    for region, name in names.items():
        target = path if len(names) == 1 else path.with_name(f"{path.stem}_{name}{path.suffix}")
        grid = found.best.regions[[one.name for one in found.best.regions].index(region)]
        write_partition(target, found.best.partition_of(region))
        typer.echo(f'{target}: partition = "{target.name}" of region {region}, with these axes', err=json)
        for observable, edges in zip(grid.observables, grid.edges, strict=True):
            values = ", ".join(repr(float(f"{edge:.10g}")) for edge in edges)
            typer.echo(f'    {{ observable = "{observable}", edges = [{values}] }},', err=json)


def _draw(
    analysis: Analysis,
    cells: Cells,
    found: Binnings,
    truths: Truths | None,
    figure: Path | None,
    diagnostics: Path | None,
    report: Path | None,
    json: bool,
) -> None:
    if figure is None and diagnostics is None and report is None:
        return
    from spectrafit.output import publishing
    from spectrafit.report.binnings import draw_binnings, draw_diagnostics, save_drawings, write_binnings
    from spectrafit.report.figures import look
    from spectrafit.report.figures.saving import save

    if figure is not None:
        with look():
            save(next(draw_binnings(found, analysis)).figure, figure)
        typer.echo(figure, err=json)
    if diagnostics is not None:
        with look():
            drawings = list(draw_diagnostics(truths, found, analysis))
        with publishing(
            diagnostics, names=[name for drawing in drawings for name in (f"{drawing.name}.png", f"{drawing.name}.pdf")]
        ) as folder:
            save_drawings(folder, drawings)
        typer.echo(diagnostics, err=json)
    if report is not None:
        typer.echo(f"written to {write_binnings(report, analysis, cells, found, truths)}", err=json)
