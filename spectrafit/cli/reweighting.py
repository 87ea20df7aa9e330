"""The command `reweight`: friend trees with the weights of events for values of couplings."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import spectrafit as sf
from spectrafit.cli.options import Executor, Workers
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.events.points import Value
    from spectrafit.events.reweight_files import Reweighted
    from spectrafit.report.tables import Table

__all__ = ["reweight"]


def reweight(
    source: Annotated[
        list[str], typer.Argument(metavar="IN...", help="ntuples, globs of them, or sample sets (*.toml)")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="of one ntuple: the friend, OUT.root; of many: a folder. Without it: beside, as weights_NAME.root",
        ),
    ] = None,
    coupling: Annotated[list[str] | None, typer.Option(help="which coupling; may be repeated")] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VALUE|NAME=VALUE,...",
            help="its value in its reported unit (mu_B for a magnetic moment), 1e-9 by default; may be repeated",
        ),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="layout of the ntuple; default: found by its branches")] = None,
    tree: Annotated[str, typer.Option(help="tree of the ntuple; default: the preset's")] = "",
    sin2_theta_w: Annotated[
        float | None, typer.Option(help="sin^2 theta_W of the generator; default: 0.23863, or what a sample set says")
    ] = None,
    carriers: Annotated[
        list[str] | None, typer.Option(help="flavours that have it, as numu or nuebar; default: the coupling's")
    ] = None,
    on_bad: Annotated[
        str | None, typer.Option(help="what to do with entries outside the kinematics: error (default) or drop")
    ] = None,
    executor: Executor = "threads",
    workers: Workers = None,
    json: Annotated[bool, typer.Option("--json", help="print what became of each of many files as JSON")] = False,
) -> None:
    """Write friend trees with the weights of events for values of couplings.

    One ntuple:

        spectrafit reweight nue.root -o friend.root --value 1e-9 --carriers nue

    Many, with a branch for each value, and the coefficients of all powers:

        spectrafit reweight 'ntuples/*.root' -o friends --value 1e-9 --value 2e-9

    The samples of a set, two couplings, alone and together:

        spectrafit reweight samples/nova_nd_fhc.toml -o friends --value magnetic_moment=1e-9
        --value charge_radius=4e-33 --value magnetic_moment=1e-9,charge_radius=4e-33
    """
    from spectrafit.physics.constants import SIN2_THETA_W

    values = [_value(text) for text in value or ["1e-9"]]
    named = all(isinstance(one, dict) for one in values)
    couplings = coupling or ([] if named else ["magnetic_moment"])
    alone = len(source) == len(values) == len(couplings) == 1 and not source[0].endswith(".toml")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        if alone and output is not None and output.suffix == ".root":
            written = sf.reweight(
                source[0],
                output,
                coupling=couplings[0],
                value=values[0],
                preset=preset,
                tree=tree,
                sin2_theta_w=SIN2_THETA_W if sin2_theta_w is None else sin2_theta_w,
                carriers=carriers,
                on_bad=on_bad or "error",
                tell=lambda said: typer.echo(said, err=True),
            )
            said = str(written)
        else:
            found = sf.reweight_files(
                source,
                output,
                coupling=couplings,
                value=values,
                preset=preset,
                tree=tree,
                sin2_theta_w=sin2_theta_w,
                carriers=carriers,
                on_bad=on_bad,
                executor=executor,
                workers=workers or os.cpu_count(),
            )
            said = _shown(found, json)
    for warning in caught:
        typer.echo(f"warning: {warning.message}", err=True)
    typer.echo(said, nl=not said.endswith("\n"))


def _value(text: str) -> Value:
    """Return a value, or values by the names of their couplings.

    Raises
    ------
    ConfigError
        What is no number, or not finite.
    """
    found = {}
    for part in text.split(","):
        name, _, number = part.rpartition("=")
        try:
            found[name.strip()] = float(number)
        except ValueError:
            raise ConfigError(f"--value {text}: {number!r} is no number; give VALUE or NAME=VALUE,NAME=VALUE") from None
        if not math.isfinite(found[name.strip()]):
            raise ConfigError(f"--value {text}: needs a finite number")
    if "" not in found:
        return found
    if len(found) > 1:
        raise ConfigError(f"--value {text}: a number without a name stands alone; repeat --value for several")
    return found[""]


def _shown(found: Reweighted, json: bool) -> str:
    """Return what became of the files, as a table or JSON; say on stderr what was passed over."""
    for path, reason in found.passed_over:
        typer.echo(f"{path}: passed over: {reason}", err=True)
    if json:
        import json as writer

        keys = ("source", "entries", "nu_e", "means", "left")
        rows = [{key: getattr(one, key) for key in keys} | {"friend": str(one.target)} for one in found.friends]
        return writer.dumps({"branches": found.branches, "files": rows, "passed_over": found.passed_over}, indent=1)
    from rich.console import Console

    console = Console()
    with console.capture() as captured:
        console.print(_table(found))
    weights = list(found.friends[0].means)
    legend = [f"weight {index}: {name}" for index, name in enumerate(weights, start=1)] if len(weights) > 1 else weights
    folders = sorted({str(one.target.parent) for one in found.friends})
    others = [name for name in found.branches if name not in weights]
    return "\n".join([captured.get().rstrip(), *legend, *others, f"friends are in {', '.join(folders)}"])


def _table(found: Reweighted) -> Table:
    """Return for each file its entries, the mean of each weight, and what was left at 1; then all files together."""
    from spectrafit.report.tables import Table

    weights = list(found.friends[0].means)
    rows = [
        (
            one.target.name,
            str(one.entries),
            str(one.nu_e),
            *(f"{one.means[name]:.6g}" for name in weights),
            "; ".join(f"{count} {reason}" for reason, count in one.left.items()) or "none",
        )
        for one in found.friends
    ]
    total = sum(one.entries for one in found.friends)
    means = [sum(one.means[name] * one.entries for one in found.friends) / total for name in weights]
    left = sum(sum(one.left.values()) for one in found.friends)
    nu_e = sum(one.nu_e for one in found.friends)
    files = f"{len(found.friends)} files"
    rows.append((files, str(total), str(nu_e), *(f"{mean:.6g}" for mean in means), str(left)))
    named = [f">mean {index}" for index in range(1, len(weights) + 1)] if len(weights) > 1 else [">mean"]
    return Table(
        title="", columns=("friend", ">entries", ">nu-e", *named, "left at 1"), rows=tuple(rows), rules=(len(rows) - 1,)
    )
