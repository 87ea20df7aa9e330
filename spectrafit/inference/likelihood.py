"""The likelihood of a model: its prediction, 2NLL, gradient, Fisher information and Hessian at any parameters.

What to use when (`statistic` under `[fit]`):

poisson                  the default, right for few events and for many: counts are Poisson, and the simulation's error
                         in each bin is profiled (Barlow-Beeston-lite).
dembinski-abdelmotteleb  the same for weighted simulation with few entries per bin, where the simulation's error is far
                         from normal.
neyman-pearson           a chi-square that is hardly biased by small counts; for comparison with analyses that use it.
gaussian                 a chi-square with the fixed covariance of the nominal prediction, for counts that are published
                         with a covariance matrix. Biased below some ten events in a bin.

2NLL is the sum of the bins' terms (`spectrafit.inference.kernels.bin_terms`, with the papers) and the constraints',
each relative to its saturated value, so that the minimum is itself a goodness of fit. The variance V of the simulation
follows the couplings and the nuisances through the yields of the components (`parts.Variance`), and the gradient is
exact, V's part included.

The Fisher information is the expectation of the Hessian, J^T W J plus the constraints, with the per-bin curvature W at
n = prediction. The observed Hessian is made of central differences of the analytic gradient.

Letters as in the kernels: a for the packed model, d for the measured data, w for scratch space.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import weakref

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats
from spectrafit.inference.identity import single
from spectrafit.inference.kernels.barlow_beeston import PER_SAMPLE, fill_adjoints, fill_per_sample, fill_weights
from spectrafit.inference.kernels.bin_terms import WALL, fill_gaussian, fill_others, fill_with_gammas
from spectrafit.inference.kernels.evaluate import (
    bend_otherwise,
    constrain_otherwise,
    evaluate,
    evaluate_gradient,
    fill_hessian,
    fill_information,
    scale_by_matrix,
)
from spectrafit.inference.kernels.fields import Arrays, Observed, Work, workspace
from spectrafit.inference.kernels.morphing import BASIS, FACTOR, code4_factor, spline_value
from spectrafit.inference.kernels.newton import promise
from spectrafit.inference.kernels.shapes import (
    add_residual_gradient,
    add_residual_variance,
    add_shape_gradient,
    add_shape_jacobian,
    fill_shape,
)
from spectrafit.inference.model import Model
from spectrafit.inference.packing import STATISTIC, pack

__all__ = ["Likelihood", "Prediction", "information"]

_PACKED: weakref.WeakKeyDictionary[Model, Arrays] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What the model expects at one point.

    Attributes
    ----------
    mean : (B,) array
        Events, before any bin's gamma.
    shared : (B,) array
        The part of them that the bin's gamma multiplies.
    variance, noise : (B,) array
        Variance of the simulation, and of that part of it.
    fitted : (B,) array
        Events with the bins' gammas (MC statistics) at their best fit to the data.
    gamma : (B,) array
        The gammas of HistFactory models there; 1 where a bin has none.
    components : tuple of (n,) arrays
        Yields of each component.
    """

    mean: Floats
    shared: Floats
    variance: Floats
    noise: Floats
    fitted: Floats
    gamma: Floats
    components: tuple[Floats, ...]

    def simulated(self) -> tuple[Floats, Floats, Floats]:
        """Return the events that are true if the fit is, with the gamma and its spread that toys throw: (B,) each.

        Of the distance from the mean to the fitted events each part of the prediction has the share of its variance.
        That of the couplings is left out: if a gamma carried it, a background would be scaled by the signal's noise.
        """
        thrown = (self.shared > 0) & (self.noise > 0)
        shared, variance = np.where(thrown, self.shared, 1.0), np.where(thrown, self.variance, 1.0)
        shift = np.where(thrown, (self.fitted - self.mean) * self.noise / variance, 0.0)
        return self.mean + shift, 1.0 + shift / shared, np.where(thrown, np.sqrt(self.noise) / shared, 0.0)


class Likelihood:
    """2NLL of a model as a function of its parameters and of the counts.

    Only the first `Likelihood` of a model packs its `arrays`; they are kept as long as the model lives. Threads may
    share a `Likelihood`.

    Attributes
    ----------
    model : Model
    arrays : Arrays
        The model as the kernels take it.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        with _LOCK:
            if model not in _PACKED:
                _PACKED[model] = _prepared(model)
            self.arrays = _PACKED[model]

    def __repr__(self) -> str:
        return f"Likelihood of {len(self.model.parameters)} parameters in {self.model.n_bins} bins"

    @property
    def digest(self) -> str:
        """Hash of everything but the counts: toys depend on all of it."""
        state = hashlib.blake2b("\0".join(self.model.names).encode(), digest_size=16)
        for name, values in zip(self.arrays._fields, self.arrays, strict=True):
            state.update(single(np.asarray(values), solved=name in ("inverse", "weight")))
        return state.hexdigest()

    def observed(self, data: npt.ArrayLike | None = None) -> Observed:
        """Return what was measured: counts (the model's own, or `data`) and the auxiliary measurements."""
        counts = np.array(self.model.data if data is None else data, dtype=np.float64)
        return Observed(counts, self.arrays.centre.copy(), self.arrays.gamma_centre.copy())

    def _point(self, values: npt.ArrayLike | None) -> Floats:
        return self.model.initial if values is None else np.array(values, dtype=np.float64)

    def predict(
        self,
        values: npt.ArrayLike | None = None,
        *,
        data: npt.ArrayLike | None = None,
        measured: Observed | None = None,
    ) -> Prediction:
        """Return the prediction at `values` (K,), by default the initial ones.

        `fitted` and `gamma` follow the counts: the model's, `data`, or those of a whole experiment, `measured`.
        """
        arrays, d = self.arrays, self.observed(data) if measured is None else measured
        w = workspace(arrays)
        evaluate(arrays, d, self._point(values), w)
        shared = np.where(w.shared > 0, w.shared, 1.0)
        gamma = np.where((arrays.gamma_kind == 1) & (w.shared > 0), 1.0 + (w.fitted - w.mean) / shared, w.gamma)
        components = tuple(
            w.yields[place : place + size].copy() for place, size in zip(arrays.place, arrays.size, strict=True)
        )
        noise = w.variance.copy()
        for one, other, place in zip(arrays.pair_first, arrays.pair_second, arrays.pair_place, strict=True):
            if not (arrays.shared[one] and arrays.shared[other]):
                bins = slice(arrays.start[one], arrays.start[one] + arrays.size[one])
                noise[bins] -= arrays.pairs[place : place + arrays.size[one]] * components[one] * components[other]
        return Prediction(
            mean=w.mean,
            shared=w.shared,
            variance=w.variance,
            noise=np.maximum(noise, 0.0),
            fitted=w.fitted,
            gamma=gamma,
            components=components,
        )

    def two_nll(
        self,
        values: npt.ArrayLike | None = None,
        *,
        data: npt.ArrayLike | None = None,
        gammas: npt.ArrayLike | None = None,
    ) -> float:
        """Return 2NLL at `values`.

        Parameters
        ----------
        values : (K,) array_like, optional
            Parameters; by default the initial ones.
        data : (B,) array_like, optional
            Counts; by default the model's.
        gammas : (B,) array_like, optional
            Values of the bins' gammas. Without, they are profiled.
        """
        arrays, d = self.arrays, self.observed(data)
        w = workspace(arrays)
        value = float(evaluate(arrays, d, self._point(values), w))
        if gammas is None:
            return value
        gamma = np.asarray(gammas, dtype=np.float64)
        expected = w.mean + (gamma - 1.0) * w.shared
        linear = (d.counts == 0) & (arrays.floor <= 0)
        terms = _saturated(d.counts, np.where(linear, expected, np.maximum(expected, np.maximum(arrays.floor, WALL))))
        gaussian, poisson = (arrays.used & (arrays.gamma_kind == kind) for kind in (1, 2))
        terms[gaussian] += ((gamma - d.gamma_centre)[gaussian] / arrays.gamma_width[gaussian]) ** 2
        terms[poisson] += _saturated(d.gamma_centre[poisson], (arrays.gamma_width * gamma)[poisson])
        return float(w.parts[1] + terms[arrays.used].sum())

    def gradient(self, values: npt.ArrayLike | None = None, *, data: npt.ArrayLike | None = None) -> Floats:
        """Return the (K,) gradient of 2NLL."""
        w = workspace(self.arrays)
        evaluate_gradient(self.arrays, self.observed(data), self._point(values), w)
        return w.gradient

    def information(self, values: npt.ArrayLike | None = None, *, work: Work | None = None) -> Floats:
        """Return the (K, K) expected Hessian of 2NLL (twice the Fisher information) if `values` are true.

        `work` is scratch space to use instead of new.
        """
        arrays, theta = self.arrays, self._point(values)
        w, d = workspace(arrays) if work is None else work, self.observed()
        evaluate(arrays, d, theta, w)
        d = d._replace(counts=np.maximum(w.mean, 0.0), centre=theta.copy())
        d.centre[arrays.auxiliary] = theta[arrays.auxiliary] * arrays.auxiliary_scale
        w.scoring[0] = True
        evaluate(arrays, d, theta, w)
        fill_information(arrays, d, theta, w)
        w.scoring[0] = False
        return w.hessian if work is None else w.hessian.copy()

    def hessian(self, values: npt.ArrayLike | None = None, *, data: npt.ArrayLike | None = None) -> Floats:
        """Return the (K, K) observed Hessian of 2NLL, by differences over 1e-4 of each parameter's lone error."""
        theta, w = self._point(values), workspace(self.arrays)
        fill_hessian(self.arrays, self.observed(data), theta, 1e-4 * self.lone_errors(theta), w)
        return w.hessian

    def lone_errors(self, values: Floats, *, work: Work | None = None) -> Floats:
        """Return (K,) the errors parameters would have if the others were known; a guess where nothing is known."""
        curvature = np.diag(self.information(values, work=work))
        positive = np.where(curvature > 0, curvature, 1.0)
        result: Floats = np.where(curvature > 0, np.sqrt(2.0 / positive), np.maximum(abs(values), 1.0))
        return result


def information(model: Model, values: npt.ArrayLike | None = None) -> Floats:
    """Return the (K, K) expected Hessian of 2NLL (twice the Fisher information) if `values` are true."""
    return Likelihood(model).information(values)


def _prepared(model: Model) -> Arrays:
    """Return the packed model; for statistic "gaussian" with the weight matrix of its nominal prediction."""
    arrays = pack(model)
    _prepare(arrays)
    if model.statistic != "gaussian":
        return arrays
    w = workspace(arrays)
    # This likelihood has no weight matrix yet; it serves to predict the nominal yields.
    plain = arrays._replace(statistic=STATISTIC["poisson"])
    evaluate(plain, Observed(np.array(model.data), arrays.centre, arrays.gamma_centre), arrays.initial, w)
    covariance = np.diag(np.maximum(w.mean, arrays.floor) + w.variance)
    if model.covariance is not None:
        covariance += model.covariance
    weight = np.zeros_like(covariance)
    kept = np.ix_(arrays.used, arrays.used)
    weight[kept] = np.linalg.inv(covariance[kept])
    return arrays._replace(weight=weight)


def _prepare(a: Arrays) -> None:
    """Compile the rarely used kernels that this model needs: a call of a kernel not yet compiled would crash."""
    needed = [
        (bool(a.statistic == STATISTIC["gaussian"]), (fill_gaussian, scale_by_matrix)),
        (bool(a.statistic in (STATISTIC["dembinski-abdelmotteleb"], STATISTIC["neyman-pearson"])), (fill_others,)),
        (bool(a.gamma_kind.any()), (fill_with_gammas,)),
        (bool(a.statistic == PER_SAMPLE), (fill_per_sample, fill_adjoints, fill_weights)),
        (bool(a.code4_parameter.size + a.bin_factors.size > 0), (fill_shape, add_shape_gradient, add_shape_jacobian)),
        (bool(a.residual.size > 0), (add_residual_variance, add_residual_gradient)),
        (bool(a.correlated.size + a.auxiliary.size > 0), (constrain_otherwise, bend_otherwise)),
        (bool(BASIS["spline"] in a.basis_kind), (spline_value,)),
        (bool(FACTOR["code4"] in a.factor_kind), (code4_factor,)),
        (bool(a.folded.size > 0 or np.isfinite(a.mirror)), (promise,)),
    ]
    for asked, kernels in needed:
        for kernel in kernels if asked else ():
            kernel.prepare()


def _saturated(n: Floats, t: Floats) -> Floats:
    """Return 2 [t - n + n ln(n / t)]."""
    logarithm = np.log(np.where(n > 0, n, 1.0) / np.where(n > 0, t, 1.0))
    result: Floats = 2.0 * (t - n + n * logarithm)
    return result
