import numpy as np

from spectrafit.inference.fitting.validation import Validation
from spectrafit.report.validation import validation_table


def test_a_region_is_shown_with_its_data_or_without():
    one = Validation(region="side", expected=np.array([4.0, 9.0]), covariance=np.zeros((2, 2)))
    two = Validation(
        region="side", expected=np.array([4.0, 9.0]), covariance=np.zeros((2, 2)), observed=np.array([8.0, 9.0])
    )
    table = validation_table([one, two])
    assert table.rows[0][2:] == ("Asimov", "", "")
    # (8 - 4)^2 / 4 in two bins: exp(-2).
    assert table.rows[1][2:] == ("17", "4.0 / 2", "0.135")
