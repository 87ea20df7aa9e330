"""The command that compiles every kernel ahead of time: compile."""

from __future__ import annotations

import typer

__all__ = ["compile_"]


def compile_() -> None:
    """Compile all kernels now, for an image or the nodes of a batch system; the first fit then starts at once."""
    from spectrafit.jit import prepare_all

    ready, compiled = prepare_all("spectrafit")
    typer.echo(f"{ready} kernels are ready" + ("" if compiled else "; all of them had been compiled before"))
