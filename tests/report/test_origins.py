from spectrafit.inference.fitting.sources import Origin
from spectrafit.report.origins import origins_table


def test_the_largest_shares_are_shown_and_the_rest_is_summed():
    found = [
        Origin(systematic="flux", name=f"bin {j}", pull=-0.5, constraint=0.9, share=share)
        for j, share in enumerate([0.5, 0.2, *[0.03] * 10])
    ]
    table = origins_table(found)
    assert table.rows[0] == ("flux", "bin 0", "-0.50", "0.90", "50.0 %")
    assert table.rows[-1] == ("flux", "2 more", "", "", "6.0 %")
    assert len(table.rows) == 11
