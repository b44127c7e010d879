"""A training's notice board in its folder: other processes read how far it is, and ask it to stop."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, final

from torch import Tensor

from gaia_explore.training.checkpoint import write_atomically, write_checkpoint

PROGRESS = "progress.safetensors"
"""The history so far, without weights; there while a training runs, or after it was killed."""

STOP = "stop"
"""An empty file: somebody asks the training to end."""

EVERY = 2.0
"""Seconds between two notices at least …"""

SHARE = 200
"""… and so many times what the last one took, so that notices cost at most half a percent of any training."""


@final
class Board:
    """What a training shows in its folder while it runs; use as a context.

    Parameters
    ----------
    folder
        Where the training writes its checkpoints; None for a training without a folder, which shows nothing.
    among
        Number of trainings that run together: what notices may cost is shared among their boards.
    """

    def __init__(self, folder: Path | None, among: int = 1):
        self._folder = folder
        self._among = among
        self._due = -float("inf")

    def __enter__(self) -> "Board":
        # Whoever asked before meant another training.
        self._remove(STOP)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._remove(PROGRESS)
        self._remove(STOP)

    def show(self, progress: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]):
        """Write what ``progress`` gives, if a notice is due."""
        started = time.monotonic()
        if self._folder is None or started < self._due:
            return
        write_checkpoint(self._folder / PROGRESS, *progress())
        ended = time.monotonic()
        self._due = ended + max(EVERY, SHARE * self._among * (ended - started))

    def wish(self) -> str | None:
        """Why to stop: somebody asked in the folder."""
        asked = self._folder is not None and (self._folder / STOP).exists()
        return "asked by another process" if asked else None

    def _remove(self, name: str):
        if self._folder is not None:
            (self._folder / name).unlink(missing_ok=True)


def request_stop(folder: str | Path):
    """Ask the training that writes to a folder, in whichever process, to end cleanly.

    Of a folder that many trainings write to, each in a folder of its own (``train_many``), all of them. Each does so
    after the block of steps that is running, at most 50 or a second's, keeps its run, and can be resumed.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder, or no training runs there. One that was killed cannot be told from one that
        runs; what is asked of it is forgotten when it is resumed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be a run's, got {folder}: there is no such folder")
    running = [path.parent for path in (folder / PROGRESS, *sorted(folder.glob(f"*/{PROGRESS}"))) if path.is_file()]
    if not running:
        raise FileNotFoundError(f"folder must be one that a training is writing to, got {folder}: none runs there")
    for own in running:
        write_atomically(own / STOP, b"")
