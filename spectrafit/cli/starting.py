"""The commands of a first hour: demo, new, schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from spectrafit.cli import analyses, ntuples

__all__ = ["demo", "new", "schema"]

_SAMPLES, _FIT = Path("samples/nova_nd_fhc.toml"), Path("fits/nova_nd_fhc.toml")


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="where samples, fits and results go")] = Path(
        "spectrafit-demo"
    ),
) -> None:
    """Lay the shipped samples and fits into a folder, generate a million events, fit them, and draw the limit.

    The folder then holds results/nova_nd_fhc/index.html, and everything that README's lines need:

        spectrafit demo

        cd spectrafit-demo
    """
    from spectrafit.start.shipped import lay_out

    count = len(lay_out(folder))
    _say(
        f"{folder}: {count} files of samples/ and fits/ laid out"
        if count
        else f"{folder}: samples/ and fits/ are there"
    )
    _say(f"\n$ spectrafit generate {_SAMPLES}")
    ntuples.generate(folder / _SAMPLES)
    result = Path("results") / _FIT.stem
    _say(f"\n$ spectrafit fit {_FIT}")
    analyses.fit(folder / _FIT, output=folder / result)
    inside = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    _say(
        f"\nOpen {folder / result / 'index.html'} in a browser. Next:\n"
        f"  {inside}spectrafit limit {_FIT} --method all\n"
        "  spectrafit new mine NTUPLE.root ...     # a first analysis of your own ntuples"
    )


def _say(text: str) -> None:
    """Print a line at once: the steps between may take seconds."""
    typer.echo(text)


def new(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where beam.toml and fit.toml are written")],
    files: Annotated[list[str], typer.Argument(metavar="NTUPLE...", help="ROOT files, globs or URLs")],
) -> None:
    """Look at your ntuples and write a first analysis of them: beam.toml (samples) and fit.toml.

    The files of a job array (nue_0.root, nue_1.root, ...) become one sample. Role, preset or columns with units, POT,
    friends and edges are proposed from the content. What only you can say stands in the files as MISSING or PUT YOURS.
    Files of one name in two folders are two detectors or two modes of a beam: a sample set and a region each.

        spectrafit new mine ntuples/nue_*.root ntuples/nc.root data.root

        spectrafit check mine/fit.toml
    """
    from spectrafit.start.new import new as write

    found = write(folder, files)
    for each in found.proposals:
        count = f"{len(each.group.files)} files" if len(each.group.files) > 1 else "1 file"
        _say(f"{each.name}: {each.role} of {count}, tree {each.group.tree.name}; {each.reason}")
    for text in found.left_out:
        _say(f"left out: {text}")
    *first, last = found.written
    _say(f"written: {', '.join(str(path) for path in first)} and {last}")
    for text in found.missing:
        _say(f"missing: {text}")
    if found.refused:
        _say(f"`spectrafit check {found.fit}` will say: {found.refused}")
    else:
        _say(f"`spectrafit check {found.fit}` finds nothing wrong. Next: spectrafit fit {found.fit}")


def schema(
    kind: Annotated[
        Literal["analysis", "samples", "result"], typer.Argument(help="fits/*.toml, samples/*.toml, or a result.json")
    ],
) -> None:
    """Print the JSON Schema of an analysis or a sample set: an editor with it completes, explains and checks keys.

    Of a result it says what each key of result.json means.

    The first line of a TOML file names the schema:

        #:schema ./analysis.schema.json

        spectrafit schema analysis > analysis.schema.json
    """
    from spectrafit.config import Analysis, SampleSet
    from spectrafit.config import schema as schema_of

    if kind == "result":
        from spectrafit.report.layout import result_schema

        found = result_schema()
    else:
        found = schema_of(Analysis if kind == "analysis" else SampleSet)
    typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
