"""Holds how data stand against the expectation without a signal: the significance of an excess or of a deficit."""

from __future__ import annotations

import dataclasses
import math

__all__ = ["Standing"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Standing:
    """The data against kappa at its null: the boundary, or 0 where both signs of kappa are physical.

    Attributes
    ----------
    null : float
        The value of kappa without a signal.
    significance : float
        Signed root of q = 2NLL(null) - 2NLL(best kappa), in standard deviations: above 0 an excess, below 0 a deficit.
        For a deficit it is (best kappa - null) in errors of the Asimov data, defined where the prediction ends too.
    p_value : float
        Probability, without a signal, of an excess of this significance or more; of a deviation of either sign as large
        as this one where both signs are physical. Asymptotic.
    interval, reported : tuple of 2 floats or None
        The two-sided interval at the limit's level, in kappa and in the reported unit, if it does not hold the null: an
        excess that this level resolves.
    level : float
    parameter : str
        What kappa is called.
    """

    null: float
    significance: float
    p_value: float
    interval: tuple[float, float] | None
    reported: tuple[float, float] | None
    level: float
    parameter: str = "kappa"

    @property
    def lower_tail(self) -> float:
        """Probability, without a signal, of data as low as these or lower."""
        return 0.5 * math.erfc(-self.significance / math.sqrt(2.0))

    def __str__(self) -> str:
        if self.significance < 0:
            below = f"{-self.significance:.2f} sigma below {self.parameter} = {self.null:g}"
            return f"{below}; without a signal {100 * self.lower_tail:.2g} % of experiments are as low or lower"
        said = f"{self.significance:.2f} sigma above {self.parameter} = {self.null:g}, p = {self.p_value:.2g}"
        if self.interval is None:
            return said
        low, high = self.interval
        return f"{said}; two-sided {100 * self.level:g} % interval of {self.parameter} {low:.4g} to {high:.4g}"
