"""Minima of 2NLL for one model and its data: Newton first, Minuit as the referee and for what Newton cannot do.

Strategy, in order, until one ends with a small EDM: (1) Newton from the given start; (2) MIGRAD from where Newton
ended, (3) from the given start, (4) from the model's initial values after SIMPLEX; all with Minuit's strategy 1.

A minimum with a small EDM need not be the deepest. Where the fit describes the data badly, or a nuisance ended at a
limit, `Problem.deepest` starts again from points spread over the priors and limits, and keeps the deepest minimum.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc, ndtri

from spectrafit.arraytypes import Flags, Floats
from spectrafit.inference.kernels.cholesky import inverse
from spectrafit.inference.kernels.evaluate import evaluate, evaluate_gradient, fill_hessian, fill_information
from spectrafit.inference.kernels.fields import Observed, workspace
from spectrafit.inference.kernels.newton import CONVERGED, descend, minimise
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model

__all__ = ["TOLERANCE", "Minimum", "Problem"]

# EDM, in 2NLL, below which a fit has converged.
TOLERANCE = 1e-6
_NEWTON_CALLS = 400
# Other starts are tried where the goodness of fit has a smaller probability than this. Then: how many starts, and how
# far they spread, in widths of the priors, or from the initial value where there is neither prior nor limit.
_DOUBTFUL = 1e-4
_STARTS = 8
_SPREAD = 2.0


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
    """A model, its measurements and scratch space: one likelihood that is minimised again and again.

    Two threads must not share a `Problem`. `free`, (K,), marks the parameters that a fit may move.
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
        # Minuit's own lines, as of a matrix that is not positive definite, go to the terminal past Python. They are no
        # verdict: every caller judges the fit by its EDM and counts those that did not converge.
        engine.print_level = -1
        # MIGRAD stops at an EDM of 0.002 tol.
        engine.tol = TOLERANCE / 0.002
        for place, name in enumerate(self.model.names):
            engine.fixed[name] = not free[place]
            low, high = self.arrays.lower[place], self.arrays.upper[place]
            if np.isfinite(low) or np.isfinite(high):
                engine.limits[name] = low, high
        return engine

    def descent(self, start: Floats) -> Minimum:
        """Return the minimum that Newton reaches from `start`, even if there is a deeper one."""
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

    def deepest(self, start: Floats, free: Flags | None = None) -> Minimum:
        """Return the minimum over the `free` parameters, the deepest of several starts where the first is doubtful."""
        chosen = self.free if free is None else free
        best = self.minimum(start, chosen)
        if not self._doubtful(best, chosen):
            return best
        calls = best.calls
        for other in self._starts(best.values, chosen):
            found = self.newton(other, chosen)
            calls += found.calls
            if found.converged and found.two_nll < best.two_nll - 1e-4:
                best = found
        return dataclasses.replace(best, calls=calls)

    def _doubtful(self, best: Minimum, free: Flags) -> bool:
        """Whether the fit describes the data badly or a nuisance is at a limit; kappa at its boundary is normal."""
        arrays = self.arrays
        margin = 1e-6 * self.likelihood.lone_errors(best.values, work=self.work)
        stuck = free & ((best.values <= arrays.lower + margin) | (best.values >= arrays.upper - margin))
        if arrays.poi >= 0:
            stuck[arrays.poi] = False
        bins = int(np.sum(arrays.used))
        return bool(stuck.any()) or not float(gammaincc(0.5 * bins, 0.5 * max(best.two_nll, 0.0))) > _DOUBTFUL

    def _starts(self, values: Floats, free: Flags) -> list[Floats]:
        """Return starts spread evenly (Roberts' sequence) over the priors and the limits of the free parameters."""
        lower, upper, places = self.arrays.lower, self.arrays.upper, np.flatnonzero(free)
        ratio = 2.0
        for _ in range(60):
            ratio = (1.0 + ratio) ** (1.0 / (places.size + 1))
        steps = ratio ** -np.arange(1.0, places.size + 1)
        found = []
        for start in range(1, _STARTS + 1):
            here = values.copy()
            for place, share in zip(places, (0.5 + start * steps) % 1.0, strict=True):
                known = self.model.parameters[place]
                if known.constraint == "gaussian":
                    here[place] = known.centre + _SPREAD * known.width * float(ndtri(min(max(share, 1e-3), 1.0 - 1e-3)))
                else:
                    reach = _SPREAD * max(abs(known.initial), 1.0)
                    low, high = max(lower[place], known.initial - reach), min(upper[place], known.initial + reach)
                    here[place] = low + share * (high - low)
                here[place] = min(max(here[place], lower[place]), upper[place])
            found.append(here)
        return found
