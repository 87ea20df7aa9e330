"""The page in a real process, and in a real browser where there is one."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import spectrafit as sf
from spectrafit.report.tuning.serve import serve
from spectrafit.templates.archive import save
from tests.conftest import ENVIRONMENT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run")


@pytest.fixture(scope="module")
def address(tuned, tmp_path_factory):
    """The page's address, served by the command from saved cells."""
    analysis, _ = tuned
    cells = save(tmp_path_factory.mktemp("cells") / "fine.npz", sf.fine_cells(analysis, fine=4))
    words = ["tune", analysis.path, "--templates", str(cells), "--no-browser"]
    process = subprocess.Popen(
        [sys.executable, "-m", "spectrafit", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    line = process.stdout.readline()
    assert re.match(r"http://localhost:\d+/ \(ctrl-C ends it\)", line), process.stderr.read()
    yield line.split()[0]
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said


def test_the_page_is_served_to_this_machine_alone(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        page = answer.read().decode()
    assert "tune: A toy" in page
    # Nothing is loaded from elsewhere.
    assert not re.findall(r'(?:src|href)="https?://(?!localhost)', page)
    other = urllib.request.Request(address + "ws", headers={"Origin": "http://evil.example"})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(other, timeout=60)


def test_a_port_that_is_taken_is_told(tuned, address):
    _, bench = tuned
    port = int(address.rstrip("/").rpartition(":")[2])
    with pytest.raises(sf.ConfigError, match=f"--port {port}: .*leave --port out"):
        serve(bench, lambda: None, port=port, browser=False)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: chromium)")
def test_an_edge_is_dragged_in_a_browser_and_the_toml_runs(address, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(address)
        limit = page.locator("#limit")
        limit.wait_for(timeout=60_000)
        before = limit.inner_text()
        canvas = page.locator(".bk-Figure").first
        canvas.wait_for(timeout=60_000)
        page.wait_for_timeout(500)
        # Where handles are on the screen, as the page's own view of its figure says.
        places = page.evaluate(
            """() => {
              const view = Object.values(Bokeh.index.roots ?? {}).concat([...Bokeh.index])[0];
              const all = [...view.children_views()];
              const seen = [];
              while (all.length) {
                const one = all.shift();
                if (one.model.type === "Figure") seen.push(one);
                all.push(...one.children_views());
              }
              const plot = seen[0], box = plot.el.getBoundingClientRect(), frame = plot.frame;
              const handles = plot.model.renderers.find((r) => r.glyph.type === "Scatter").data_source.data;
              const at = (x, y) => [box.x + frame.x_scale.compute(x), box.y + frame.y_scale.compute(y)];
              return [at(handles.x[2], handles.y[2]), at(1.15, handles.y[2]), Array.from(handles.x)];
            }"""
        )
        (x, y), (end, _), edges = places
        assert edges == [0.0, 0.3, 0.8, 1.6, 4.0]
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(0.5 * (x + end), y, steps=5)
        page.mouse.move(end, y, steps=5)
        page.mouse.up()
        for _ in range(100):
            if limit.inner_text() != before:
                break
            page.wait_for_timeout(100)
        after = limit.inner_text()
        assert after != before
        page.get_by_role("button", name="copy TOML").click()
        page.wait_for_timeout(500)
        text = page.evaluate("() => navigator.clipboard.readText()")
        browser.close()
    assert "0.3, 1.2, 1.6, 4.0]" in text
    pasted = tmp_path / "pasted.toml"
    # The page names the included file from where it was started.
    name = re.search(r'include = "(.*)"', text)[1]
    pasted.write_text(text.replace(name, str(Path(name).resolve())))
    loaded = sf.load(pasted)
    found = sf.limit(sf.assemble(loaded, sf.build(loaded)))
    assert after.split()[0] == f"{found.expected.median:.4g}"
