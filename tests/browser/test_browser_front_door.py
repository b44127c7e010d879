"""What ``make lab`` opens: a start page that leads to the notebooks, in kernels of this environment alone."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def front_door(
    serve: Callable[..., AbstractContextManager[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """JupyterLab with make lab's options and a copy of its folder, where others installed kernels called python3."""
    told = subprocess.run(
        ["make", "-n", "lab", f"VENV={sys.prefix}"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (line,) = (line for line in told.splitlines() if "jupyter lab" in line)
    setting, command = line.split(f" {sys.prefix}/bin/jupyter lab ")
    folder, *options = shlex.split(command)
    assert folder == "--notebook-dir=notebooks"
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    # In the user's folder, which only an environment that is none lets go first, and on the path, which always does.
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "path"))
    wrong = {"argv": [str(tmp_path / "no-python"), "{connection_file}"], "display_name": "Wrong", "language": "python"}
    for place in (tmp_path / "home" / "jupyter_data_dir", tmp_path / "path"):
        spec = place / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text(json.dumps(wrong))
    path = subprocess.run(["sh", "-c", f"{setting} printenv JUPYTER_PATH"], capture_output=True, text=True, check=True)
    monkeypatch.setenv("JUPYTER_PATH", path.stdout.strip())
    with serve(tmp_path / "home", tmp_path / "notebooks", *options) as lab:
        yield lab


def test_the_start_page_leads_to_notebooks_whose_kernel_is_of_this_environment(
    front_door: Any, browser: Browser, tmp_path: Path
):
    front_door.write("where.ipynb", "import sys\nprint(sys.executable)")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)
    # The address that Jupyter prints, and no other.
    page.goto(f"{front_door.url}?token={front_door.token}")
    expect(page.get_by_role("heading", name="Start here")).to_be_visible()
    thumbnails = page.locator(".jp-RenderedMarkdown td img")
    expect(thumbnails).to_have_count(7)
    page.wait_for_function(
        "[...document.querySelectorAll('.jp-RenderedMarkdown td img')].every(image => image.naturalWidth === 480)"
    )
    page.screenshot(path=tmp_path / "start.png")
    thumbnails.nth(5).click()
    expect(page.get_by_role("tab", name=re.compile("6-explore"))).to_be_visible()
    expect(page.get_by_role("heading", name="Two latent dimensions")).to_be_visible()
    page.screenshot(path=tmp_path / "opened.png")
    front_door.open(page, "where.ipynb")
    front_door.run_all(page)
    expect(page.locator(".jp-OutputArea-output", has_text=sys.executable)).to_be_visible()
    page.context.close()
