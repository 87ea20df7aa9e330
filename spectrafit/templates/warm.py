"""Loads kernels once, in the server that worker processes are forked from.

The first use of numba and of the expression parser takes longer than a small chunk. Workers that are forked from a
server that has done this need not do it again.
"""

from __future__ import annotations

import numpy as np

from spectrafit.events import expressions
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.weighing import weigh
from spectrafit.templates import chunks

__all__ = ["chunks"]

for _coupling in COUPLINGS.values():
    for _precision in (np.float32, np.float64):
        weigh(_coupling, np.array([14], np.int32), np.array([2.0], _precision), np.array([1.0], _precision))
expressions.compile("t_reco > 0.5 && theta_reco < 0.1")
