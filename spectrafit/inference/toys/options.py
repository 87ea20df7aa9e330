"""The options of toys: how many, how and by which workers they are thrown, and where they are kept."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import Executor
from pathlib import Path
from typing import Literal

from spectrafit.execution import Pool

__all__ = ["ToyOptions"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyOptions:
    """Options of toys.

    Attributes
    ----------
    toys : int
        Toys of each truth; draws at each kappa for the Bayesian methods. An end of an interval is found with so many
        toys from either side of it, and half as many from the middle; the scan of all kappas has fewer.
    seed : int
    ensemble : {"profiled", "prior"}
        How nuisances vary; see `spectrafit.inference.toys.ensemble`.
    mc : bool
        Whether the simulation's statistical error is thrown too.
    bank : tuple of paths
        Files of toys to use. All toys are saved to the first file, which need not exist yet.
    first_toy : int
        Number of the first toy that is thrown here. Machines that throw toys for the same limit need different ranges
        of numbers; give their banks together afterwards.
    executor, workers
        Where the toys are fitted; as for `spectrafit.execution.executor`.
    """

    toys: int = 2000
    seed: int = 1
    ensemble: Literal["profiled", "prior"] = "profiled"
    mc: bool = True
    bank: tuple[str | os.PathLike[str], ...] = ()
    first_toy: int = 0
    executor: str | Executor | Pool = "serial"
    workers: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The bank's files."""
        return tuple(Path(path) for path in self.bank)
