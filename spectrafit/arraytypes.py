"""Names for the numpy array types of the whole package, so that every room spells them alike.

A name says what the numbers are. Their shapes stand in the docstrings. No other module names an array type.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Bytes", "Complexes", "Flags", "Floats", "Integers", "PdgCodes", "Places", "Reals", "StreamKey", "Values"]

Floats = npt.NDArray[np.float64]
"""Double precision."""

Reals = npt.NDArray[np.float32] | npt.NDArray[np.float64]
"""Single or double precision, as branches of ntuples are; all arithmetic is done in double precision."""

Complexes = npt.NDArray[np.complex128]
"""Complex numbers, such as the elements of a mixing matrix."""

Integers = npt.NDArray[np.int64]
"""Whole numbers, such as simulated entries."""

Places = npt.NDArray[np.int32]
"""The number of a cell or bin for each event; negative for none."""

PdgCodes = npt.NDArray[np.int32] | npt.NDArray[np.int64]
"""The PDG code of a particle for each event."""

Flags = npt.NDArray[np.bool_]
"""True or false."""

Bytes = npt.NDArray[np.uint8]
"""Bytes of a file, or a code below 256 for each event."""

StreamKey = npt.NDArray[np.uint64]
"""The key of a stream of random numbers."""

Values = npt.NDArray[Any]
"""Numbers of any type, such as the columns of an ntuple."""
