"""Fills the benchmark's histograms with ROOT's RDataFrame, in a process of its own."""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from spectrafit.arraytypes import Values
from spectrafit.bench.ntuples import TREE
from spectrafit.physics.constants import M_E, SIGMA_MAGNETIC, SIGMA_SM, SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS

__all__ = ["fill"]

# The same ratio of cross sections as everywhere, in C++ for ROOT's just-in-time compiler.
_RATIO = """
double bench_ratio(int pdg, double e, double t) {{
    if (pdg != 14 && pdg != -14) return 0.0;
    const double r = 2.0 * {sin2}, l = r - 1.0;
    const double left = pdg > 0 ? l : r, right = pdg > 0 ? r : l;
    const double rest = 1.0 - t / e;
    const double bracket = left * left + right * right * rest * rest - left * right * {m_e} * t / (e * e);
    return {scale} * (1.0 / t - 1.0 / e) / bracket;
}}
"""


def _root(threads: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root: Any = import_module("ROOT")
    if not hasattr(root, "bench_ratio"):
        scale = SIGMA_MAGNETIC / SIGMA_SM * COUPLINGS["magnetic_moment"].scale
        root.gInterpreter.Declare(_RATIO.format(sin2=repr(SIN2_THETA_W), m_e=repr(M_E), scale=repr(scale)))
        root.TH1.AddDirectory(False)
        if threads > 1:
            root.EnableImplicitMT(threads)
    return root


def fill(files: Sequence[str], edges: tuple[Sequence[float], Sequence[float]], threads: int) -> Values:
    """Return sums of weights and of their squares as polynomials in kappa, (5, B): the columns of our own fill.

    The first call in a process sets the number of threads.
    """
    root = _root(threads)
    frame = root.RDataFrame(TREE, list(files))
    frame = (
        frame.Define("w0", "double(weight)")
        .Define("w1", "weight * bench_ratio(pdg, e_nu, t)")
        .Define("w01", "2.0 * w0 * w1")
        .Define("t_theta2", "double(t_reco) * (double(theta_reco) * double(theta_reco))")
    )
    axes = [part for axis_edges in edges for part in (len(axis_edges) - 1, array("d", axis_edges))]
    booked = [frame.Histo2D((name, "", *axes), "t_reco", "t_theta2", name) for name in ("w0", "w1", "w01")]
    shape = (len(edges[1]) + 1, len(edges[0]) + 1)

    def inner(values: Any) -> Values:
        flat = np.frombuffer(values, np.float64, int(np.prod(shape)))
        return flat.reshape(shape)[1:-1, 1:-1].T.ravel().copy()

    found = [histogram.GetValue() for histogram in booked]
    sums = [inner(histogram.GetArray()) for histogram in found]
    squares = [inner(histogram.GetSumw2().GetArray()) for histogram in found[:2]]
    return np.stack([sums[0], sums[1], squares[0], sums[2], squares[1]])
