"""Real kernels, killed: a sweep, one of its kernels, a worker of a Dask cluster. The table does not know."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import pytest

from gaia_explore import batch
from gaia_explore.batch.folders import Place

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")]

PATIENCE = 240
"""Seconds that something may take on a shared machine before a test gives up."""

TRAINS = (
    "learning_rate: float = 0.001  # Adam's\nseed: int = 0  # of all\nout_dir: str = 'x'  # the run's folder",
    """\
import json
import time
from pathlib import Path

import gaia_explore as ge

run = Path(out_dir, "run.safetensors")
begins = ge.load(out_dir).description["step"] if run.exists() else 0
with Path(out_dir, "begins.txt").open("a") as file:
    file.write(f"{begins}\\n")
config = ge.AEConfig(
    network=ge.networks.FullyConnected(hidden_units=4, hidden_layers=1), learning_rate=learning_rate
)
stimuli = ge.stimuli.moons(n=64, seed=seed)""",
    """\
slowly = lambda run: time.sleep(0.1)
run = ge.train(
    config, stimuli, steps=400, seed=seed, device="cpu", resume=out_dir, checkpoint_every=50,
    watch=slowly, watch_every=10, progress=False,
)""",
    "Path(out_dir, 'scores.json').write_text(json.dumps({'error': float(run.history['pixel_error'].iloc[-1])}))",
)
"""An AE so small that it trains in a second, slowed down to five, with eight checkpoints on the way."""

GRID = {"learning_rate": [0.001, 0.01]}


@pytest.fixture(scope="module")
def trains(tmp_path_factory: pytest.TempPathFactory, write: Callable[..., Path]) -> Path:
    """A notebook that trains, and goes on where it was killed."""
    return write(tmp_path_factory.mktemp("notebook") / "trains.ipynb", *TRAINS)


def sweep(notebook: Path, out: Path, *options: str) -> "subprocess.Popen[bytes]":
    """A sweep in a process of its own."""
    command = [sys.executable, "-m", "gaia_explore", "sweep", str(notebook), "-g", "learning_rate=0.001,0.01"]
    # Tests that were started in the background of a shell ignore Ctrl-C, and so would what they start.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    command += ["--jobs", "2", "--out", str(out), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=heard)


def until(happened: Callable[[], object]):
    """Wait for something."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def kernels(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The kernels that a process started, itself or through others."""
    below = psutil.Process(process.pid).children(recursive=True)
    return [child for child in below if "ipykernel_launcher" in " ".join(child.cmdline())]


def checkpoints(out: Path) -> int:
    """How many trainings have a checkpoint, and have not ended."""
    return len([*out.glob("unfinished/*/run.safetensors")])


def begins(out: Path) -> dict[str, list[int]]:
    """At which step each run's training began, attempt by attempt."""
    return {path.parent.name: [*map(int, path.read_text().split())] for path in out.glob("*/begins.txt")}


def tables(out: Path) -> tuple[bytes, bytes]:
    """The bytes of a sweep's tables."""
    batch.collect(out)
    return (out / "table.csv").read_bytes(), (out / "table.parquet").read_bytes()


@pytest.fixture(scope="module")
def expected(trains: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The tables of a sweep that nobody disturbs."""
    out = tmp_path_factory.mktemp("undisturbed")
    assert len(batch.sweep(trains, GRID, out=out, jobs=2, progress=False).failed) == 0
    return tables(out)


def test_a_sweep_and_a_kernel_are_killed_and_trainings_go_on(
    trains: Path, tmp_path: Path, expected: tuple[bytes, bytes]
):
    out = tmp_path / "out"
    # Killed with all it has; only a kernel that cannot run, to notice that it is an orphan, is left.
    killed = sweep(trains, out)
    until(lambda: checkpoints(out) == 2)
    orphan, other = kernels(killed)
    orphan.suspend()
    killed.kill()
    killed.communicate()
    psutil.wait_procs([other], PATIENCE)
    held = [Place(out=out, name=path.name) for path in (out / "unfinished").iterdir()]
    taken = []
    for place in held:
        with place.locked(ended=lambda: True) as lock:
            taken.append(lock is not None)
    assert sorted(taken) == [False, True]
    # The next sweep begins with the one that is free, and waits for the orphan.
    going_on = sweep(trains, out)
    until(lambda: len([*out.glob("*/run.json")]) == 1)
    assert going_on.poll() is None and len(kernels(going_on)) == 0
    orphan.resume()
    until(lambda: any(len(path.read_text().split()) == 2 for path in out.glob("unfinished/*/begins.txt")))
    kernels(going_on)[0].kill()
    _, told = going_on.communicate()
    assert going_on.returncode == 1 and b"the kernel died: it was killed, ran out of memory, or crashed" in told
    swept = batch.sweep(trains, GRID, out=out, progress=False)
    assert sorted(swept.table["status"]) == ["done", "finished"]
    assert tables(out) == expected
    # Each began anew only where it had nothing yet.
    for steps in begins(out).values():
        assert steps[0] == 0 and min(steps[1:]) >= 50, steps


def test_ctrl_c_ends_the_kernels_and_leaves_what_can_go_on(trains: Path, tmp_path: Path):
    out = tmp_path / "out"
    interrupted = sweep(trains, out)
    until(lambda: checkpoints(out) == 2)
    started = kernels(interrupted)
    interrupted.send_signal(signal.SIGINT)
    _, told = interrupted.communicate()
    assert interrupted.returncode == 130
    assert told.splitlines()[-1] == b"gaia-explore: interrupted: 0 of 2 runs are finished; the same sweep again goes on"
    assert len(started) == 2 and not any(kernel.is_running() for kernel in started)
    planned = batch.sweep(trains, GRID, out=out, dry_run=True).table
    assert set(planned["status"]) == {"unfinished"} and set(planned["why"]) == {"at cell 4 of 5"}


@contextmanager
def cluster() -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A Dask scheduler and two workers, each a process of its own."""
    run = [sys.executable, "-m"]
    scheduler = subprocess.Popen(
        [*run, "distributed.cli.dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert scheduler.stderr is not None
    address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
    worker = [*run, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    workers = [subprocess.Popen(worker, stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.communicate()


def test_a_worker_is_killed_and_another_one_goes_on(trains: Path, tmp_path: Path, expected: tuple[bytes, bytes]):
    out = tmp_path / "out"
    with cluster() as (address, workers):
        sweeping = sweep(trains, out, "--scheduler", address)
        until(lambda: checkpoints(out) == 2)
        assert [len(kernels(worker)) for worker in workers] == [1, 1]
        workers[0].kill()
        _, told = sweeping.communicate(timeout=PATIENCE)
        assert sweeping.returncode == 0, told
    assert tables(out) == expected
    (undisturbed, resumed) = sorted(begins(out).values(), key=len)
    assert undisturbed == [0] and len(resumed) == 2 and resumed[1] >= 50
