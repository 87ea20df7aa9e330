"""Where p falls to alpha: the ends of an interval from shares of toys, with the error that the toys leave."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from spectrafit.arraytypes import Flags, Floats

__all__ = ["line", "through"]

_BENT = 0.25  # change of the slope from the middle to the next kappa that no smooth distribution shows


def through(kappas: Floats, p: Floats, target: float, *, last: bool) -> tuple[float, Floats, float]:
    """Return where the normal scores of p at three equidistant kappas are at the target, on their parabola.

    Parameters
    ----------
    kappas, p : (3,) arrays
    target : float
        Normal score of alpha.
    last : bool
        Whether p falls there, or rises.

    Returns
    -------
    float
        The crossing.
    (3,) array
        Its derivatives by the p.
    float
        How far the steps of a nearly discrete distribution may have moved it: 0 where the scores bend little, the
        distance to the crossing of the straight line where they bend, infinite if they do not cross as they should.
    """
    step = float(kappas[1] - kappas[0])
    score = ndtri(np.clip(p, 1e-6, 1.0 - 1e-6))
    density = np.maximum(np.exp(-0.5 * score**2) / math.sqrt(2.0 * math.pi), 1e-12)
    slope, bend = 0.5 * float(score[2] - score[0]), 0.5 * float(score[2] - 2.0 * score[1] + score[0])
    if slope == 0.0 or (slope > 0.0) == last:
        return float(kappas[1]), np.zeros(3), math.inf
    # In steps from the middle.
    straight = (target - float(np.mean(score))) / slope
    kappa = straight
    for _ in range(20):
        incline = slope + 2.0 * bend * kappa
        if incline * slope <= 0.0:
            return float(kappas[1] + step * straight), np.zeros(3), math.inf
        kappa += (target - float(score[1]) - slope * kappa - bend * kappa * kappa) / incline
    lagrange = np.array([0.5 * kappa * (kappa - 1.0), 1.0 - kappa * kappa, 0.5 * kappa * (kappa + 1.0)])
    slopes = -step * lagrange / density / (slope + 2.0 * bend * kappa)
    return (
        float(kappas[1] + step * kappa),
        slopes,
        step * abs(kappa - straight) if abs(bend) > _BENT * abs(slope) else 0.0,
    )


def _reach(near: Flags, kappas: Floats, middle: float, edge: int, *, last: bool) -> float:
    """Return how far from the crossing the accepted points extend without a gap in `near`.

    The line uses points on the other side of the crossing up to the same distance only: farther out, where a second
    minimum begins, p may stay near alpha.
    """
    place = edge
    while 0 <= place < len(near) and near[place]:
        place += -1 if last else 1
    return abs(kappas[place + 1 if last else place - 1] - middle) if place != edge else 0.0


def line(kappas: Floats, p: Floats, p_error: Floats, target: float, edge: int, *, last: bool) -> tuple[float, float]:
    """Return the kappa, and its error, at which a line through the normal scores near the crossing reaches the target.

    The normal score of p is linear in kappa where kappa_hat is normal. A line through several points therefore uses all
    of their toys, where the two points next to the crossing would use their own toys alone.

    Parameters
    ----------
    kappas, p, p_error : (G,) arrays
    target : float
        Normal score of alpha.
    edge : int
        The last accepted kappa (or the first).
    last : bool
        Whether the end is the upper one.
    """
    clipped = np.clip(p, 1e-6, 1.0 - 1e-6)
    score = ndtri(clipped)
    density = np.exp(-0.5 * score**2) / math.sqrt(2.0 * math.pi)
    width = p_error / np.maximum(density, 1e-12)
    other = edge + 1 if last else edge - 1
    middle = 0.5 * (kappas[edge] + kappas[other]) if 0 <= other < len(kappas) else kappas[edge]
    # p falls on both sides of the best kappa: only points on the side of this crossing count.
    top = kappas[np.argmax(p)]
    here = kappas >= top if last else kappas <= top
    near = here & (np.abs(score - target) < 0.6)
    near &= np.abs(kappas - middle) <= _reach(near, kappas, middle, edge, last=last) * (1.0 + 1e-9)
    if near.sum() < 4:
        near = np.zeros(len(kappas), dtype=np.bool_)
        near[np.argsort(np.where(here, np.abs(kappas - middle), np.inf))[:4]] = True
    away, height, weight = kappas[near] - middle, score[near], 1.0 / width[near] ** 2
    design = np.stack([np.ones_like(away), away], axis=1)
    covariance = np.linalg.inv(design.T @ (weight[:, None] * design))
    offset, slope = covariance @ (design.T @ (weight * height))
    if slope == 0.0 or (slope > 0) == last:
        # The line slopes the wrong way, as where p falls in steps for few events: take the middle of the two points.
        return float(middle), float(abs(kappas[edge] - middle))
    root = (target - offset) / slope
    spread = math.sqrt(covariance[0, 0] + 2.0 * root * covariance[0, 1] + root * root * covariance[1, 1])
    # Points that scatter more than their errors say, because of such steps, make the error larger.
    chi2 = float(np.sum(weight * (height - offset - slope * away) ** 2)) / max(len(away) - 2, 1)
    return float(middle + root), float(spread * math.sqrt(max(chi2, 1.0)) / abs(slope))
