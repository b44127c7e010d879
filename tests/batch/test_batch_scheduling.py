"""Who does the runs: jobs that share GPUs, retries, and a cluster that cannot be had."""

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import pytest

from gaia_explore.batch import scheduling
from gaia_explore.batch.running import Outcome, RunFailedError, Task
from gaia_explore.batch.scheduling import shared_out, visible_gpus, workers


def test_gpus_that_a_process_may_use_are_those_it_was_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5")
    assert visible_gpus() == ["2", "GPU-5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_gpus() == []


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands in for the driver's program")
def test_gpus_are_asked_of_the_driver_where_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    assert visible_gpus() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho GPU-1\necho GPU-2\n")
    program.chmod(0o755)
    assert visible_gpus() == ["GPU-1", "GPU-2"]
    program.write_text("#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    assert visible_gpus() == []


def test_gpus_are_shared_out_in_turn():
    assert shared_out(["A", "B"], 5) == ["A", "B", "A", "B", "A"]
    assert shared_out(["A", "B"], 1) == ["A"]
    assert shared_out([], 2) == [None, None]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Outcome]], None]:
    """Replaces what a run does."""
    return lambda function: monkeypatch.setattr(scheduling, "run", function)


def test_jobs_that_run_at_a_time_have_different_gpus(runs: Any, task: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "A,B")
    together, seen = threading.Barrier(2), []

    def run(task: Task, gpu: str | None) -> Outcome:
        seen.append(gpu)
        together.wait(60)
        return Outcome(name=task.name, status="finished")

    runs(run)
    with workers(2, None, 0) as submit:
        outcomes = [future.result() for future in [submit(task(str(i))) for i in range(6)]]
    assert sorted(seen) == ["A"] * 3 + ["B"] * 3
    # Two at a time, never on one.
    assert all(set(seen[i : i + 2]) == {"A", "B"} for i in (0, 2, 4))
    assert [outcome.name for outcome in outcomes] == [str(i) for i in range(6)]


@pytest.mark.parametrize(("retries", "status"), [(0, None), (1, None), (2, "finished")])
def test_a_run_that_fails_is_tried_again_as_often_as_asked(runs: Any, task: Any, retries: int, status: str | None):
    tries: list[int] = []

    def run(task: Task, gpu: str | None) -> Outcome:
        tries.append(1)
        if len(tries) < 3:
            raise RunFailedError(Outcome(name=task.name, status="failed"))
        return Outcome(name=task.name, status="finished")

    runs(run)
    with workers(1, None, retries) as submit:
        future = submit(task("a"))
        error = future.exception()
    assert len(tries) == min(retries, 2) + 1
    assert (None if error else future.result().status) == status


def test_a_scheduler_without_dask_names_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    message = "scheduler needs Dask's distributed, which is not installed: pip install 'gaia-explore\\[cluster\\]'"
    with pytest.raises(ModuleNotFoundError, match=message), workers(1, "tcp://nowhere:1", 0):
        pass


def test_workers_with_another_package_are_named_before_anything_starts():
    theirs = {"tcp://b": "other", "tcp://a": "other", "tcp://c": scheduling.package_hash()}
    client = SimpleNamespace(run=lambda function: theirs)
    message = r"scheduler must have workers with this very gaia_explore, got another one on \['tcp://a', 'tcp://b'\]"
    with pytest.raises(RuntimeError, match=message):
        scheduling._check_workers(client)
    scheduling._check_workers(SimpleNamespace(run=lambda function: {}))


def test_workers_of_our_own_cluster_share_the_gpus_and_others_keep_theirs(
    runs: Any, task: Any, monkeypatch: pytest.MonkeyPatch
):
    runs(lambda task, gpu: Outcome(name=task.name, status="finished", message=str(gpu)))
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(name=1))
    assert scheduling._on_worker(task("a"), ["A", "B"], 0).message == "B"
    assert scheduling._on_worker(task("a"), [], 0).message == "None"


class Pretended:
    """Stands in for Dask's cluster and client, and does what is submitted at once."""

    def __init__(self, *arguments: Any, **options: Any):
        self.arguments, self.options, self.closed = arguments, options, False

    def __enter__(self) -> "Pretended":
        return self

    def __exit__(self, *_: Any):
        self.closed = True

    def close(self):
        self.closed = True

    def run(self, function: Any) -> dict[str, Any]:
        return {"tcp://a": function()}

    def get_executor(self, **options: Any) -> ThreadPoolExecutor:
        self.options |= options
        return ThreadPoolExecutor(1)


@pytest.mark.parametrize("scheduler", ["local", "tcp://a:1"])
def test_a_cluster_of_our_own_is_closed_and_another_ones_left(
    runs: Any, task: Any, monkeypatch: pytest.MonkeyPatch, scheduler: str
):
    made: dict[str, Pretended] = {}

    def make(name: str) -> Callable[..., Pretended]:
        return lambda *arguments, **options: made.setdefault(name, Pretended(*arguments, **options))

    names = SimpleNamespace(LocalCluster=make("cluster"), Client=make("client"))
    monkeypatch.setitem(sys.modules, "distributed", names)
    monkeypatch.setattr(scheduling, "_on_worker", lambda task, gpus, retries: (task.name, gpus, retries))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "A")
    with workers(2, scheduler, 3) as submit:
        assert submit(task("a")).result() == ("a", ["A", "A"] if scheduler == "local" else [], 3)
    assert made["client"].closed and made["client"].options == {"set_as_default": False, "pure": False, "retries": 3}
    if scheduler == "local":
        assert made["client"].arguments == (made["cluster"],) and made["cluster"].closed
        assert made["cluster"].options["n_workers"] == 2 and made["cluster"].options["threads_per_worker"] == 1
    else:
        assert made["client"].arguments == (scheduler,) and "cluster" not in made


def test_a_worker_raises_only_what_dask_is_to_try_again(runs: Any, task: Any):
    def run(task: Task, gpu: str | None) -> Outcome:
        raise RunFailedError(Outcome(name=task.name, status="failed"))

    runs(run)
    assert scheduling._on_worker(task("a"), [], 0).status == "failed"
    with pytest.raises(RunFailedError):
        scheduling._on_worker(task("a"), [], 1)
