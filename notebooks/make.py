"""Pages of all notebooks, executed, for people who only read; and the thumbnails of the start page, made of the pages.

``make docs`` executes every notebook and writes ``runs/docs/index.html`` and a page each. Where a figure has changed::

    make docs
    python notebooks/make.py thumbnails    # with the extra "test", and Chromium; then look at them, and commit them
"""

import argparse
import io
import re
import shutil
from pathlib import Path

import nbformat

from gaia_explore import batch
from gaia_explore.training import write_atomically

NOTEBOOKS = Path(__file__).parent
START = NOTEBOOKS / "0-start.ipynb"
WALK = sorted(path for path in NOTEBOOKS.glob("*.ipynb") if path != START)

CELLS = {
    "1-stimuli": "cell-14",
    "2-train": "cell-09",
    "3-planar-study": "cell-06",
    "4-faces-train": "cell-10",
    "5-attributes": "cell-14",
    "6-explore": "cell-04",
    "7-your-own-data": "cell-17",
}
"""The cell of each notebook whose picture becomes its thumbnail."""

SIZE = (480, 300)
"""Of a thumbnail, in pixels: the start page shows it at half of that."""

MOST_BYTES = 25_000
"""That a thumbnail may have, since it is committed."""


def docs(out: Path, *, quick: bool = False):
    """Execute all notebooks, and write their pages and an index of them, which work offline."""
    files = out / ("quick" if quick else "files")
    for notebook in WALK:
        parameters = {"out_dir": str(files / notebook.stem), "quick": quick}
        page = batch.execute(notebook, out, parameters)
        _write(page, page.read_text(encoding="utf-8"))
    shutil.copytree(NOTEBOOKS / "thumbnails", out / "thumbnails", dirs_exist_ok=True)
    _write(out / "index.html", batch.to_html(nbformat.read(START, as_version=4)))
    print(f"Read: {out / 'index.html'}")


def thumbnails(out: Path, *, folder: Path = NOTEBOOKS / "thumbnails"):
    """Take the pictures of the chosen cells from the pages that `docs` wrote."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        view = browser.new_page(viewport={"width": 1200, "height": 1000}, device_scale_factor=2)
        for name, cell in CELLS.items():
            view.goto((out / f"{name}.html").resolve().as_uri())
            place = view.locator(f'[id="cell-id={cell}"]')
            shown = place.locator(".plotly-graph-div .cartesianlayer, .jp-RenderedImage img").first
            picture = Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
            write_atomically(folder / f"{name}.webp", _small(picture))
        browser.close()


def _small(picture) -> bytes:
    """A picture, or its left half if it is very wide, in the size of thumbnails and as few bytes as they may have."""
    from PIL import Image, ImageOps

    picture = picture.crop((0, 0, min(picture.width, 2 * picture.height), picture.height))
    picture = ImageOps.pad(picture, SIZE, Image.Resampling.LANCZOS, color="white")
    for quality in range(85, 0, -5):
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=quality, method=6)
        if file.tell() <= MOST_BYTES:
            break
    return file.getvalue()


def _write(page: Path, html: str):
    """Write a page whose links lead from page to page, and not to notebooks."""
    html = re.sub(r'href="(\d-[\w-]+)\.ipynb"', r'href="\1.html"', html).replace(
        'href="0-start.html"', 'href="index.html"'
    )
    write_atomically(page, html.encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("docs", "thumbnails"))
    parser.add_argument("--out", type=Path, default=NOTEBOOKS.parent / "runs" / "docs", help="the folder of the pages")
    parser.add_argument("--quick", action="store_true", help="a few steps on small samples: minutes, not an hour")
    given = parser.parse_args()
    if given.what == "docs":
        docs(given.out.resolve(), quick=given.quick)
    else:
        thumbnails(given.out)
