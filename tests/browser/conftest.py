"""A real JupyterLab on a free port, and pages of a headless Chromium that open notebooks in it."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final
from urllib.parse import quote
from urllib.request import Request, urlopen

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE = 120
"""Seconds to wait for anything, a kernel that imports torch on a busy machine included."""

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@final
@dataclass(frozen=True, kw_only=True)
class Lab:
    """A running JupyterLab and the folder that it serves."""

    url: str
    token: str
    folder: Path

    def write(self, name: str, *cells: str):
        """Put a notebook with these code cells into the folder."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        )
        nbformat.write(notebook, self.folder / name)

    def open(self, page: Page, name: str):
        """Show a notebook and nothing else; its kernel is ready on return."""
        page.goto(f"{self.url}lab/tree/{quote(name)}?reset&token={self.token}")
        # The toolbar's indicator says idle before there is a kernel; the status bar does not.
        expect(page.get_by_role("button", name="| Idle")).to_be_visible()

    def run_all(self, page: Page):
        """Start all cells of the notebook that is shown."""
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def end_sessions(self):
        """End every kernel: a page that opens a notebook again would find its old one."""
        for session in json.loads(self._ask("GET", "sessions")):
            self._ask("DELETE", f"sessions/{session['id']}")

    def _ask(self, method: str, path: str) -> bytes:
        request = Request(f"{self.url}api/{path}", method=method, headers={"Authorization": f"token {self.token}"})
        with urlopen(request, timeout=PATIENCE) as answer:
            return answer.read()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One server for all tests."""
    with serving(tmp_path_factory.mktemp("jupyter"), tmp_path_factory.mktemp("notebooks")) as lab:
        yield lab


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Lab]]:
    """What starts a server of a test's own."""
    return serving


@contextmanager
def serving(home: Path, folder: Path, *more: str) -> Iterator[Lab]:
    """A JupyterLab with more options; it reads and writes no settings of the person who starts it."""
    own = {
        variable: str(home / variable.lower())
        for variable in (
            "IPYTHONDIR",
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
        )
    }
    # No question about builds, news or updates may lie over the notebook.
    config = Path(own["JUPYTER_CONFIG_DIR"], "labconfig", "page_config.json")
    config.parent.mkdir(parents=True)
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    config.write_text(json.dumps({"buildAvailable": False, "buildCheck": False, "disabledExtensions": disabled}))
    # Cells out of sight are drawn as well: a test that looks for one need not know where it is.
    tracker = Path(own["JUPYTERLAB_SETTINGS_DIR"], "@jupyterlab", "notebook-extension", "tracker.jupyterlab-settings")
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))
    token = secrets.token_hex()
    options = (
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--notebook-dir={folder}",
        *more,
    )
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            env={**os.environ, **own, "JUPYTER_TOKEN": token},
            stdout=log,
            stderr=log,
        ) as server,
    ):
        try:
            url = _address(server, Path(own["JUPYTER_RUNTIME_DIR"]), home / "log")
            yield Lab(url=url, token=token, folder=folder)
        finally:
            server.terminate()


def _address(server: subprocess.Popen, runtime: Path, log: Path) -> str:
    """Where the server answers: it says so in a file when it begins to."""
    about = runtime / f"jpserver-{server.pid}.json"
    until = time.monotonic() + PATIENCE
    while not about.exists():
        if server.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"JupyterLab must start within {PATIENCE} seconds, got {log.read_text()}")
        time.sleep(0.1)
    return json.loads(about.read_text())["url"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, or else the one that ``playwright install chromium`` fetched."""
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, lab: Lab) -> Iterator[Page]:
    """An empty page with a profile of its own; the kernels that it started end with it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    yield context.new_page()
    context.close()
    lab.end_sessions()
