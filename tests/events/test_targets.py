import itertools

import numpy as np
import pytest
from scipy import integrate

from spectrafit.config import Detector, SampleSet, Target
from spectrafit.errors import ConfigError
from spectrafit.events.sources import Beam
from spectrafit.events.spectrum import spectrum
from spectrafit.events.targets import atoms_of, electrons_of, masses_of, nuclei_of, nucleus_code, numbers_of, steps_of
from spectrafit.physics import atoms, cross_sections, kinematics
from spectrafit.physics.constants import SIN2_THETA_W

N_A = 6.02214076e23


def sample_set(**target):
    return SampleSet(samples=(), path="set.toml", target=Target(**target))


def test_electrons_and_nuclei_of_a_mass():
    # One tonne of xenon: 54 electrons an atom of 131.293 u.
    xenon = sample_set(material="Xe", mass=1000.0)
    assert electrons_of(xenon) == pytest.approx(1e6 * N_A / 131.293 * 54, rel=1e-5)
    assert sum(one.number for one in nuclei_of(xenon)) == pytest.approx(1e6 * N_A / 131.293, rel=1e-5)
    # Pseudocumene, 120.19 u and 66 electrons; a mixture by mass counts each formula.
    assert electrons_of(sample_set(material="C9H12", mass=1.0)) == pytest.approx(1e3 * N_A / 120.194 * 66, rel=1e-4)
    mixture = sample_set(material={"C": 0.75, "Ar": 0.25}, mass=2.0)
    assert atoms_of(mixture) == {
        "C": pytest.approx(1500 * N_A / 12.011, rel=1e-4),
        "Ar": pytest.approx(500 * N_A / 39.948, rel=1e-4),
    }
    assert electrons_of(SampleSet(samples=(), detector=Detector(electrons=3.0, origin="test"))) == 3.0


def test_nuclei_have_codes_and_masses():
    nuclei = nuclei_of(sample_set(material="Ge", mass=1.0))
    codes = np.array([one.code for one in nuclei])
    assert nucleus_code(32, 74) == 1000320740
    z, a = numbers_of(codes)
    assert z.tolist() == [32] * 5
    assert a.tolist() == [70, 72, 73, 74, 76]
    np.testing.assert_allclose(masses_of(z, a), [one.mass for one in nuclei], rtol=1e-15)
    # Gold, 196.96657 u less 79 electrons; plutonium is not in the table: 239 atomic mass units, in truth 239.0522 u.
    assert masses_of(np.array([79]), np.array([197])) == pytest.approx(183.4329, rel=1e-6)
    assert masses_of(np.array([94]), np.array([239])) == pytest.approx(222.628, rel=3e-4)


def test_bound_electrons_scatter_from_their_binding_energy_on():
    beam = Beam(edges=np.array([0.0, 1e-3]), parts=(lambda e: 1e20 * e,))
    steps = steps_of(sample_set(material="Ge", mass=1.0, binding="stepping"))
    t_min, t_max = 0.5e-6, 30e-6
    found = spectrum(beam, "nuebar", t_min=t_min, t_max=t_max, steps=steps)

    def per_t(t):
        low = float(kinematics.e_nu_min(t))
        inner = integrate.fixed_quad(
            lambda e: beam.density(e) * cross_sections.dsigma_dt_sm(-12, e, t, SIN2_THETA_W), low, 1e-3, n=40
        )[0]
        return inner * float(atoms.free_electron_fraction(t, "Ge"))

    edges = [t_min, *(e for e in steps[:, 0] if t_min < e < t_max), t_max]
    parts = np.array([integrate.fixed_quad(np.vectorize(per_t), a, b, n=12)[0] for a, b in itertools.pairwise(edges)])
    assert found.rate * 1e10 == pytest.approx(parts.sum(), rel=1e-7)
    e_nu, t = found.draw(np.array([7, 8], np.uint64), 0, 100_000)
    counts = np.histogram(t, edges)[0]
    expected = parts / parts.sum() * 100_000
    assert np.sum((counts - expected) ** 2 / expected) < 30.0
    assert np.all(t <= kinematics.t_max(e_nu))
    # Below every binding energy but those of the outer shells: 12 of carbon's electrons in two atoms.
    own = sample_set(material="C", mass=1.0, binding={"C": ((1.0, 2.0), (0.5, 4.0))})
    assert steps_of(own).tolist() == [[0.5e-6, pytest.approx(4 / 6)], [1e-6, 1.0]]
    assert steps_of(sample_set(material="C", mass=1.0)).tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"material": "Unobtainium"}, "formula 'Unobtainium'"),
        ({"material": {"C": 0.5, "O": 0.2}}, "add up to 0.7; they must make 1"),
        ({"material": "CsI", "binding": {"I": ((1.0, 3.0),)}}, "the shells of I have 3 electrons, and the atom has 53"),
        ({"material": "SiO2", "binding": "stepping"}, "no binding energies of Si"),
    ],
)
def test_targets_that_mean_nothing_are_refused(target, message):
    with pytest.raises(ConfigError, match=message):
        steps_of(sample_set(**{"mass": 1.0, "binding": "stepping"} | target))


def test_a_target_is_needed():
    with pytest.raises(ConfigError, match=r"needs \[target\] with material"):
        electrons_of(SampleSet(samples=(), path="set.toml"))
    with pytest.raises(ConfigError, match=r"needs \[target\] with material"):
        atoms_of(SampleSet(samples=(), path="set.toml"))
    # Both: the electrons are those that are counted, the nuclei those of the material.
    both = SampleSet(
        samples=(), target=Target(material="C", mass=1.0), detector=Detector(electrons=5.0, origin="somewhere")
    )
    assert electrons_of(both) == 5.0
    assert nuclei_of(both)[0].z == 6
