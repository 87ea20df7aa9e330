import doctest

from spectrafit import physics


def test_the_page_of_errata_computes_what_it_says():
    found = doctest.testmod(physics)
    assert found.attempted > 30
    assert found.failed == 0
