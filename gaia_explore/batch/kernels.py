"""Papermill with a kernel's folder, environment and files in the caller's hands, and nothing in this process's globals.

Papermill by itself changes the folder of the whole process while a notebook runs, and gives kernels the environment of
the process. This engine does neither, so that threads can execute notebooks side by side.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, final

import nbformat
import papermill
import psutil
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from traitlets import default

ENGINE = "gaia_explore"

SILENT = logging.getLogger(__name__)
"""For what is raised as well."""
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False

OnCell = Callable[[int, int], None]
"""Told before a code cell runs: the process id of its kernel, and which code cell it is, from 1."""


@final
class OwnKernel(AsyncKernelManager):
    """A kernel of the very Python that asks for it, whatever else is installed under the name ``python3``."""

    @default("kernel_spec_manager")
    def _no_installed_kernels(self) -> KernelSpecManager:
        # Where it finds none installed, ipykernel's own is taken, which starts sys.executable.
        return KernelSpecManager(kernel_dirs=[])


class _Engine(Engine):
    """One kernel, started as :func:`execute_in_kernel` asks papermill to have it started."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **asked: Any) -> Any:
        """Execute the notebook that papermill manages."""
        code = [i for i, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code" and cell.source.strip()]

        def told(cell: Any, cell_index: int):
            if asked["on_cell"] is not None:
                asked["on_cell"](client.km.provisioner.pid, code.index(cell_index) + 1)

        client: Any = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=OwnKernel,
            log=SILENT,
            startup_timeout=asked["start_timeout"],
            resources={"metadata": {"path": asked["folder"]}},
            store_widget_state=False,
            # Its warning about connections of one machine is no news to who runs a notebook.
            extra_arguments=["--log-level=ERROR"],
            on_cell_execute=told,
        )
        inherited: dict[str, Any] = {"pass_fds": asked["descriptors"]} if asked["descriptors"] else {}
        log = asked["log"]
        client.execute(env={**os.environ, **asked["environment"]}, stdout=log, stderr=log, **inherited)


papermill_engines.register(ENGINE, _Engine)


def execute_in_kernel(
    notebook: nbformat.NotebookNode | Path,
    executed: Path,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    descriptors: tuple[int, ...] = (),
    log: IO[bytes] | None = None,
    on_cell: OnCell | None = None,
    progress: bool = True,
) -> nbformat.NotebookNode:
    """Execute a notebook in a new kernel, and write the executed copy as it grows.

    Parameters
    ----------
    notebook, parameters
        What to execute, with which values.
    executed
        Where the copy is written, also where a cell fails.
    folder
        The kernel's own, from which relative paths start.
    environment
        Added to this process's for the kernel.
    descriptors
        Open files that the kernel inherits (not on Windows): locks among them are held until it, too, has ended.
    log
        An open file for what the kernel says outside of cells, such as why it crashed; None for this process's output.
    on_cell
        Called before each code cell.
    progress
        Whether to show papermill's bar.

    Raises
    ------
    papermill.PapermillExecutionError
        For a cell that fails; ``nbclient.exceptions.DeadKernelError`` where the kernel dies.
    """
    with _loop_of_thread():
        return papermill.execute_notebook(
            notebook if isinstance(notebook, dict) else str(notebook),
            str(executed),
            parameters=dict(parameters),
            engine_name=ENGINE,
            kernel_name="python3",
            progress_bar=progress,
            folder=str(folder),
            # The figure's data alone, without 5 MB of script in each notebook.
            environment={"PLOTLY_RENDERER": "plotly_mimetype", **(environment or {})},
            descriptors=descriptors,
            log=log,
            on_cell=on_cell,
        )


@contextmanager
def _loop_of_thread() -> Iterator[None]:
    """Close what Jupyter leaves open in a thread that is not the main one: the event loop that it makes for itself."""
    if threading.current_thread() is threading.main_thread():
        yield
        return
    loop = ensure_event_loop()
    try:
        yield
    finally:
        loop.close()


def end_kernel(pid: int):
    """End a kernel and every process that it started, at once."""
    # What ended by itself meanwhile is what was wanted.
    with suppress(psutil.NoSuchProcess):
        kernel = psutil.Process(pid)
        for process in [*kernel.children(recursive=True), kernel]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
