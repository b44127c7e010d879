"""What Binder does, without Docker: build its environment, start its server, open the badge's notebook, run and use it.

Prints a row a measure with its threshold, and keeps screenshots. Building takes some minutes; ``--venv`` keeps the
environment, and a second check with it takes two. Other than on Binder, torch is pip's and not conda's, repo2docker's
own packages (jupyterhub, notebook, jupyter-resource-usage and what they need) are not there, the browser draws on the
same cores, and nothing ends who takes too much memory.
"""

import argparse
import os
import re
import runpy
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import yaml
from explorers_in_browser import BROWSER, Measure, at_most
from playwright.sync_api import Locator, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
VISIT = runpy.run_path(str(ROOT / "tests" / "browser" / "test_browser_notebook.py"))

PIP = {"pytorch-cpu": "torch"}
"""What pip calls a package, where conda has another name for it."""

CORES = 2
MEMORY, SECONDS = 1.5, 30.0
"""The thresholds: gigabytes of the server with all its kernels, and seconds to the first explorer."""

LONG = 600_000
"""Milliseconds that a training, or UMAP, may take on a busy machine before this gives up."""

BADGE = r"\(?https://mybinder\.org/v2/gh/\S+?/HEAD\?urlpath=([^\s)]+)"

PAINTED = """source => {
  const cells = [...document.querySelectorAll(".jp-CodeCell")];
  const cell = cells.find((cell) => cell.querySelector(".jp-InputArea").textContent.includes(source));
  const canvas = cell?.querySelector(".gx-map canvas");
  if (!canvas?.width) return false;
  return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value);
}"""
"""Whether the map below the cell with this source has something on it."""


def badge() -> str:
    """The path that the README's badge asks Binder to open."""
    (path,) = re.findall(BADGE, (ROOT / "README.md").read_text(encoding="utf-8"))
    return path


def conda_pins() -> dict[str, str]:
    """Versions that ``binder/environment.yml`` asks conda for, by conda's names."""
    listed = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    return dict(line.split("=") for line in listed if "=" in line)


def outside() -> dict[str, str]:
    """The environment that commands start with: nothing of it may lead them to the packages of this interpreter."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "JUPYTER", "OMP_"))}


def copy(folder: Path) -> Path:
    """The repository as a clone of the working tree would be: what git tracks, or would if it were added."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def build(venv: Path, checkout: Path, home: Path):
    """What repo2docker does: conda's pins, here from pip, then ``postBuild``."""
    pins = conda_pins()
    version = "{}.{}".format(*sys.version_info)
    if pins.pop("python") != version:
        raise SystemExit(f"this must run on the Python of binder/environment.yml, got {version}")
    if not (venv / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    wanted = [f"{PIP.get(name, name)}=={pin}" for name, pin in pins.items()]
    constraint = ["--constraint", checkout / "constraints.txt"]
    own = outside() | {"HOME": str(home), "PATH": f"{venv}/bin:{os.environ['PATH']}"}
    subprocess.run([venv / "bin" / "python", "-m", "pip", "install", *wanted, *constraint], env=own, check=True)
    subprocess.run([checkout / "binder" / "postBuild"], env=own, cwd=checkout, check=True)


def floating(venv: Path) -> Measure:
    """What is installed at another version than that of ``constraints.txt``, pip and this package aside."""
    pinned = set(_plain((ROOT / "constraints.txt").read_text(encoding="utf-8")).split())
    command = [venv / "bin" / "python", "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(command, env=outside(), check=True, capture_output=True, text=True).stdout
    lines = [line for line in _plain(listed).split() if not line.startswith(("pip==", "gaia-explore=="))]
    others = [line for line in lines if line.removesuffix("+cpu") not in pinned]
    figure = f"{len(lines) - len(others)} of {len(lines)}"
    return Measure(name="versions pinned by constraints.txt", figure=figure, threshold="all", met=not others)


def _plain(text: str) -> str:
    return text.lower().replace("_", "-")


@final
class Watch(threading.Thread):
    """What a process and all below it take: processor time in seconds, and memory in gigabytes.

    Memory is PSS: what several processes share counts once.
    """

    def __init__(self, process: int):
        super().__init__(daemon=True)
        self._process = psutil.Process(process)
        self._ended = threading.Event()
        self.gigabytes = self.peak = self.seconds = 0.0

    def run(self):
        while not self._ended.wait(0.2):
            taken = [_taken(process) for process in [self._process, *self._process.children(recursive=True)]]
            self.gigabytes, self.seconds = (sum(each) for each in zip(*taken, strict=True))
            self.peak = max(self.peak, self.gigabytes)

    def end(self):
        """Look no more."""
        self._ended.set()
        self.join()


def _taken(process: psutil.Process) -> tuple[float, float]:
    try:
        times = process.cpu_times()
        return process.memory_full_info().pss / 1e9, times.user + times.system
    except psutil.NoSuchProcess:
        return 0.0, 0.0


@contextmanager
def serving(venv: Path, checkout: Path, home: Path) -> Iterator[tuple[Any, Watch]]:
    """The server as BinderHub starts it, but for the address that it listens to, on at most two cores.

    Source: ``get_args`` of BinderHub's ``binderspawner_mixin.py``.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    base, token = "/user/gaia_explore-abcdefgh/", secrets.token_urlsafe()
    command = [checkout / "binder" / "start", "jupyter-lab", "--ip=127.0.0.1", f"--port={port}", "--no-browser"]
    command += [f"--NotebookApp.base_url={base}", f"--NotebookApp.token={token}", "--NotebookApp.trust_xheaders=True"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    own = {"HOME": str(home), "PATH": f"{venv}/bin:{os.environ['PATH']}", "LANG": "C.UTF-8"}
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(
            command, cwd=checkout, env=own, stdout=log, stderr=log, preexec_fn=lambda: os.sched_setaffinity(0, cores)
        ) as server,
    ):
        watch = Watch(server.pid)
        try:
            watch.start()
            url = f"http://127.0.0.1:{port}{base}"
            _wait(server, f"{url}api", home / "log")
            yield BROWSER["Lab"](url=url, token=token, folder=checkout), watch
        finally:
            watch.end()
            server.terminate()


def _wait(server: subprocess.Popen, url: str, log: Path):
    until = time.monotonic() + BROWSER["PATIENCE"]
    while server.poll() is None and time.monotonic() < until:
        try:
            urlopen(url, timeout=BROWSER["PATIENCE"]).close()
            return
        except URLError:
            time.sleep(0.1)
    raise SystemExit(f"Jupyter Server must answer at {url}, got {log.read_text()}")


def visit(page: Page, lab: Any, watch: Watch, out: Path) -> Iterator[Measure]:
    """From the badge to what explorers show after they were moved."""
    yield Measure(name="memory of the server alone", figure=f"{watch.gigabytes:.3f} GB")
    began = time.monotonic()
    page.goto(f"{lab.url}{badge()}?token={lab.token}")
    expect(page.get_by_role("button", name="| Idle")).to_be_visible()
    opened, taken = time.monotonic(), watch.seconds
    yield Measure(name="page → notebook with a kernel", figure=f"{opened - began:.1f} s")
    lab.run_all(page)
    page.wait_for_function(PAINTED, arg="planar_tabs = ge.explore", polling=100)
    yield at_most("notebook → first explorer", time.monotonic() - opened, SECONDS, "s")
    yield Measure(name="processor time of that, server and kernel", figure=f"{watch.seconds - taken:.1f} s")
    page.wait_for_function(PAINTED, arg="faces_tabs = ge.explore", polling=100)
    yield Measure(name="notebook → faces explorer", figure=f"{time.monotonic() - opened:.1f} s")
    yield at_most("memory until then", watch.peak, MEMORY, "GB")
    training = VISIT["cell_with"](page, "watch=view")
    ended = training.locator(".jp-OutputArea-prompt").last
    expect(ended).to_have_text(re.compile(r"\[\d+\]:"), timeout=LONG)
    expect(page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    expect(page.locator(".jp-Dialog, .jp-toast-button")).to_have_count(0)
    yield Measure(name="notebook → all cells run, a training too", figure=f"{time.monotonic() - opened:.1f} s")
    yield at_most("memory until then", watch.peak, MEMORY, "GB")
    yield from use(page, out)
    yield at_most("memory until then", watch.peak, MEMORY, "GB")


def use(page: Page, out: Path) -> Iterator[Measure]:
    """Move an attribute's slider by keys and a cursor by mouse, and open all tabs, last the one that takes most."""
    editor = VISIT["cell_with"](page, "editor.change")
    slider = editor.get_by_role("slider", name="Young")
    slider.scroll_into_view_if_needed()
    yield changed(editor, "After edited", "a slider", lambda: [slider.press("ArrowRight") for _ in range(20)])
    page.screenshot(path=out / "editor.png")

    faces = VISIT["cell_with"](page, "faces_tabs = ge.explore")
    chart = faces.get_by_role("application", name=re.compile("latent codes of drawn faces"))
    path = (0.5, 0.5), (0.3, 0.3), (0.25, 0.7)
    yield changed(faces, "Decoded at the cursor", "the cursor", lambda: VISIT["drag"](page, chart, *path))
    page.screenshot(path=out / "faces.png")

    for name in ("Morph", "Plane", "Warp", "Attributes", "Compare"):
        faces.get_by_role("tab", name=name).click()
        expect(faces.locator(".gx[data-busy='']:visible")).to_have_count(1)
    faces.get_by_role("tab", name="UMAP").click()
    began = time.monotonic()
    expect(faces.get_by_text(re.compile("UMAP with .* neighbours"))).to_be_visible(timeout=LONG)
    yield Measure(name="UMAP, from the click on its tab", figure=f"{time.monotonic() - began:.1f} s")
    page.screenshot(path=out / "umap.png")


def changed(cell: Locator, picture: str, moved: str, move: Any) -> Measure:
    """Whether a picture is another one after something was moved, and all that is under way has ended."""
    before = VISIT["picture"](cell, picture)
    move()
    expect(cell.locator(".gx[data-busy='']")).not_to_have_count(0)
    cell.page.wait_for_timeout(1000)
    return yes(f"the picture changes with {moved}", VISIT["picture"](cell, picture) != before)


def yes(name: str, met: bool) -> Measure:
    return Measure(name=name, figure="yes" if met else "no", threshold="yes", met=met)


def check(venv: Path, out: Path) -> Iterator[Measure]:
    """Build, serve and visit, in a copy of the repository and a home that are removed at the end."""
    with tempfile.TemporaryDirectory() as place:
        home, checkout = Path(place, "home"), copy(Path(place, "checkout"))
        home.mkdir()
        build(venv, checkout, home)
        yield floating(venv)
        with serving(venv, checkout, home) as (lab, watch), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER["FLAGS"])
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(1000 * BROWSER["PATIENCE"])
            yield from visit(page, lab, watch, out)
            browser.close()
            log = (home / "log").read_text(encoding="utf-8")
            yield yes("TCP_NODELAY", "gaia_explore.jupyter_nodelay | extension was successfully loaded" in log)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--venv", type=Path, help="where the environment is built, or was (default: made and removed)")
    parser.add_argument("--out", type=Path, default=Path("runs/binder"), help="folder for screenshots")
    arguments = parser.parse_args(argv)
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=1000 * BROWSER["PATIENCE"])
    measures = []
    with tempfile.TemporaryDirectory() as made:
        for measure in check((arguments.venv or Path(made)).resolve(), out):
            measures.append(measure)
            print(measure, flush=True)
    print("load of the machine: {:.2f}, {:.2f}, {:.2f}".format(*os.getloadavg()))
    return int(any(measure.met is False for measure in measures))


if __name__ == "__main__":
    sys.exit(main())
