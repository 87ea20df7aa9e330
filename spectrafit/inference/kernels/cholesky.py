"""Cholesky factor, solutions and inverse of a symmetric matrix without some of its rows (numba kernels).

`order` lists the rows that take part. Fixed parameters and parameters pressed against a limit are not in the list.
Factors are packed. The algorithm is written out here so that kernels can call it, and because fits are small: waking up
a library's threads takes longer than the whole factorisation.

i, j and k are places in `order`: L_ij = (M_ij - sum over k < j of L_ik L_jk) / L_jj. n is the number of rows.
"""

from __future__ import annotations

import math
from typing import Any

from numba import types

from spectrafit.inference.kernels.fields import FLAGS, FLOATS, INTEGERS, MATRIX
from spectrafit.jit import kernel

__all__ = ["factorise", "inverse", "solve"]

# The matrix counts as singular if a pivot is smaller than this part of its diagonal element.
_SINGULAR = 1e-13


@kernel(types.boolean(MATRIX, INTEGERS, types.int64, MATRIX, types.float64), fastmath=True)
def factorise(matrix: Any, order: Any, size: int, lower: Any, shift: float) -> Any:
    """Fill the packed lower factor of matrix + shift diag on `order[:size]`; return whether it is positive definite."""
    for i in range(size):
        row, original = lower[i], matrix[order[i]]
        for j in range(i):
            other = lower[j]
            total = original[order[j]]
            for k in range(j):
                total -= row[k] * other[k]
            row[j] = total / other[j]
        diagonal = original[order[i]]
        total = diagonal * (1.0 + shift)
        for k in range(i):
            total -= row[k] * row[k]
        if not total > _SINGULAR * abs(diagonal):
            return False
        row[i] = math.sqrt(total)
    return True


@kernel(types.void(MATRIX, types.int64, FLOATS), fastmath=True)
def solve(lower: Any, size: int, x: Any) -> None:
    """Replace the packed vector `x` by the solution of L L^T y = x."""
    for i in range(size):
        row, total = lower[i], x[i]
        for k in range(i):
            total -= row[k] * x[k]
        x[i] = total / row[i]
    for i in range(size - 1, -1, -1):
        row = lower[i]
        value = x[i] / row[i]
        x[i] = value
        for k in range(i):
            x[k] -= row[k] * value


@kernel(types.boolean(MATRIX, FLAGS, INTEGERS, MATRIX, FLOATS, MATRIX), entry=True)
def inverse(matrix: Any, rows: Any, order: Any, lower: Any, column: Any, result: Any) -> Any:
    """Fill `result` with the inverse on the chosen `rows`, 0 elsewhere; return whether the matrix is positive definite.

    Parameters
    ----------
    matrix, result : (K, K) arrays
    rows : (K,) bool array
    order, lower, column : (K,) int, (K, K) and (K,) arrays
        Scratch space.
    """
    n = rows.size
    size = 0
    for k in range(n):
        if rows[k]:
            order[size] = k
            size += 1
        for j in range(n):
            result[k, j] = 0.0
    if not factorise(matrix, order, size, lower, 0.0):
        return False
    for j in range(size):
        for i in range(size):
            column[i] = 1.0 if i == j else 0.0
        solve(lower, size, column)
        for i in range(size):
            result[order[i], order[j]] = column[i]
    return True
