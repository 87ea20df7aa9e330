"""The command `schema`: the JSON Schema of the TOML files, for editors, and of `result.json`, for programs."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

__all__ = ["schema"]


def schema(
    kind: Annotated[
        Literal["analysis", "samples", "result"],
        typer.Argument(help="fits/*.toml, samples/*.toml, or result.json of a result"),
    ],
) -> None:
    """Print the JSON Schema of an analysis or a sample set: an editor with it completes, explains and checks keys.

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
