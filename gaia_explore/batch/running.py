"""One run of a sweep, from the lock to the rename; in a thread of the sweep, or on a worker of a cluster."""

import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

import nbformat
from nbclient.exceptions import DeadKernelError
from papermill import PapermillExecutionError

from gaia_explore.batch.folders import LOCKS, Place
from gaia_explore.batch.kernels import end_kernel, execute_in_kernel
from gaia_explore.batch.notebooks import to_html
from gaia_explore.batch.provenance import package_hash, versions
from gaia_explore.training import write_atomically

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
KERNEL_LOG = "kernel.log"
"""What the kernel of a run that failed said outside of cells."""

LOOK = 0.5
"""Seconds between two looks whether the sweep was interrupted."""


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """All that it takes to do one run, wherever it is done.

    Parameters
    ----------
    out, notebook
        The sweep's folder and the notebook, as absolute paths, which workers must see as well.
    name, parameters
        The run's folder, and the values that it sets.
    complete
        The values of all parameters, those that are not set too.
    content, hash
        The notebook as it was when the sweep began.
    sweep
        A word for this sweep and no other.
    about
        What is the same for all runs of the sweep, for their records.
    """

    out: Path
    notebook: Path
    name: str
    parameters: Mapping[str, Any]
    complete: Mapping[str, Any]
    content: str
    hash: str
    sweep: str
    about: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """The run's folders."""
        return Place(out=self.out, name=self.name)

    def identity(self, package: str) -> dict[str, Any]:
        """What the run would be made from, with a package of such a hash."""
        notebook = {"name": self.notebook.name, "hash": self.hash}
        return {"parameters": dict(self.complete), "notebook": notebook, "package": package}

    @property
    def out_dir(self) -> str:
        """Where the notebook writes, from its own folder.

        So the executed copy says nothing of the machine where both lie in one project.
        """
        return os.path.relpath(self.place.unfinished, self.notebook.parent)

    @property
    def interruption(self) -> Path:
        """A file that asks the sweep's runs, wherever they are, to end."""
        return self.out / LOCKS / f"{self.sweep}.interrupted"


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run went.

    Parameters
    ----------
    name
        The run's.
    status
        ``finished`` now, ``done`` before, ``failed``, or ``interrupted``.
    seconds
        How long it took.
    cell, message
        Where and why it failed, in words.
    """

    name: str
    status: Literal["finished", "done", "failed", "interrupted"]
    seconds: float = 0.0
    cell: str = ""
    message: str = ""


@final
class RunFailedError(Exception):
    """A run failed; its only argument is the outcome."""

    @property
    def outcome(self) -> Outcome:
        """How it went."""
        return self.args[0]


def run(task: Task, gpu: str | None = None) -> Outcome:
    """Do one run, or find that it is done.

    Parameters
    ----------
    task
        The run.
    gpu
        The one GPU that its notebook sees; None for what this process sees.

    Raises
    ------
    RunFailedError
        Where the notebook fails, or its kernel dies: to be tried again by whoever wants to. What it wrote stays.
    """
    if not task.out.is_dir():
        where = f"{task.out} is not there on {socket.gethostname()}: workers must see the sweep's folder at its path"
        raise RunFailedError(Outcome(name=task.name, status="failed", message=where))
    place = task.place
    with place.locked(ended=task.interruption.exists) as lock:
        if lock is None or task.interruption.exists():
            return Outcome(name=task.name, status="interrupted")
        place.settle()
        identity = task.identity(package_hash())
        if place.state(identity)[0] == "done":
            # By a kernel that outlived its sweep, or before a worker was lost that did not say so.
            return Outcome(name=task.name, status="done")
        started = time.monotonic()
        attempt = Attempt(task, identity)
        try:
            with attempt.interruptible():
                _execute(task, attempt, lock, gpu)
        except Exception as error:
            if attempt.interrupted:
                return Outcome(name=task.name, status="interrupted", seconds=time.monotonic() - started)
            raise RunFailedError(attempt.failed(error, time.monotonic() - started)) from None
        seconds = round(time.monotonic() - started, 3)
        happened = {"status": "finished", "seconds": seconds, "host": socket.gethostname(), "gpu": gpu}
        place.complete({**identity, "set": dict(task.parameters), **happened, "versions": versions(), **task.about})
        place.publish()
        return Outcome(name=task.name, status="finished", seconds=seconds)


@final
class Attempt:
    """What is written down of a run while it is under way, and its end where the sweep is interrupted."""

    def __init__(self, task: Task, identity: Mapping[str, Any]):
        code = [cell for cell in nbformat.reads(task.content, as_version=4).cells if cell.cell_type == "code"]
        # Papermill adds the cell of parameters.
        cells = sum(bool(cell.source.strip()) for cell in code) + 1
        host = f"process {os.getpid()} on {socket.gethostname()}"
        self.interrupted = False
        self._task = task
        self._note = {"status": "running", "sweep": task.sweep, "host": host, "cell": 0, "cells": cells}
        self._identity = dict(identity)
        self._kernel: int | None = None
        task.place.prepare(identity, self._note)

    def on_cell(self, kernel: int, cell: int):
        """Note that a cell begins."""
        self._kernel = kernel
        self._note["cell"] = cell
        self._task.place.note({"identity": self._identity, **self._note})

    @contextmanager
    def interruptible(self):
        """End the kernel when the sweep is interrupted."""
        done = threading.Event()

        def watch():
            while not done.wait(LOOK):
                if self._kernel is not None and self._task.interruption.exists():
                    self.interrupted = True
                    end_kernel(self._kernel)
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def failed(self, error: Exception, seconds: float) -> Outcome:
        """Note a failure."""
        reached, message = self._note["cell"], f"{type(error).__name__}: {error}"
        cell = f"cell {reached} of {self._note['cells']}" if reached else "before the first cell"
        if isinstance(error, PapermillExecutionError):
            line = next((line for line in str(error.source).splitlines() if line.strip()), "")
            cell, message = f"{cell} ({line.strip()})", f"{error.ename}: {error.evalue}"
        elif isinstance(error, DeadKernelError):
            message = f"the kernel died: it was killed, ran out of memory, or crashed (see {KERNEL_LOG})"
        self._note |= {"status": "failed", "message": f"{cell}: {message}", "seconds": seconds}
        self._task.place.note({"identity": self._identity, **self._note})
        return Outcome(name=self._task.name, status="failed", seconds=seconds, cell=cell, message=message)


def _execute(task: Task, attempt: Attempt, lock: int, gpu: str | None):
    """The notebook, executed in the unfinished folder, and its page."""
    place = task.place
    folder = task.notebook.parent
    executed = place.unfinished / task.notebook.name
    with (place.unfinished / KERNEL_LOG).open("wb") as log:
        copy = execute_in_kernel(
            nbformat.reads(task.content, as_version=4),
            executed,
            {**task.parameters, "out_dir": task.out_dir},
            folder=folder,
            environment=ONE_THREAD | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu}),
            # Windows hands no files on; its kernels end with their parent.
            descriptors=(lock,) if os.name == "posix" else (),
            log=log,
            on_cell=attempt.on_cell,
            progress=False,
        )
    _name_finished(copy, task.out_dir, os.path.relpath(place.finished, folder), task.notebook.name)
    write_atomically(executed, nbformat.writes(copy).encode())
    write_atomically(executed.with_suffix(".html"), to_html(copy).encode())
    (place.unfinished / KERNEL_LOG).unlink()


def _name_finished(copy: nbformat.NotebookNode, unfinished: str, finished: str, name: str):
    """Have the copy name the folder that it will lie in: executed by hand, it goes on there."""
    copy.metadata.papermill |= {"input_path": name, "output_path": name}
    copy.metadata.papermill.parameters["out_dir"] = finished
    for cell in copy.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = cell.source.replace(unfinished, finished)
