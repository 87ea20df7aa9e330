"""The page through an HTML parser: whole, self-contained, and saying what it was given."""

import base64
from html.parser import HTMLParser

import pytest

from spectrafit.report.page import Picture, Section, page
from spectrafit.report.symbols import numbers, symbols
from spectrafit.report.tables import Table

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
VOID = {"meta", "img", "input"}


class Reader(HTMLParser):
    """Keeps the text, and what every tag refers to; refuses tags that do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def made() -> str:
    table = Table(title="Yields", columns=("sample", ">events"), rows=(("nu_mu <e>", "3 & 4"),), rules=(0,))
    picture = Picture(png=PIXEL, caption='T < 5 "GeV"', width=10.0, seen="A line that falls.", name="fall")
    return page(
        "A & B",
        "today",
        "<i>x</i> &lt; 1",
        "90 % CL",
        [
            Section(title="One", pictures=(picture,), tables=(table,)),
            Section(title="Two", texts=(("a.toml", "{<raw>}"),)),
        ],
        files=["result.json"],
        alarms=["the fit is <not> valid"],
    )


def test_page_is_whole_and_refers_to_nothing_outside():
    text = made()
    reader = read(text)
    inside = ["result.json", "#one", "#two"]
    figure = ["data:image/png;base64," + base64.b64encode(PIXEL).decode(), "figures/fall.pdf", "figures/fall.png"]
    assert reader.references == [*inside, *figure]
    for outside in ("http", "url(", "@import", "<script", "<link"):
        assert outside not in text


def test_everything_given_is_shown_and_nothing_of_it_is_markup():
    words = " ".join(read(made()).text)
    for given in (
        "A & B",
        "today",
        "90 % CL",
        "One",
        "Yields",
        "3 & 4",
        "{<raw>}",
        "the fit is <not> valid",
        'T < 5 "GeV"',
    ):
        assert given in words


def test_contents_lead_to_the_sections_and_all_content_is_in_main():
    text = made()
    head, rest = text.split("<main>")
    assert '<nav aria-label="Contents"><a href="#one">One</a><a href="#two">Two</a></nav>' in head
    assert rest.count('<section id="one">') == rest.count('<section id="two">') == 1
    assert "<section" not in head
    assert "</main>" in rest


def test_sections_of_one_title_are_told_apart():
    text = page("t", "b", "h", "m", [Section(title="Two words"), Section(title="Two words")])
    assert [name for name in read(text).references] == ["#two-words", "#two-words-2"]


def test_tables_say_what_is_a_heading():
    text = made()
    assert '<th scope="col" class="text">sample</th><th scope="col" class="number">events</th>' in text
    assert '<th scope="row" class="text"><i>ν</i><sub>μ</sub> &lt;e&gt;</th><td class="number">3 &amp; 4</td>' in text


def test_a_figure_is_described_and_can_be_enlarged_without_a_script():
    text = made()
    assert 'alt="A line that falls."' in text
    assert '<input type="checkbox" aria-label="enlarge fall">' in text
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        ("1.409e-09 mu_B", "1.409 × 10<sup>−9</sup> mu_B"),
        ("1e-18", "10<sup>−18</sup>"),
        ("3.62e+20", "3.62 × 10<sup>20</sup>"),
        ("-0.36 ± 2", "−0.36 ± 2"),
        ("-1.5e-3", "−1.5 × 10<sup>−3</sup>"),
        ("nova-2 2026-11-26 12e5f0a 0.1.0-1", "nova-2 2026-11-26 12e5f0a 0.1.0-1"),
    ],
)
def test_numbers_have_one_format(plain, html):
    assert numbers(plain) == html


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        ("mu_nu < 1 mu_B", "<i>μ</i><sub>ν</sub> &lt; 1 <i>μ</i><sub>B</sub>"),
        ("anti-nu_mu e", "<i>ν̄</i><sub>μ</sub> e"),
        ("nu_mu_norm and kappa", "nu_mu_norm and <i>κ</i>"),
        ("<r^2> cm^2", "⟨<i>r</i>²⟩ cm²"),
        ("kappa >= 0", "<i>κ</i> ≥ 0"),
        ("a & b", "a &amp; b"),
    ],
)
def test_symbols_of_whole_words_only(plain, html):
    assert symbols(plain) == html
