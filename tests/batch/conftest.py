"""Small notebooks, written by tests."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook


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
