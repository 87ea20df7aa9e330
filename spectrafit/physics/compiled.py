"""Decorators that compile the functions of physics, so that numba's flags and types are said once.

`scalar` is for functions that other compiled code calls, `ufunc` for functions that users call with arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit, vectorize

__all__ = ["plain", "scalar", "ufunc"]

F = TypeVar("F", bound=Callable[..., Any])


def scalar(function: F) -> F:
    """Compile a function of numbers, for other compiled code to call; division by zero gives inf or NaN as in numpy."""
    compiled: F = njit(error_model="numpy", no_cfunc_wrapper=True, _nrt=False)(function)
    return compiled


def plain(function: F) -> F:
    """Return the Python function that `scalar` compiles, for a few numbers that are not worth a compilation."""
    original: F = cast(Any, function).py_func
    return original


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
            made: Callable[..., Any] = vectorize([signature], cache=True)(function)
            return made

        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            # A vectorised loop computes both branches and chooses: its flags tell of numbers nobody gets.
            with np.errstate(all="ignore"):
                return build()(*arguments, **options)

        return call

    return decorate
