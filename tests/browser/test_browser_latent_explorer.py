"""Exploring a latent space by hand in a real JupyterLab."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXPLORE = """import numpy as np
import pandas as pd
import gaia_explore as ge

class Codec:
    def encode(self, x):
        return np.asarray(x, float).reshape(len(x), -1)[:, [0, 63]] * 4 - 2
    def decode(self, z):
        across = np.linspace(0, 1, 8)
        a, b = (np.asarray(z, float).T[..., None] + 2) / 4
        return np.float32((a * (1 - across) + b * across)[:, None] * np.ones((1, 8, 1)))

codec = Codec()
corners = np.random.default_rng(0).random((300, 2)) * 4 - 2
stimuli = ge.Stimuli.from_array(codec.decode(corners), attributes={"bright": corners.sum(axis=1) > 0})
explorer = ge.LatentExplorer(codec, stimuli)
explorer"""


@pytest.fixture
def explored(lab: Any, page: Page) -> Page:
    """A page where an explorer of small pictures is shown."""
    lab.write("explore.ipynb", EXPLORE, "print(1)", "print(2)")
    lab.open(page, "explore.ipynb")
    lab.run_all(page)
    expect(page.get_by_text(re.compile(r"Cursor at .*Nearest code")).first).to_be_visible()
    settled(page)
    return page


def overlay(page: Page) -> Locator:
    return page.get_by_role("application", name="300 latent codes of stimuli")


def settled(page: Page):
    """Nothing that somebody did is still to be answered."""
    expect(page.locator(".gx[data-busy='']")).to_have_count(1)


def decoded(page: Page) -> str:
    return page.get_by_role("img", name="Decoded at the cursor").evaluate("canvas => canvas.toDataURL()")


def drag(page: Page, *path: tuple[float, float]):
    """Press at the first place (shares of the map from its top left), go through the others, let go at the last."""
    overlay(page).scroll_into_view_if_needed()
    box = overlay(page).bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in path]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    settled(page)


def ask_python(page: Page, expression: str) -> str:
    """What the kernel prints for an expression: the notebook's second cell is rewritten and run."""
    cell = page.locator(".jp-CodeCell").nth(1)
    cell.locator(".cm-content").fill(f"print('answer', {expression})")
    cell.locator(".cm-content").press("Control+Enter")
    answer = cell.locator(".jp-OutputArea-output", has_text="answer")
    expect(answer).to_have_count(1)
    return answer.inner_text().removeprefix("answer ").strip()


def test_the_decoded_picture_follows_the_cursor(explored: Page, tmp_path: Path):
    before = decoded(explored)
    drag(explored, (0.5, 0.5), (0.3, 0.4), (0.2, 0.2))
    after = decoded(explored)
    assert after != before
    explored.screenshot(path=tmp_path / "explorer.png")
    overlay(explored).press("z")
    expect(explored.get_by_role("img", name="Decoded at")).to_have_count(1)
    explored.wait_for_function("old => document.querySelector('canvas.gx-stimulus').toDataURL() === old", arg=before)
    overlay(explored).press("y")
    explored.wait_for_function("old => document.querySelector('canvas.gx-stimulus').toDataURL() === old", arg=after)
    overlay(explored).press("Shift+ArrowRight")
    explored.wait_for_function("old => document.querySelector('canvas.gx-stimulus').toDataURL() !== old", arg=after)


def test_a_lasso_selects_stimuli_in_python_and_decodes_their_mean(explored: Page):
    explored.get_by_label("lasso").check()
    drag(explored, (0.02, 0.02), (0.5, 0.02), (0.5, 0.98), (0.02, 0.98))
    left = "list(explorer.selection) == [i for i in range(300) if explorer.plane.points[i, 0] < centre]"
    centre = "(explorer.plane.extent[0] + explorer.plane.extent[1]) / 2"
    expect(explored.get_by_text(re.compile(r"mean of 1\d\d selected"))).to_be_visible()
    expect(explored.get_by_role("row", name=re.compile("bright"))).to_be_visible()
    assert ask_python(explored, f"[{left} for centre in [{centre}]], len(explorer.selection) > 100") == "[True] True"


def test_a_thousand_moves_leave_no_backlog(explored: Page):
    before = int(explored.locator(".gx").get_attribute("data-requests") or 0)
    overlay(explored).evaluate(
        """canvas => {
          const {left, top} = canvas.getBoundingClientRect();
          const tell = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
            clientX: left + x, clientY: top + y, buttons: 1, pointerId: 1, bubbles: true}));
          canvas.setPointerCapture = () => {};
          tell("pointerdown", 100, 100);
          for (let i = 0; i < 1000; i++) tell("pointermove", 100 + i / 5, 100);
          tell("pointerup", 300, 100);
        }"""
    )
    settled(explored)
    # One under way, or two where the kernel answers soon, and the newest place; none of those between.
    assert 2 <= int(explored.locator(".gx").get_attribute("data-requests") or 0) - before <= 3
    where = "round((explorer.state.cursor[0] - explorer.plane.extent[0]) / np.ptp(explorer.plane.extent[:2]) * 460)"
    assert ask_python(explored, where) == "300"


def test_the_notebooks_keys_are_the_widgets_while_it_has_the_focus(explored: Page):
    overlay(explored).press("d")
    overlay(explored).press("d")
    explored.get_by_label("hull").press("d")
    explored.get_by_label("hull").press("d")
    assert explored.locator(".jp-CodeCell").count() == 3


def test_chords_save_the_notebook_and_undo_in_the_explorer(explored: Page):
    before = decoded(explored)
    drag(explored, (0.5, 0.5), (0.25, 0.25))
    moved = decoded(explored)
    same = "old => document.querySelector('canvas.gx-stimulus').toDataURL() === old"
    for chord, picture in (("Control+z", before), ("Control+Shift+z", moved), ("Meta+z", before), ("Control+y", moved)):
        overlay(explored).press(chord)
        explored.wait_for_function(same, arg=picture)
    assert before != moved
    overlay(explored).press("Control+s")
    expect(explored.locator(".jp-mod-dirty")).to_have_count(0)


def test_a_reloaded_page_shows_the_explorer_where_it_was(explored: Page, lab: Any):
    drag(explored, (0.5, 0.5), (0.25, 0.25))
    picture = decoded(explored)
    explored.keyboard.press("Control+s")
    expect(explored.locator(".jp-mod-dirty")).to_have_count(0)
    explored.reload()
    expect(overlay(explored)).to_be_visible()
    explored.wait_for_function("old => document.querySelector('canvas.gx-stimulus').toDataURL() === old", arg=picture)


def test_an_error_of_the_codec_is_shown_in_the_explorer(explored: Page):
    ask_python(explored, "setattr(codec, 'decode', lambda z: 1 / 0)")
    drag(explored, (0.5, 0.5), (0.25, 0.25))
    expect(explored.get_by_role("alert")).to_have_text("ZeroDivisionError: division by zero")
    expect(explored.locator(".gx[data-stale]")).to_have_count(0)  # the cursor is back where the picture is of
    ask_python(explored, "delattr(codec, 'decode')")
    drag(explored, (0.5, 0.5), (0.3, 0.3))
    expect(explored.get_by_role("alert")).to_have_count(0)
    expect(explored.locator(".gx[data-stale]")).to_have_count(0)


def test_a_slow_model_keeps_up_with_a_drag_and_ends_at_its_last_place(explored: Page):
    slow = "lambda z: (__import__('time').sleep(0.1), Codec.decode(codec, z))[1]"
    ask_python(explored, f"setattr(codec, 'decode', {slow})")
    up = overlay(explored).evaluate(
        """async canvas => {
          const {left, top} = canvas.getBoundingClientRect();
          const tell = (type, x, y) => canvas.dispatchEvent(new PointerEvent(type, {
            clientX: left + x, clientY: top + y, buttons: 1, pointerId: 1, bubbles: true}));
          canvas.setPointerCapture = () => {};
          tell("pointerdown", 100, 100);
          for (let i = 1; i <= 100; i++) {
            tell("pointermove", 100 + 2 * i, 100 + i);
            await new Promise(requestAnimationFrame);
          }
          tell("pointerup", 300, 200);
          return Number(canvas.closest(".gx").dataset.requests);
        }"""
    )
    settled(explored)
    # What was under way, and the newest place; none of those between.
    assert int(explored.locator(".gx").get_attribute("data-requests") or 0) - up <= 2
    away = "np.abs(np.array(explorer.state.cursor) - np.array(explorer.plane.extent)[[0, 3]])"
    where = f"np.round({away} / np.ptp(explorer.plane.extent[:2]) * 460).astype(int).tolist()"
    assert ask_python(explored, where) == "[300, 200]"
    shown = "explorer.contents()['decoded'].arrays['rgba'][0, 0, [0, -1], 0].tolist()"
    left, right = map(int, re.findall(r"\d+", ask_python(explored, shown)))
    corners = explored.get_by_role("img", name="Decoded at the cursor").evaluate(
        """canvas => [2, canvas.width - 3].map(x => canvas.getContext("2d").getImageData(x, 2, 1, 1).data[0])"""
    )
    assert corners == [left, right]
