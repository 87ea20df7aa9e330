import itertools

import numpy as np
import pytest
from scipy import integrate, special

from spectrafit.errors import ConfigError
from spectrafit.events import flux
from spectrafit.events.spectrum import spectrum
from spectrafit.physics import cross_sections, kinematics
from spectrafit.physics.constants import M_E
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling
from spectrafit.physics.flavours import flavour
from spectrafit.physics.weighing import weigh
from spectrafit.random import stream_key

S2W = 0.23863
NUMU = flux.load("samples/flux/nova_2017/FHC_numu.dat")
NUE = flux.load("samples/flux/nova_2017/FHC_nue.dat")
CASES = {
    "Standard Model": ("numu", {}),
    "magnetic moment of nu_e": ("nue", {"coupling": "magnetic_moment", "kappa": 3.0, "t_min": 0.02}),
    "magnetic moment, strong": ("numu", {"coupling": "magnetic_moment", "kappa": 400.0, "t_min": 0.1}),
    "charge radius": ("numu", {"coupling": "charge_radius", "kappa": -1.3}),
    "millicharge": ("numubar", {"coupling": "millicharge", "kappa": 7.0, "t_min": 0.05}),
    "millicharge, other sign": ("nuebar", {"coupling": "millicharge", "kappa": -7.0, "t_min": 0.05, "t_max": 2.0}),
    "weak mixing angle": ("nuebar", {"coupling": "weak_mixing_angle", "kappa": 1.5}),
}


def dsigma(name, options, e_nu, t):
    """The coupling's cross section, cm^2/GeV, from the code that reweights: it knows nothing of the generator."""
    code = flavour(name)
    e_nu, t = np.broadcast_arrays(np.atleast_1d(e_nu).astype(float), np.atleast_1d(t).astype(float))
    plain = cross_sections.dsigma_dt_sm(code, e_nu, t, S2W)
    if not options.get("coupling"):
        return plain
    fitted = [FittedCoupling.of(COUPLINGS[options["coupling"]], carriers=[code])]
    weights = weigh(fitted, np.full(t.size, code), e_nu.ravel(), t.ravel())
    return plain * np.polynomial.polynomial.polyval(options["kappa"], weights).reshape(t.shape)


def total(name, options, e_nu):
    """Quadrature over T of the above, cm^2."""
    low, high = options.get("t_min", 0.0), min(options.get("t_max", np.inf), float(kinematics.t_max(e_nu)))
    if high <= low:
        return 0.0
    edges = np.linspace(low, high, 9) if low == 0.0 else np.geomspace(low, high, 9)
    parts = [
        integrate.fixed_quad(lambda t: dsigma(name, options, e_nu, t), a, b, n=40)[0]
        for a, b in itertools.pairwise(edges)
    ]
    return sum(parts)


@pytest.mark.parametrize("case", CASES)
def test_the_rate_is_the_integral_of_flux_times_cross_section(case):
    name, options = CASES[case]
    table = NUMU if "mu" in name else NUE
    found = spectrum(table, name, **options).rate
    low = max(0.0, float(kinematics.e_nu_min(options.get("t_min", 0.0))))
    kinks = [low, float(kinematics.e_nu_min(options["t_max"]))] if "t_max" in options else [low]
    edges = np.unique(np.concatenate([table.edges[table.edges > low], kinks, np.geomspace(max(low, 1e-3), 0.6, 12)]))
    rate = 0.0
    for a, b in itertools.pairwise(edges):
        averaged = integrate.fixed_quad(np.vectorize(lambda e: total(name, options, e)), a, b, n=8)[0]
        rate += float(table.density(0.5 * (a + b))) * averaged
    assert found == pytest.approx(rate * 1e-10, rel=2e-8)


@pytest.mark.parametrize("case", CASES)
def test_draws_follow_the_exact_distribution(case):
    # With E drawn, the cumulative of T given E is uniform; with T integrated out, so is the cumulative of E.
    name, options = CASES[case]
    table = NUMU if "mu" in name else NUE
    found = spectrum(table, name, **options)
    e_nu, t = found.draw(stream_key("draws", case), 0, 20_000)
    low, high = options.get("t_min", 0.0), np.minimum(kinematics.t_max(e_nu), options.get("t_max", np.inf))
    assert np.all((t > low) & (t <= high))
    some = slice(0, 1500)
    nodes, weights = np.polynomial.legendre.leggauss(60)

    def cumulative(upper):
        start = np.full(upper.size, low) if low else np.zeros(upper.size)
        if low:
            at = start[:, None] * (upper / start)[:, None] ** (0.5 * (1 + nodes))
            step = at * 0.5 * np.log(upper / start)[:, None]
        else:
            at = upper[:, None] * 0.5 * (1 + nodes)
            step = 0.5 * upper[:, None]
        return np.sum(dsigma(name, options, e_nu[some][:, None] + 0 * at, at) * step * weights, axis=1)

    u = np.sort(cumulative(t[some]) / cumulative(np.asarray(high[some]) * (1 - 1e-15)))
    n = u.size
    distance = np.max(np.abs(u - (np.arange(n) + 0.5) / n)) + 0.5 / n
    assert special.kolmogorov(distance * np.sqrt(n)) > 1e-3

    grid = np.unique(np.concatenate([table.edges, np.linspace(found.panels[0, 0], 4.0, 400)]))
    sigma = np.array([total(name, options, e) for e in grid])
    middle = 0.5 * (grid[1:] + grid[:-1])
    content = table.density(middle) * 0.5 * (sigma[1:] + sigma[:-1]) * np.diff(grid)
    content[middle < found.panels[0, 0]] = 0.0
    expected = np.interp(np.sort(e_nu), grid, np.concatenate([[0.0], np.cumsum(content)]) / content.sum())
    n = e_nu.size
    distance = np.max(np.abs(expected - (np.arange(n) + 0.5) / n)) + 0.5 / n
    assert special.kolmogorov(distance * np.sqrt(n)) > 1e-3


def test_standard_model_draws_are_the_inverse_of_the_closed_cumulative():
    found = spectrum(NUMU, "numu")
    e_nu, t = found.draw(stream_key(5), 100, 5000)
    fraction = cross_sections.sigma_sm(14, e_nu, 0.0, t, S2W) / cross_sections.sigma_sm(14, e_nu, 0.0, np.inf, S2W)
    again = cross_sections.t_from_cumulative(14, e_nu, np.minimum(fraction, 1.0), S2W)
    np.testing.assert_allclose(t, again, rtol=1e-12)


def test_the_table_of_energies_is_the_exact_cumulative():
    # In closed form: sigma_SM is integrated over E with x = 2E + m; see the terms of physics' total cross section.
    found = spectrum(NUMU, "numu")
    left, right = found.parameters[0, :2]

    def primitive(e):
        m, x = M_E, 2 * e + M_E
        t = 0.25 * (x * x / 2 - 2 * m * x + m * m * np.log(x))
        cube = (x * x / 2 - m * x + m**3 / x - m**4 / (2 * x * x)) / 12
        square = m / 4 * (x - 2 * m * np.log(x) - m * m / x)
        return left**2 * t + right**2 * cube - left * right * square

    content = NUMU.values / np.diff(NUMU.edges) * np.diff(primitive(NUMU.edges))
    ends = found.panels[:, 0] + found.panels[:, 1]
    at_edges = [found.cumulative[1 + np.argmin(np.abs(ends - edge))] for edge in NUMU.edges[1:]]
    np.testing.assert_allclose(at_edges, np.cumsum(content) / content.sum(), rtol=1e-10)
    low, width, p0, p1, p2 = found.panels[found.panels[:, 0] > 0.02].T
    for x in (0.25, 0.5, 0.8):
        exact = cross_sections.sigma_sm(14, low + width * x, 0.0, np.inf, S2W)
        np.testing.assert_allclose(p0 + x * (p1 + x * p2), exact, rtol=1e-12)


def test_draws_are_the_same_however_they_are_cut():
    found = spectrum(NUE, "nue", coupling="magnetic_moment", kappa=1.0, t_min=0.05)
    key = stream_key(3)
    whole = found.draw(key, 0, 1000)
    cut = [found.draw(key, a, b - a) for a, b in [(0, 1), (1, 333), (333, 1000)]]
    for k in range(2):
        assert np.concatenate([piece[k] for piece in cut]).tobytes() == whole[k].tobytes()


def test_nova_like_fluxes_give_the_known_ratio_of_magnetic_to_weak():
    # The counting analysis' window: sigma_MAG(1e-9 mu_B) / sigma_SM is 0.195 - 0.199.
    window = {"t_min": 0.3, "t_max": 0.9}
    weak = spectrum(NUMU, "numu", **window).rate
    both = spectrum(NUMU, "numu", coupling="magnetic_moment", kappa=1.0, **window).rate
    assert 0.195 <= both / weak - 1.0 <= 0.199


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coupling": "magnetic_momentum"}, "no coupling 'magnetic_momentum'; there are"),
        ({"coupling": "magnetic_moment", "kappa": 1.0}, "diverges at T = 0"),
        ({"coupling": "magnetic_moment", "kappa": -1.0, "t_min": 0.1}, "kappa >= 0"),
        ({"coupling": "millicharge", "kappa": 1.0}, "diverges at T = 0"),
        ({"t_min": 0.9, "t_max": 0.3}, "0 <= t_min < t_max"),
        ({"t_min": 25.0}, "no event of numu"),
        ({"kappa": np.nan}, "finite kappa"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        spectrum(NUMU, "numu", **options)
