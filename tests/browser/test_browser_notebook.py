"""A visit to the notebook of explorers in a real JupyterLab: what is done by hand there, and what comes of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(lab: Any, tmp_path: Path) -> Path:
    """Where the notebook writes; it lies in the folder that JupyterLab serves, with parameters of its own."""
    notebook = json.loads((ROOT / "notebooks" / "6-explore.ipynb").read_text())
    (cell,) = (cell for cell in notebook["cells"] if cell["metadata"].get("tags") == ["parameters"])
    own = {
        "planar_dir": ROOT / "data" / "planar",
        "faces_dir": ROOT / "data" / "models",
        "out_dir": tmp_path / "explored",
    }
    lines = "".join(cell["source"]).splitlines()
    lines += [f"{name} = {str(path)!r}" for name, path in own.items()] + ["quick = True"]
    cell["source"] = "\n".join(lines)
    (lab.folder / "explore.ipynb").write_text(json.dumps(notebook))
    return tmp_path / "explored"


def cell_with(page: Page, source: str) -> Locator:
    """The code cell that has this in its source, in sight."""
    cell = page.locator(".jp-CodeCell", has=page.locator(".jp-InputArea", has_text=source)).first
    cell.scroll_into_view_if_needed()
    return cell


def picture(place: Locator, name: str) -> str:
    return place.get_by_role("img", name=name).first.evaluate("canvas => canvas.toDataURL()")


def drag(page: Page, chart: Locator, *path: tuple[float, float]):
    """Press at the first place (shares of the chart from its top left), go through the others, let go."""
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in path]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_a_visit(lab: Any, page: Page, folder: Path, tmp_path: Path):
    lab.open(page, "explore.ipynb")
    lab.run_all(page)
    training = cell_with(page, "watch=view")
    expect(training.locator(".jp-OutputArea-prompt").last).to_have_text(re.compile(r"\[\d+\]:"))
    expect(page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    assert (folder / "faces.html").is_file()

    # The cursor, on moons.
    moons = cell_with(page, "planar_tabs")
    chart = moons.get_by_role("application", name=re.compile("latent codes of moons"))
    before = picture(moons, "Decoded at the cursor")
    drag(page, chart, (0.5, 0.5), (0.3, 0.3), (0.25, 0.7))
    expect(moons.locator(".gx[data-busy='']")).to_have_count(1)
    assert picture(moons, "Decoded at the cursor") != before
    page.screenshot(path=tmp_path / "moons.png")

    # The warp, in its tab, beside those of other models.
    moons.get_by_role("tab", name="Warp").click()
    expect(moons.get_by_text("GAIA: its warp")).to_be_visible()
    page.screenshot(path=tmp_path / "warp.png")

    # A lasso, on faces; the rows are in Python, and Export writes them.
    faces = cell_with(page, "faces_tabs = ge.explore")
    chart = faces.get_by_role("application", name=re.compile("latent codes of drawn faces"))
    chart.scroll_into_view_if_needed()
    faces.get_by_label("lasso").check()
    drag(page, chart, (0.05, 0.05), (0.6, 0.05), (0.6, 0.95), (0.05, 0.95))
    words = faces.get_by_text(re.compile(r"mean of \d+ selected"))
    expect(words).not_to_have_text("mean of 50 selected")  # what the notebook had selected
    page.screenshot(path=tmp_path / "faces.png")
    exported = folder / "faces" / "latent" / "selection.csv"
    exported.unlink()
    faces.get_by_role("button", name="Export").first.click()
    expect(faces.get_by_role("status").first).to_have_text(re.compile("Written to"))
    rows = exported.read_text().splitlines()[1:]
    assert words.inner_text() == f"mean of {len(rows)} selected"

    # A plane, whose cursor is dragged, and models compared.
    faces.get_by_role("tab", name="Plane").click()
    sheet = faces.get_by_role("application", name=re.compile("over the plane of three stimuli"))
    expect(sheet).to_be_visible()
    expect(faces.locator(".gx[data-busy='']:visible")).to_have_count(1)
    before = picture(faces, "Decoded at the cursor")
    drag(page, sheet, (0.5, 0.5), (0.3, 0.6))
    expect(faces.locator(".gx[data-busy='']:visible")).to_have_count(1)
    assert picture(faces, "Decoded at the cursor") != before
    page.screenshot(path=tmp_path / "plane.png")
    faces.get_by_role("tab", name="Compare").click()
    expect(faces.get_by_role("columnheader", name="pixel error").first).to_be_visible()
    page.screenshot(path=tmp_path / "compare.png")

    # A slider of an attribute, by keys.
    editor = cell_with(page, "editor.change")
    before = picture(editor, "After edited")
    slider = editor.get_by_role("slider", name="Young")
    slider.scroll_into_view_if_needed()
    slider.focus()
    for _ in range(6):
        slider.press("ArrowRight")
    expect(editor.locator(".gx[data-busy='']")).to_have_count(1)
    after = picture(editor, "After edited")
    assert after != before
    page.screenshot(path=tmp_path / "editor.png")
    slider.press("e")
    expect(editor.get_by_text(re.compile("Written to"))).to_be_visible()
    strengths = json.loads((folder / "faces" / "attributes" / "state.json").read_text())["strengths"]
    assert max(strengths) > 0

    # A morph, played to its end.
    morph = cell_with(page, "morph.change")
    shown = [picture(morph, "At the position morph")]
    morph.get_by_role("slider", name="Position").evaluate("input => { input.value = 0; input.oninput(); }")
    play = morph.get_by_role("button", name="Play")
    play.scroll_into_view_if_needed()
    play.click()
    for _ in range(4):
        page.wait_for_timeout(600)
        shown.append(picture(morph, "At the position morph"))
    assert len(set(shown)) == len(shown)
    expect(morph.get_by_role("button", name="Play")).to_be_visible()  # Pause until it has ended
    exported = folder / "faces" / "morph" / "stimuli.csv"
    exported.unlink()
    morph.get_by_role("button", name="Export").click()
    expect(morph.get_by_text(re.compile("files written to"))).to_be_visible()
    assert len(exported.read_text().splitlines()) == 1 + 13
    page.screenshot(path=tmp_path / "morph.png")

    # The page comes back with the kernel, and finds everything as it was.
    page.locator(".jp-InputArea-prompt").last.click()
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    page.reload()
    editor = cell_with(page, "editor.change")
    expect(editor.get_by_role("slider", name="Young")).to_be_visible()
    page.wait_for_function(
        "old => [...document.querySelectorAll('canvas.gx-stimulus')].some(canvas => canvas.toDataURL() === old)",
        arg=after,
    )
    page.screenshot(path=tmp_path / "reloaded.png")
