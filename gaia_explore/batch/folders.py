"""Where a run of a sweep lies: in ``out/unfinished`` until it is done, and then, by one rename, in ``out``.

So a folder in ``out`` is a run that finished, whatever was killed when. Each step below leaves a state from which
the next sweep goes on, and each is done by who holds the run's lock: a file that the run's kernel inherits, so that
nobody touches the folder while a kernel, orphaned by whatever was killed, still writes to it.
"""

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from filelock import lock_descriptor

from gaia_explore.training import write_atomically

FORMAT = "gaia_explore sweep/1"
UNFINISHED = "unfinished"
LOCKS = ".locks"
"""Files that stay: one that was removed and made anew could be held twice."""

RECORD = "run.json"
ATTEMPT = "attempt.json"
IDENTITY = ("parameters", "notebook", "package")
"""What makes a run the run that is wanted; all else in its record is what happened."""

WAIT = 0.2
"""Seconds between two looks whether a lock is free."""


@final
@dataclass(frozen=True, kw_only=True)
class Place:
    """The folders of one run.

    Parameters
    ----------
    out
        The sweep's folder.
    name
        The run's.
    """

    out: Path
    name: str

    @property
    def finished(self) -> Path:
        """Where the run is once it has finished."""
        return self.out / self.name

    @property
    def unfinished(self) -> Path:
        """Where it is written, and stays while it has not."""
        return self.out / UNFINISHED / self.name

    @property
    def _replaced(self) -> Path:
        return self.out / UNFINISHED / f"{self.name}.replaced"

    @property
    def _discarded(self) -> Path:
        return self.out / UNFINISHED / f"{self.name}.discarded"

    def record(self) -> dict[str, Any] | None:
        """What is known of the finished run, if there is one."""
        return read_record(self.finished)

    def attempt(self) -> dict[str, Any] | None:
        """What is known of the run that was begun: its cell, and what went wrong, if it has not finished."""
        attempt = _read(self.unfinished / ATTEMPT)
        return attempt if isinstance(attempt, dict) else None

    def state(self, identity: Mapping[str, Any]) -> tuple[str, str]:
        """``done``, ``changed``, ``failed``, ``unfinished`` or ``new``, and in words why."""
        record = self.record()
        if record is not None and _same(record, identity):
            return "done", ""
        attempt = self.attempt()
        if read_record(self.unfinished) is not None:
            return "unfinished", "complete, and to be moved"
        if attempt is not None and _same(attempt["identity"], identity):
            if attempt["status"] == "failed":
                return "failed", attempt["message"]
            return "unfinished", f"at cell {attempt['cell']} of {attempt['cells']}"
        if record is not None:
            return "changed", ", ".join(part for part in IDENTITY if record[part] != identity[part])
        return "new", ""

    @contextmanager
    def locked(self, ended: Callable[[], bool] = lambda: False) -> Iterator[int | None]:
        """Hold the run's lock, which is waited for; gives the open file, or None where ``ended`` came first."""
        path = self.out / LOCKS / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        try:
            held = lock_descriptor(descriptor, blocking=False)
            while not held and not ended():
                time.sleep(WAIT)
                held = lock_descriptor(descriptor, blocking=False)
            yield descriptor if held else None
        finally:
            # Not unlocked, which would unlock it for a kernel that lives on: the lock ends with who has it open last.
            os.close(descriptor)

    def settle(self):
        """Do what a killed process left to be done: a run that is complete is moved to where it belongs."""
        if read_record(self.unfinished) is not None:
            self.publish()
        for leftover in (self._replaced, self._discarded):
            shutil.rmtree(leftover, ignore_errors=True)

    def prepare(self, identity: Mapping[str, Any], attempt: Mapping[str, Any]):
        """Make the folder to write to: what an earlier attempt at this very run left is there to be continued."""
        before = self.attempt()
        if before is None or not _same(before["identity"], identity):
            # Removed under another name, so that half of it is never taken for all of it.
            with suppress(FileNotFoundError):
                self.unfinished.rename(self._discarded)
            shutil.rmtree(self._discarded, ignore_errors=True)
        self.note({"identity": dict(identity), **attempt})

    def note(self, attempt: Mapping[str, Any]):
        """Write down how far the attempt is, for whoever looks."""
        write_atomically(self.unfinished / ATTEMPT, json.dumps(attempt, indent=2, ensure_ascii=False).encode())

    def complete(self, record: Mapping[str, Any]):
        """Write down that the run is complete. From here on it is finished, also if the next step is never reached.

        What the notebook itself wrote as ``run.json`` goes into the record as ``wrote``.
        """
        path = self.unfinished / RECORD
        wrote = {"wrote": _read(path)} if path.exists() else {}
        for partial in self.unfinished.glob(".*.partial"):
            partial.unlink()
        content = {"format": FORMAT, **record, **wrote}
        write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False).encode())

    def publish(self):
        """Move a complete run to where finished runs are, in the place of one that is there."""
        (self.unfinished / ATTEMPT).unlink(missing_ok=True)
        if self.finished.exists():
            shutil.rmtree(self._replaced, ignore_errors=True)
            self.finished.rename(self._replaced)
        self.unfinished.rename(self.finished)
        shutil.rmtree(self._replaced, ignore_errors=True)


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a run of a sweep that finished; None where there is no such run in a folder."""
    record = _read(folder / RECORD)
    return record if isinstance(record, dict) and record.get("format") == FORMAT else None


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Be the only sweep in a folder.

    Raises
    ------
    RuntimeError
        Where another one, which lives, is there.
    """
    path = out / LOCKS / "sweep"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        if not lock_descriptor(descriptor, blocking=False):
            holder = path.read_text(encoding="utf-8") or "another process"
            raise RuntimeError(f"out must be a folder that no other sweep is writing to, got {out}: {holder} is")
        os.truncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        os.close(descriptor)


def _same(record: Mapping[str, Any], identity: Mapping[str, Any]) -> bool:
    return all(record[part] == identity[part] for part in IDENTITY)


def _read(path: Path) -> Any:
    """What a JSON file holds, as text where it is none; None where there is no file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
