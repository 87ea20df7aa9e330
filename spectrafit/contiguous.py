"""The arrays that kernels take: C-contiguous, and read and written without a look at the index.

numba's own arrays carry their strides, their owner and a choice at every index between counting from the start and from
the end. A kernel with a hundred indices spends more than half of its compilation on that. Here an array is an address
and a shape, and an element costs one sum and one load. An index must lie in the array and count from its start; this
is not checked. Slices, iteration and methods are not for these arrays: `view` and `row` give parts of them.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import (
    NativeValue,
    intrinsic,
    lower_builtin,
    lower_cast,
    lower_getattr,
    models,
    register_model,
    unbox,
)

__all__ = ["Contiguous", "get", "put", "row", "share", "view"]

_WORD = ir.IntType(64)


class Contiguous(types.Array):  # type: the elements' type, the number of dimensions and whether it is only read
    """The numba type of an array of a kernel.

    Parameters
    ----------
    dtype : numba type
        Of the elements.
    ndim : int
    readonly : bool
        Whether the kernel takes arrays that cannot be written to.
    """

    def __init__(self, dtype: Any, ndim: int = 1, *, readonly: bool = False) -> None:
        name = f"contiguous({dtype}, {ndim}{', readonly' if readonly else ''})"
        super().__init__(dtype, ndim, "C", readonly=readonly, name=name)

    def copy(self, dtype: Any = None, ndim: Any = None, layout: Any = None, readonly: Any = None) -> Contiguous:
        """Return the type of such an array with something else: numba asks for the type of a row."""
        readonly = not self.mutable if readonly is None else readonly
        return Contiguous(dtype or self.dtype, self.ndim if ndim is None else ndim, readonly=readonly)


@register_model(Contiguous)
class _Model(models.StructModel):  # type: an address and a shape
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, [("data", types.CPointer(kind.dtype)), ("shape", _shape(kind.ndim))])


def _shape(ndim: int) -> Any:
    return types.UniTuple(types.intp, ndim)


def share(context: Any, builder: Any, kind: Any, data: Any, shape: Any) -> Any:
    """Emit an array of the type `kind` from the address of its elements and its lengths."""
    array = ir.Constant(context.get_value_type(kind), ir.Undefined)
    array = builder.insert_value(array, data, 0)
    return builder.insert_value(array, cgutils.pack_array(builder, shape), 1)


@unbox(Contiguous)
def _unbox(kind: Any, obj: Any, c: Any) -> Any:
    """Take a numpy array as numba does, and keep its address and shape."""
    plain = types.Array(kind.dtype, kind.ndim, "C", readonly=not kind.mutable)
    given = c.unbox(plain, obj)
    array = c.context.make_array(plain)(c.context, c.builder, given.value)
    lengths = cgutils.unpack_tuple(c.builder, array.shape, kind.ndim)
    return NativeValue(share(c.context, c.builder, kind, array.data, lengths), is_error=given.is_error)


@lower_cast(types.Array, Contiguous)
def _keep(context: Any, builder: Any, given: Any, kind: Any, value: Any) -> Any:
    """Keep the address and shape of numba's own array, which a function that is no kernel gives to one."""
    if isinstance(given, Contiguous):
        return value
    array = context.make_array(given)(context, builder, value)
    return share(context, builder, kind, array.data, cgutils.unpack_tuple(builder, array.shape, kind.ndim))


def _place(context: Any, builder: Any, kind: Any, array: Any, indices: Any, given: Any) -> Any:
    """Emit the address of the first element that has these indices."""
    place = None
    for dimension in range(kind.ndim):
        index = None
        if dimension < len(indices):
            index = context.cast(builder, indices[dimension], given[dimension], types.intp)
        if place is None:
            place = index
            continue
        place = builder.mul(place, builder.extract_value(array, [1, dimension]))
        place = place if index is None else builder.add(place, index)
    return builder.gep(builder.extract_value(array, 0), [place], inbounds=True)


def get(context: Any, builder: Any, kind: Any, index: Any, array: Any, value: Any) -> Any:
    """Emit the load of an element, or the address and shape of a part with fewer dimensions.

    Parameters
    ----------
    kind, index : numba types
        Of the array and of the index: a number, or a tuple of numbers.
    array, value : LLVM values
    """
    indices, given = _taken(builder, index, value)
    place = _place(context, builder, kind, array, indices, given)
    if len(indices) == kind.ndim:
        return context.unpack_value(builder, kind.dtype, place)
    left = [builder.extract_value(array, [1, dimension]) for dimension in range(len(indices), kind.ndim)]
    return share(context, builder, kind.copy(ndim=len(left)), place, left)


def put(context: Any, builder: Any, kind: Any, index: Any, given: Any, array: Any, value: Any, element: Any) -> Any:
    """Emit the store of an element of the type `given`; the rest as for `get`."""
    indices, kinds = _taken(builder, index, value)
    if len(indices) != kind.ndim:
        raise TypeError(f"only elements of {kind} can be written to, not {index}")
    place = _place(context, builder, kind, array, indices, kinds)
    context.pack_value(builder, kind.dtype, context.cast(builder, element, given, kind.dtype), place)
    return context.get_dummy_value()


def _taken(builder: Any, index: Any, value: Any) -> tuple[Any, Any]:
    """Return the indices that an index consists of, and their types."""
    if isinstance(index, types.BaseTuple):
        return cgutils.unpack_tuple(builder, value, len(index)), list(index)
    return [value], [index]


# One number, or one for each dimension; all of one type or not.
for _index in (types.Integer, types.UniTuple, types.Tuple):
    lower_builtin(operator.getitem, Contiguous, _index)(lambda c, b, s, args: get(c, b, *s.args, *args))
    lower_builtin(operator.setitem, Contiguous, _index, types.Any)(lambda c, b, s, args: put(c, b, *s.args, *args))


@lower_getattr(Contiguous, "size")
def _size(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    size = builder.extract_value(array, [1, 0])
    for dimension in range(1, kind.ndim):
        size = builder.mul(size, builder.extract_value(array, [1, dimension]))
    return size


@lower_getattr(Contiguous, "shape")
def _lengths(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return builder.extract_value(array, 1)


@intrinsic
def view(_: Any, array: Any, start: Any, size: Any) -> Any:
    """Return array[start : start + size] of a vector, unchecked."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return share(
            context, builder, array, _place(context, builder, array, args[0], [args[1]], [types.intp]), [args[2]]
        )

    return array(array, types.int64, types.int64), emit


@intrinsic
def row(_: Any, matrix: Any, index: Any, start: Any, size: Any) -> Any:
    """Return matrix[index, start : start + size], unchecked."""
    kind = matrix.copy(ndim=1)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, matrix, args[0], args[1:3], [types.intp] * 2)
        return share(context, builder, kind, place, [args[3]])

    return kind(matrix, types.int64, types.int64, types.int64), emit
