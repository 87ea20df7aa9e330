"""The variables of elastic scattering on an electron: energies, angles and their limits, each from the others.

Exact two-body kinematics on an electron at rest, with a massless neutrino: `e_nu` is the neutrino's energy, `t` the
electron's kinetic energy (GeV), `theta` its angle to the neutrino (rad), ``0 < t <= t_max(e_nu)``. Every function
here is a float64 numba ufunc: scalars, numpy arrays and jagged awkward arrays alike, broadcast against each other.

A kinematic variable has no value outside the domain: negative, infinite or NaN input, ``t > t_max(e_nu)``, an angle
beyond pi/2 give NaN. A `t` above `t_max` by a few units in the last place counts as `t_max`, so that numbers which
were rounded on the way stay inside.

Angles come from the tangent, ``T tan^2 theta = 2 m (1 - T/T_max) E^2/(E+m)^2``: the arc cosine of note equation 24
loses half of the digits of `theta` for a forward electron.
"""

from __future__ import annotations

import math

from spectrafit.physics.compiled import scalar, ufunc
from spectrafit.physics.constants import M_E

__all__ = [
    "cos_theta",
    "dt_theta2_dt",
    "e_nu_min",
    "max_t_theta2",
    "q2",
    "t_at_max_t_theta2",
    "t_max",
    "t_of_t_theta2",
    "t_of_theta",
    "t_tan2_theta",
    "t_theta2",
    "t_theta2_small_angle",
    "theta",
]

_ROUNDING = 1.0 + 8.0 * 2.0**-52
# Beyond this an energy in GeV is nonsense, and its powers overflow.
LARGEST = 1e100


@scalar
def inside(e_nu: float, t: float) -> bool:
    """Tell whether 0 < t <= t_max(e_nu), with a few units of rounding at the upper end; False for NaN and e_nu <= 0."""
    # Without branches: loops take several events at once, and Python may give it arrays.
    return (e_nu > 0.0) & (e_nu < LARGEST) & (t > 0.0) & (t * (2.0 * e_nu + M_E) <= 2.0 * e_nu * e_nu * _ROUNDING)


@scalar
def end_point(e_nu: float) -> float:
    """Return 2 E^2/(2E + m)."""
    return 2.0 * e_nu * e_nu / (2.0 * e_nu + M_E)


@scalar
def _t_tan2_theta(e_nu: float, t: float) -> float:
    # 2E(E-T) - mT is (2E+m)(T_max-T) without the rounding of T_max; the subtraction left, E-T, is exact for T > E/2.
    return M_E * max(2.0 * e_nu * (e_nu - t) - M_E * t, 0.0) / (e_nu + M_E) ** 2


@ufunc("float64(float64)")
def t_max(e_nu: float) -> float:
    """Return the largest kinetic energy of the electron, 2 E^2/(2E + m), GeV (note, equation 25).

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV; negative or NaN gives NaN.
    """
    if not 0.0 <= e_nu < LARGEST:
        return math.nan
    return end_point(e_nu)


@ufunc("float64(float64)")
def e_nu_min(t: float) -> float:
    """Return the smallest neutrino energy that can give the electron kinetic energy `t`, [T + sqrt(T(T + 2m))]/2, GeV.

    Parameters
    ----------
    t : array_like of float
        Electron kinetic energy, GeV; negative or NaN gives NaN.
    """
    if not 0.0 <= t < LARGEST:
        return math.nan
    return 0.5 * (t + math.sqrt(t * (t + 2.0 * M_E)))


@ufunc("float64(float64)")
def q2(t: float) -> float:
    """Return the momentum transfer squared that gives an electron at rest the energy `t` (GeV): Q^2 = 2 m T, GeV^2."""
    if not 0.0 <= t < LARGEST:
        return math.nan
    return 2.0 * M_E * t


@ufunc("float64(float64, float64)")
def theta(e_nu: float, t: float) -> float:
    """Return the angle between electron and neutrino, rad, from the tangent form.

    Parameters
    ----------
    e_nu, t : array_like of float
        Neutrino energy and electron kinetic energy, GeV. ``t = 0`` gives the limit pi/2; outside ``0 <= t <= t_max``
        NaN.
    """
    if not (inside(e_nu, t) or (t == 0.0 and 0.0 < e_nu < LARGEST)):
        return math.nan
    return 0.5 * math.pi if t == 0.0 else math.atan(math.sqrt(_t_tan2_theta(e_nu, t) / t))


@ufunc("float64(float64, float64)")
def cos_theta(e_nu: float, t: float) -> float:
    """Return the cosine of the electron's angle, (1 + m/E) sqrt(T/(T + 2m)) (note, equation 24).

    Parameters
    ----------
    e_nu, t : array_like of float
        Neutrino energy and electron kinetic energy, GeV. ``t = 0`` gives the limit 0; outside ``0 <= t <= t_max`` NaN.
    """
    if not (inside(e_nu, t) or (t == 0.0 and 0.0 < e_nu < LARGEST)):
        return math.nan
    return min((1.0 + M_E / e_nu) * math.sqrt(t / (t + 2.0 * M_E)), 1.0)


@ufunc("float64(float64, float64)")
def t_of_theta(e_nu: float, theta: float) -> float:
    """Return the kinetic energy of an electron emitted at `theta`, 2 m E^2 c^2/(2 m E + m^2 + E^2 s^2), GeV.

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV.
    theta : array_like of float
        Angle, rad, in [0, pi/2]; outside NaN: no electron goes backwards.
    """
    if not (0.0 <= e_nu < LARGEST and 0.0 <= theta <= 0.5 * math.pi):
        return math.nan
    c = e_nu * math.cos(theta)
    s = e_nu * math.sin(theta)
    return 2.0 * M_E * c * c / (M_E * (2.0 * e_nu + M_E) + s * s)


@ufunc("float64(float64, float64)")
def t_tan2_theta(e_nu: float, t: float) -> float:
    """Return T tan^2 theta = 2 m (1 - T/T_max) E^2/(E + m)^2, GeV: exact where note equation 26 approximates."""
    if not inside(e_nu, t):
        return math.nan
    return _t_tan2_theta(e_nu, t)


@ufunc("float64(float64, float64)")
def t_theta2(e_nu: float, t: float) -> float:
    """Return T theta^2, GeV rad^2, exactly; it is below 2 m = 1.022 MeV rad^2 for every true event.

    It is not monotonic in `t`: it vanishes at both ends of the domain and has its maximum at `t_at_max_t_theta2`.
    """
    if not inside(e_nu, t):
        return math.nan
    return t * math.atan(math.sqrt(_t_tan2_theta(e_nu, t) / t)) ** 2


@ufunc("float64(float64, float64)")
def t_theta2_small_angle(e_nu: float, t: float) -> float:
    """Return the small-angle approximation 2 m (1 - T/E) of T theta^2, GeV rad^2 (note, equation 26).

    Its relative error is about 2m/T [1 - (1 - T/E)/3] + m T/(2 E^2 (1 - T/E)): 0.25 % at E = 2 GeV, T = 0.3 GeV.
    """
    if not inside(e_nu, t):
        return math.nan
    return 2.0 * M_E * (1.0 - t / e_nu)


@ufunc("float64(float64, float64)")
def dt_theta2_dt(e_nu: float, t: float) -> float:
    """Return the derivative of T theta^2 with respect to T at fixed neutrino energy, rad^2.

    It is positive below `t_at_max_t_theta2` and negative above. At ``t = t_max`` it has the finite limit -m (2E +
    m)/(E + m)^2, from theta/tan theta -> 1.
    """
    if not inside(e_nu, t):
        return math.nan
    return t_theta2_slope(e_nu, t)


@scalar
def t_theta2_slope(e_nu: float, t: float) -> float:
    """Return d(T theta^2)/dT inside the domain."""
    tangent = math.sqrt(_t_tan2_theta(e_nu, t) / t)
    angle = math.atan(tangent)
    # theta^2 + T d(theta^2)/dT with d(theta^2) = (theta/tan theta) d(tan^2 theta)/(1 + tan^2 theta), d(tan^2)/dT = -2
    # m E^2/((E+m)^2 T^2).
    ratio = angle / tangent if tangent > 0.0 else 1.0
    slope = 2.0 * M_E * e_nu * e_nu / ((e_nu + M_E) ** 2 * t)
    return angle * angle - ratio * slope / (1.0 + tangent * tangent)


@scalar
def _ratio_and_lag(w: float) -> tuple[float, float]:
    """Return atan(u)/u and 1 - atan(u)/u for w = u^2, by the series of the latter where it would cancel."""
    if w > 0.25:
        u = math.sqrt(w)
        ratio = math.atan(u) / u
        return ratio, 1.0 - ratio
    total, power = 0.0, 1.0
    for index in range(1, 40):
        power *= -w
        term = -power / (2.0 * index + 1.0)
        total += term
        if abs(term) <= 1e-17 * total:
            break
    return 1.0 - total, total


@scalar
def _w_at_max(e_nu: float) -> float:
    """Return tan^2 theta at the maximum of T theta^2: the root of (u + u^3) atan(u) - u^2 = m (2E + m)/(E + m)^2.

    b is the right-hand side, m (2E + m)/(E + m)^2.

    Here w = u^2.
    """
    b = M_E * (2.0 * e_nu + M_E) / (e_nu + M_E) ** 2
    low, high = 0.0, 2.0
    w = min(math.sqrt(1.5 * b), 1.4)
    for _ in range(100):
        ratio, lag = _ratio_and_lag(w)
        # (u + u^3) atan(u) - u^2 = w (w - lag (1 + w)), with lag = 1 - atan(u)/u and w = u^2: no cancellation at
        # small w.
        excess = w * (w - lag * (1.0 + w)) - b
        dlag = (ratio - 1.0 / (1.0 + w)) / (2.0 * w)
        slope = 2.0 * w - lag * (1.0 + 2.0 * w) - w * (1.0 + w) * dlag
        if excess > 0.0:
            high = w
        else:
            low = w
        step = w - excess / slope
        new = step if low < step < high else 0.5 * (low + high)
        if abs(new - w) <= 2e-16 * w:
            return new
        w = new
    return w


@scalar
def _t_of_tan2(e_nu: float, w: float) -> float:
    return 2.0 * M_E * e_nu * e_nu / ((e_nu + M_E) ** 2 * w + M_E * (2.0 * e_nu + M_E))


@ufunc("float64(float64)")
def t_at_max_t_theta2(e_nu: float) -> float:
    """Return the kinetic energy at which T theta^2 is largest, GeV; about sqrt(4 m E/3).

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV; not positive gives NaN.
    """
    if not 0.0 < e_nu < LARGEST:
        return math.nan
    return _t_of_tan2(e_nu, _w_at_max(e_nu))


@ufunc("float64(float64)")
def max_t_theta2(e_nu: float) -> float:
    """Return the largest T theta^2 of a neutrino of energy `e_nu` (GeV), GeV rad^2; about 2m [1 - 2 sqrt(4m/(3E))].

    w is tan^2 theta there.
    """
    if not 0.0 < e_nu < LARGEST:
        return math.nan
    w = _w_at_max(e_nu)
    return _t_of_tan2(e_nu, w) * math.atan(math.sqrt(w)) ** 2


@ufunc("float64(float64, float64, boolean)")
def t_of_t_theta2(e_nu: float, t_theta2: float, upper: bool) -> float:
    """Return the kinetic energy that gives `t_theta2`, GeV, on one of its two branches.

    Parameters
    ----------
    e_nu : array_like of float
        Neutrino energy, GeV.
    t_theta2 : array_like of float
        T theta^2, GeV rad^2, between 0 and `max_t_theta2`; outside NaN. Close to the maximum both branches meet and
        the answer is known to the square root of the rounding only.
    upper : array_like of bool
        True for the branch above `t_at_max_t_theta2`, False for the one below.

    Notes
    -----
    With x = T theta^2, k = 2 m E^2/(E + m)^2, b = m (2E + m)/(E + m)^2, w = tan^2 theta and a = atan(sqrt(w))/sqrt(w),
    a root of w (k a^2 - x) = b x.
    """
    if not (0.0 < e_nu < LARGEST and t_theta2 >= 0.0):
        return math.nan
    if t_theta2 == 0.0:
        return end_point(e_nu) if upper else 0.0
    x = t_theta2
    k = 2.0 * M_E * e_nu * e_nu / (e_nu + M_E) ** 2
    b = M_E * (2.0 * e_nu + M_E) / (e_nu + M_E) ** 2
    w_top = _w_at_max(e_nu)
    # F(w) = k atan^2(u) - X (w + b) is positive between the branches. With the lag written apart, k - X keeps its
    # digits as X -> 2m.
    a, lag = _ratio_and_lag(w_top)
    top = w_top * ((k - x) * a * a - x * lag * (1.0 + a)) - x * b
    if top < 0.0:
        return _t_of_tan2(e_nu, w_top) if top > -4e-16 * x else math.nan
    if upper:
        low, high = 0.0, w_top
    else:
        low, high = w_top, (0.5 * math.pi) ** 2 * k / x
    w = 0.5 * (low + high) if upper else math.sqrt(low * high)
    for _ in range(200):
        a, lag = _ratio_and_lag(w)
        value = w * ((k - x) * a * a - x * lag * (1.0 + a)) - x * b
        slope = k * a / (1.0 + w) - x
        if (value > 0.0) == upper:
            high = w
        else:
            low = w
        step = w - value / slope if slope != 0.0 else -1.0
        new = step if low < step < high else 0.5 * (low + high)
        if abs(new - w) <= 2e-16 * w:
            w = new
            break
        w = new
    return _t_of_tan2(e_nu, w)
