"""Names for the numpy array types of the whole package, so that every room spells them alike.

A name says what the numbers are. Their shapes stand in the docstrings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Flags", "Floats", "Integers", "Places", "Reals"]

Floats = npt.NDArray[np.float64]
"""Double precision."""

Reals = npt.NDArray[np.float32] | npt.NDArray[np.float64]
"""Single or double precision, as branches of ntuples are; all arithmetic is done in double precision."""

Integers = npt.NDArray[np.int64]
"""Whole numbers, such as simulated entries."""

Places = npt.NDArray[np.int32]
"""The number of a cell or bin for each event; negative for none."""

Flags = npt.NDArray[np.bool_]
"""True or false."""
