"""Explorers in a real JupyterLab in headless Chromium: how soon they answer, how smoothly they draw, what they keep.

Prints a row a measure with its threshold. It starts servers and kernels of its own and takes some three minutes; the
load of the machine, which is printed too, is part of every figure.
"""

import json
import os
import runpy
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import nbformat
import numpy as np
import papermill
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
BROWSER = runpy.run_path(str(ROOT / "tests" / "browser" / "conftest.py"))
NODELAY = "--ServerApp.jpserver_extensions=gaia_explore.jupyter_nodelay=True"

CODEC = """import time
import numpy as np
import gaia_explore as ge

class Codec:
    "Colour pictures that are cheap, but for what they are told to wait."
    def __init__(self, side=64, seconds=0.0):
        self.side, self.seconds = side, seconds
    def encode(self, x):
        return np.asarray(x, float)[:, 0, [0, -1], 0] * 4 - 2
    def decode(self, z):
        time.sleep(self.seconds)
        across = np.linspace(1, 0, self.side)
        a, b = (np.asarray(z, float).T[..., None] + 2) / 4
        flat = (a * across + b * (1 - across))[:, None, :, None]
        return np.float32(flat + np.zeros((1, self.side, 1, 3)))

def explore(codec, n):
    corners = np.random.default_rng(0).random((n, 2)) * 4 - 2
    attributes = {"bright": corners.sum(axis=1) > 0}
    return ge.LatentExplorer(codec, ge.Stimuli.from_array(codec.decode(corners), attributes=attributes))"""

FAST = """explorer = explore(Codec(), 2000)
explorer"""

SLOW = """codec = Codec()
explorer = explore(codec, 2000)
explorer.change(layers=())
codec.seconds = 0.1
explorer"""

LASSO = """explorer = explore(Codec(side=8), 50_000)
heard = []
explorer.watch(lambda before, after: heard.append((time.time(), len(after.selection))))
explorer"""

PLANAR = """import gaia_explore as ge
codec = ge.load({model!r}).codec
stimuli = ge.stimuli.moons(n={n}, seed=0)"""

FACES = """import gaia_explore as ge
codec = ge.load({model!r}).codec
stimuli = ge.stimuli.faces(32).split(0.95, seed=0, stratify="none")[1].subset(range({n}))"""

EXPLORE = "explorer = ge.LatentExplorer(codec, stimuli)"

SIZES = """import json
explorer = ge.LatentExplorer(codec, stimuli)
state = explorer.widget.get_state()
print("answer", len(json.dumps(state)), explorer.to_html("faces.html").stat().st_size)"""


@final
@dataclass(frozen=True, kw_only=True)
class Measure:
    """One row of the table; ``met`` is None where there is no threshold."""

    name: str
    figure: str
    threshold: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        met = {True: "met", False: "MISSED", None: ""}[self.met]
        return f"| {self.name} | {self.figure} | {self.threshold} | {met} |"


def at_most(name: str, value: float, limit: float, unit: str) -> Measure:
    figure, threshold = f"{value:.3g} {unit}", f"≤ {limit:g} {unit}"
    return Measure(name=name, figure=figure.strip(), threshold=threshold.strip(), met=value <= limit)


def at_least(name: str, value: float, limit: float, unit: str) -> Measure:
    return Measure(name=name, figure=f"{value:.3g} {unit}", threshold=f"≥ {limit:g} {unit}", met=value >= limit)


def quantiles(values: list[float]) -> str:
    return "{:.0f}, {:.0f} ms".format(*np.quantile(values, [0.5, 0.95]))


@contextmanager
def lab(*options: str) -> Iterator[Any]:
    with (
        tempfile.TemporaryDirectory() as home,
        tempfile.TemporaryDirectory() as folder,
        BROWSER["serving"](Path(home), Path(folder), *options) as lab,
    ):
        yield lab


@contextmanager
def notebook(browser: Browser, lab: Any, *cells: str) -> Iterator[Page]:
    """A page with a notebook of these cells, none of them run."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(1000 * BROWSER["PATIENCE"])
    context.add_init_script(path=Path(__file__).with_suffix(".js"))
    page = context.new_page()
    try:
        lab.write("benchmark.ipynb", *cells, "print('empty')")
        lab.open(page, "benchmark.ipynb")
        yield page
    finally:
        context.close()
        lab.end_sessions()


def run_cell(page: Page, number: int):
    """Run a cell and wait for its end."""
    cell = page.locator(".jp-CodeCell").nth(number)
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-InputArea-prompt")).to_have_text(f"[{number + 1}]:")


@contextmanager
def explored(browser: Browser, lab: Any, *cells: str) -> Iterator[Page]:
    """A page with an explorer that has shown all it has to show."""
    with notebook(browser, lab, CODEC, *cells) as page:
        for number in range(1 + len(cells)):
            run_cell(page, number)
        page.locator(".gx-map .gx-over").scroll_into_view_if_needed()
        page.wait_for_timeout(3000)
        page.evaluate("gx.settled()")
        yield page


def ask(page: Page, expression: str) -> Any:
    """What an expression is in the kernel: the last cell is rewritten and run."""
    cell = page.locator(".jp-CodeCell").last
    cell.locator(".cm-content").fill(f"import json; print('answer', json.dumps({expression}))")
    cell.locator(".cm-content").press("Control+Enter")
    answer = cell.locator(".jp-OutputArea-output", has_text="answer")
    expect(answer).to_have_count(1)
    return json.loads(answer.inner_text().removeprefix("answer "))


def dragging(browser: Browser, lab: Any, server: str, least: float) -> Iterator[Measure]:
    with explored(browser, lab, FAST) as page:
        page.evaluate("gx.drag(1, 1, 100)")
        seen = page.evaluate("gx.drag(4, 1, 150)")
        yield at_least(f"pictures a second while dragging, {server}", seen["rate"], least, "/s")
        yield Measure(name=f"pointer → picture, p50, p95, {server}", figure=quantiles(seen["delays"]))
        flood = page.evaluate("gx.drag(1, 17, 120)")
        words = f"{flood['events']} events in a second, {server}"
        yield Measure(name=f"{words}: requests", figure=str(flood["asked"]))
        yield at_most(f"{words}: requests after the last", flood["after"], 2, "")
        yield Measure(name=f"{words}: last picture after", figure=f"{flood['tail']:.0f} ms")


def tail(browser: Browser, lab: Any, server: str) -> Iterator[Measure]:
    with explored(browser, lab, SLOW) as page:
        tails = [page.evaluate(f"gx.drag(2, 1, 150, {turn})")["tail"] for turn in range(5)]
        yield at_most(f"drag tail at a decode of 100 ms, longest of 5, {server}", max(tails), 300, "ms")


def lasso(browser: Browser, lab: Any, server: str) -> Iterator[Measure]:
    with explored(browser, lab, LASSO) as page:
        page.get_by_label("lasso").check()
        page.evaluate("gx.side = 8")
        turns = [page.evaluate(f"gx.drag(2, 1, {radius})") for radius in (60, 120, 180)]
        heard = ask(page, "heard")
        frames = float(np.quantile([delta for turn in turns for delta in turn["frames"]], 0.95))
        ids = [1000 * at - turn["up"] for turn, (at, _) in zip(turns, heard, strict=True)]
        largest = max(n for _, n in heard)
        yield at_most(f"lasso of 50,000 points, frame p95, {server}", frames, 25, "ms")
        yield at_most(f"mouse up → ids in Python (up to {largest:,}), longest of 3, {server}", max(ids), 150, "ms")
        pictures = max(turn["tail"] for turn in turns)
        yield at_most(f"mouse up → the mean's picture, longest of 3, {server}", pictures, 150, "ms")
        yield Measure(name=f"mouse up → all drawn anew, {server}", figure=f"{max(t['end'] for t in turns):.0f} ms")


def first_paint(browser: Browser, lab: Any, name: str, setting: str) -> Iterator[Measure]:
    def painted(*cells: str) -> float:
        """Seconds from running the last cell to the first map that is not blank."""
        with notebook(browser, lab, setting, *cells) as page:
            for number in range(len(cells)):
                run_cell(page, number)
            page.locator(".jp-CodeCell").nth(len(cells)).locator(".cm-content").click()
            page.evaluate("void (gx.painted = gx.firstPaint())")
            page.keyboard.press("Shift+Enter")
            return page.evaluate("gx.painted") / 1000

    yield at_most(f"first paint, {name}", painted(EXPLORE, "explorer"), 1, "s")
    yield Measure(name=f"first paint with making it, {name}", figure=f"{painted(EXPLORE + chr(10) + 'explorer'):.2f} s")


def sizes(folder: Path) -> Iterator[Measure]:
    setting = FACES.format(model=str(DATA / "models" / "GAIA"), n=500)
    cells = [nbformat.v4.new_code_cell(cell) for cell in (setting, SIZES, "explorer")]
    written, executed = folder / "in.ipynb", folder / "out.ipynb"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), written)
    done = papermill.execute_notebook(str(written), str(executed), cwd=str(folder), progress_bar=False)
    _, state, page = done.cells[1].outputs[0]["text"].split()
    yield at_most("widget state without data", int(state) / 1000, 50, "kB")
    yield at_most("executed notebook with an explorer of faces", executed.stat().st_size / 1000, 1000, "kB")
    yield at_most("page of a faces plane without a kernel", int(page) / 1000, 500, "kB")


def show(measures: Iterator[Measure]):
    for measure in measures:
        print(measure, flush=True)


def main():
    print("load of the machine before: {:.2f}, {:.2f}, {:.2f}".format(*os.getloadavg()))
    print("| measure | figure | threshold | |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        show(sizes(Path(folder)))
    expect.set_options(timeout=1000 * BROWSER["PATIENCE"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER["FLAGS"])
        for server, least, options in (("default server", 15, ()), ("TCP_NODELAY", 25, (NODELAY,))):
            with lab(*options) as own:
                show(dragging(browser, own, server, least))
                show(tail(browser, own, server))
                show(lasso(browser, own, server))
                if not options:
                    moons, faces = (
                        ROOT / "data" / "planar" / "moons-GAIA-alpha=1-default-seed0",
                        DATA / "models" / "GAIA",
                    )
                    for name, text, model, n in (
                        ("2,000 moons", PLANAR, moons, 2000),
                        ("50,000 moons", PLANAR, moons, 50_000),
                        ("500 faces", FACES, faces, 500),
                    ):
                        show(first_paint(browser, own, name, text.format(model=str(model), n=n)))
        browser.close()
    print("load of the machine after: {:.2f}, {:.2f}, {:.2f}".format(*os.getloadavg()))


if __name__ == "__main__":
    main()
