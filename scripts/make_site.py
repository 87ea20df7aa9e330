#!/usr/bin/env python
"""Gathers the pages of the documentation into a folder, from which mkdocs makes the site (scripts/docs runs both).

    python scripts/make_site.py FOLDER [--no-notebooks]

In: README.md, samples/README.md, fits/README.md, the pages and figures of .github, the docstrings of the package, and
the two scripts in fits/ that are notebooks. These are run, in a folder of their own with the shipped samples, and their
output and figures become part of the page.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import spectrafit as sf

PROJECT = Path(__file__).parents[1]
PAGES = {
    "index.md": "README.md",
    "samples.md": "samples/README.md",
    "fits.md": "fits/README.md",
    "events.md": "samples/nuwro/README.md",
    "contributing.md": ".github/CONTRIBUTING.md",
    "changelog.md": ".github/CHANGELOG.md",
}
NOTEBOOKS = {"first_analysis": "A first analysis", "sensitivity_and_binning": "Sensitivity and binning"}
ROOMS = ("config", "events", "templates", "inference", "interop", "report", "physics", "start")


def linked(text: str, page: str) -> str:
    """Return the text of a page with its links to files of the project turned to pages and figures of the site."""
    at = Path(page).parent
    names = {source: target for target, source in PAGES.items()}

    def turned(found: re.Match[str]) -> str:
        name, _, anchor = found[1].partition("#")
        whole = os.path.normpath(at / name) if name else page
        if whole in names:
            return f"]({names[whole]}{'#' + anchor if anchor else ''})"
        if whole.startswith(".github/figures/"):
            return f"](figures/{Path(whole).name})"
        return found[0]

    return re.sub(r"\]\(((?!https?:|mailto:)[^)\s]+)\)", turned, text)


def notebook(name: str, folder: Path, work: Path) -> None:
    """Run a script of fits/ as a notebook and write its page, with what it printed and drew."""
    made = work / f"{name}.ipynb"
    run = [sys.executable, "-m"]
    subprocess.run([*run, "jupytext", "--quiet", "--to", "ipynb", "-o", made, PROJECT / f"fits/{name}.py"], check=True)
    options = ["--to", "markdown", "--execute", "--ExecutePreprocessor.timeout=1800", "--output-dir", folder]
    subprocess.run([*run, "nbconvert", "--log-level", "WARN", *options, made], check=True, cwd=work)
    page = folder / f"{name}.md"
    # Colours of a terminal and the folder in which the notebook ran are no part of a page.
    text = re.sub(r"\x1b\[[0-9;]*m", "", page.read_text(encoding="utf-8"))
    page.write_text(text.replace(f"{work.resolve()}/", ""), encoding="utf-8")


def reference(folder: Path) -> None:
    """Write a table of the verbs, and a page for each room with the docstrings of its modules."""
    lines = [
        "# The verbs of Python",
        "",
        "`import spectrafit as sf`, then `sf.NAME`.",
        "",
        "| name | what it is |",
        "|---|---|",
    ]
    for name in sf.__all__:
        made = getattr(sf, name)
        place = f"{getattr(made, '__module__', '')}.{getattr(made, '__qualname__', '')}"
        if place.split(".")[:1] == ["spectrafit"] and place.split(".")[1] in ROOMS:
            first = " ".join((inspect.getdoc(made) or "").split("\n\n")[0].split())
            lines.append(f"| [`{name}`][{place}] | {first.replace('|', chr(92) + '|')} |")
    (folder / "verbs.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for room in ROOMS:
        modules = sorted((PROJECT / "spectrafit" / room).rglob("*.py"))
        parts = [f"# spectrafit.{room}\n"]
        parts += [
            f"::: {'.'.join(path.relative_to(PROJECT).with_suffix('').parts)}\n    options:\n      heading_level: 2\n"
            for path in modules
            if not path.stem.startswith("__")
        ]
        (folder / f"room_{room}.md").write_text("\n".join(parts), encoding="utf-8")


def gallery(folder: Path) -> None:
    """Copy the figures and write a page that shows them."""
    (folder / "figures").mkdir()
    lines = ["# Figures\n", "Each is drawn by a line of the README.\n"]
    for path in sorted((PROJECT / ".github/figures").iterdir()):
        shutil.copy(path, folder / "figures" / path.name)
        if path.suffix in (".png", ".svg"):
            lines.append(f"## {path.stem.replace('_', ' ')}\n\n![{path.stem.replace('_', ' ')}](figures/{path.name})\n")
    (folder / "gallery.md").write_text("\n".join(lines), encoding="utf-8")


def main(folder: Path, *, notebooks: bool) -> None:
    """Write every page anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for target, source in PAGES.items():
        text = (PROJECT / source).read_text(encoding="utf-8")
        (folder / target).write_text(linked(text, source), encoding="utf-8")
    shutil.copy(PROJECT / "scripts/site.css", folder)
    gallery(folder)
    reference(folder)
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        for name in ("samples", "fits"):
            shutil.copytree(PROJECT / name, work / name)
        for name, title in NOTEBOOKS.items():
            if notebooks:
                notebook(name, folder, work)
            else:
                (folder / f"{name}.md").write_text(f"# {title}\n\nRun `fits/{name}.py`.\n", encoding="utf-8")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len([word for word in arguments if not word.startswith("-")]) != 1:
        sys.exit(__doc__)
    main(Path(arguments[0]).resolve(), notebooks="--no-notebooks" not in arguments)
