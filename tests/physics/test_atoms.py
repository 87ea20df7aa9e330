import numpy as np

from spectrafit import physics as ph


def test_electrons_freed():
    assert ph.z_effective_xenon(1.0) == 54
    assert ph.z_effective_xenon(0.0) == 0
    assert ph.z_effective_xenon(-1e-9) == 0
    assert np.isnan(ph.z_effective_xenon(np.nan))
    # Inclusive at threshold, however the energy came to GeV.
    for kev, below, at in ((0.0121, 0, 4), (0.6764, 26, 32), (34.561, 52, 54)):
        for t in (kev * 1e-6, kev / 1e6, kev * 1e-3 * 1e-3):
            assert ph.z_effective_xenon(t) == at
        assert ph.z_effective_xenon(kev * 0.9999e-6) == below
    t = np.geomspace(1e-9, 1e-3, 1000)
    assert (np.diff(ph.z_effective_xenon(t)) >= 0).all()


def test_cross_sections_per_atom():
    t = np.array([1e-6, 1e-5, 1e-4])
    factor = np.array([40, 52, 54])
    np.testing.assert_allclose(
        ph.dsigma_dt_sm_xenon(12, 4e-4, t, 0.23863), factor * ph.dsigma_dt_sm(12, 4e-4, t, 0.23863)
    )
    np.testing.assert_allclose(
        ph.dsigma_dt_magnetic_xenon(4e-4, t, 1e-11), factor * ph.dsigma_dt_magnetic(4e-4, t, 1e-11)
    )
    assert ph.dsigma_dt_magnetic_xenon(4e-4, 1e-3, 1e-11) == 0.0
