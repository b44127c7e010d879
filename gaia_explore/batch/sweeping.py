"""A sweep: a notebook executed for every combination of values, resumable whatever was killed."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import nbformat
import pandas as pd

from gaia_explore.batch.folders import LOCKS, UNFINISHED, alone, read_record
from gaia_explore.batch.parameters import Declarations
from gaia_explore.batch.planning import plan
from gaia_explore.batch.progress import Progress
from gaia_explore.batch.provenance import commit, notebook_hash, package_hash
from gaia_explore.batch.running import Outcome, RunFailedError, Task
from gaia_explore.batch.scheduling import workers
from gaia_explore.batch.together import train_together

LONGEST_END = 30.0
"""Seconds that an interrupted sweep waits for its kernels to end."""


@final
@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What became of a sweep's runs, or what would be done with them; a notebook shows it as a table.

    Parameters
    ----------
    out
        Its folder.
    table
        A row a run: ``run``, ``status``, ``seconds``, and where and why it failed (``cell``, ``message``). The status
        is ``finished`` now, ``done`` before, or ``failed``; of a plan it is what is found: ``new``, ``changed``,
        ``unfinished``, ``failed``, all of which would run, or ``done``.
    """

    out: Path
    table: pd.DataFrame

    @property
    def failed(self) -> pd.DataFrame:
        """The runs that failed."""
        return pd.DataFrame(self.table[self.table["status"] == "failed"])

    def __str__(self) -> str:
        counts = self.table["status"].value_counts(sort=False)
        lines = [f"{len(self.table)} runs in {self.out}: " + ", ".join(f"{n} {status}" for status, n in counts.items())]
        for row in self.failed.to_dict("records"):
            lines.append("  " + ": ".join(row[part] for part in ("run", "cell", "message", "why") if row.get(part)))
        if len(self.failed):
            lines.append(f"What failed lies in {self.out / UNFINISHED}; the same sweep again tries it again.")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{self.out}</p>{self.table.to_html(index=False, escape=True)}"


def sweep(
    notebook: str | Path,
    grid: Mapping[str, Iterable[Any]],
    *,
    seeds: int | Iterable[int] | None = None,
    parameters: Mapping[str, Any] | None = None,
    out: str | Path,
    jobs: int = 1,
    scheduler: str | None = None,
    retries: int = 0,
    together: bool = False,
    progress: bool = True,
    dry_run: bool = False,
) -> Sweep:
    """Execute a notebook for every combination of values that ``out`` does not hold yet.

    A run's folder in ``out`` is named by its values (``model=GAIA,stimuli=moons,seed=0``) and is what the notebook gets
    as ``out_dir``, so that a training with ``resume=out_dir`` goes on after it was killed. It holds what the notebook
    wrote there, the executed notebook, its HTML page and ``run.json``: parameters, hashes of notebook and package, git
    commit, versions, host, GPU, seconds. Until it has finished it lies in ``out/unfinished``: a folder in ``out`` is a
    run that finished.

    Whatever was killed, the same call again does only what is missing, failed, or was made from another notebook or
    package; a run that is replaced stays until the new one has finished. Every kernel computes in one thread.

    Parameters
    ----------
    notebook
        With a cell tagged ``parameters``, among them ``out_dir``; relative paths in it start from its own folder.
    grid
        Lists of values by name.
    seeds
        Values of the parameter ``seed``; a number means 0, 1, ….
    parameters
        Values that are the same for all runs.
    out
        The sweep's folder, for runs of this notebook only. Two sweeps of one folder at a time are an error.
    jobs
        Runs at a time on this machine. NVIDIA GPUs are shared out among them, one each (``CUDA_VISIBLE_DEVICES``).
    scheduler
        None runs kernels on this machine. The address of a Dask scheduler (``tcp://…``) has its workers do it: they
        must have this package, and see ``out`` and the notebook at the same paths. ``"local"`` starts such a cluster of
        ``jobs`` workers on this machine. Needs the extra ``cluster``.
    retries
        How often a run that fails is tried again, on a cluster by Dask. A worker that is lost is no failure: Dask gives
        its run to another one, which goes on from the last checkpoint.
    together
        First train at once what fits together (``train_many``), in ``jobs`` processes, or in one for each GPU; then the
        notebooks find their trainings finished. What they would train is found by executing each, unseen and without a
        kernel, up to its training with ``resume=out_dir``: that part is executed twice, and must come to the same
        training both times. A notebook that trains in another way is executed as always. Not on a cluster.
        On a CPU that pays for trainings that are much longer than the start of a kernel. A model trained among others
        equals the one trained alone only to within rounding, so that the tables of two such sweeps, of which one was
        killed, need not be equal to the last digit; nor do a run's seconds hold its training.
    progress
        Show a bar, and a line for each notebook that is under way; where output is no terminal, a line for each run.
    dry_run
        Start nothing, and say what would be done.

    Returns
    -------
    How each run went. Failures do not stop the others: see ``failed``.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        Before anything starts, for parameters that the notebook does not declare, of another type, or in an empty grid
        (the message lists what is declared), and for an ``out`` that holds other things.
    RuntimeError
        Where another sweep is writing to ``out``, or a worker has another version of this package.
    KeyboardInterrupt
        After Ctrl-C, when the kernels have been ended. What has finished stays.

    Examples
    --------
    A cluster is anything that Dask deploys, with one thread a worker; `Client(cluster)` is not needed:

    >>> from dask_jobqueue import SLURMCluster
    >>> cluster = SLURMCluster(cores=1, memory="4GB", walltime="08:00:00")
    >>> cluster.scale(jobs=50)
    >>> ge.batch.sweep("notebooks/2-train.ipynb", {"model": ["AE", "GAIA"]}, seeds=25, out="runs/night",
    ...                scheduler=cluster.scheduler_address)

    >>> from dask.distributed import SSHCluster  # the first host schedules
    >>> cluster = SSHCluster(["node0", "node1", "node2"], worker_options={"nthreads": 1, "n_workers": 4})

    >>> from dask_kubernetes.operator import KubeCluster  # an image with this package, a volume for out
    >>> cluster = KubeCluster(name="sweep", image="…", n_workers=20)
    """
    notebook, out = Path(notebook).resolve(), Path(out).resolve()
    for name, value, least in (("jobs", jobs, 1), ("retries", retries, 0)):
        if type(value) is not int or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    if together and scheduler is not None:
        raise ValueError(f"together must be False with a scheduler, got {together} and {scheduler}")
    tasks = _tasks(notebook, out, grid, seeds, parameters)
    _check_folder(tasks)
    if dry_run:
        rows = [{"run": task.name, "status": status, "why": why} for task, status, why in _found(tasks)]
        return Sweep(out=out, table=pd.DataFrame(rows))
    with alone(out):
        outcomes = _run(tasks, jobs, scheduler, retries, together, progress)
    table = pd.DataFrame([asdict(outcomes[task.name]) for task in tasks]).rename(columns={"name": "run"})
    return Sweep(out=out, table=table)


def _tasks(
    notebook: Path,
    out: Path,
    grid: Mapping[str, Iterable[Any]],
    seeds: int | Iterable[int] | None,
    parameters: Mapping[str, Any] | None,
) -> list[Task]:
    declared = Declarations(notebook)
    cells = plan(declared, grid, seeds, parameters)
    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    shared: dict[str, Any] = {
        "out": out,
        "notebook": notebook,
        "content": nbformat.writes(content),
        "hash": notebook_hash(content),
        "sweep": uuid.uuid4().hex,
        "about": {"commit": commit(notebook.parent)},
    }
    complete = [declared.complete(cell.parameters) for cell in cells]
    for values in complete:
        del values["out_dir"]
    return [
        Task(name=cell.name, parameters=cell.parameters, complete=values, **shared)
        for cell, values in zip(cells, complete, strict=True)
    ]


def _check_folder(tasks: Sequence[Task]):
    """Raise ValueError where the sweep's folder holds what it would replace and must not."""
    out, notebook = tasks[0].out, tasks[0].notebook.name
    for task in tasks:
        folder = task.place.finished
        if folder.exists() and task.place.record() is None:
            raise ValueError(f"out must hold no folders named as runs that are none, got {folder}")
    for path in sorted(out.glob("*")):
        record = read_record(path)
        if record is not None and record["notebook"]["name"] != notebook:
            raise ValueError(f"out must hold runs of {notebook} only, got {path}, one of {record['notebook']['name']}")


def _found(tasks: Sequence[Task]) -> list[tuple[Task, str, str]]:
    package = package_hash()
    return [(task, *task.place.state(task.identity(package))) for task in tasks]


def _run(
    tasks: Sequence[Task], jobs: int, scheduler: str | None, retries: int, together: bool, progress: bool
) -> dict[str, Outcome]:
    """Have all runs done that are not, and gather how they went."""
    for stale in (tasks[0].out / LOCKS).glob("*.interrupted"):
        stale.unlink()
    found = _found(tasks)
    outcomes = {task.name: Outcome(name=task.name, status="done") for task, status, _ in found if status == "done"}
    wanted = [task for task, status, _ in found if status != "done"]
    if wanted:
        with (
            Progress(wanted, total=len(tasks), done=len(outcomes), shown=progress) as shown,
            _interrupted_in_words(tasks),
        ):
            if together:
                train_together(wanted, jobs)
            with workers(min(jobs, len(wanted)), scheduler, retries) as submit:
                futures = {submit(task): task for task in wanted}
                try:
                    for future in as_completed(futures):
                        outcome = _outcome(future, futures[future])
                        outcomes[outcome.name] = outcome
                        shown.tell(outcome)
                except KeyboardInterrupt:
                    _interrupt(futures)
                    raise
    unfinished = tasks[0].out / UNFINISHED
    if unfinished.is_dir() and not any(unfinished.iterdir()):
        unfinished.rmdir()
    return outcomes


@contextmanager
def _interrupted_in_words(tasks: Sequence[Task]) -> Iterator[None]:
    """Have Ctrl-C say how far the sweep is."""
    try:
        yield
    except KeyboardInterrupt:
        n = sum(status == "done" for _, status, _ in _found(tasks))
        message = f"{n} of {len(tasks)} runs are finished; the same sweep again goes on"
        raise KeyboardInterrupt(message) from None


def _outcome(future: "Future[Outcome]", task: Task) -> Outcome:
    try:
        return future.result()
    except RunFailedError as error:
        return error.outcome
    except Exception as error:
        # Dask's: too many workers were lost over this run, or the scheduler.
        return Outcome(name=task.name, status="failed", message=f"{type(error).__name__}: {error}")


def _interrupt(futures: "Mapping[Future[Outcome], Task]"):
    """End every kernel of the sweep, wherever it runs, and wait until none is left."""
    tasks = list(futures.values())
    # It stays until the next sweep: a run that a worker is just beginning finds it too.
    tasks[0].interruption.touch()
    for future in futures:
        future.cancel()
    deadline = time.monotonic() + LONGEST_END
    for task in tasks:
        attempt = task.place.attempt()
        if attempt is not None and attempt["sweep"] == task.sweep:
            with task.place.locked(ended=lambda: time.monotonic() > deadline):
                pass
