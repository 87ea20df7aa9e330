"""The commands that read and write ntuples: generate, inspect, reweight."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

import spectrafit as sf
from spectrafit.cli.options import Executor, Workers, interactive
from spectrafit.errors import SpectrafitError

__all__ = ["generate", "inspect", "reweight"]


def generate(
    samples: Annotated[Path, typer.Argument(metavar="SAMPLES.toml", help="a sample set with recipes")],
    seed: Annotated[int | None, typer.Option(help="instead of the sample set's")] = None,
    folder: Annotated[Path | None, typer.Option(help="instead of where the sample set's files are")] = None,
    executor: Executor = "threads",
    workers: Workers = None,
) -> None:
    """Make the ntuples a sample set has recipes for."""
    loaded = sf.load_samples(samples)
    for path in sf.generate(
        loaded, seed=seed, folder=folder, executor=executor, workers=workers, progress=interactive()
    ):
        typer.echo(path)


def inspect(files: Annotated[list[str], typer.Argument(metavar="FILE...", help="ROOT files or URLs")]) -> None:
    """Show what a ROOT file holds: trees, branches, which preset reads it, nu-e events, ranges, POT."""
    from rich.console import Console

    console = Console()
    refused = False
    for file in files:
        try:
            console.print(sf.inspect(file), soft_wrap=True)
        except SpectrafitError as error:
            refused = True
            console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    if refused:
        raise typer.Exit(2)


def reweight(
    source: Annotated[str, typer.Argument(metavar="IN.root", help="the ntuple")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.root", help="the friend tree to write")],
    coupling: Annotated[str, typer.Option(help="which coupling")] = "magnetic_moment",
    value: Annotated[float, typer.Option(help="its value in its reported unit (mu_B for a magnetic moment)")] = 1e-9,
    preset: Annotated[str | None, typer.Option(help="layout of the ntuple; default: found by its branches")] = None,
    tree: Annotated[str, typer.Option(help="tree of the ntuple; default: the preset's")] = "",
    sin2_theta_w: Annotated[float, typer.Option(help="sin^2 theta_W the events were generated with")] = 0.23863,
    carriers: Annotated[
        list[str] | None, typer.Option(help="flavours that have it, as numu or nuebar; default: the coupling's")
    ] = None,
    on_bad: Annotated[
        str, typer.Option(help="what to do with entries outside the kinematics: error or drop")
    ] = "error",
) -> None:
    """Write a friend tree with the weight of every event for a value of the coupling."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        written = sf.reweight(
            source,
            output,
            coupling=coupling,
            value=value,
            preset=preset,
            tree=tree,
            sin2_theta_w=sin2_theta_w,
            carriers=carriers,
            on_bad=on_bad,
            tell=lambda said: typer.echo(said, err=True),
        )
    for warning in caught:
        typer.echo(f"warning: {warning.message}", err=True)
    typer.echo(written)
