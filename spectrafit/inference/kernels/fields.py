"""The arrays that kernels work on, under the names that kernels use: the model, what was measured, scratch space.

Each class below is a tuple of arrays. A kernel gets one pointer, to a table of their addresses and shapes, and reads an
array as `a.nominal`; the annotations are the only list of the names. A kernel that took fifty arrays would take numba
seconds to compile. Kernels count no references to these arrays, so one tuple serves any number of threads.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import NativeValue, lower_getattr_generic, models, register_model, unbox

from spectrafit.arraytypes import Flags, Floats, Integers
from spectrafit.contiguous import Contiguous, share

__all__ = [
    "FLAGS",
    "FLOATS",
    "INTEGERS",
    "MATRIX",
    "MODEL",
    "OBSERVED",
    "TRUTH",
    "WORK",
    "Arrays",
    "Observed",
    "Truth",
    "Work",
    "workspace",
]

Matrix = Floats

FLAGS, INTEGERS, FLOATS = (Contiguous(kind) for kind in (types.boolean, types.int64, types.float64))
MATRIX = Contiguous(types.float64, 2)
# What an annotation means to a kernel.
_KINDS: dict[str, Any] = {
    "int": types.int64,
    "float": types.float64,
    "Integers": INTEGERS,
    "Flags": FLAGS,
    "Floats": FLOATS,
    "Matrix": MATRIX,
}
# A field takes three words of the table behind a handle: address or value, rows, columns.
_WORDS = 3


class _Model(NamedTuple):
    """A model, flattened. K parameters, C components, L bins of all components, B bins, T morph vectors.

    Lists that belong to components are in component order; `*_at` (C + 1,) says where each component's begin.
    """

    statistic: int  # which terms the bins have: a value of `packing.STATISTIC`
    poi: int  # parameter of interest, -1 for none
    initial: Floats  # (K,)
    mirror: float  # where kappa enters squared: kappa and mirror - kappa predict the same total; else NaN
    folded: Integers  # parameters whose two sides pull alike: 2NLL may have a minimum on each
    lower: Floats  # (K,) limits in fits
    upper: Floats
    held: Flags  # (K,) fixed by declaration
    centre: Floats  # (K,) auxiliary measurements
    precision: Floats  # (K,) 1 / width^2 of uncorrelated gaussian constraints, else 0
    correlated: Integers  # parameters with correlated constraints, and the inverse of their prior covariance
    inverse: Matrix
    auxiliary: Integers  # parameters with poisson constraints, and the events expected at 1 of each
    auxiliary_scale: Floats
    start: Integers  # (C,) first bin, number of bins, first place in (L,)
    size: Integers
    place: Integers
    nominal: Floats  # (L,)
    shared: Flags  # (C,) whether the bins' gammas multiply the component
    factor_at: Integers
    factor_parameter: Integers  # (F,)
    factor_kind: Integers
    factor_values: Floats  # (F, 8) flattened
    basis_parameter: Integers  # scalar functions of additive morphs
    basis_kind: Integers
    basis_table: Integers  # where a spline's table begins in `tables`
    tables: Floats
    term_at: Integers
    term_basis: Integers
    term_place: Integers  # where the term's vector begins in `vectors`
    vectors: Floats
    code4_at: Integers  # multiplicative code4 morphs
    code4_parameter: Integers
    code4_place: Integers
    code4_values: Floats  # 8 per bin
    bin_factor_at: Integers  # parameters that multiply one bin of a component
    bin_factor_place: Integers
    bin_factors: Integers  # parameter per bin, -1 for none
    reach_from: Integers  # (K,) first bin whose prediction the parameter moves, and the one after the last
    reach_to: Integers
    used: Flags  # (B,)
    floor: Floats  # (B,)
    gamma_kind: Integers  # (B,) constraint of the bin's gamma: a value of `packing.GAMMA`
    gamma_width: Floats
    gamma_centre: Floats
    residual: Matrix  # (Q, B) variance of each monomial of the couplings
    monomial_at: Integers  # (Q + 1,) where the factors of each of those monomials begin
    monomial_parameter: Integers
    monomial_power: Integers
    pair_first: Integers  # variances that follow the yields of two components
    pair_second: Integers
    pair_place: Integers
    pairs: Floats
    weight: Matrix  # (B, B) inverse covariance of statistic "gaussian", else (0, 0)
    sample: Integers  # (C,) number of the sample, where every sample has gammas of its own; else (0,)


class _Measured(NamedTuple):
    """What an experiment, real or thrown, measured."""

    counts: Floats  # (B,)
    centre: Floats  # (K,) auxiliary measurements of the parameters
    gamma_centre: Floats  # (B,) of the bins' gammas: where they are centred (gaussian) or their counts (poisson)


class _Truth(NamedTuple):
    """What toys are thrown from."""

    theta: Floats  # (K,)
    centre: Floats  # (K,) auxiliary measurements, of the parameters and (B,) of the bins' gammas, where not thrown
    gamma_centre: Floats
    fitted: Floats  # (B,) expected events
    gamma: Floats  # (B,) the bins' gammas
    spread: Floats  # (B,) width of the gammas' auxiliary measurement
    root: Matrix  # (K, K) Cholesky factor of the gaussian constraints' covariance
    prior: int  # 1 if nuisances are thrown from their constraints
    mc: int  # 1 if the simulation's statistical error is thrown


class _Buffers(NamedTuple):
    """Arrays the kernels write into; see `Arrays` for the letters."""

    scoring: Flags  # (1,) whether `curvature` is the expected one
    parts: Floats  # (2,) 2NLL of the bins, of the constraints
    basis: Floats  # scalar functions of additive morphs and their first two derivatives
    basis_slope: Floats
    basis_second: Floats
    factor: Floats  # (F,) values of whole-component factors and their derivatives
    factor_slope: Floats
    product: Floats  # (C,)
    bracket: Floats  # (L,) nominal + additive morphs
    shape: Floats  # (L,) product of per-bin factors
    yields: Floats  # (L,)
    adjoint: Floats  # (L,)
    mean: Floats  # (B,)
    shared: Floats  # part of the mean the gammas multiply
    variance: Floats
    by_mean: Floats  # derivatives of 2NLL
    by_shared: Floats
    by_variance: Floats
    curvature: Floats  # second derivative by the mean
    gamma: Floats  # the bin's gamma at its minimum
    fitted: Floats  # prediction there
    jacobian: Matrix  # (K, B)
    scaled: Floats  # (B,)
    hessian: Matrix  # (K, K)
    lower: Matrix  # (K, K) Cholesky factor
    gradient: Floats  # (K,)
    second: Floats  # (K,) second derivatives of the morphs, weighted as in the gradient
    kept: Floats  # (K,) vectors, each of one kernel
    step: Floats
    trial: Floats
    other: Floats
    across: Floats
    width: Floats
    toy: Floats
    start: Floats
    order: Integers
    live: Flags
    sample_mean: Matrix  # (S, B) for `kernels.barlow_beeston`
    sample_variance: Matrix
    sample_gamma: Matrix


class _PointerType(types.Type):  # type: which of the classes above a pointer points to
    def __init__(self, name: str, fields: tuple[tuple[str, Any], ...]) -> None:
        self.fields = fields
        super().__init__(name=f"Pointer({name})")

    def field(self, name: str) -> tuple[int, Any]:
        """Return the place and the type of a field."""
        names = [known for known, _ in self.fields]
        return names.index(name), self.fields[names.index(name)][1]


register_model(_PointerType)(models.OpaqueModel)


@infer_getattr
class _Fields(AttributeTemplate):
    key = _PointerType

    def generic_resolve(self, pointer: Any, name: str) -> Any:
        return pointer.field(name)[1]


@lower_getattr_generic(_PointerType)
def _read_field(context: Any, builder: Any, pointer: Any, value: Any, name: str) -> Any:
    """Emit the loads of a field's address and shape."""
    place, kind = pointer.field(name)
    word = ir.IntType(64)
    table = builder.bitcast(value, word.as_pointer())

    def load(i: int) -> Any:
        # Tables never change while a kernel runs: loads move out of loops.
        loaded = builder.load(cgutils.gep_inbounds(builder, table, _WORDS * place + i))
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded

    if kind is types.int64:
        return load(0)
    if kind is types.float64:
        return builder.bitcast(load(0), ir.DoubleType())
    data = builder.inttoptr(load(0), context.get_data_type(kind.dtype).as_pointer())
    return share(context, builder, kind, data, [load(1 + axis) for axis in range(kind.ndim)])


@unbox(_PointerType)
def _unbox(kind: Any, obj: Any, c: Any) -> Any:
    """Take the address out of one of the tuples."""
    address = c.pyapi.object_getattr_string(obj, "address")
    value = c.builder.inttoptr(c.pyapi.long_as_longlong(address), ir.IntType(8).as_pointer())
    c.pyapi.decref(address)
    return NativeValue(value, is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))


def _kinds(fields: Any) -> dict[str, str]:
    """Return the annotations of a class of arrays, by name."""
    return {name: getattr(kind, "__forward_arg__", kind) for name, kind in fields.__annotations__.items()}


def _pointer(fields: Any) -> Any:
    """Return the numba type of pointers to a class of arrays."""
    return _PointerType(fields.__name__, tuple((name, _KINDS[kind]) for name, kind in _kinds(fields).items()))


MODEL, OBSERVED, TRUTH, WORK = (_pointer(fields) for fields in (_Model, _Measured, _Truth, _Buffers))


class _Bound:
    """What lets kernels take a tuple of arrays."""

    @functools.cached_property
    def _table(self: Any) -> Integers:
        words: list[int] = []
        for value in self:
            if isinstance(value, np.ndarray):
                if not value.flags.c_contiguous:
                    raise ValueError("kernels need contiguous arrays")
                words += value.__array_interface__["data"][0], *value.shape, *(0,) * (_WORDS - 1 - value.ndim)
            else:
                words += int(np.float64(value).view(np.int64)) if isinstance(value, float) else value, 0, 0
        return np.array(words, dtype=np.int64)

    @functools.cached_property
    def address(self) -> int:
        """Address of the table."""
        return int(self._table.__array_interface__["data"][0])

    def __getstate__(self) -> None:
        # Addresses are those of this process.
        return None


class Arrays(_Bound, _Model):
    """A model, flattened: what `packing.pack` makes of it."""

    _numba_type_ = MODEL


class Observed(_Bound, _Measured):
    """What an experiment, real or thrown, measured."""

    _numba_type_ = OBSERVED


class Truth(_Bound, _Truth):
    """What toys are thrown from."""

    _numba_type_ = TRUTH


class Work(_Bound, _Buffers):
    """Scratch space of one thread."""

    _numba_type_ = WORK


def workspace(a: Arrays) -> Work:
    """Return scratch space for a model."""
    parameters, bins = a.initial.size, a.used.size
    functions, factors = a.basis_kind.size, a.factor_kind.size
    shapes: dict[str, Any] = dict.fromkeys(("basis", "basis_slope", "basis_second"), functions)
    shapes |= dict.fromkeys(("factor", "factor_slope"), factors)
    shapes |= dict.fromkeys(("bracket", "shape", "yields", "adjoint"), a.nominal.size)
    shapes |= dict.fromkeys(("mean", "shared", "variance", "by_mean", "by_shared", "by_variance"), bins)
    shapes |= dict.fromkeys(("curvature", "gamma", "fitted", "scaled"), bins)
    shapes |= {"scoring": 1, "parts": 2, "product": a.start.size, "jacobian": (parameters, bins)}
    shapes |= dict.fromkeys(("hessian", "lower"), (parameters, parameters))
    samples = int(a.sample.max(initial=-1)) + 1
    shapes |= dict.fromkeys(("sample_mean", "sample_variance", "sample_gamma"), (samples, bins))
    elements = {"Flags": np.bool_, "Integers": np.int64}
    kinds = _kinds(_Buffers)
    made = {
        name: np.zeros(shapes.get(name, parameters), elements.get(kind, np.float64)) for name, kind in kinds.items()
    }
    # Factors per bin that no component of the model has stay 1.
    made["shape"][:] = made["gamma"][:] = 1.0
    return Work(**made)
