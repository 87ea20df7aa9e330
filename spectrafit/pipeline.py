"""What numba does to make a kernel of a Python function: its own steps, without those that kernels have no use for.

Most of what a first fit costs is numba's own Python code, and much of that is spent on the general case: closures,
array expressions, `with` blocks, functions that are typed anew at every use of `+`. Kernels are loops over numbers and
`Contiguous` arrays. The steps below give the same machine code for them; whatever else a kernel contains, a step hands
to numba. They are subclasses: nothing of numba is replaced for anybody else's functions.
"""

from __future__ import annotations

import operator
from typing import Any

from numba import types
from numba.core import untyped_passes
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.ir import UNDEFINED
from numba.core.lowering import Lower
from numba.core.typed_passes import (
    AnnotateTypes,
    InlineOverloads,
    NativeLowering,
    NopythonRewrites,
    NopythonTypeInference,
)

from spectrafit.contiguous import Contiguous, get, put

__all__ = ["KernelCompiler"]

# Steps of numba's that change nothing in a kernel.
_LEFT_OUT = (
    untyped_passes.WithLifting,
    untyped_passes.InlineClosureLikes,
    untyped_passes.RewriteDynamicRaises,
    untyped_passes.MakeFunctionToJitFunction,
    untyped_passes.FindLiterallyCalls,
    untyped_passes.LiteralUnroll,
    untyped_passes.LiteralPropagationSubPipelinePass,
    AnnotateTypes,
    InlineOverloads,
    NopythonRewrites,
)


class _Flags(Flags):
    """numba's flags, compared without a look at those that nobody set: numba compares flags at every operator."""

    _hash: int | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Flags):
            return bool(Flags.__eq__(self, other))
        if self._values == other._values:
            return True
        return all(getattr(self, name) == getattr(other, name) for name in {*self._values, *other._values})

    def __hash__(self) -> int:
        # numba's is a hash of the options' names, the same for all.
        if _Flags._hash is None:
            _Flags._hash = Flags.__hash__(self)
        return _Flags._hash


class _Remembering:
    """numba's typing context, which remembers the types of operators on numbers and of elements of arrays.

    They follow from the types of the operands alone. numba finds them by trying all it has for the operator.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, function: Any, args: Any, kws: Any) -> Any:
        """Return the signature of a call."""
        # numba asks with the function itself for elements, with its type for other operators, with a name for loops.
        name = function.typing_key if isinstance(function, types.Function) else function
        if kws or not (name in _OPERATORS and all(map(_plain, args))):
            return self._context.resolve_function_type(function, args, kws)
        key = function, tuple(args)
        if key not in _KNOWN:
            _KNOWN[key] = self._context.resolve_function_type(function, args, kws)
        return _KNOWN[key]


_KNOWN: dict[Any, Any] = {}
_OPERATORS = {*(value for value in vars(operator).values() if callable(value)), range, bool, "getiter", "iternext"}
_SIMPLE = (types.Number, types.Boolean, types.RangeType, types.iterators.RangeIteratorType, Contiguous)


def _plain(kind: Any) -> bool:
    """Tell whether the type is a number's, an array's of kernels, or an index's of several numbers."""
    if isinstance(kind, types.BaseTuple):
        return all(isinstance(part, types.Integer) for part in kind)
    return isinstance(
        kind, (types.Number, types.Boolean, types.RangeType, types.iterators.RangeIteratorType, Contiguous)
    )


@register_pass(mutates_CFG=True, analysis_only=False)
class _Typing(NopythonTypeInference):
    """Find the types of all variables."""

    def run_pass(self, state: Any) -> bool:
        """Find them with the help of what is remembered."""
        context = state.typingctx
        state.typingctx = _Remembering(context)
        try:
            return bool(super().run_pass(state))
        finally:
            state.typingctx = context


class _Lower(Lower):
    """Emits LLVM's code for each statement."""

    def lower_binop(self, resty: Any, expr: Any, op: Any) -> Any:
        """Emit an operator; numba finds its signature a second time, here the one that is known is used."""
        signature = self.fndesc.calltypes[expr]
        static = expr.static_lhs is not UNDEFINED or expr.static_rhs is not UNDEFINED
        if static or not all(map(_plain, signature.args)):
            return super().lower_binop(resty, expr, op)
        context, builder = self.context, self.builder
        try:
            emit = context.get_function(context.typing_context.resolve_value_type(op), signature)
        except KeyError:
            # The signature was remembered from before numba got more to choose from.
            return super().lower_binop(resty, expr, op)
        values = [
            context.cast(builder, self.loadvar(side.name), self.typeof(side.name), kind)
            for side, kind in zip((expr.lhs, expr.rhs), signature.args, strict=True)
        ]
        return context.cast(builder, emit(builder, values), signature.return_type, resty)

    def lower_getitem(self, resty: Any, expr: Any, value: Any, index: Any, signature: Any) -> Any:
        """Emit the load of an element."""
        array, given = self.typeof(value.name), self.typeof(index.name)
        if not (isinstance(array, Contiguous) and _plain(given)):
            return super().lower_getitem(resty, expr, value, index, signature)
        found = get(self.context, self.builder, array, given, self.loadvar(value.name), self.loadvar(index.name))
        return self.context.cast(self.builder, found, signature.return_type, resty)

    def lower_setitem(self, target_var: Any, index_var: Any, value_var: Any, signature: Any) -> Any:
        """Emit the store of an element."""
        array, given, kind = (self.typeof(variable.name) for variable in (target_var, index_var, value_var))
        if not (isinstance(array, Contiguous) and _plain(given)):
            return super().lower_setitem(target_var, index_var, value_var, signature)
        values = [self.loadvar(variable.name) for variable in (target_var, index_var, value_var)]
        return put(self.context, self.builder, array, given, kind, *values)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):
    """Make machine code."""

    @property
    def lowering_class(self) -> Any:
        """The class that emits the code."""
        return _Lower


_OWN = {NopythonTypeInference: _Typing, NativeLowering: _Lowering}


class KernelCompiler(CompilerBase):
    """numba's compiler with the steps that kernels need."""

    def __init__(
        self, typingctx: Any, targetctx: Any, library: Any, args: Any, return_type: Any, flags: Any, locals: Any
    ) -> None:
        super().__init__(typingctx, targetctx, library, args, return_type, _Flags(flags), locals)

    def define_pipelines(self) -> list[Any]:
        """Return numba's steps without those that are left out and with those of our own."""
        whole = DefaultPassBuilder.define_nopython_pipeline(self.state)
        made = PassManager("kernel")
        for step, name in whole.passes:
            if step not in _LEFT_OUT:
                made.add_pass(_OWN.get(step, step), name)
        made.finalize()
        return [made]
