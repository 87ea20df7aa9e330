"""The weights of one sample's events, for every monomial of the analysis' fitted couplings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis, Sample, SampleSet
from spectrafit.errors import ConfigError
from spectrafit.events.targets import masses_of, numbers_of
from spectrafit.physics.couplings import Monomials
from spectrafit.physics.weighing import weigh
from spectrafit.physics.weighing_nucleus import weigh_nucleus
from spectrafit.templates.observables import Quantities

__all__ = ["Weigher", "monomials_of"]

# A sample that no coupling changes has the Standard Model's monomial alone.
_NOTHING = Monomials.of(())


def monomials_of(analysis: Analysis) -> Monomials:
    """Return the M monomials of the analysis' fitted couplings."""
    return Monomials.of(analysis.fitted_couplings)


@dataclass(frozen=True, kw_only=True, eq=False)
class Weigher:
    """Weighs the events of one sample; picklable.

    Attributes
    ----------
    analysis : Analysis
    sample_set, sample : SampleSet, Sample
    monomials : Monomials
        The monomials for which the sample is filled: all for a signal, the Standard Model's alone for other samples.
    """

    analysis: Analysis
    sample_set: SampleSet
    sample: Sample
    monomials: Monomials

    @classmethod
    def of(cls, analysis: Analysis, sample_set: SampleSet, sample: Sample) -> Weigher:
        """Return the weigher for the events of `sample`."""
        monomials = monomials_of(analysis) if sample.role == "signal" else _NOTHING
        return cls(analysis=analysis, sample_set=sample_set, sample=sample, monomials=monomials)

    def __call__(self, events: Quantities, count: int) -> Floats:
        """Return coefficients (M, N) relative to the cross section that the events were generated with.

        Raises
        ------
        ConfigError
            The couplings cannot be fitted together, or sin^2 theta_W is outside 0 to 1.
        """
        if self.sample.role != "signal":
            return np.ones((1, count))
        analysis = self.analysis
        own = self.sample.sin2_theta_w
        generated = self.sample_set.sin2_theta_w if own is None else own
        pdg, e_nu, t = (events.stored(name) for name in ("pdg", "e_nu", "t"))
        try:
            if self.sample.process == "nucleus":
                if analysis.sm_xsec != "tree":
                    raise ValueError(
                        f'sm_xsec = "{analysis.sm_xsec}" is for electrons; scattering on nuclei has "tree" alone'
                    )
                protons, nucleons = numbers_of(np.asarray(events.stored("nucleus"), np.int64))
                return weigh_nucleus(
                    analysis.fitted_couplings,
                    pdg,
                    e_nu,
                    t,
                    protons,
                    nucleons - protons,
                    masses_of(protons, nucleons),
                    sin2_theta_w=analysis.sin2_theta_w,
                    sin2_theta_w_generated=generated,
                )
            return weigh(
                analysis.fitted_couplings,
                pdg,
                e_nu,
                t,
                sm=analysis.sm_xsec,
                sin2_theta_w=analysis.sin2_theta_w,
                sin2_theta_w_generated=generated,
            )
        except ValueError as error:
            raise ConfigError(f"{analysis.path}: sample {self.sample.name!r}: {error}") from error
