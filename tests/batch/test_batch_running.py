"""One run, its kernel pretended: what it leaves, how it fails, and when it is not done."""

import json
import os
import pickle
import re
import socket
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import DeadKernelError
from papermill import PapermillExecutionError

from gaia_explore.batch import running
from gaia_explore.batch.provenance import notebook_hash, package_hash
from gaia_explore.batch.running import Outcome, RunFailedError, Task, run


@pytest.fixture
def task(notebook: Path, tmp_path: Path) -> Task:
    content = nbformat.read(notebook, as_version=4)
    (tmp_path / "out" / ".locks").mkdir(parents=True)
    return Task(
        out=tmp_path / "out",
        notebook=notebook,
        name="a=3",
        parameters={"a": 3},
        complete={"a": 3, "seed": 0},
        content=nbformat.writes(content),
        hash=notebook_hash(content),
        sweep="s",
        about={"commit": None},
    )


def test_a_run_leaves_its_notebook_page_record_and_what_it_wrote(task: Task, kernel: Any):
    outcome = run(task, "GPU-1")
    assert (outcome.name, outcome.status) == ("a=3", "finished")
    folder = task.out / "a=3"
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "scores.json", "square.html", "square.ipynb"]
    record = json.loads((folder / "run.json").read_text())
    assert record["parameters"] == {"a": 3, "seed": 0} and record["set"] == {"a": 3} and record["commit"] is None
    assert record["notebook"] == {"name": "square.ipynb", "hash": task.hash} and record["package"] == package_hash()
    assert (record["status"], record["host"], record["gpu"]) == ("finished", socket.gethostname(), "GPU-1")
    assert record["seconds"] == outcome.seconds and set(record["versions"]) >= {"python", "torch", "gaia-explore"}


def test_a_notebook_gets_its_folder_relative_to_its_own_and_its_copy_names_the_finished_one(task: Task, kernel: Any):
    run(task)
    (call,) = kernel.calls
    assert call["parameters"] == {"a": 3, "out_dir": os.path.join("out", "unfinished", "a=3")}
    assert call["folder"] == task.notebook.parent and call["executed"].parent == task.place.unfinished
    copy = nbformat.read(task.out / "a=3" / "square.ipynb", as_version=4)
    assert os.path.join("out", "a=3") in copy.cells[1].source and "unfinished" not in nbformat.writes(copy)
    assert copy.metadata.papermill["input_path"] == "square.ipynb"


def test_a_kernel_computes_in_one_thread_on_the_gpu_of_its_job(task: Task, kernel: Any):
    run(task, "GPU-1")
    environment = kernel.calls[0]["environment"]
    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-1"
    assert {environment[name] for name in environment if name.endswith("THREADS")} == {"1"}
    assert len([name for name in environment if name.endswith("THREADS")]) == 5


def test_a_kernel_sees_what_its_process_sees_where_there_are_no_gpus(task: Task, kernel: Any):
    run(task)
    assert "CUDA_VISIBLE_DEVICES" not in kernel.calls[0]["environment"]


def test_a_run_that_is_done_is_not_done_again(task: Task, kernel: Any):
    run(task)
    assert run(task).status == "done" and len(kernel.calls) == 1


def error_of_a_cell() -> Exception:
    return PapermillExecutionError(3, 3, "\n  json.dumps(1j)\nmore", "TypeError", "not a number", [])


@pytest.mark.parametrize(
    ("error", "cell", "message"),
    [
        (error_of_a_cell(), "cell 2 of 4 (json.dumps(1j))", "TypeError: not a number"),
        (
            DeadKernelError("Kernel died"),
            "cell 2 of 4",
            "the kernel died: it was killed, ran out of memory, or crashed (see kernel.log)",
        ),
        (OSError("disk full"), "cell 2 of 4", "OSError: disk full"),
    ],
)
def test_a_failure_is_told_with_its_cell_and_leaves_what_there_is(
    task: Task, kernel: Any, error: Exception, cell: str, message: str
):
    def fails(parameters: dict[str, Any], folder: Path):
        (folder / "checkpoint").write_text("half")
        raise error

    kernel.does = fails
    with pytest.raises(RunFailedError) as raised:
        run(task)
    outcome = raised.value.outcome
    assert (outcome.status, outcome.cell, outcome.message) == ("failed", cell, message)
    assert not (task.out / "a=3").exists()
    assert task.place.state(task.identity(package_hash())) == ("failed", f"{cell}: {message}")
    assert (task.place.unfinished / "square.ipynb").exists() and (task.place.unfinished / "kernel.log").exists()
    # As Dask sends it.
    assert pickle.loads(pickle.dumps(raised.value)).outcome == outcome


def test_a_failed_run_goes_on_from_what_it_left(task: Task, kernel: Any):
    def fails(parameters: dict[str, Any], folder: Path):
        (folder / "checkpoint").write_text("half")
        raise DeadKernelError("Kernel died")

    kernel.does = fails
    with pytest.raises(RunFailedError):
        run(task)

    def goes_on(parameters: dict[str, Any], folder: Path):
        (folder / "whole").write_text((folder / "checkpoint").read_text() + "+half")

    kernel.does = goes_on
    run(task)
    assert (task.out / "a=3" / "whole").read_text() == "half+half"


def test_a_worker_that_does_not_see_the_sweeps_folder_says_so(task: Task, kernel: Any):
    elsewhere = Task(**{**vars(task), "out": Path("/not/here")})
    message = f"/not/here is not there on {socket.gethostname()}: workers must see the sweep's folder at its path"
    with pytest.raises(RunFailedError, match=re.escape(message)):
        run(elsewhere)


def test_a_run_of_an_interrupted_sweep_does_not_begin(task: Task, kernel: Any):
    task.interruption.touch()
    assert run(task) == Outcome(name="a=3", status="interrupted") and not kernel.calls


def test_a_kernel_is_ended_when_its_sweep_is_interrupted(task: Task, kernel: Any, monkeypatch: pytest.MonkeyPatch):
    ended: list[int] = []
    monkeypatch.setattr(running, "end_kernel", ended.append)
    monkeypatch.setattr(running, "LOOK", 0.01)

    def until_ended(parameters: dict[str, Any], folder: Path):
        task.interruption.touch()
        deadline = time.monotonic() + 60
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
        raise DeadKernelError("Kernel died")

    kernel.does = until_ended
    outcome = run(task)
    assert (outcome.status, ended) == ("interrupted", [2**30])
    # Neither failed nor finished: it goes on from here.
    assert task.place.state(task.identity(package_hash())) == ("unfinished", "at cell 2 of 4")
