"""Small notebooks, and a kernel that is only pretended: what surrounds one is tested without starting it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from gaia_explore.batch import running
from gaia_explore.batch.running import Task

DECLARED = """\
a: int = 2  # to be squared
scale: float = 1.0  # of the square
name: str = "x"  # any word
seed: int = 0  # of nothing
out_dir: str = "out"  # where it writes
quick: bool = False  # nothing
"""


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """Writes a notebook whose first cell is its parameters."""

    def write(path: Path, *sources: str) -> Path:
        cells = [new_code_cell(source) for source in sources]
        cells[0].metadata["tags"] = ["parameters"]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
        return path

    return write


@pytest.fixture
def notebook(tmp_path: Path, write: Callable[..., Path]) -> Path:
    """A notebook that would write the square of ``a`` as its scores."""
    return write(tmp_path / "square.ipynb", DECLARED, "import json", "# its scores\njson.dumps(a * a)")


@pytest.fixture
def task(tmp_path: Path) -> Callable[[str], Task]:
    """Makes a task of a run that is never executed."""

    def task(name: str, sweep: str = "this") -> Task:
        nothing: dict[str, Any] = {"parameters": {}, "complete": {}, "content": "", "hash": "", "about": {}}
        return Task(out=tmp_path, notebook=tmp_path / "n.ipynb", name=name, sweep=sweep, **nothing)

    return task


class Kernel:
    """Stands in for the execution of a notebook: does what a test says, and remembers what it was asked for."""

    def __init__(self):
        self.calls: list[dict[str, Any]] = []
        self.does: Callable[[dict[str, Any], Path], object] = self.scores

    @staticmethod
    def scores(parameters: dict[str, Any], folder: Path):
        """Write the square, as the notebook would."""
        square = parameters.get("a", 2) ** 2
        (folder / "scores.json").write_text(f'{{"square": {square}, "seed": {parameters.get("seed", 0)}}}')

    def __call__(self, notebook: Any, executed: Path, parameters: dict[str, Any], **asked: Any) -> Any:
        asked["on_cell"](2**30, 2)
        self.calls.append({"executed": executed, "parameters": parameters, **asked})
        executed.write_text("half")
        self.does(parameters, executed.parent)
        injected = new_code_cell(f"# Parameters\nout_dir = {parameters['out_dir']!r}")
        injected.metadata["tags"] = ["injected-parameters"]
        notebook.cells.insert(1, injected)
        notebook.metadata["papermill"] = nbformat.from_dict({"parameters": dict(parameters), "input_path": "/home/me"})
        return notebook


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """No kernels are started, and no GPUs are looked for."""
    pretended = Kernel()
    monkeypatch.setattr(running, "execute_in_kernel", pretended)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return pretended
