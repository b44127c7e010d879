"""Stopping a training by hand in a real JupyterLab, while its cell is busy."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TRAINING = """import gaia_explore as ge

config = ge.GAIAConfig(network=ge.networks.FullyConnected(hidden_units=16, hidden_layers=2))
run = ge.train(config, ge.stimuli.moons(n=256), steps=1_000_000)"""


@pytest.fixture
def training(lab: Any, page: Page) -> Page:
    """A page where a notebook trains, for an hour or more if nobody stops it."""
    lab.write("training.ipynb", TRAINING, "print(run.health)")
    lab.open(page, "training.ipynb")
    lab.run_all(page)
    terms = page.locator(".widget-html-content", has_text="L_x=")
    expect(terms).to_have_text(re.compile(r"\d+/1000000\s.*\sL_x=0\.\d{3},.*\spixel_error=0\.\d{3}"))
    expect(page.get_by_role("button", name="Stop training")).to_be_visible()
    expect(page.locator(".jp-InputArea-prompt").first).to_have_text("[*]:")
    return page


def assert_ended(page: Page, why: str):
    """The training ended soon and cleanly, the next cell ran, and the Stop button is gone."""
    outputs = page.locator(".jp-Cell-outputArea")
    expect(outputs.last).to_have_text(re.compile(rf"stopped: {why} at step \d+ of 1000000"), timeout=30_000)
    expect(page.locator("[data-mime-type='application/vnd.jupyter.stderr']")).to_have_count(0)
    expect(page.locator(".jp-InputArea-prompt").first).to_have_text("[1]:")
    expect(page.get_by_role("button", name=re.compile("^Stop"))).to_have_count(0)


def test_the_stop_button_ends_the_training_while_its_cell_is_busy(training: Page, tmp_path: Path):
    training.screenshot(path=tmp_path / "training.png")
    training.get_by_role("button", name="Stop training").click()
    assert_ended(training, "the Stop button was pressed")
    training.screenshot(path=tmp_path / "stopped.png")


def test_the_interrupt_button_of_jupyterlab_ends_the_training_cleanly(training: Page, tmp_path: Path):
    training.get_by_role("button", name="Interrupt the kernel").click()
    assert_ended(training, "interrupted by the user")
    training.screenshot(path=tmp_path / "interrupted.png")
