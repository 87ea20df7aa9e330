"""The page through an HTML parser: whole, self-contained, and saying what it was given."""

import base64
from html.parser import HTMLParser

import pytest

from spectrafit.report.page import Picture, Section, page
from spectrafit.report.symbols import symbols
from spectrafit.report.tables import Table

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
VOID = {"meta", "img"}


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
    picture = Picture(png=PIXEL, caption='T < 5 "GeV"', width=10.0)
    return page(
        "A & B",
        "today",
        "<i>x</i> &lt; 1",
        "90 % CL",
        [Section(title="One", pictures=(picture,), tables=(table,)), Section(title="Two", text="{<raw>}")],
        alarms=["the fit is <not> valid"],
    )


def test_page_is_whole_and_refers_to_nothing_outside():
    text = made()
    reader = read(text)
    assert reader.references == ["data:image/png;base64," + base64.b64encode(PIXEL).decode()]
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
