"""Captions and the words for those who cannot see: with the numbers of the figure, and no two alike."""

import re

import pytest

from spectrafit.inference.fitting.impacts import impacts
from spectrafit.report.expectation import expectation
from spectrafit.report.figures import captions, draw, look


@pytest.fixture(scope="module")
def drawn(case):
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    nouns = (case.analysis, case.templates, case.model, case.best, case.profile, case.limit)
    with look():
        return {one.name: one for one in draw(*nouns, expected, impacts(case.model, case.best))}


def test_no_two_captions_and_no_two_descriptions_are_alike(drawn):
    for words in ([one.caption for one in drawn.values()], [one.seen for one in drawn.values()]):
        assert len(set(words)) == len(words)
        assert all(text.endswith(".") and len(text) > 30 for text in words)
        assert not any("$" in text or "\\" in text for text in words)


def test_all_captions_of_results_have_numbers(drawn):
    for name, one in drawn.items():
        assert re.search(r"\d", one.caption), name


def test_a_spectrum_says_how_many_events_it_shows(case, drawn):
    counts = case.templates.counts[:, 0]
    one = drawn["shower_t_reco"]
    assert f"{counts[:, 0].sum():.1f} ± " in one.caption
    assert f"the {case.limit.kappa * counts[:, 1].sum():+.1f} of the " in one.caption
    assert "mu_nu = 7.46e-10 mu_B" in one.caption
    assert "in 11 bins from 0.3 to 5" in one.seen
    added = case.limit.kappa * counts[:, 1].sum(axis=0).reshape(11, 10).sum(axis=1)
    edges = case.templates.regions[0].axes[0].edges
    most = int(added.argmax())
    assert f"most of it, {added[most]:.1f}, from {edges[most]:g} to {edges[most + 1]:g}" in one.seen


def test_the_profile_says_where_it_is_one_and_where_the_limit_is(case, drawn):
    low, high = case.profile.crossing(1.0)
    assert f"-2 Delta ln L = 1 at kappa = {low:.3g} and {high:.3g}" in drawn["profile"].caption
    assert "kappa = 0.556" in drawn["profile"].caption


def test_correlations_name_the_largest_pair(drawn):
    assert "kappa and flux_norm, -0.55" in drawn["correlations"].caption


def test_systematics_name_the_largest_change(case, drawn):
    counts = case.templates.counts[:, 0, 0].reshape(4, 11, 10).sum(axis=2)
    largest = 20.0 * (counts[3] / counts.sum(axis=0)).max()
    assert f"nc_norm {largest:.1f} %" in drawn["shower_t_reco_systematics"].seen


def test_labels_without_mathtext():
    assert (
        captions.plain(r"reconstructed $T_e\,\theta_e^2$ [GeV rad$^{2}$]") == "reconstructed T_e theta_e^2 [GeV rad^2]"
    )
