"""Minima of 2NLL for one model and its data: Newton first, Minuit as the referee and for what Newton cannot do.

Strategy, in order, until one ends with a small EDM: (1) Newton from the given start; (2) MIGRAD from where Newton
ended, (3) from the given start, (4) from the model's initial values after SIMPLEX; all with Minuit's strategy 1.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Flags, Floats
from spectrafit.inference.kernels.cholesky import inverse
from spectrafit.inference.kernels.evaluate import evaluate, evaluate_gradient, fill_hessian, fill_information
from spectrafit.inference.kernels.fields import Observed, workspace
from spectrafit.inference.kernels.newton import CONVERGED, descend, minimise
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model

__all__ = ["TOLERANCE", "Minimum", "Problem"]

# EDM below which a minimum is one, in 2NLL: 1e-3 of MIGRAD's own default would be 2e-6.
TOLERANCE = 1e-6
_NEWTON_CALLS = 400


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Minimum:
    """Where a minimisation ended: (K,) `values`, 2NLL, EDM, evaluations, whether it converged, and by what."""

    values: Floats
    two_nll: float
    edm: float
    calls: int
    converged: bool
    by: str


class Problem:
    """A model, what was measured, and scratch space: one likelihood to be minimised again and again.

    Not for two threads at once. `free` (K,) are the parameters a fit may move.
    """

    def __init__(self, model: Model, data: npt.ArrayLike | None = None, *, measured: Observed | None = None) -> None:
        for kernel in (evaluate_gradient, fill_information, fill_hessian, minimise, inverse):
            kernel.prepare()
        self.model = model
        self.likelihood = Likelihood(model)
        self.arrays = self.likelihood.arrays
        self.observed = self.likelihood.observed(data) if measured is None else measured
        self.work = workspace(self.arrays)
        self.free: Flags = ~self.arrays.held

    def held(self, *parameters: int) -> Flags:
        """Return `free` without some parameters."""
        free = self.free.copy()
        free[list(parameters)] = False
        return free

    def value(self, values: Any) -> float:
        """Return 2NLL."""
        return float(evaluate(self.arrays, self.observed, np.ascontiguousarray(values, dtype=np.float64), self.work))

    def gradient(self, values: Any) -> Floats:
        """Return the (K,) gradient of 2NLL."""
        evaluate_gradient(self.arrays, self.observed, np.ascontiguousarray(values, dtype=np.float64), self.work)
        result: Floats = self.work.gradient.copy()
        return result

    def hessian(self, values: Floats) -> Floats:
        """Return the (K, K) observed Hessian, by central differences of the gradient over 1e-4 of an error."""
        step = 1e-4 * self.likelihood.lone_errors(values, work=self.work)
        fill_hessian(self.arrays, self.observed, np.ascontiguousarray(values, dtype=np.float64), step, self.work)
        result: Floats = self.work.hessian.copy()
        return result

    def newton(self, start: Floats, free: Flags, tolerance: float = 1e-9) -> Minimum:
        """Return what Newton finds."""
        values = np.array(start, dtype=np.float64)
        found = minimise(self.arrays, self.observed, values, free, tolerance, _NEWTON_CALLS, self.work)
        two_nll, edm, calls, status = found
        converged = status == CONVERGED or (np.isfinite(edm) and edm < TOLERANCE)
        return Minimum(values=values, two_nll=two_nll, edm=edm, calls=calls, converged=bool(converged), by="Newton")

    def minuit(
        self, start: Floats, free: Flags, *, steps: Floats | None = None, curvature: Floats | None = None
    ) -> Any:
        """Return `Minuit` with scaled steps, limits and gradient; `curvature` is the Hessian's diagonal if known."""
        from iminuit import Minuit

        options = {} if curvature is None else {"g2": lambda _: curvature}
        engine = Minuit(self.value, start, grad=self.gradient, name=self.model.names, **options)
        engine.errors = self.likelihood.lone_errors(start, work=self.work) if steps is None else steps
        engine.errordef = Minuit.LEAST_SQUARES
        # MIGRAD stops at an EDM of 0.002 tol.
        engine.tol = TOLERANCE / 0.002
        for k, name in enumerate(self.model.names):
            engine.fixed[name] = not free[k]
            low, high = self.arrays.lower[k], self.arrays.upper[k]
            if np.isfinite(low) or np.isfinite(high):
                engine.limits[name] = low, high
        return engine

    def descent(self, start: Floats) -> Minimum:
        """Return the minimum Newton is drawn to from `start`, even if there is a deeper one."""
        values = np.array(start, dtype=np.float64)
        found = descend(self.arrays, self.observed, values, self.free, 1e-9, _NEWTON_CALLS, self.work)
        two_nll, edm, calls, status = found
        return Minimum(values=values, two_nll=two_nll, edm=edm, calls=calls, converged=status == CONVERGED, by="Newton")

    def migrad(self, start: Floats, free: Flags, *, simplex: bool = False, calls: int | None = None) -> Minimum:
        """Return what MIGRAD finds, in about so many `calls`."""
        engine = self.minuit(start, free)
        engine.strategy = 1
        if simplex:
            engine.simplex()
        engine.migrad(ncall=calls)
        return Minimum(
            values=np.array(engine.values, dtype=np.float64),
            two_nll=float(engine.fval),
            edm=float(engine.fmin.edm),
            calls=int(engine.nfcn + engine.ngrad),
            converged=bool(np.isfinite(engine.fval) and engine.fmin.edm < 10 * TOLERANCE),
            by="Minuit",
        )

    def minimum(self, start: Floats, free: Flags | None = None) -> Minimum:
        """Return the minimum over the `free` parameters, by the strategy of this module."""
        chosen = self.free if free is None else free
        best = self.newton(start, chosen)
        calls = best.calls
        if not best.converged:
            initial = np.where(chosen, self.arrays.initial, start)
            for place, simplex in ((best.values, False), (start, False), (initial, True)):
                found = self.migrad(place, chosen, simplex=simplex)
                calls += found.calls
                if found.converged or found.two_nll < best.two_nll:
                    best = found
                if best.converged:
                    break
        return dataclasses.replace(best, calls=calls)
