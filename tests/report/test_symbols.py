from spectrafit.report.symbols import symbols


def test_names_become_symbols_and_the_rest_is_escaped():
    assert symbols("mu_nu < 3 mu_B & my_mu_nu") == "<i>μ</i><sub>ν</sub> &lt; 3 <i>μ</i><sub>B</sub> &amp; my_mu_nu"
