"""Traces of Dirac matrices as numbers: the oracle of cross sections and rates that need no formula for the trace."""

import numpy as np

METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
_ZERO, _ONE = np.zeros((2, 2)), np.eye(2)
GAMMA = np.array(
    [np.block([[_ONE, _ZERO], [_ZERO, -_ONE]])] + [np.block([[_ZERO, s], [-s, _ZERO]]) for s in _PAULI], dtype=complex
)
GAMMA5 = 1j * GAMMA[0] @ GAMMA[1] @ GAMMA[2] @ GAMMA[3]


def dot(a, b):
    return a @ METRIC @ b


def slash(p):
    return np.einsum("m,mij->ij", METRIC @ p, GAMMA)


def sigma(p, q):
    """Return sigma_mu_nu p^mu q^nu."""
    return 0.5j * (slash(p) @ slash(q) - slash(q) @ slash(p))


def bar(matrix):
    return GAMMA[0] @ matrix.conj().T @ GAMMA[0]


def squared(after, vertex, before):
    """Return the sum over spins of |ubar(after) vertex u(before)|^2 for massless spinors."""
    return np.trace(slash(after) @ vertex @ slash(before) @ bar(vertex)).real
