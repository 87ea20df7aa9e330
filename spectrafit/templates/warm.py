"""Nothing in, loaded kernels out: imported once by the server that worker processes are forked from.

What numba and the expression parser do on their first use takes longer than a small chunk; done here, each worker
inherits it.
"""

from __future__ import annotations

import numpy as np

from spectrafit.events import expressions
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.weighing import weigh
from spectrafit.templates import chunks

__all__ = ["chunks"]

for _coupling in COUPLINGS.values():
    weigh(_coupling, np.array([14], np.int32), np.array([2.0]), np.array([1.0]))
expressions.compile("t_reco > 0.5 && theta_reco < 0.1")
