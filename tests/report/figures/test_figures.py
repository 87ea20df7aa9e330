"""Every figure as a referee sees it: words inside the paper, one name each, captions that are sentences."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from spectrafit.inference.fitting.impacts import impacts
from spectrafit.report.expectation import expectation
from spectrafit.report.figures import draw, look


def test_names_are_file_names_and_captions_sentences(case):
    expected = expectation(case.model, case.best, kappa=case.limit.kappa)
    moves = impacts(case.model, case.best)
    nouns = (case.analysis, case.templates, case.model, case.best, case.profile, case.limit)
    with look():
        found = list(draw(*nouns, expected, moves))
    names = [drawing.name for drawing in found]
    assert len(set(names)) == len(names)
    for drawing in found:
        assert drawing.name.replace("_", "").isalnum()
        assert drawing.caption.endswith(".")
        assert drawing.figure.get_figwidth() > 3


@pytest.mark.parametrize("data", [False, True])
def test_nothing_leaves_the_paper_and_no_heading_runs_into_another(blind, opened, data):
    for name, figure in (opened[1] if data else blind).items():
        renderer = FigureCanvasAgg(figure).get_renderer()
        box, paper = figure.get_tightbbox(renderer), figure.get_size_inches()
        assert min(box.x0, box.y0) >= 0.0, name
        assert box.x1 <= paper[0], name
        assert box.y1 <= paper[1], name
        heads = [*figure.texts, *(title for axes in figure.axes for title in (axes.title, axes._left_title))]
        boxes = [text.get_window_extent(renderer) for text in heads if text.get_text()]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)), name
