from typing import Any

import numpy as np

M_E = 0.51099895069e-3


def exact_theta(e_nu: Any, t: Any) -> Any:
    """Angle from four-momentum conservation: cos = (E + m) T / (E p), by the stable half-angle of the cosine rule."""
    p = np.sqrt(t * (t + 2 * M_E))
    out = e_nu - t  # energy, hence momentum, of the outgoing neutrino
    # |p_nu'|^2 = E^2 + p^2 - 2 E p cos  =>  4 E p sin^2(th/2) = |p_nu'|^2 - (E - p)^2
    return 2 * np.arcsin(np.sqrt(np.maximum((out - (e_nu - p)) * (out + (e_nu - p)), 0) / (4 * e_nu * p)))


def truth(n: int, seed: int = 1) -> dict[str, Any]:
    """nu_mu e events anywhere in the domain, with exact angles, in double precision."""
    rng = np.random.default_rng(seed)
    e_nu = rng.uniform(0.5, 10.0, n)
    t = rng.uniform(0.001, 0.999, n) * 2 * e_nu**2 / (2 * e_nu + M_E)
    return {"pdg": np.full(n, 14, dtype=np.int32), "e_nu": e_nu, "t": t, "theta": exact_theta(e_nu, t)}


def native(n: int, seed: int = 1) -> dict[str, Any]:
    columns = truth(n, seed)
    rng = np.random.default_rng(seed + 1000)
    return columns | {
        "t_reco": (columns["t"] * rng.normal(1, 0.1, n)).astype(np.float32),
        "theta_reco": np.abs(columns["theta"] + rng.normal(0, 0.01, n)).astype(np.float32),
        "weight": rng.uniform(0.5, 1.0, n).astype(np.float32),
    }
