"""What the couplings of an analysis make of each event: the coefficient of every monomial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling, Monomials
from spectrafit.physics.cross_sections import flavour
from spectrafit.physics.weighing import weigh
from spectrafit.templates.observables import Quantities

__all__ = ["Weigher", "fitted_couplings", "monomials_of"]

# What no coupling changes is the same at every value of theirs.
_NOTHING = Monomials.of(())


def fitted_couplings(analysis: Analysis) -> tuple[FittedCoupling, ...]:
    """Return the couplings an analysis fits."""
    options = analysis.coupling_options
    coupling = COUPLINGS[options.name]
    carriers = tuple(flavour(name) for name in options.carriers) if options.carriers else coupling.carriers
    fixed = tuple((flavour(name), value) for name, value in options.fixed.items())
    return (FittedCoupling(parameter="kappa", coupling=coupling, carriers=carriers, fixed=fixed),)


def monomials_of(analysis: Analysis) -> Monomials:
    """Return the monomials of the couplings an analysis fits."""
    return Monomials.of(fitted_couplings(analysis))


@dataclass(frozen=True, kw_only=True, eq=False)
class Weigher:
    """Weighs the events of one sample; picklable.

    Attributes
    ----------
    analysis : Analysis
    sample_set, sample : SampleSet, Sample
    monomials : Monomials
        Those the sample is filled for: of a signal the analysis', of any other sample the Standard Model's alone.
    """

    analysis: Analysis
    sample_set: SampleSet
    sample: Sample
    monomials: Monomials

    @classmethod
    def of(cls, analysis: Analysis, sample_set: SampleSet, sample: Sample) -> Weigher:
        """Return what weighs the events of `sample`."""
        monomials = monomials_of(analysis) if sample.role == "signal" else _NOTHING
        return cls(analysis=analysis, sample_set=sample_set, sample=sample, monomials=monomials)

    def __call__(self, events: Quantities, count: int) -> Floats:
        """Return coefficients (M, N) relative to the cross section that the events were generated with.

        Raises
        ------
        ConfigError
            Carriers or fixed flavours that do not go together, sin^2 theta_W outside 0 to 1.
        """
        if self.sample.role != "signal":
            return np.ones((1, count))
        analysis, options = self.analysis, self.analysis.coupling_options
        own = self.sample.sin2_theta_w
        try:
            return weigh(
                COUPLINGS[options.name],
                events.stored("pdg"),
                events.stored("e_nu"),
                events.stored("t"),
                sm=analysis.sm_xsec,
                sin2_theta_w=analysis.sin2_theta_w,
                sin2_theta_w_generated=self.sample_set.sin2_theta_w if own is None else own,
                carriers=options.carriers or None,
                fixed={flavour: value for flavour, value in options.fixed.items()},
            )
        except ValueError as error:
            raise ConfigError(f"{analysis.path}: $.coupling: {error}") from error
