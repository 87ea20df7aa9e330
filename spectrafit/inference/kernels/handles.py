"""Named arrays in, one handle for the kernels out.

A kernel that takes a tuple of fifty arrays spends a microsecond on counting references each time it is called, and
numba seconds on compiling the call. A handle is one pointer; kernels read its fields by the names of `Arrays` and
`Work`.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types
from numba.experimental import structref
from numba.experimental.structref import new

__all__ = ["ModelHandle", "WorkHandle", "bind_model", "bind_work"]

_INT = types.int64
_INTS = types.int64[::1]
_BOOLS = types.boolean[::1]
_FLOATS = types.float64[::1]
_MATRIX = types.float64[:, ::1]


# Classes made by hand: numba ships no types, and what they derive from is unknown to the type checker. numba's cache
# finds them by module and name.
_HERE = {"__module__": __name__}
_ModelType: Any = structref.register(type("_ModelType", (types.StructRef,), dict(_HERE)))
_WorkType: Any = structref.register(type("_WorkType", (types.StructRef,), dict(_HERE)))
ModelHandle: Any = type("ModelHandle", (structref.StructRefProxy,), dict(_HERE))
WorkHandle: Any = type("WorkHandle", (structref.StructRefProxy,), dict(_HERE))

structref.define_boxing(_ModelType, ModelHandle)
structref.define_boxing(_WorkType, WorkHandle)

_MODEL = _ModelType(
    [
        ("statistic", _INT),
        ("poi", _INT),
        ("initial", _FLOATS),
        ("mirror", types.float64),
        ("folded", _INTS),
        ("lower", _FLOATS),
        ("upper", _FLOATS),
        ("held", _BOOLS),
        ("centre", _FLOATS),
        ("precision", _FLOATS),
        ("correlated", _INTS),
        ("inverse", _MATRIX),
        ("auxiliary", _INTS),
        ("factor", _FLOATS),
        ("start", _INTS),
        ("size", _INTS),
        ("place", _INTS),
        ("nominal", _FLOATS),
        ("local", _BOOLS),
        ("factor_at", _INTS),
        ("factor_parameter", _INTS),
        ("factor_kind", _INTS),
        ("factor_values", _FLOATS),
        ("basis_parameter", _INTS),
        ("basis_kind", _INTS),
        ("basis_table", _INTS),
        ("tables", _FLOATS),
        ("term_at", _INTS),
        ("term_basis", _INTS),
        ("term_place", _INTS),
        ("vectors", _FLOATS),
        ("bend_at", _INTS),
        ("bend_parameter", _INTS),
        ("bend_place", _INTS),
        ("bends", _FLOATS),
        ("gamma_at", _INTS),
        ("gamma_place", _INTS),
        ("gammas", _INTS),
        ("used", _BOOLS),
        ("floor", _FLOATS),
        ("local_kind", _INTS),
        ("local_width", _FLOATS),
        ("local_centre", _FLOATS),
        ("residual", _MATRIX),
        ("pair_first", _INTS),
        ("pair_second", _INTS),
        ("pair_place", _INTS),
        ("pairs", _FLOATS),
        ("weight", _MATRIX),
    ]
)
_WORK = _WorkType(
    [
        ("scoring", _BOOLS),
        ("parts", _FLOATS),
        ("phi", _FLOATS),
        ("slope", _FLOATS),
        ("bend", _FLOATS),
        ("factor", _FLOATS),
        ("factor_slope", _FLOATS),
        ("product", _FLOATS),
        ("bracket", _FLOATS),
        ("shape", _FLOATS),
        ("yields", _FLOATS),
        ("adjoint", _FLOATS),
        ("mean", _FLOATS),
        ("shared", _FLOATS),
        ("variance", _FLOATS),
        ("by_mean", _FLOATS),
        ("by_shared", _FLOATS),
        ("by_variance", _FLOATS),
        ("curvature", _FLOATS),
        ("gamma", _FLOATS),
        ("fitted", _FLOATS),
        ("jacobian", _MATRIX),
        ("scaled", _FLOATS),
        ("hessian", _MATRIX),
        ("lower", _MATRIX),
        ("gradient", _FLOATS),
        ("bending", _FLOATS),
        ("kept", _FLOATS),
        ("step", _FLOATS),
        ("trial", _FLOATS),
        ("other", _FLOATS),
    ]
)


@njit(cache=True)
def bind_model(a: Any) -> Any:
    """Return a handle to the arrays of an `Arrays`."""
    h = new(_MODEL)
    h.statistic = a.statistic
    h.poi = a.poi
    h.initial = a.initial
    h.mirror = a.mirror
    h.folded = a.folded
    h.lower = a.lower
    h.upper = a.upper
    h.held = a.held
    h.centre = a.centre
    h.precision = a.precision
    h.correlated = a.correlated
    h.inverse = a.inverse
    h.auxiliary = a.auxiliary
    h.factor = a.factor
    h.start = a.start
    h.size = a.size
    h.place = a.place
    h.nominal = a.nominal
    h.local = a.local
    h.factor_at = a.factor_at
    h.factor_parameter = a.factor_parameter
    h.factor_kind = a.factor_kind
    h.factor_values = a.factor_values
    h.basis_parameter = a.basis_parameter
    h.basis_kind = a.basis_kind
    h.basis_table = a.basis_table
    h.tables = a.tables
    h.term_at = a.term_at
    h.term_basis = a.term_basis
    h.term_place = a.term_place
    h.vectors = a.vectors
    h.bend_at = a.bend_at
    h.bend_parameter = a.bend_parameter
    h.bend_place = a.bend_place
    h.bends = a.bends
    h.gamma_at = a.gamma_at
    h.gamma_place = a.gamma_place
    h.gammas = a.gammas
    h.used = a.used
    h.floor = a.floor
    h.local_kind = a.local_kind
    h.local_width = a.local_width
    h.local_centre = a.local_centre
    h.residual = a.residual
    h.pair_first = a.pair_first
    h.pair_second = a.pair_second
    h.pair_place = a.pair_place
    h.pairs = a.pairs
    h.weight = a.weight
    return h


@njit(cache=True)
def bind_work(w: Any) -> Any:
    """Return a handle to the arrays of a `Work`."""
    h = new(_WORK)
    h.scoring = w.scoring
    h.parts = w.parts
    h.phi = w.phi
    h.slope = w.slope
    h.bend = w.bend
    h.factor = w.factor
    h.factor_slope = w.factor_slope
    h.product = w.product
    h.bracket = w.bracket
    h.shape = w.shape
    h.yields = w.yields
    h.adjoint = w.adjoint
    h.mean = w.mean
    h.shared = w.shared
    h.variance = w.variance
    h.by_mean = w.by_mean
    h.by_shared = w.by_shared
    h.by_variance = w.by_variance
    h.curvature = w.curvature
    h.gamma = w.gamma
    h.fitted = w.fitted
    h.jacobian = w.jacobian
    h.scaled = w.scaled
    h.hessian = w.hessian
    h.lower = w.lower
    h.gradient = w.gradient
    h.bending = w.bending
    h.kept = w.kept
    h.step = w.step
    h.trial = w.trial
    h.other = w.other
    return h
