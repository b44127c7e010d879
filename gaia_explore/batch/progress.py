"""A sweep while it runs: one bar, and a line for each notebook under way; plain lines where there is no terminal."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, final

from tqdm.auto import tqdm

from gaia_explore.batch.running import Outcome, Task
from gaia_explore.runs import Run
from gaia_explore.training import PROGRESS, in_notebook, read_checkpoint

EVERY = 1.0
"""Seconds between two looks at the notebooks that are under way."""

MOST_LINES = 8
LOSS = "pixel_error"
"""The loss that every model has."""
SMOOTH = 50
"""Steps that it is averaged over."""


@final
class Progress:
    """Shows how far a sweep is, read from the folders of its runs, wherever they run; use as a context.

    Parameters
    ----------
    tasks
        What the sweep does.
    total, done
        Runs of the whole sweep, and how many of them were finished before it.
    shown
        False shows nothing.
    """

    def __init__(self, tasks: Sequence[Task], *, total: int, done: int, shown: bool):
        self._waiting = {task.name: task for task in tasks}
        self._total, self._n, self._shown = total, done, shown
        self._failed = 0
        self._live = shown and (sys.stderr.isatty() or in_notebook())
        self._lines: list[Any] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Progress":
        if self._live:
            self._bar = tqdm(total=self._total, initial=self._n, desc="sweep", unit="run", dynamic_ncols=True)
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._ended.set()
        if self._live:
            self._thread.join()
            for line in self._lines:
                line.close()
            self._bar.close()

    def tell(self, outcome: Outcome):
        """A run has ended."""
        self._waiting.pop(outcome.name, None)
        self._n += outcome.status in ("finished", "done", "failed")
        self._failed += outcome.status == "failed"
        if self._live:
            self._bar.update(outcome.status in ("finished", "done", "failed"))
            self._bar.set_postfix_str(f"{self._failed} failed" if self._failed else "")
        elif self._shown:
            what = ": ".join(word for word in (outcome.status, outcome.cell, outcome.message) if word)
            print(
                f"{self._n}/{self._total} {outcome.name}: {what}, {outcome.seconds:.0f} s", file=sys.stderr, flush=True
            )

    def lines(self) -> list[str]:
        """A line for each notebook that is under way, or for the first of them."""
        under_way = [task for task in list(self._waiting.values()) if _attempt(task) is not None]
        n = MOST_LINES if len(under_way) <= MOST_LINES else MOST_LINES - 1
        lines = [line for task in under_way[:n] if (line := line_of(task)) is not None]
        return lines if len(under_way) <= n else [*lines, f"… and {len(under_way) - n} more"]

    def _watch(self):
        while not self._ended.wait(EVERY):
            shown = self.lines()
            while len(self._lines) < len(shown):
                self._lines.append(tqdm(bar_format="{desc}", position=len(self._lines) + 1, leave=False))
            for i, line in enumerate(self._lines):
                line.set_description_str(shown[i] if i < len(shown) else "")


def line_of(task: Task) -> str | None:
    """How far a notebook is: its cell and, while it trains, step and loss; None where it is not under way."""
    attempt = _attempt(task)
    if attempt is None:
        return None
    line = f"{task.name}  cell {attempt['cell']} of {attempt['cells']}"
    training = _training(task.place.unfinished)
    return line if training is None else f"{line}  {training}"


def _attempt(task: Task) -> dict[str, Any] | None:
    attempt = task.place.attempt()
    is_running = attempt is not None and attempt.get("sweep") == task.sweep and attempt["status"] == "running"
    return attempt if is_running else None


def _training(folder: Path) -> str | None:
    """Step and loss of the training that last told of itself in a folder, or in one that lies in it."""
    try:
        told = [*folder.glob(PROGRESS), *folder.glob(f"*/{PROGRESS}")]
        run = Run(*read_checkpoint(max(told, key=lambda path: path.stat().st_mtime)))
    except (OSError, ValueError):
        # None, or one that ended between two looks.
        return None
    steps = f"step {run.description['step']} of {run.description['steps']}"
    if LOSS not in run.history:
        # Before its first step.
        return steps
    return f"{steps}, {LOSS} {run.history[LOSS].iloc[-SMOOTH:].mean():.4g}"
