"""The weights of one sample's events, for every monomial of the analysis' fitted couplings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import Monomials
from spectrafit.physics.weighing import weigh
from spectrafit.templates.observables import Columns

__all__ = ["monomials_of", "weigher"]

Floats = NDArray[np.float64]


def monomials_of(analysis: Analysis) -> Monomials:
    """Return the M monomials of the analysis' fitted couplings."""
    return Monomials.of(analysis.fitted_couplings)


def weigher(analysis: Analysis, sample_set: SampleSet, sample: Sample) -> Callable[[Columns, int], Floats]:
    """Return the function that weighs events of one sample.

    Returns
    -------
    callable of (columns, N)
        For a signal sample the function returns (M, N): row m is the coefficient of monomial m, relative to the cross
        section that the events were generated with. Any other sample is the same at every kappa: (1, N) of ones.

    Raises
    ------
    ConfigError
        Couplings that do not go together; sin^2 theta_W outside 0 to 1 (when the function is first called).
    """
    if sample.role != "signal":
        return lambda _, events: np.ones((1, events))
    couplings = analysis.fitted_couplings
    generated = sample_set.sin2_theta_w if sample.sin2_theta_w is None else sample.sin2_theta_w

    def weighed(columns: Columns, events: int) -> Floats:
        try:
            return weigh(
                couplings,
                columns.stored("pdg"),
                columns.stored("e_nu"),
                columns.stored("t"),
                sm=analysis.sm_xsec,
                sin2_theta_w=analysis.sin2_theta_w,
                sin2_theta_w_generated=generated,
            )
        except ValueError as error:
            raise ConfigError(f"{analysis.path}: sample {sample.name!r}: {error}") from error

    return weighed
