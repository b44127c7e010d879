"""Checkpoints: one safetensors file with its description as JSON in the header. Reading one executes nothing."""

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save
from torch import Tensor

FORMAT = "gaia_explore/1"

WRITERS = 8
"""Runs whose files are written at a time where there are many."""


def write_atomically(path: Path, content: bytes):
    """Write a file so that a reader, whatever happens, sees the old file or the new one.

    Its folder is made where it is missing. An interrupted write leaves only a hidden temporary file, which the next
    write replaces.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_checkpoint(path: Path, tensors: dict[str, Tensor], description: dict[str, Any]):
    """Write tensors and a JSON description as one file, atomically; equal input gives equal bytes."""
    header = json.dumps({"format": FORMAT, **description}, sort_keys=True)
    write_atomically(path, save(tensors, {"gaia_explore": header}))


def write_many(write: Callable[[Any], object], each: Iterable[Any]):
    """Write for each, a few at a time: they wait for the disk, not for each other."""
    with ThreadPoolExecutor(WRITERS) as writers:
        for _ in writers.map(write, each):
            pass


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (on the CPU) and description of a file that :func:`write_checkpoint` wrote.

    Raises
    ------
    FileNotFoundError, ValueError
        Where there is no such file, or it is damaged or not one of ours; the message names it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no run at {path}")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("gaia_explore", "{}")
            tensors = {name: file.get_tensor(name) for name in file.offset_keys()}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file, or is damaged: {error}") from error
    description = json.loads(header)
    if description.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a run of gaia_explore in the format {FORMAT!r}")
    return tensors, description
