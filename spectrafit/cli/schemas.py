"""The command `schema`: the JSON Schema of the TOML files, for editors."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

__all__ = ["schema"]


def schema(
    kind: Annotated[Literal["analysis", "samples"], typer.Argument(help="fits/*.toml or samples/*.toml")],
) -> None:
    """Print the JSON Schema of an analysis or a sample set: an editor with it completes, explains and checks keys.

    The first line of a TOML file names the schema:

        #:schema ./analysis.schema.json

        spectrafit schema analysis > analysis.schema.json
    """
    from spectrafit.config import Analysis, SampleSet
    from spectrafit.config import schema as schema_of

    found = schema_of(Analysis) if kind == "analysis" else schema_of(SampleSet)
    typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
