"""The identity of a model and of a truth, the same on every machine: toys are filed under this name.

Processors and libraries of linear algebra differ in the last bits of a fit. A truth is therefore named by its decimal
digits, not by its bits: two numbers count as the same if they agree in six decimals (above 1: in seven digits). A model
has many arrays. They are named by their bits in single precision, which has seven digits too.
Two machines then throw the same toys, up to the last bits, and their banks merge. A number may lie so close to the
middle between two decimals that two machines round it to different sides. The two machines then name two truths and do
not share these toys: some toys are thrown twice, and none are mixed up.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

__all__ = ["decimal", "identity", "single"]


def decimal(value: float) -> str:
    """Return a number with six decimals, or with seven digits if it is above 1 in size."""
    if not np.isfinite(value):
        return str(float(value))
    text = f"{value:.6f}" if abs(value) < 1.0 else f"{value:.6e}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def single(values: npt.ArrayLike, *, solved: bool = False) -> bytes:
    """Return the bits of an array in single precision; of whole numbers, all bits.

    Parameters
    ----------
    values : array_like
    solved : bool
        The array is the solution of a linear system: elements below 1e-9 of the largest are rounding and count as 0.
    """
    found = np.asarray(values)
    if found.dtype.kind != "f":
        return np.ascontiguousarray(found).tobytes()
    if solved and found.size:
        found = np.where(np.abs(found) > 1e-9 * np.abs(found).max(), found, 0.0)
    # Numbers too large for single precision become infinite, and 0 has one sign.
    with np.errstate(over="ignore", under="ignore"):
        return np.ascontiguousarray(found.astype(np.float32) + np.float32(0.0)).tobytes()


def identity(*parts: str | float | npt.ArrayLike) -> str:
    """Return a digest of words and numbers; numbers count by their decimal digits alone.

    Parameters
    ----------
    *parts : str, number or array_like
        The parts of a truth; their order and shapes count.
    """
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, str):
            text = f"text {part}"
        else:
            values = np.asarray(part, dtype=np.float64)
            text = f"numbers {values.shape} " + " ".join(map(decimal, values.reshape(-1).tolist()))
        state.update(text.encode() + b"\0")
    return state.hexdigest()
