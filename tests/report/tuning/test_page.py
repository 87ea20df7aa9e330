"""The page without a browser: what its widgets do, and what they say."""

import re

import pytest
from bokeh.document import Document
from bokeh.events import ButtonClick

import spectrafit as sf
from spectrafit.report.figures.style import SIGNAL
from spectrafit.report.tuning.choice import Choice, applied, chosen_first
from spectrafit.report.tuning.drawings import Plane
from spectrafit.report.tuning.page import document
from spectrafit.report.tuning.widgets import button, kept_table, when
from spectrafit.report.tuning.words import constraint_rows, headline, kept_row, legend, plain

BEST = ((0.0, 0.3, 4.0), (0.0, 1.0, 3.0))


@pytest.fixture
def page(tuned):
    _, bench = tuned
    doc = Document()
    made = document(bench, lambda: Choice(edges=(BEST,)), doc)
    assert doc.title == "tune: A toy"
    return made


def limit_of(text):
    return re.search(r"id='limit'>([-+.0-9e]+)", text)[1]


def said(page):
    """The limit on the page, which must be that of the verbs to the last digit."""
    analysis = page.bench.analysis
    direct = applied(analysis, page.choice)
    limit = sf.limit(sf.assemble(direct, sf.build(direct)))
    assert limit_of(page.headline.text) == f"{limit.expected.median:.4g}"
    return limit.expected.median


def test_an_edge_that_is_dragged_changes_the_limit(page):
    before = said(page)
    handles = page.spectra[0].handles
    assert handles.data["x"] == [0.0, 0.3, 0.8, 1.6, 4.0]
    # It goes to the nearest edge of the grid; one that is dragged onto another is gone.
    handles.data = {"x": [0.0, 0.3, 0.31, 1.65, 4.0], "y": [0.0] * 5}
    assert page.choice.edges[0][0] == (0.0, 0.3, 1.6, 4.0)
    assert handles.data["x"] == [0.0, 0.3, 1.6, 4.0]
    assert page.edges[0].value == "0, 0.3, 1.6, 4"
    assert said(page) != before
    assert "[[regions]]" in page.toml.text
    page.undo()
    assert said(page) == before
    page.redo()
    assert page.choice.edges[0][0] == (0.0, 0.3, 1.6, 4.0)
    page.reset()
    assert page.choice == chosen_first(page.bench.analysis)


def test_edges_are_typed(page):
    page.edges[1].value = "0, 1.0 3"
    assert page.choice.edges[0][1] == (0.0, 1.0, 3.0)
    page.edges[1].value = "0, one"
    assert "edges are numbers with commas between them" in page.notes.text
    assert page.edges[1].value == "0, 1, 3"
    page.edges[1].value = "1"
    assert "two edges" in page.notes.text
    said(page)


def test_exposure_priors_and_systematics_follow_the_hand(page):
    first = said(page)
    page.exposure.trigger("value_throttled", 0.0, 1.0)
    assert page.choice.exposure == 10.0
    assert said(page) < first
    box, width = page.rows["rate"]
    width.value = 3.0
    assert page.choice.widths == (("rate", 3.0),)
    box.active = False
    assert page.choice.without == {"rate"}
    assert page.parameters["rate"].disabled
    said(page)


def test_sliders_of_parameters_move_the_spectra_and_not_the_limit(page):
    before, text = page.spectra[0].signal.data["y"], page.headline.text
    page.parameters["kappa"].value = page.parameters["kappa"].end
    after = page.spectra[0].signal.data["y"]
    assert max(a / b for a, b in zip(after, before, strict=True)) > 1.05
    assert page.headline.text == text
    page.shown.value = Plane.SHARE
    assert max(page.plane.cells.data["value"]) > 0.0
    page.shown.value = Plane.SIMULATED
    assert sum(page.plane.cells.data["value"]) == page.numbers.templates.entries.sum()


def test_choices_are_kept_side_by_side_and_come_back(page):
    page.keep()
    page.edges[0].value = "0, 0.8, 4"
    page.keep()
    rows = page.kept_source.data
    assert list(rows["bins"]) == ["12", "6"]
    assert rows["limit"][1] == limit_of(page.headline.text)
    page.kept_source.selected.indices = [0]
    assert page.choice == chosen_first(page.bench.analysis)


def test_the_best_binning_arrives_from_its_thread(page):
    page._found(Choice(edges=(BEST,)))
    assert page.choice.edges == (BEST,)
    assert page.kept_source.data["name"][-1] == "optimum"
    page._found("optimise: no binning of the grid fulfils the rules")
    assert page.notes.visible


def test_words(page):
    numbers = page.numbers
    assert "toys take too long" in headline(numbers, "feldman-cousins")
    assert "toys" not in headline(numbers, "profile")
    table = constraint_rows(numbers)
    for one in numbers.constraints:
        assert f"<td>{one.parameter}</td>" in table
        assert f"{one.naive:.3f}" in table
    assert kept_row(numbers)["bins"] == "12"
    assert legend(numbers, page.colours, SIGNAL).count("background:") == 3
    assert plain(r"reconstructed $T_e\,\theta_e^2$ [GeV rad$^2$]") == "reconstructed Tₑ θₑ² [GeV rad²]"


def test_widgets_call_what_they_are_given():
    pressed, seen = [], []
    made = button("press", lambda: pressed.append(1))
    made._trigger_event(ButtonClick(made))
    assert pressed == [1]
    source, table = kept_table()
    assert [column.field for column in table.columns] == list(source.data)
    when(table, "visible", seen.append)
    table.visible = True
    assert seen == [True]
