"""Writes one self-contained HTML page of a headline, figures and tables, for the screen and for paper."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
from collections.abc import Sequence
from urllib.parse import quote

from spectrafit.report.symbols import numbers, symbols
from spectrafit.report.tables import Table

__all__ = ["Picture", "Section", "page"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure as PNG with its caption, drawn for a `width` in inches.

    `seen` are the words for those who cannot see the picture; the caption if empty. `name` is that of the files
    `figures/NAME.png` and `figures/NAME.pdf` beside the page; empty if there are none.
    """

    png: bytes
    caption: str
    width: float
    seen: str = ""
    name: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with its content: pictures, then tables, then texts by their names (folded away)."""

    title: str
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()


_STYLE = """
:root { --ink: #1a1a1a; --faint: #5f6670; --rule: #d5d9de; --accent: #0072b2; --alarm: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.5rem 4rem; color: var(--ink); background: #fff;
  font: 16px/1.5 "Charter", "Bitstream Charter", "Source Serif 4", Georgia, "Times New Roman", serif; }
header { border-bottom: 2px solid var(--ink); padding-bottom: 1rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .8rem; padding-bottom: .2rem; border-bottom: 1px solid var(--rule); }
nav { position: sticky; top: 0; z-index: 2; display: flex; gap: 1.1rem; overflow-x: auto; padding: .55rem 0;
  background: #fff; border-bottom: 1px solid var(--rule); font-size: .92rem; white-space: nowrap; }
nav a, .files a, figcaption a { color: var(--accent); text-decoration: none; }
nav a:hover, .files a:hover { text-decoration: underline; }
section, figure { scroll-margin-top: 3.2rem; }
.files { margin: .3rem 0 0; font-size: .92rem; color: var(--faint); }
.byline { color: var(--faint); margin: 0; font-size: .92rem; }
.headline { font-size: 1.45rem; margin: 1.2rem 0 .2rem; }
.beside { margin: .2rem 0 .4rem; padding: .3rem .7rem; border-left: 4px solid var(--alarm); background: #fdf3ec; }
.meaning { margin: 0; color: var(--faint); }
.alarm { border-left: 4px solid var(--alarm); padding: .5rem .9rem; margin: 1.2rem 0 0; background: #fdf3ec; }
.pictures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.6rem 1.4rem; align-items: start; }
figure { margin: 0; }
figure.wide { grid-column: 1 / -1; }
.zoom { display: block; overflow-x: auto; cursor: zoom-in; }
.zoom input { position: absolute; opacity: 0; width: 1px; height: 1px; }
.zoom img { width: 100%; height: auto; display: block; }
.zoom input:focus-visible ~ img { outline: 2px solid var(--accent); }
.zoom input:checked ~ img { width: var(--whole); max-width: none !important; }
.zoom:has(input:checked) { cursor: zoom-out; }
figure:has(input:checked) { grid-column: 1 / -1; }
figcaption { font-size: .86rem; line-height: 1.4; color: var(--faint); margin-top: .4rem; }
.scroll { overflow-x: auto; margin: 1.6rem 0 0; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; min-width: 50%; }
caption { text-align: left; font-weight: bold; padding: 0 0 .4rem; }
th { text-align: left; font-weight: 600; border-bottom: 1.5px solid var(--ink); padding: .25rem .9rem .25rem 0; }
tbody th { font-weight: 400; padding: .22rem .9rem .22rem 0; border-bottom: 1px solid #eceff2; vertical-align: top;
  white-space: pre-wrap; }
sup, sub { line-height: 0; }
td { padding: .22rem .9rem .22rem 0; border-bottom: 1px solid #eceff2; vertical-align: top; white-space: pre-wrap; }
th.number, td.number { text-align: right; padding: .22rem 0 .22rem 1.4rem; white-space: nowrap; }
th.number + th.text, td.number + td.text { padding-left: 1.4rem; }
tr.rule td, tr.rule th { border-top: 1.2px solid var(--ink); }
details summary { cursor: pointer; color: var(--accent); }
pre { font: .8rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; background: #f6f7f8;
  padding: .8rem 1rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 46rem) {
  body { padding: 1.2rem .9rem 3rem; }
  .headline { font-size: 1.25rem; }
  nav { gap: .8rem; font-size: .82rem; }
  td.text:last-child { min-width: 15rem; }
  .pictures { grid-template-columns: minmax(0, 1fr); }
  .zoom img { max-width: none !important; }
}
@media print {
  body { font-size: 10pt; max-width: none; padding: 0; }
  h2, caption { break-after: avoid; }
  figure, tr, .scroll { break-inside: avoid; }
  .pictures { display: block; }
  figure { display: inline-block; width: 48%; vertical-align: top; margin: 0 1% 1rem 0; }
  figure.wide { display: block; width: 100%; }
  .scroll { overflow: visible; }
  table { font-size: .86rem; }
  th.number, td.number { padding-left: .6rem; white-space: normal; }
  nav, .files, figcaption a { display: none; }
  section:has(details) { display: none; }
  @page { margin: 16mm 14mm; }
}
"""


def page(
    title: str,
    byline: str,
    headline: str,
    meaning: str,
    sections: Sequence[Section],
    *,
    beside: Sequence[str] = (),
    files: Sequence[str] = (),
    alarms: Sequence[str] = (),
) -> str:
    """Return the page. It is whole by itself; it links to nothing but its own parts and the files beside it.

    Parameters
    ----------
    title, byline : name of the analysis, and its date and program version.
    headline : the result, as HTML.
    meaning : what the result means, in one line.
    sections : what follows, in order.
    beside : sentences that belong beside the number: what a deficit or an excess makes of it.
    files : names of files beside the page, to link to.
    alarms : what a reader must not miss (a fit that is not valid, files left out).
    """
    next_to = "".join(f'<p class="beside">{_text(sentence)}</p>' for sentence in beside)
    warnings = "".join(f'<p class="alarm" role="alert">{_text(alarm)}</p>' for alarm in alarms)
    linked = ", ".join(_link(name, name) for name in files)
    linked = f'<p class="files">Files: {linked}</p>' if linked else ""
    places = _places([section.title for section in sections])
    contents = "".join(
        f'<a href="#{place}">{html.escape(section.title)}</a>' for place, section in zip(places, sections, strict=True)
    )
    body = "\n".join(_section(section, place) for place, section in zip(places, sections, strict=True))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{symbols(title)}</h1>
<p class="byline">{html.escape(byline)}</p>
<p class="headline">{headline}</p>{next_to}
<p class="meaning">{_text(meaning)}</p>{linked}
</header>
<nav aria-label="Contents">{contents}</nav>
<main>
{warnings}
{body}
</main>
</body>
</html>
"""


def _text(text: str) -> str:
    """Return plain text as HTML with its symbols and numbers."""
    return numbers(symbols(text))


def _link(target: str, text: str) -> str:
    return f'<a href="{html.escape(quote(target))}">{html.escape(text)}</a>'


def _places(titles: Sequence[str]) -> list[str]:
    """Return a name for each section to jump to, no two alike."""
    found: list[str] = []
    for title in titles:
        place = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        while place in found:
            place += "-2"
        found.append(place)
    return found


def _section(section: Section, place: str) -> str:
    lines = [f'<section id="{place}">', f"<h2>{html.escape(section.title)}</h2>"]
    if section.pictures:
        lines += ['<div class="pictures">', *(_picture(picture) for picture in section.pictures), "</div>"]
    lines += [f'<div class="scroll">{_table(table)}</div>' for table in section.tables]
    for name, text in section.texts:
        lines.append(f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>")
    return "\n".join([*lines, "</section>"])


def _table(table: Table) -> str:
    kinds = ["number" if name.startswith(">") else "text" for name in table.columns]
    lines = ["<table>"]
    if table.title:
        lines.append(f"<caption>{_text(table.title)}</caption>")
    if any(name.strip(">") for name in table.columns):
        cells = zip(kinds, table.columns, strict=True)
        head = "".join(f'<th scope="col" class="{kind}">{symbols(name.removeprefix(">"))}</th>' for kind, name in cells)
        lines.append(f"<thead><tr>{head}</tr></thead>")
    lines.append("<tbody>")
    for index, row in enumerate(table.rows):
        rule = ' class="rule"' if index in table.rules else ""
        cells = zip(kinds, row, strict=True)
        body = "".join(
            f'<th scope="row" class="{kind}">{_text(cell)}</th>'
            if place == 0 and len(row) > 1
            else f'<td class="{kind}">{_text(cell)}</td>'
            for place, (kind, cell) in enumerate(cells)
        )
        lines.append(f"<tr{rule}>{body}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode()
    caption = _text(picture.caption)
    kind = ' class="wide"' if picture.width > 6.5 else ""
    alternative = html.escape(picture.seen or picture.caption)
    image = f'<img style="max-width: {picture.width:.2f}in" alt="{alternative}" src="data:image/png;base64,{data}">'
    # Larger at a tap or the space key, without a script: the page stays whole by itself.
    toggle = f'<input type="checkbox" aria-label="enlarge {html.escape(picture.name or "the figure")}">'
    zoom = f'<label class="zoom" style="--whole: {1.6 * picture.width:.2f}in">{toggle}{image}</label>'
    links = " ".join(_link(f"figures/{picture.name}.{suffix}", suffix.upper()) for suffix in ("pdf", "png"))
    caption += f" {links}" if picture.name else ""
    place = f' id="figure-{html.escape(picture.name)}"' if picture.name else ""
    return f"<figure{kind}{place}>{zoom}<figcaption>{caption}</figcaption></figure>"
