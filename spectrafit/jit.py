"""How spectrafit compiles: the flags of its numba kernels with their reasons, and how kernels call each other.

numba merges the code of every function that a kernel calls into the kernel and optimises the whole again: `minimise`
alone would compile `evaluate` six times. A `Kernel` is called through a symbol that holds its address, so that each
kernel is compiled once and its callers contain a call. A call costs a nanosecond: kernels work on all bins, never on
one. Small functions that a kernel needs for each bin are marked with `inlined`; they are compiled into it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from spectrafit.kept import compiled_sources

__all__ = [
    "FAST",
    "KERNEL",
    "Kernel",
    "Loop",
    "inlined",
    "kernel",
    "loop",
    "prepare_all",
    "register",
]

# Sums may be reordered (SIMD), everything else keeps IEEE rules: NaN and infinity must stay visible.
FAST = {"reassoc", "contract", "nsz"}

KERNEL: dict[str, Any] = {
    "cache": True,
    # Threads fit at the same time.
    "nogil": True,
    # Division by zero gives inf or nan as in numpy; a test before each division would stop loops from being vectorised.
    "error_model": "numpy",
    # No C code calls the kernels.
    "no_cfunc_wrapper": True,
    # Kernels work on arrays that their caller owns and allocate none, so there are no references to count.
    "_nrt": False,
}

_LOCK = threading.RLock()
# How to compile each of them.
_ALL: list[Callable[[], object]] = []


class Kernel:
    """A compiled function that other kernels call without compiling it into themselves.

    The kernel and all kernels it calls are compiled, or loaded from the cache, when it is first called from Python or
    when `prepare` is called. Only kernels with `entry` can be called from Python.
    """

    def __init__(
        self, function: Callable[..., Any], signature: Any, *, entry: bool, fastmath: bool, optional: bool
    ) -> None:
        from llvmlite.binding import add_symbol
        from numba import njit
        from numba.core import types
        from numba.core.typing.templates import AbstractTemplate, infer_global
        from numba.extending import lower_builtin

        from spectrafit.pipeline import KernelCompiler

        options = {
            **KERNEL,
            "pipeline_class": KernelCompiler,
            "no_cpython_wrapper": not entry,
            **({"fastmath": FAST} if fastmath else {}),
        }
        self.signature = signature
        self.symbol = f"{function.__module__}.{function.__qualname__}"
        self.dispatcher = _kept(njit(**options)(function))
        self.__doc__, self.__name__, self.__module__ = function.__doc__, function.__name__, function.__module__
        self.optional, self._ready = optional, False
        self._entry: Any = None
        _ALL.append(self.prepare)
        # Where its address will be: known to other kernels by its symbol.
        self._slot = (ctypes.c_int64 * 1)()
        add_symbol(self.symbol, ctypes.addressof(self._slot))

        class Template(AbstractTemplate):
            key = self

            def generic(self, args: Any, kws: Any) -> Any:
                return signature

        infer_global(self, types.Function(Template))
        lower_builtin(self, *signature.args)(self._call)

    def _call(self, context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit a call through this kernel's symbol, with numba's own calling convention."""
        from llvmlite import ir
        from numba.core import cgutils

        convention, result = context.call_conv, self.signature.return_type
        kind = convention.get_function_type(result, self.signature.args)
        slots, name = builder.module.globals, f"call.{self.symbol}"
        if name not in slots:
            # The symbol holds the address, so a small function that jumps there.
            slot = ir.GlobalVariable(builder.module, kind.as_pointer(), self.symbol)
            jump = ir.Function(builder.module, kind, name)
            jump.linkage = "internal"
            inside = ir.IRBuilder(jump.append_basic_block())
            inside.ret(inside.call(inside.load(slot), jump.args))
        status, value = convention.call_function(builder, slots[name], result, self.signature.args, args)
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return value

    def prepare(self) -> None:
        """Compile this kernel and those it calls, or load them from the cache."""
        if self._ready:
            return
        with _LOCK:
            if self._ready:
                return
            for other in _called(self.dispatcher.py_func):
                if not other.optional:
                    other.prepare()
            self.dispatcher.compile(self.signature)
            compiled = self.dispatcher.overloads[self.signature.args]
            self._slot[0] = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
            # Called without numba's look at the types of its arguments, which takes longer than a small fit's kernel.
            self._entry, self._ready = compiled.entry_point, True

    def __call__(self, *args: Any) -> Any:
        """Call the kernel from Python: arrays must be contiguous, of the signature's types; this is not checked."""
        if not self._ready:
            self.prepare()
        return self._entry(*args)

    def __repr__(self) -> str:
        return f"<kernel {self.symbol}>"


def _kept(dispatcher: Any) -> Any:
    """Return a dispatcher that does without its cache where nothing can be written.

    A disk that is full must not stop a fit: the kernel is compiled again in the next process.
    """
    from numba.core.caching import FunctionCache

    class Kept(FunctionCache):
        def save_overload(self, signature: Any, data: Any) -> None:
            with suppress(OSError):
                super().save_overload(signature, data)

    if isinstance(dispatcher._cache, FunctionCache):
        dispatcher._cache = Kept(dispatcher.py_func)
    return dispatcher


def _called(function: Any) -> Iterator[Kernel]:
    """Yield the kernels that a function calls, itself or in functions that are inlined into it."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, Kernel):
            yield value
        elif hasattr(value, "py_func") and value.py_func is not function:
            yield from _called(value.py_func)


def kernel(
    signature: Any, *, entry: bool = False, fastmath: bool = False, optional: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that makes a `Kernel` of a function.

    Parameters
    ----------
    signature : numba signature
        Its arrays are C-contiguous.
    entry : bool
        Whether it is called from Python too.
    fastmath : bool
        Whether sums may be reordered.
    optional : bool
        Whether its callers usually do without it. It is then not compiled with them, and its `prepare` must be called
        before a caller calls it.
    """
    return lambda function: Kernel(function, signature, entry=entry, fastmath=fastmath, optional=optional)


class Loop:
    """A compiled function of arrays in several precisions, each compiled when data of this precision first come.

    numba would compile a function with a list of signatures for all of them when its module is imported. Of twenty
    kernels that a build might need, a usual build needs ten, in one precision.
    """

    def __init__(self, function: Callable[..., Any], signatures: Sequence[Any], options: dict[str, Any]) -> None:
        self.function, self.options, self.signatures = function, options, tuple(signatures)
        self.symbol = f"{function.__module__}.{function.__qualname__}"
        self.__doc__, self.__name__, self.__module__ = function.__doc__, function.__name__, function.__module__
        arguments = list(zip(*(signature.args for signature in self.signatures), strict=True))
        # The arguments whose types tell the signatures apart.
        self._telling = [place for place, kinds in enumerate(arguments) if len(set(kinds)) > 1]
        self._wanted = {
            tuple(str(signature.args[place].dtype) for place in self._telling): signature
            for signature in self.signatures
        }
        self._ready: dict[Any, Callable[..., Any]] = {}
        _ALL.append(self.prepare)

    def prepare(self) -> None:
        """Compile all signatures, or load them from the cache."""
        for kinds in self._wanted:
            self._compiled(kinds)

    def _compiled(self, kinds: tuple[str, ...]) -> Callable[..., Any]:
        """Return the function compiled for these kinds of elements."""
        if kinds not in self._wanted:
            known = "; ".join(", ".join(kinds) for kinds in self._wanted)
            raise TypeError(f"{self.__name__}: elements of type {', '.join(kinds)}; needed {known}")
        from numba import njit

        from spectrafit.pipeline import KernelCompiler

        options = {"pipeline_class": KernelCompiler, **self.options}
        with _LOCK:
            for other in _called(self.function):
                if not other.optional:
                    other.prepare()
            if kinds not in self._ready:
                made = _kept(njit(**options)(self.function))
                made.compile(self._wanted[kinds])
                made.disable_compile()
                self._ready[kinds] = made
        return self._ready[kinds]

    def __call__(self, *args: Any) -> Any:
        """Call the compiled function; numba checks the types of the arguments."""
        kinds = tuple(args[place].dtype.name for place in self._telling)
        made = self._ready.get(kinds)
        return (made or self._compiled(kinds))(*args)

    def __repr__(self) -> str:
        return f"<loop {self.symbol}>"


def loop(*signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that makes a `Loop` of a function.

    Parameters
    ----------
    *signatures : numba signatures
        They differ in the elements of some of their arrays.
    **options
        Options of numba besides those of `KERNEL`.
    """
    return lambda function: Loop(function, signatures, {**KERNEL, **options})


def inlined(function: Callable[..., Any]) -> Any:
    """Return a function that numba compiles into each kernel that calls it, and nowhere else."""
    from numba import njit

    return njit(inline="always", error_model="numpy", _nrt=False)(function)


def register(prepare: Callable[[], object]) -> None:
    """Have `prepare_all` call `prepare`, which compiles something that is otherwise compiled when it is first used."""
    _ALL.append(prepare)


def prepare_all(package: str) -> tuple[int, int]:
    """Compile every kernel of a package for all types it takes, or load it from the cache.

    Returns
    -------
    ready, compiled : int
        How many kernels there are, and how many compilations that took: 0 if the cache had them all.
    """
    from importlib import import_module
    from importlib.util import find_spec

    from numba.core import event

    spec = find_spec(package)
    root = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path(package)
    sources = sorted(compiled_sources(str(path) for path in root.rglob("*.py")))
    with event.install_recorder("numba:compile") as made:
        for source in sources:
            path = Path(source).relative_to(root).with_suffix("")
            import_module(".".join((package, *(part for part in path.parts if part != "__init__"))))
        for prepare in _ALL:
            prepare()
    # A start and an end each.
    return len(_ALL), len(made.buffer) // 2
