"""Commands that measure: bench templates, bench inference."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(help="Measure speed beside peers in one run; those not installed are left out.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Quick = Annotated[bool, typer.Option("--quick", help="small inputs: a try, not a measurement")]
