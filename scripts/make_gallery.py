#!/usr/bin/env python
"""Every analysis in fits/ with an `experiment`, generated and fitted; a chart and a page of published limits and ours.

    python scripts/make_gallery.py [--figures] [NAME]...

NAME is the name of a file in fits/, without .toml; without names all experiments are made. Written are results/NAME/
(with --figures also figures, which takes longer), results/gallery/chart.svg, .png, .pdf, .csv, .tex and index.html.
Every file appears whole or not at all: after Ctrl-C the files of the experiments that were complete are there.
"""

from __future__ import annotations

import html
import sys
import time
import tomllib
from pathlib import Path

import spectrafit as sf
from spectrafit.cli.analyses import limit_options
from spectrafit.config import load_samples
from spectrafit.errors import SpectrafitError
from spectrafit.output import replacing
from spectrafit.report.chart import Chart, Line, OurLimit
from spectrafit.report.literature import FLAVOURS

PROJECT = Path(__file__).parents[1]
GALLERY = PROJECT / "results" / "gallery"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Gallery of experiments</title>
<style>
body {{ font: 15px/1.5 sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
img {{ max-width: 100% }} table {{ border-collapse: collapse }}
th, td {{ padding: .25rem .9rem .25rem 0; text-align: left; border-bottom: 1px solid #ddd; white-space: nowrap }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
</style>
<h1>Limits on magnetic moments, published and ours</h1>
<p>Why they differ is in <code>fits/EXPERIMENTS.md</code>, an experiment a paragraph.</p>
<table><thead><tr><th>experiment</th><th>moment of</th><th>published [mu_B]</th><th>level</th><th>ours [mu_B]</th>
<th>level</th><th>by</th><th>data</th><th>ours / published</th></tr></thead><tbody>
{rows}
</tbody></table>
<p><img src="chart.svg" alt="Published limits by flavour, and ours beside them"></p>
</html>
"""


def experiments(names: list[str]) -> dict[str, Path]:
    """Return the analyses to make, by the names of their files."""
    found = {}
    for path in sorted((PROJECT / "fits").glob("*.toml")):
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        if path.stem in names or (not names and said.get("experiment")):
            found[path.stem] = path
    missing = [name for name in names if name not in found]
    if missing:
        raise SystemExit(f"no fits/{missing[0]}.toml")
    return found


def make(name: str, path: Path, *, figures: bool) -> Path:
    """Generate and fit an experiment; say in one line what came out and how long it took."""
    print(f"{name:18} ", end="", flush=True)
    start = time.perf_counter()
    analysis = sf.load(path)
    for samples in analysis.sample_sets:
        if any(sample.generate for sample in samples.samples):
            sf.generate(load_samples(samples.path))
    generated = time.perf_counter()
    templates = sf.build(analysis)
    filled = time.perf_counter()
    model = sf.assemble(analysis, templates, unblind=bool(analysis.data))
    best = sf.fit(model)
    limit = sf.upper_limit(model, **limit_options(analysis.limit, "serial", None))
    folder = PROJECT / "results" / name
    sf.report(folder, analysis, templates, best, limit, model=model, figures=figures)
    end = time.perf_counter()
    said = "no limit" if limit.value is None else f"{limit.value:.3g} mu_B"
    print(
        f"{said:14} generated {generated - start:4.1f} s, filled {filled - generated:4.1f} s,"
        f" fitted and written {end - filled:4.1f} s",
        flush=True,
    )
    return folder


def row(line: Line, ours: OurLimit) -> str:
    """Return a line of the page's table."""
    best = line.best
    published = level = ratio = ""
    if best is not None:
        level = "" if best.level is None else f"{100 * best.level:g} %"
        if best.value is None:
            published = f"{best.interval[0]:.2g} to {best.interval[1]:.2g}" if best.interval else ""
        else:
            published, ratio = f"{best.value:.3g}", f"{ours.value / best.value:.2f}"
    value = f"{ours.value:.3g}" if ours.lower is None else f"{ours.lower:.2g} to {ours.value:.3g}"
    link = f'<a href="../{html.escape(Path(ours.reference).parent.name)}/index.html">{html.escape(line.name)}</a>'
    data = "measured" if ours.kind == "reinterpreted" else "expected"
    cells = [
        ("", link),
        ("", FLAVOURS[line.flavour]),
        ("number", published),
        ("", level),
        ("number", value),
        ("", f"{100 * ours.level:g} %"),
    ]
    cells += [("", html.escape(ours.method)), ("", data), ("number", ratio)]
    return "<tr>" + "".join(f'<td class="{kind}">{text}</td>' for kind, text in cells) + "</tr>"


def publish(found: Chart) -> None:
    """Write the chart in five formats, and the page."""
    GALLERY.mkdir(parents=True, exist_ok=True)
    for suffix in ("svg", "png", "pdf", "csv", "tex"):
        found.save(GALLERY / f"chart.{suffix}")
    rows = "\n".join(row(line, ours) for line in found.lines for ours in line.ours)
    with replacing(GALLERY / "index.html", remedy="choose another place") as part:
        part.write_text(_PAGE.format(rows=rows), encoding="utf-8")


def main(words: list[str]) -> None:
    """Make the gallery."""
    figures = "--figures" in words
    chosen = experiments([word for word in words if word != "--figures"])
    start = time.perf_counter()
    folders = [make(name, path, figures=figures) for name, path in chosen.items()]
    publish(sf.chart(results=folders))
    print(f"{GALLERY / 'index.html'} ({time.perf_counter() - start:.0f} s)")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        print("\nstopped; what was written is whole", file=sys.stderr)
        sys.exit(130)
    except SpectrafitError as error:
        sys.exit(f"error: {error}")
