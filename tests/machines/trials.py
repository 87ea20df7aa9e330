"""What the trials share: an analysis of a chosen size, commands run in this process, templates compared bit by bit."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import numpy as np

from spectrafit import cli
from tests.machines.daemons import Failed

PROJECT = Path(__file__).parents[2]


def write(folder: Path, data: Path, events: int) -> None:
    """Write the analysis of the NOvA near detector as `fit_local.toml`, with `events` events of each signal in `data`.

    The events are generated; the backgrounds are the shipped ones.
    """
    data.mkdir(parents=True)
    text = (PROJECT / "samples/nova_nd_fhc.toml").read_text(encoding="utf-8")
    text = re.sub(r"events = [\d_]+", f"events = {events}", text)
    text = text.replace("../generated/nova_nd_fhc", str(data))
    for name in ("flux", "nuwro"):
        text = text.replace(f'"{name}/', f'"{PROJECT}/samples/{name}/')
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    run("generate", "recipe.toml", folder=folder)
    # An analysis takes the files as they are; the recipe is needed no more.
    (folder / "local.toml").write_text(re.sub(r"(?m)^generate = .*$", "", text), encoding="utf-8")
    fit = (PROJECT / "fits/nova_nd_fhc.toml").read_text(encoding="utf-8")
    (folder / "fit_local.toml").write_text(fit.replace("../samples/nova_nd_fhc.toml", "local.toml"), encoding="utf-8")


def run(*words: str, folder: Path) -> str:
    """Run a command of spectrafit in this process and return what it printed; Failed if it does not succeed."""
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.main(list(words))
        except SystemExit as ended:
            if ended.code:
                raise Failed(f"spectrafit {' '.join(words)}: exit code {ended.code}\n{said.getvalue()}") from None
    return said.getvalue()


def same_bits(folder: Path, *names: str) -> None:
    """Compare the arrays of saved templates one by one; what they were made from and when may differ."""
    first, *others = [dict(np.load(folder / name)) for name in names]
    for name, other in zip(names[1:], others, strict=True):
        if first.keys() != other.keys():
            raise Failed(f"{name} holds other arrays than {names[0]}")
        for key in first.keys() - {"header"}:
            if not np.array_equal(first[key], other[key]):
                raise Failed(f"{name}: {key} differs from {names[0]}")
