"""Explorers in files that work without a kernel, as a browser shows them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import gaia_explore as ge
from gaia_explore.embeddings import pca
from gaia_explore.explorers import (
    AttributeEditor,
    CompareExplorer,
    LatentExplorer,
    MorphExplorer,
    PlaneExplorer,
    UMAPView,
    WarpExplorer,
)
from gaia_explore.explorers.explorer import Explorer
from gaia_explore.explorers.sets import CodedStimuli, coded

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def codes() -> CodedStimuli:
    """The shipped GAIA of drawn faces, and stimuli that it was not trained on."""
    held_out = ge.stimuli.faces(32).split(0.95, seed=0, stratify="none")[1]
    return coded(ge.load(ROOT / "data" / "models" / "GAIA").codec, held_out)


@pytest.fixture(scope="module")
def faces(codes: CodedStimuli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plane of the faces' codes, in a file."""
    return LatentExplorer(codes).to_html(tmp_path_factory.mktemp("page") / "faces.html")


@pytest.fixture
def asked() -> list[str]:
    """The addresses that the page asked for."""
    return []


@pytest.fixture
def blank(browser: Browser, asked: list[str]) -> Iterator[Page]:
    """A page without a network, on which no script may fail."""
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 900})
    page, failed = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    yield page
    context.close()
    assert failed == []


@pytest.fixture
def offline(blank: Page, faces: Path) -> Page:
    blank.goto(faces.as_uri())
    expect(blank.get_by_role("img", name="Decoded at the cursor")).to_be_visible()
    return blank


@pytest.fixture
def opened(blank: Page, tmp_path: Path, asked: list[str]) -> Iterator[Callable[[Explorer], Page]]:
    """Write an explorer's file, small enough, and open it."""
    file = tmp_path / "page.html"

    def opened(explorer: Explorer) -> Page:
        assert explorer.to_html(file).stat().st_size <= 500_000
        blank.goto(file.as_uri())
        expect(blank.locator(".gx")).to_have_attribute("data-busy", "")
        return blank

    yield opened
    blank.screenshot(path=tmp_path / "page.png", full_page=True)
    assert asked == [file.as_uri()]


def pixels(page: Page, name: str = "Decoded at the cursor") -> np.ndarray:
    data = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    return np.array(page.get_by_role("img", name=name).first.evaluate(data))


def settled(page: Page):
    page.wait_for_function("document.querySelector('.gx').dataset.busy === ''")
    page.wait_for_timeout(100)


def place(page: Page, name: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of a chart, in sight."""
    chart = page.get_by_role("application", name=name)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


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
        settled(offline)
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


def test_a_morph_is_played_dragged_and_clicked_and_all_controls_agree(
    opened: Callable[[Explorer], Page], codes: CodedStimuli
):
    page = opened(MorphExplorer(codes, anchors=(0, 5, 9)))
    slider, strip = page.get_by_role("slider", name="Position"), page.get_by_role("group", name="Step", exact=True)
    chart = page.get_by_role("application", name="Realism along the path")
    shown, drawn = [pixels(page, "At the position morph")], [chart.evaluate("canvas => canvas.toDataURL()")]

    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=10_000)
    assert slider.input_value() == "1"
    expect(strip.locator("figure[data-chosen]")).to_contain_text("3:")
    expect(page.get_by_text("step 10.0")).to_be_visible()
    shown.append(pixels(page, "At the position morph"))
    drawn.append(chart.evaluate("canvas => canvas.toDataURL()"))
    assert np.abs(shown[1] - shown[0]).mean() > 1 and drawn[1] != drawn[0]

    left, top, width, height = place(page, "Realism along the path")
    page.mouse.move(left + width / 2, top + height / 2)
    page.mouse.down()
    page.mouse.move(left + 0.1 * width, top + height / 2, steps=5)
    # As far as the path goes, and no farther.
    page.mouse.move(left, top + height / 2)
    page.mouse.up()
    settled(page)
    assert slider.input_value() == "0"
    expect(strip.locator("figure[data-chosen]")).to_contain_text("1:")

    strip.locator("figure").nth(5).click()
    settled(page)
    assert slider.input_value() == "0.5"
    assert np.abs(pixels(page, "At the position morph") - shown[0]).mean() < 4
    for words in ("Add the stimulus of row", "More stimuli", "Remove the chosen anchor"):
        expect(page.get_by_text(words)).to_be_hidden()
    expect(page.locator("button:visible")).to_have_count(1)


def test_one_slider_of_the_editor_is_moved_and_the_others_return(
    opened: Callable[[Explorer], Page], codes: CodedStimuli
):
    editor = AttributeEditor(codes, names=("Eyeglasses", "Smiling"))
    editor.strengths = {"Smiling": 1.0}
    page = opened(editor)
    glasses, smile = page.get_by_role("slider", name="Eyeglasses"), page.get_by_role("slider", name="Smiling")
    before = pixels(page, "After edited").astype(float), pixels(page, "Before unedited").astype(float)
    glasses.fill("2")
    settled(page)
    after = pixels(page, "After edited")
    assert np.abs(after - before[0]).mean() > 5
    expect(page.get_by_text("+2.00 SD")).to_be_visible()
    smile.fill("0")
    settled(page)
    # Without glasses again, and as unedited: the place is on the grid. But WebP is not exact.
    assert glasses.input_value() == "0"
    assert np.abs(pixels(page, "After edited") - before[1]).mean() < 3
    expect(page.get_by_text("Sliders move one at a time: the others return to where the page began.")).to_be_visible()
    assert all(page.get_by_label("lock").nth(i).is_disabled() for i in range(2))


def test_the_cursor_is_dragged_over_a_plane_and_anchors_stay(opened: Callable[[Explorer], Page], codes: CodedStimuli):
    page = opened(PlaneExplorer(codes))
    before = pixels(page)
    left, top, width, height = place(page, "Decoded over the plane of three stimuli")
    page.mouse.move(left + width / 2, top + height / 2)
    page.mouse.down()
    page.mouse.move(left + 0.3 * width, top + 0.3 * height, steps=5)
    page.mouse.up()
    settled(page)
    dragged = pixels(page)
    assert np.abs(dragged - before).mean() > 1
    page.get_by_role("group", name="Anchor", exact=True).locator("figure").nth(1).click()
    settled(page)
    assert np.abs(pixels(page) - dragged).mean() > 1

    # Anchors of the map cannot be dragged: nobody decodes another plane.
    codes_map = page.get_by_role("application", name="500 latent codes")
    picture = "canvas => canvas.toDataURL()"
    page.mouse.move(0, 0)
    settled(page)
    still = codes_map.evaluate(picture)
    corner = PlaneExplorer(codes)
    left, top, width, height = place(page, "500 latent codes")
    low_x, high_x, low_y, high_y = corner.map.extent
    x, y = corner.map.points[corner.anchors[0]]
    page.mouse.move(left + width * (x - low_x) / (high_x - low_x), top + height * (high_y - y) / (high_y - low_y))
    page.mouse.down()
    page.mouse.move(left + width / 2, top + 10, steps=4)
    page.mouse.up()
    page.mouse.move(0, 0)
    settled(page)
    assert codes_map.evaluate(picture) == still


def test_models_are_compared_at_a_position(opened: Callable[[Explorer], Page], codes: CodedStimuli):
    page = opened(CompareExplorer({"GAIA": codes.codec}, codes.stimuli))
    before = pixels(page, "At this position GAIA"), pixels(page, "At this position pixels mixed")
    table = page.get_by_role("table").inner_text()
    page.get_by_role("slider", name="Position on the morph").fill("0.25")
    settled(page)
    for picture, name in zip(before, ("GAIA", "pixels mixed"), strict=True):
        assert np.abs(pixels(page, f"At this position {name}") - picture).mean() > 1
    assert page.get_by_role("table").inner_text() != table


def test_a_map_by_umap_shows_no_neighbours_of_another_place(opened: Callable[[Explorer], Page], codes: CodedStimuli):
    page = opened(UMAPView(codes, embedding=pca(codes.z)))
    near = page.get_by_role("group", name="Nearest in the latent space")
    expect(near).to_be_visible()
    before = pixels(page)
    left, top, width, height = place(page, "latent codes")
    page.mouse.click(left + width / 3, top + height / 3)
    settled(page)
    assert np.abs(pixels(page) - before).mean() > 1
    expect(near).to_be_hidden()


@pytest.mark.parametrize(("planar", "words"), [(True, {"edge", "cell"}), (False, {"vertex"})])
def test_warps_are_linked_without_a_kernel(
    opened: Callable[[Explorer], Page], codes: CodedStimuli, planar: bool, words: set[str]
):
    moons = coded(ge.load(ROOT / "data" / "planar" / "moons-AE-default-seed0").codec, ge.stimuli.moons(n=200, seed=0))
    page = opened(WarpExplorer(moons if planar else codes))
    charts = page.get_by_role("application")
    before = charts.nth(1).evaluate("canvas => canvas.toDataURL()")
    box = charts.nth(0).bounding_box()
    assert box is not None
    told = page.locator(".gx-hover").first
    seen = set()
    for share in np.linspace(0.4, 0.6, 21):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        seen |= {told.inner_text().split(" ")[0]} if told.is_visible() else set()
    assert seen == words
    settled(page)
    assert charts.nth(1).evaluate("canvas => canvas.toDataURL()") != before
    assert page.get_by_role("slider", name="Resolution").is_disabled()
