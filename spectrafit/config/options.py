"""The keys of `[fit]`, `[limit]` and `[prune]` of an analysis as frozen structs."""

from __future__ import annotations

from typing import Literal

from spectrafit.config.numbers import Correlation1, Level, Positive, Seed, Share, Toys
from spectrafit.config.samples import Keys

__all__ = ["Correlation", "FitOptions", "LimitOptions", "Method", "Prune"]


class Correlation(Keys, frozen=True, kw_only=True):
    """Prior correlation between two constrained parameters.

    Attributes
    ----------
    parameters
        The names of two systematics. Example: ``parameters = ["flux", "flux_nue"]``
    value : no unit
        Their correlation. Example: ``value = 0.5``
    """

    parameters: tuple[str, ...]
    value: Correlation1


class Prune(Keys, frozen=True, kw_only=True):
    """Effects too small to keep, per sample and region. The result lists every pruned effect.

    The change of a sample's total and the change of its shape are pruned separately.

    Attributes
    ----------
    norm : fraction
        A change of the total below this, at every sigma, is pruned; 0 keeps all. Example: ``norm = 0.001``
    shape : fraction
        A change below this in every bin, at the nominal total, is pruned; 0 keeps all. Example: ``shape = 0.001``
    """

    norm: Share = 0.0
    shape: Share = 0.0


class FitOptions(Keys, frozen=True, kw_only=True):
    """How the likelihood is made and fitted.

    Attributes
    ----------
    terms
        What of the data is fitted: "shape+norm", "shape" or "norm". Example: ``terms = "shape"``
    statistic
        "poisson", "dembinski-abdelmotteleb", "neyman-pearson", or "gaussian": a chi-square with the fixed covariance of
        the nominal expectation, Poisson and simulation. Example: ``statistic = "gaussian"``
    mc_statistics
        The simulation's own error: "barlow-beeston-lite" (a factor per bin), "barlow-beeston" (a factor per sample and
        bin) or "none". Example: ``mc_statistics = "barlow-beeston"``
    zero_bins
        What to do with bins that expect no event: "error", "drop" them, or raise them to the "floor".
        Example: ``zero_bins = "floor"``
    floor : events
        The expectation of such a bin under `zero_bins = "floor"`. Example: ``floor = 1e-3``
    minos
        `true`: asymmetric errors of kappa from the profile, by MINOS. Example: ``minos = true``
    correlations
        Prior correlations between systematics.
        Example: ``correlations = [{ parameters = ["flux", "flux_nue"], value = 0.5 }]``
    """

    terms: Literal["shape+norm", "shape", "norm"] = "shape+norm"
    statistic: Literal["poisson", "dembinski-abdelmotteleb", "gaussian", "neyman-pearson"] = "poisson"
    mc_statistics: Literal["barlow-beeston-lite", "barlow-beeston", "none"] = "barlow-beeston-lite"
    zero_bins: Literal["error", "drop", "floor"] = "error"
    floor: Positive = 1e-6
    minos: bool = False
    correlations: tuple[Correlation, ...] = ()


Method = Literal["profile", "feldman-cousins", "cls", "cls-toys", "bayes", "bayes-mu"]
"""Methods for a limit; `spectrafit.inference.intervals.limits.METHODS` has a row for each (a test compares them)."""


class LimitOptions(Keys, frozen=True, kw_only=True):
    """How the limit is drawn from the likelihood.

    Attributes
    ----------
    level : no unit
        Confidence level, or credibility of a Bayesian interval. Example: ``level = 0.95``
    method
        "profile", "feldman-cousins", "cls", "cls-toys", "bayes" or "bayes-mu". Example: ``method = "feldman-cousins"``
    sides
        "one" or "two"; without the key, what the method has: "one" for profile. Example: ``sides = "two"``
    ensemble
        How toys vary the nuisances: "profiled" (true at their best values, constraints thrown) or "prior" (thrown
        from their priors, constraints fixed). Example: ``ensemble = "prior"``
    toys : toys
        Toys of each kappa, for the methods that throw them. Example: ``toys = 5000``
    seed : no unit
        Of the toys: the same seed gives the same toys on every machine. Example: ``seed = 2``
    """

    level: Level = 0.90
    method: Method = "profile"
    sides: Literal["one", "two"] | None = None
    ensemble: Literal["profiled", "prior"] = "profiled"
    toys: Toys = 2000
    seed: Seed = 1
