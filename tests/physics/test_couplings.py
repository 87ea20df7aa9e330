import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit import physics as ph
from spectrafit.physics.couplings import COUPLINGS

couplings = st.sampled_from(sorted(COUPLINGS))


def test_the_table():
    assert set(COUPLINGS) == {"magnetic_moment", "charge_radius", "millicharge", "weak_mixing_angle"}
    for name, coupling in COUPLINGS.items():
        assert coupling.name == name
        assert coupling.powers == (1 if name == "magnetic_moment" else 2)
        assert set(coupling.carriers) <= set(ph.FLAVOURS.values())
    assert COUPLINGS["magnetic_moment"].lower == 0.0
    assert COUPLINGS["magnetic_moment"].carriers == (14, -14)


@given(couplings, st.floats(1e-6, 1e3))
def test_reported_and_back(name, kappa):
    coupling = COUPLINGS[name]
    assert coupling.kappa(coupling.reported(kappa)) == pytest.approx(kappa, rel=1e-9)
    if coupling.lower is None:
        assert coupling.kappa(coupling.reported(-kappa)) == pytest.approx(-kappa, rel=1e-9)


def test_kappa_of_order_one_is_of_interest():
    assert COUPLINGS["magnetic_moment"].reported(4.0) == pytest.approx(2e-9)
    assert COUPLINGS["magnetic_moment"].reported(-4.0) == 0.0
    assert COUPLINGS["charge_radius"].reported(-0.5) == pytest.approx(-5e-33)
    assert COUPLINGS["millicharge"].reported(2.0) == pytest.approx(2e-9)
    assert COUPLINGS["weak_mixing_angle"].reported(0.0) == ph.SIN2_THETA_W
    assert COUPLINGS["weak_mixing_angle"].reported(1.0) == pytest.approx(ph.SIN2_THETA_W + 0.01)


def test_the_table_costs_no_numba():
    code = "import sys; from spectrafit.physics.couplings import COUPLINGS; assert 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
