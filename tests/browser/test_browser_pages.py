"""Explorers in files that work without a kernel, as a browser shows them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import gaia_explore as ge
from gaia_explore.explorers import LatentExplorer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plane of the shipped GAIA of drawn faces, in a file."""
    held_out = ge.stimuli.faces(32).split(0.95, seed=0, stratify="none")[1]
    explorer = LatentExplorer(ge.load(ROOT / "data" / "models" / "GAIA").codec, held_out)
    return explorer.to_html(tmp_path_factory.mktemp("page") / "faces.html")


@pytest.fixture
def asked() -> list[str]:
    """The addresses that the page asked for."""
    return []


@pytest.fixture
def offline(browser: Browser, faces: Path, asked: list[str]) -> Iterator[Page]:
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 800})
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(faces.as_uri())
    expect(page.get_by_role("img", name="Decoded at the cursor")).to_be_visible()
    yield page
    context.close()


def pixels(page: Page) -> np.ndarray:
    data = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    return np.array(page.get_by_role("img", name="Decoded at the cursor").evaluate(data))


def test_a_faces_plane_is_small_and_asks_for_nothing(offline: Page, faces: Path, asked: list[str]):
    assert faces.stat().st_size <= 500_000
    assert asked == [faces.as_uri()]
    assert offline.get_by_role("combobox", name="Plane").is_disabled() and offline.get_by_label("lasso").is_enabled()


def test_the_cursor_is_dragged_and_pictures_are_blended(offline: Page, tmp_path: Path, asked: list[str]):
    box = offline.get_by_role("application").bounding_box()
    assert box is not None
    shown = []
    offline.mouse.move(box["x"] + 100, box["y"] + 250)
    offline.mouse.down()
    # Less than the distance of two places that were decoded: 22 pixels.
    for x in (100, 104, 108):
        offline.mouse.move(box["x"] + x, box["y"] + 250)
        offline.wait_for_function("document.querySelector('.gx').dataset.busy === ''")
        offline.wait_for_timeout(100)
        shown.append(pixels(offline))
    offline.mouse.up()
    near, far = np.abs(shown[1] - shown[0]).mean(), np.abs(shown[2] - shown[0]).mean()
    assert 0 < near < far
    offline.screenshot(path=tmp_path / "page.png")
    assert len(asked) == 1


def test_hover_shows_a_stimulus_and_a_lasso_what_is_in_it(offline: Page):
    overlay = offline.get_by_role("application")
    box = overlay.bounding_box()
    assert box is not None
    for x in range(60, 400, 6):
        offline.mouse.move(box["x"] + x, box["y"] + 250)
        if offline.locator(".gx-hover").is_visible():
            break
    expect(offline.locator(".gx-hover canvas")).to_be_visible()
    before = overlay.evaluate("canvas => canvas.previousSibling.toDataURL()")
    offline.get_by_label("box").check()
    offline.mouse.move(box["x"] + 100, box["y"] + 100)
    offline.mouse.down()
    offline.mouse.move(box["x"] + 300, box["y"] + 300)
    offline.mouse.up()
    offline.wait_for_timeout(200)
    assert overlay.evaluate("canvas => canvas.previousSibling.toDataURL()") != before
