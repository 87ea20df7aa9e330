#!/usr/bin/env python
"""Writes the spectra of Borexino's backgrounds, from published rates and textbook shapes, into fits/borexino.toml.

    python scripts/borexino_backgrounds.py

Rates are those of Phase II (arXiv:1707.09279), events per day and 100 t. Shapes: allowed beta spectra of 85Kr and 210Bi
(the forbidden 210Bi is treated as allowed), the positron of 11C and its two photons, and the alpha peak of 210Po. Light
of electrons is taken as proportional to their energy.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from spectrafit.physics.beta_decay import allowed_spectrum

FIT = Path(__file__).parents[1] / "fits/borexino.toml"
EDGES = np.linspace(0.25, 1.35, 56)  # MeV
EXPOSURE = 1291.51 * 71.3 / 100.0  # days of 100 t
RESOLUTION = 0.05  # at 1 MeV, as 1/sqrt(T)
RATES = {"kr85": 6.8, "bi210": 17.5, "po210": 260.0, "c11": 26.8}


def beta(end: float, charge: int, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return energies (MeV) and the share of a beta decay's events at each."""
    step = end / 2000
    kinetic = (np.arange(2000) + 0.5) * step
    shares = allowed_spectrum(end - kinetic, end, charge)
    return kinetic + offset, shares / shares.sum()


def seen(energies: np.ndarray, shares: np.ndarray, width: float = RESOLUTION) -> np.ndarray:
    """Return the share of events in each bin after the detector's resolution."""
    from scipy.special import ndtr

    below = ndtr((EDGES[:, None] - energies) / (width * np.sqrt(energies)))
    return np.diff(below, axis=0) @ shares


def main() -> None:
    """Write the numbers of every background between its brackets."""
    shapes = {
        "kr85": seen(*beta(0.687, -37)),
        "bi210": seen(*beta(1.1615, -84)),
        "po210": seen(np.array([0.42]), np.array([1.0]), 0.055),
        "c11": seen(*beta(0.960, 5, offset=1.022)),
    }
    text = FIT.read_text(encoding="utf-8")
    for name, shape in shapes.items():
        counts = ", ".join(f"{number:.1f}" for number in np.maximum(shape * RATES[name] * EXPOSURE, 0.0))
        text, times = re.subn(rf'(name = "{name}"\n.*?counts = \{{ er = \[)[^\]]*', rf"\g<1>{counts}", text, flags=re.S)
        assert times == 1, name
    FIT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
