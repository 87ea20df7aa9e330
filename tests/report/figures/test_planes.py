"""Maps against the arrays they were drawn from: every bin, its number, and the scale of the colours."""

import numpy as np
from matplotlib.colors import LogNorm

from spectrafit.report.expectation import expectation
from spectrafit.report.figures import look, planes


def test_maps_show_every_bin_as_it_is_fitted(case, blind):
    model, coupling, reach = (axes.collections[0].get_array() for axes in blind["shower_plane"].axes[::2])
    region = case.templates.regions[0]
    total = case.templates.counts[:, 0, 0].sum(axis=0).reshape(region.shape).T
    signal = case.limit.kappa * case.templates.counts[:, 0, 1].sum(axis=0).reshape(region.shape).T
    np.testing.assert_allclose(np.asarray(model).reshape(total.shape), total)
    np.testing.assert_allclose(np.asarray(coupling).reshape(total.shape), signal)
    assert np.all(np.asarray(reach).reshape(total.shape) < signal / np.sqrt(total))


def test_maps_of_a_coupling_that_takes_events_away_are_symmetric_about_none(case, taking):
    with look():
        figure = planes.plane(taking, case.templates.regions[0], signal="")
    for axes, logarithmic in zip(figure.axes[::2], (True, False, False), strict=True):
        (mesh,) = axes.collections
        assert isinstance(mesh.norm, LogNorm) is logarithmic
        if not logarithmic:
            assert mesh.norm.vmin == -mesh.norm.vmax
    shown = figure.axes[2].collections[0].get_array()
    assert np.ma.count_masked(shown) == 0
    assert np.asarray(shown).min() < 0 < np.asarray(shown).max()


def test_each_map_says_the_scale_of_its_colours(blind):
    for axes, word in zip(blind["shower_plane"].axes[::2], ("logarithmic", "logarithmic", "linear"), strict=True):
        assert f"{word} colours" in [text.get_text() for text in axes.texts]


def test_a_small_map_has_the_number_of_each_bin(case):
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    region = case.templates.regions[0].__class__(
        name="small",
        axes=tuple(axis.__class__(5, 0.0, 1.0) for axis in case.templates.regions[0].axes[1:] * 2),
        observables=("a", "b"),
        labels=("a", "b"),
        start=0,
    )
    with look():
        first = planes.plane(expected, region, signal="").axes[0]
    numbers = [text.get_text() for text in first.texts if "colours" not in text.get_text()]
    assert len(numbers) == 25
    shown = np.array([float(number) for number in numbers])
    np.testing.assert_allclose(shown, expected.total[:25], rtol=0.06)
