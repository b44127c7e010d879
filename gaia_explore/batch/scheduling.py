"""Where runs are done: by kernels of this machine, or on a Dask cluster. Either gives standard futures."""

import logging
import os
import queue
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from gaia_explore.batch.provenance import package_hash
from gaia_explore.batch.running import Outcome, RunFailedError, Task, run

Submit = Callable[[Task], "Future[Outcome]"]


@contextmanager
def workers(jobs: int, scheduler: str | None, retries: int) -> Iterator[Submit]:
    """Who does the runs of a sweep; gives a function that submits one.

    Parameters
    ----------
    jobs
        Runs at a time on this machine.
    scheduler
        None for threads of this process, each with a kernel, which is a process of its own; the address of a Dask
        scheduler; or ``local`` for a Dask cluster of ``jobs`` workers on this machine.
    retries
        How often a run that fails is tried again.
    """
    if scheduler is None:
        slots: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        for gpu in shared_out(visible_gpus(), jobs):
            slots.put(gpu)
        with ThreadPoolExecutor(jobs, "sweep") as threads:
            yield lambda task: threads.submit(_in_thread, task, slots, retries)
        return
    distributed = _distributed()
    cluster: Any = None
    if scheduler == "local":
        # No page about the workers, for which a port would have to be found, and no warning that they end slowly.
        settings = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.ERROR}
        cluster = distributed.LocalCluster(n_workers=jobs, **settings)
    try:
        with distributed.Client(cluster or scheduler, set_as_default=False) as client:
            _check_workers(client)
            executor = client.get_executor(pure=False, retries=retries)
            gpus = shared_out(visible_gpus(), jobs) if cluster else []
            yield lambda task: executor.submit(_on_worker, task, gpus, retries)
    finally:
        if cluster is not None:
            cluster.close()


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; none where there is no driver."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name.strip() for name in chosen.split(",") if name.strip() not in ("", "-1")]
    # Names, not numbers: CUDA and the driver count in different orders.
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.splitlines() if line.strip()]


def shared_out(gpus: Sequence[str], jobs: int) -> list[str | None]:
    """The GPU of each job: one after the other, and from the first again where there are more jobs."""
    return [gpus[job % len(gpus)] if gpus else None for job in range(jobs)]


def _in_thread(task: Task, slots: "queue.SimpleQueue[str | None]", retries: int) -> Outcome:
    gpu = slots.get()
    try:
        for _ in range(retries):
            try:
                return run(task, gpu)
            except RunFailedError:
                continue
        return run(task, gpu)
    finally:
        slots.put(gpu)


def _on_worker(task: Task, gpus: Sequence[str | None], retries: int) -> Outcome:
    """Do a run in a worker of Dask. Where the cluster is ours, its workers are called 0, 1, … and share the GPUs."""
    from distributed import get_worker

    try:
        return run(task, gpus[int(get_worker().name)] if gpus else None)
    except RunFailedError as error:
        # What Dask is to try again must be an error, which its workers log at length; what it is not need not be one.
        if retries:
            raise
        return error.outcome


def _distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "scheduler needs Dask's distributed, which is not installed: pip install 'gaia-explore[cluster]'"
        ) from error
    return distributed


def _check_workers(client: Any):
    """Raise RuntimeError where a worker that is there has another package than this process: it runs something else."""
    ours = package_hash()
    other = sorted(address for address, theirs in client.run(package_hash).items() if theirs != ours)
    if other:
        raise RuntimeError(f"scheduler must have workers with this very gaia_explore, got another one on {other}")
