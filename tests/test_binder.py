"""What Binder builds from and starts with: its pins are the project's, and its scripts do what they say, or stop."""

import importlib.metadata
import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
SCRIPTS = ("postBuild", "start")
CONDA = {"pytorch-cpu": "torch"}
"""Names that differ at conda."""

STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$CALLS"
if [[ "$(basename "$0") $*" == $FAILING* ]]; then exit 3; fi
if [[ "$*" == *sys.prefix* ]]; then echo "$PREFIX"; fi
"""


def constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def needed() -> set[str]:
    """Every distribution that the package needs at run time, and those that they need, on this machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    seen, to_see = set[tuple[str, str]](), set[tuple[str, str]]()
    for wanted in map(Requirement, project["dependencies"]):
        to_see |= {(canonicalize_name(wanted.name), extra) for extra in ("", *wanted.extras)}
    while to_see:
        seen.add(here := to_see.pop())
        for wanted in map(Requirement, importlib.metadata.requires(here[0]) or []):
            if wanted.marker is None or wanted.marker.evaluate({"extra": here[1]}):
                to_see |= {(canonicalize_name(wanted.name), extra) for extra in ("", *wanted.extras)} - seen
    return {name for name, _ in seen}


def test_conda_brings_python_and_the_torch_of_the_constraints_and_nothing_else():
    environment = yaml.safe_load((BINDER / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge"]
    assert {line.partition("=")[0] for line in environment["dependencies"]} == {"python", "pip", "pytorch-cpu"}
    pins = dict(line.split("=") for line in environment["dependencies"] if "=" in line)
    assert re.fullmatch(r"3\.\d+", pins.pop("python"))
    assert {CONDA[name]: pin for name, pin in pins.items()} == {"torch": constraints()["torch"]}


def test_everything_that_the_package_needs_is_pinned():
    # A torch for GPUs, which Binder's is not, needs CUDA in pieces.
    found = {name for name in needed() if not re.match("nvidia|cuda|triton", name)}
    assert {"jupyterlab", "torch", "sympy", "imageio-ffmpeg"} <= found
    assert found <= set(constraints())
    assert found.isdisjoint({"coverage", "hypothesis", "playwright", "pyright", "pytest", "ruff"})


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_can_be_executed_and_is_bash(script: str):
    path = BINDER / script
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")
    assert subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=True).stderr == ""


def test_start_becomes_the_command_with_its_arguments_on_one_thread(tmp_path: Path):
    say = "import json, os, sys; print(json.dumps([os.getpid(), sys.argv[1:], dict(os.environ)])); sys.exit(7)"
    with subprocess.Popen(
        [BINDER / "start", sys.executable, "-c", say, "two words", "*", ""], cwd=tmp_path, stdout=subprocess.PIPE
    ) as started:
        answer = started.communicate()[0]
    process, arguments, environment = json.loads(answer)
    assert started.returncode == 7
    assert process == started.pid
    assert arguments == ["two words", "*", ""]
    assert environment["OMP_NUM_THREADS"] == environment["NUMBA_NUM_THREADS"] == "1"
    assert environment["NUMBA_CPU_NAME"] == "generic"


def post_build(folder: Path, failing: str) -> tuple[int, list[str]]:
    """Its exit status and the commands that it called, where each only writes down that it was, or fails."""
    (folder / "bin").mkdir()
    for name in ("python", "jupyter", "gaia-explore"):
        (folder / "bin" / name).write_text(STAND_IN)
        (folder / "bin" / name).chmod(0o755)
    own = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "TMPDIR": str(folder),
        "PREFIX": str(folder / "prefix"),
        "CALLS": str(folder / "calls"),
        "FAILING": failing,
    }
    done = subprocess.run([BINDER / "postBuild"], env={**os.environ, **own}, cwd=folder, capture_output=True, text=True)
    return done.returncode, (folder / "calls").read_text().splitlines()


NOTHING = "nothing"
STEPS = ("python -m pip", "python -c import torch", "python -c import sys", "jupyter", "python -c import umap", "gaia")


def test_post_build_installs_the_package_with_the_constraints_and_tries_the_notebook(tmp_path: Path):
    status, calls = post_build(tmp_path, NOTHING)
    assert status == 0
    assert [call.startswith(step) for call, step in zip(calls, STEPS, strict=True)] == [True] * len(STEPS)
    assert calls[0] == "python -m pip install --no-cache-dir --constraint constraints.txt ."
    assert calls[3].endswith("disable --level=sys_prefix @jupyterlab/apputils-extension:announcements")
    assert calls[5].startswith("gaia-explore run notebooks/6-explore.ipynb --quick ")
    (config,) = (tmp_path / "prefix").rglob("*.json")
    assert config.relative_to(tmp_path / "prefix").parent == Path("etc", "jupyter", "jupyter_server_config.d")
    extensions = {"gaia_explore.jupyter_nodelay": True}
    assert json.loads(config.read_text()) == {"ServerApp": {"jpserver_extensions": extensions}}
    # What trying it wrote is gone.
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "calls", "prefix"}


@pytest.mark.parametrize("number, step", list(enumerate(STEPS, start=1)))
def test_post_build_stops_where_a_step_fails(tmp_path: Path, number: int, step: str):
    status, calls = post_build(tmp_path, step)
    assert status == 3
    assert len(calls) == number


def test_the_badge_opens_a_notebook_that_says_what_binder_keeps():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (address,) = re.findall(r"^\[binder\]: (\S+)$", readme, flags=re.MULTILINE)
    host, _, path = address.partition("/HEAD?urlpath=lab/tree/")
    assert re.fullmatch(r"https://mybinder\.org/v2/gh/[\w.-]+/[\w.-]+", host)
    assert readme.count(host) == 1 and "https://mybinder.org/badge_logo.svg)][binder]" in readme
    first = json.loads((ROOT / path).read_text(encoding="utf-8"))["cells"][0]
    words = "".join(first["source"])
    assert first["cell_type"] == "markdown"
    assert "On Binder everything is lost" in words and "**Export**" in words and "state_json" in words


def test_a_source_distribution_leaves_binder_out():
    packed = SdistBuilder(str(ROOT)).recurse_included_files()
    folders = {Path(file.distribution_path).parts[0] for file in packed}
    assert {"gaia_explore", "notebooks", "tests"} <= folders
    assert folders.isdisjoint({"binder", ".ci"})
