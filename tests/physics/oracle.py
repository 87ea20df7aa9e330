"""The definitions of `physics`, straight from the papers and with 40 digits; shared with it are constants only."""

import mpmath as mp

from spectrafit.physics import constants as c

mp.mp.dps = 40

M = mp.mpf(c.M_E)
FLAVOURS = (12, -12, 14, -14, 16, -16)
S2W = c.SIN2_THETA_W


def t_max(e):
    e = mp.mpf(e)
    return 2 * e**2 / (2 * e + M)


def cos_theta(e, t):
    e, t = mp.mpf(e), mp.mpf(t)
    return (e + M) / e * mp.sqrt(t**2 / ((t + M) ** 2 - M**2))


def theta(e, t):
    return mp.acos(min(cos_theta(e, t), mp.mpf(1)))


def t_theta2(e, t):
    return mp.mpf(t) * theta(e, t) ** 2


def couplings(pdg, s2w):
    gv = 2 * mp.mpf(s2w) + (mp.mpf(1) if abs(pdg) == 12 else -mp.mpf(1)) / 2
    ga = mp.mpf(1) / 2 if abs(pdg) == 12 else -mp.mpf(1) / 2
    return gv, ga if pdg > 0 else -ga


def dsigma_dt(gv, ga, e, t):
    """Note, equation 28."""
    e, t = mp.mpf(e), mp.mpf(t)
    front = mp.mpf(c.G_F) ** 2 * M / (2 * mp.pi) * mp.mpf(c.HBARC) ** 2
    return front * ((gv + ga) ** 2 + (gv - ga) ** 2 * (1 - t / e) ** 2 + (ga**2 - gv**2) * M * t / e**2)


def dsigma_dt_sm(pdg, e, t, s2w=S2W):
    return dsigma_dt(*couplings(pdg, s2w), e, t)


def dsigma_dt_magnetic(e, t, mu):
    """Note, equation 34."""
    front = mp.pi * mp.mpf(c.ALPHA) ** 2 / M**2 * mp.mpf(c.HBARC) ** 2
    return front * (1 / mp.mpf(t) - 1 / mp.mpf(e)) * mp.mpf(mu) ** 2
