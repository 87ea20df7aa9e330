"""Commands that measure and compare: bench templates, bench inference, bench sensitivity, bench peers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from spectrafit.bench import Row

__all__ = ["app"]

app = typer.Typer(help="Measure speed beside peers in one run; those not installed are left out.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Quick = Annotated[bool, typer.Option("--quick", help="small inputs: a try, not a measurement")]
Peer = Annotated[list[str] | None, typer.Option("--peer", help="only this one of those installed; may be repeated")]


@app.command()
def templates(json: Json = False, quick: Quick = False, peer: Peer = None) -> None:
    """Fill beside numpy, boost-histogram, uproot and RDataFrame."""
    from spectrafit import bench

    _print(bench.templates(quick=quick, peers=peer), "bench templates", json)


@app.command()
def inference(
    json: Json = False,
    quick: Quick = False,
    peer: Peer = None,
    workspace: Annotated[
        list[Path] | None, typer.Option(help="a published likelihood to fit from file to minimum; may be repeated")
    ] = None,
    analysis: Annotated[
        Path | None, typer.Option(metavar="ANALYSIS.toml", help="time its Feldman-Cousins limit too")
    ] = None,
) -> None:
    """Fit beside pyhf, RooFit and NextStat."""
    from spectrafit import bench

    rows = bench.inference(quick=quick, peers=peer, workspaces=workspace or (), analysis=analysis)
    _print(rows, "bench inference", json)


@app.command()
def sensitivity(
    json: Json = False,
    quick: Quick = False,
    peer: Peer = None,
    analysis: Annotated[
        Path | None, typer.Option(metavar="ANALYSIS.toml", help="time a scan of 12 x 9 limits of it too")
    ] = None,
) -> None:
    """Try binnings, and scan 12 x 9 expected limits, beside boost-histogram and pyhf."""
    from spectrafit import bench

    rows = bench.binning(quick=quick, peers=peer)
    if analysis is not None:
        rows += bench.sensitivity(analysis, quick=quick, peers=peer)
    _print(rows, "bench sensitivity", json)


@app.command()
def peers(
    json: Json = False,
    quick: Quick = False,
    peer: Peer = None,
    workspace: Annotated[
        list[Path] | None, typer.Option(help="a workspace, or a folder of them, to compare too; may be repeated")
    ] = None,
    cabinetry: Annotated[
        Path | None,
        typer.Option(metavar="WORKSPACE.json", help="what cabinetry makes of its own example: published numbers"),
    ] = None,
) -> None:
    """Compare answers: published intervals, and minima of workspaces with those of pyhf, NextStat and RooFit.

    Exit code 1: another fitter found a lower minimum.
    """
    from spectrafit import bench

    rows = bench.peers(workspaces=workspace or (), cabinetry_example=cabinetry, fitters=peer, quick=quick)
    counted = bench.tally(rows)
    if json:
        import json as writer

        typer.echo(writer.dumps({"rows": rows, "tally": counted}, indent=1))
    else:
        for row in rows:
            values = "" if row["theirs"] is None else f" theirs / ours {row['theirs']:.6g} / {row['ours']:.6g};"
            typer.echo(f"{row['case']}; {row['peer']}:{values} {row['said']}")
        for one in counted:
            typer.echo(_counted(one))
    if any(one["higher"] for one in counted):
        raise typer.Exit(1)


def _counted(one: dict[str, Any]) -> str:
    """Return a line on all workspaces of one peer."""
    if one["peer"] == "spectrafit":
        return f"refused here: {one['workspaces']} workspaces"
    ends = sorted({f"{one[end]:.3g}" for end in ("least", "most") if one["lower"]}, key=float)
    by = f" (by {' to '.join(ends)} in 2NLL)" if ends else ""
    return (
        f"{one['peer']}, {one['workspaces']} workspaces: ours is lower on {one['lower']}{by}, the same on "
        f"{one['same']}, higher on {one['higher']}; {one['peer']} has no minimum for {one['failed']}"
    )


def _print(rows: list[Row], title: str, json: bool) -> None:
    from spectrafit import bench

    if json:
        import json as writer

        typer.echo(writer.dumps(bench.plain(rows), indent=1))
    else:
        bench.show(rows, title)
