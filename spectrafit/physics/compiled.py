"""Decorators that compile the functions of physics, so that numba's flags and types are said once.

`scalar` is for functions that other compiled code calls, `ufunc` for functions that users call with arrays. Whoever
needs a table or a curve and nothing else works inside `interpreted`: Python then runs the same functions, because to
compile one takes longer than a thousand numbers do.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, vectorize

from spectrafit.jit import register

__all__ = ["interpreted", "plain", "scalar", "ufunc"]

Function = TypeVar("Function", bound=Callable[..., Any])
_INTERPRETED = ContextVar("_INTERPRETED", default=False)


def scalar(function: Function) -> Function:
    """Compile a function of numbers, for other compiled code to call; division by zero gives inf or NaN as in numpy."""
    compiled: Function = njit(error_model="numpy", no_cfunc_wrapper=True, _nrt=False)(function)
    return compiled


def plain(function: Function) -> Function:
    """Return the Python function that `scalar` compiles, for a few numbers that are not worth a compilation."""
    original: Function = cast(Any, function).py_func
    return original


@contextmanager
def interpreted() -> Iterator[None]:
    """Have Python itself run the functions that `ufunc` made, for numbers and numpy arrays: nothing is compiled.

    The answers are the compiled functions' up to the last bit of a square. Each number takes some microseconds.
    """
    before = _INTERPRETED.set(True)
    try:
        yield
    finally:
        _INTERPRETED.reset(before)


def _uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls the Python functions where the given one calls those that `scalar` compiled."""
    names = {
        name: _uncompiled(plain(value))
        for name, value in function.__globals__.items()
        if name in function.__code__.co_names and hasattr(value, "py_func")
    }
    return types.FunctionType(function.__code__, {**function.__globals__, **names})


def _interpret(function: Callable[..., Any], kinds: list[Any], arguments: tuple[Any, ...]) -> Any:
    """Return a function's values, (shape of the arguments together), or None if only the compiled one can tell."""
    given = [
        np.asarray(argument)
        for argument in arguments
        if isinstance(argument, (bool, int, float, np.generic)) or type(argument) is np.ndarray
    ]
    if len(given) < len(arguments) or len(given) != len(kinds):
        return None
    if not all(np.can_cast(value.dtype, kind, "safe") for value, kind in zip(given, kinds, strict=True)):
        return None
    arrays = np.broadcast_arrays(*(value.astype(kind) for value, kind in zip(given, kinds, strict=True)))
    # A flat array's elements are numpy's numbers, which divide by zero as the compiled function does.
    try:
        values = [function(*numbers) for numbers in zip(*(array.ravel() for array in arrays), strict=True)]
    except (ArithmeticError, ValueError):
        return None
    return np.array(values, np.float64).reshape(arrays[0].shape)[()]


def ufunc(signature: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a cached numba ufunc of one signature from a scalar function, built at its first call.

    numba keeps the compiled loop body on disk but builds the loop around it anew in every process, 20 ms each: done
    at import, thirty of them would cost every worker more than half a second for the three it uses. The answer is an
    ordinary function (it pickles by name) that takes scalars, numpy arrays and awkward arrays and answers in kind,
    and never warns: what has no value is NaN.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.cache
        def build() -> Callable[..., Any]:
            made: Callable[..., Any]
            try:
                made = vectorize([signature], cache=True)(function)
            except OSError:
                # A full disk must not stop anything: the function is compiled again in the next process.
                made = vectorize([signature])(function)
            return made

        register(build)
        given = signature[signature.index("(") + 1 : -1].replace("boolean", "bool").split(",")
        kinds = [np.dtype(kind.strip()) for kind in given]
        by_python = functools.cache(lambda: _uncompiled(function))

        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            # A vectorised loop computes both branches and chooses: its flags tell of numbers nobody gets.
            with np.errstate(all="ignore"):
                if _INTERPRETED.get() and not options:
                    values = _interpret(by_python(), kinds, arguments)
                    if values is not None:
                        return values
                return build()(*arguments, **options)

        return call

    return decorate
