"""An analysis and a sample's columns in; the coefficient of every power of kappa per event out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.weighing import weigh
from spectrafit.templates.observables import Columns

__all__ = ["powers_of", "weigher"]

Floats = NDArray[np.float64]


def powers_of(analysis: Analysis) -> int:
    """Return P, the number of powers of kappa above 0 of the analysis' coupling."""
    return COUPLINGS[analysis.coupling_options.name].powers


def weigher(analysis: Analysis, sample_set: SampleSet, sample: Sample) -> Callable[[Columns, int], Floats]:
    """Return what weighs events of one sample.

    Returns
    -------
    callable of (columns, N)
        For a signal sample it gives (1+P, N): entry p multiplies kappa^p, relative to the cross section the events were
        generated with. Any other sample is the same at every kappa: (1, N) of ones.

    Raises
    ------
    ConfigError
        Carriers or fixed flavours that do not go together, sin^2 theta_W outside 0 to 1 (when first called).
    """
    if sample.role != "signal":
        return lambda _, events: np.ones((1, events))
    options = analysis.coupling_options
    generated = sample_set.sin2_theta_w if sample.sin2_theta_w is None else sample.sin2_theta_w

    def weighed(columns: Columns, events: int) -> Floats:
        try:
            return weigh(
                COUPLINGS[options.name],
                columns.stored("pdg"),
                columns.stored("e_nu"),
                columns.stored("t"),
                sm=analysis.sm_xsec,
                sin2_theta_w=analysis.sin2_theta_w,
                sin2_theta_w_generated=generated,
                carriers=options.carriers or None,
                fixed={flavour: value for flavour, value in options.fixed.items()},
            )
        except ValueError as error:
            raise ConfigError(f"{analysis.path}: $.coupling: {error}") from error

    return weighed
