"""The trainings of a sweep's notebooks, done at once before the notebooks are executed."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from typing import IO, Any

from gaia_explore.batch.kernels import end_kernel
from gaia_explore.batch.provenance import package_hash
from gaia_explore.batch.running import ONE_THREAD, Attempt, Task
from gaia_explore.batch.scheduling import visible_gpus

MOST = 200
"""Runs at a time: each has a lock, which is an open file, and its stimuli are in memory."""

PIECE = 4
"""Runs that stay in one process where there are more: as many as a CPU trains as one program."""

# What it is told comes first, so that nobody waits for its imports.
PROGRAM = """\
import sys
told = sys.stdin.readline()
from gaia_explore.batch import rehearsing
rehearsing.main(told)
"""
UNSEEN = {"MPLBACKEND": "agg", "PLOTLY_RENDERER": "plotly_mimetype"}


def train_together(tasks: Sequence[Task], jobs: int):
    """Train what fits together into the runs' unfinished folders, where their notebooks find it finished.

    On GPUs in one process for each, else in ``jobs`` processes, which take a share of the runs each. They end with
    this one. A run that is under way elsewhere is left alone, and one whose training does not fit, or fails, as it was.
    """
    package = package_hash()
    for start in range(0, len(tasks), MOST):
        with ExitStack() as held:
            begun = [(task, held.enter_context(_begun(task, package))) for task in tasks[start : start + MOST]]
            _train([(task, lock) for task, lock in begun if lock is not None], jobs)


@contextmanager
def _begun(task: Task, package: str) -> Iterator[int | None]:
    """A run's lock, with its folder made; None where another process has it, or it is done."""
    identity = task.identity(package)
    with task.place.locked(ended=lambda: True) as lock:
        if lock is None:
            yield None
            return
        task.place.settle()
        if task.place.state(identity)[0] == "done":
            yield None
            return
        Attempt(task, identity)
        yield lock


def _train(begun: Sequence[tuple[Task, int]], jobs: int):
    gpus = visible_gpus()
    # One alone has no company.
    shares = shares_of(begun, min(len(gpus) or jobs, len(begun) // 2))
    processes: list[tuple[subprocess.Popen[str], IO[str]]] = []
    with ExitStack() as logs:
        try:
            for i, share in enumerate(shares):
                log = logs.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
                processes.append((_start(share, gpus[i] if gpus else None, log), log))
            for process, _ in processes:
                process.wait()
        finally:
            for process, _ in processes:
                if process.poll() is None:
                    end_kernel(process.pid)
                process.communicate()
        for process, log in processes:
            _tell(process.returncode, log)


def shares_of(begun: Sequence[tuple[Task, int]], n: int) -> list[list[tuple[Task, int]]]:
    """What each of n processes does: as much as the others, with runs together that differ by no more than seeds."""
    if n < 1:
        return []
    others = [{name: value for name, value in task.parameters.items() if name != "seed"} for task, _ in begun]
    order = sorted(range(len(begun)), key=lambda i: json.dumps(others[i], sort_keys=True))
    size = min(PIECE, -(-len(begun) // n))
    pieces = [[begun[i] for i in order[start : start + size]] for start in range(0, len(begun), size)]
    return [[*chain.from_iterable(pieces[i::n])] for i in range(min(n, len(pieces)))]


def _start(share: Sequence[tuple[Task, int]], gpu: str | None, log: IO[str]) -> "subprocess.Popen[str]":
    """A process that rehearses some runs and trains them."""
    first = share[0][0]
    runs = [{"name": task.name, "parameters": {**task.parameters, "out_dir": task.out_dir}} for task, _ in share]
    # Windows hands no files on: there this process holds the locks alone, and the other ends with it.
    handed: dict[str, Any] = {"pass_fds": [lock for _, lock in share]} if os.name == "posix" else {}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=log,
        text=True,
        encoding="utf-8",
        cwd=first.notebook.parent,
        env={**os.environ, **ONE_THREAD, **UNSEEN, **({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})},
        # Ctrl-C is for this process to hear, and to end the others.
        start_new_session=True,
        **handed,
    )
    assert process.stdin is not None
    # One that has ended at once is told of by its code.
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps({"out": str(first.out), "notebook": first.content, "runs": runs}) + "\n")
        process.stdin.flush()
    return process


def _tell(code: int, log: IO[str]):
    """Warn where a process did not do all that it was to: its runs are done alone."""
    if code:
        log.seek(0)
        said = [line for line in log.read().splitlines() if line.strip()]
        why = said[-1] if said else f"its process ended with {code}"
        warnings.warn(f"not all that fits was trained together, and is trained alone: {why}", stacklevel=2)
