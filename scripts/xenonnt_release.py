#!/usr/bin/env python
"""Makes an analysis of XENONnT's released events, which carry no licence and are therefore not shipped.

    spectrafit generate samples/xenonnt.toml
    python scripts/xenonnt_release.py FOLDER
    spectrafit limit generated/xenonnt/released.toml --unblind

FOLDER holds `data_unbinned_1to30kev.txt` and `bkg_model.txt` of the release for PRL 129, 161805 (2022). The background
is the released best fit less the Sun's neutrinos, which this program generates.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import spectrafit as sf

PROJECT = Path(__file__).parents[1]
EDGES = np.linspace(1.0, 30.0, 30)
EXPOSURE = 1.16  # t yr


def released(folder: Path, target: Path) -> Path:
    """Write the analysis of the release in `folder` to `target`, which lies two folders below the project."""
    events = np.loadtxt(folder / "data_unbinned_1to30kev.txt")
    energy, rate = np.loadtxt(folder / "bkg_model.txt").T
    below = np.concatenate([[0.0], np.cumsum(0.5 * (rate[1:] + rate[:-1]) * np.diff(energy))])
    background = EXPOSURE * np.diff(np.interp(EDGES, energy, below))
    analysis = sf.load(target.parents[2] / "fits/xenonnt.toml")
    templates = sf.build(analysis, executor="serial")
    sun = sum(templates.counts[templates.sample(name), 0, 0] for name in ("nue", "numu", "nutau"))
    data = np.histogram(events, EDGES)[0].tolist()
    rest = [round(float(number), 3) for number in np.maximum(background - sun, 0.01)]
    target.write_text(
        f"""# Written by scripts/xenonnt_release.py.
include = "../../fits/xenonnt.toml"
title = "XENONnT, released events: one effective magnetic moment"
data = {{ er = {[float(number) for number in data]} }}
without = ["xe136"]

[[counts]]
name = "flat"
title = "released background without the Sun"
counts = {{ er = {rest} }}

[[counts]]
name = "xe136"
counts = {{ er = {[0.0] * 29} }}
""",
        encoding="utf-8",
    )
    return target


if __name__ == "__main__":
    try:
        print(released(Path(sys.argv[1]), PROJECT / "generated/xenonnt/released.toml"))
    except (sf.SpectrafitError, OSError) as error:
        sys.exit(f"error: {error}")
