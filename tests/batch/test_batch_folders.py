"""The folders of a run, killed at every step; and locks that last as long as who holds them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gaia_explore.batch import folders
from gaia_explore.batch.folders import Place, alone, read_record

OLD = {"parameters": {"a": 1}, "notebook": {"name": "n.ipynb", "hash": "old"}, "package": "p"}
NEW = OLD | {"notebook": {"name": "n.ipynb", "hash": "new"}}
STARTED = {"status": "running", "sweep": "s", "cell": 0, "cells": 3}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(out=tmp_path / "out", name="a=1")


def finish(place: Place, identity: dict[str, Any], content: str = "scores"):
    """What a run does with its folders."""
    with place.locked() as lock:
        assert lock is not None
        place.settle()
        if place.state(identity)[0] == "done":
            return
        place.prepare(identity, STARTED)
        (place.unfinished / "scores.json").write_text(content)
        place.complete(identity)
        place.publish()


def test_a_run_lies_under_unfinished_until_it_has_finished(place: Place):
    assert place.state(OLD) == ("new", "")
    place.prepare(OLD, STARTED)
    assert place.state(OLD) == ("unfinished", "at cell 0 of 3") and not place.finished.exists()
    place.note({"identity": OLD, **STARTED, "status": "failed", "message": "cell 2: no"})
    assert place.state(OLD) == ("failed", "cell 2: no")
    assert place.state(NEW) == ("new", "")
    place.complete(OLD)
    assert place.state(OLD) == ("unfinished", "complete, and to be moved") and not place.finished.exists()
    place.publish()
    assert place.state(OLD) == ("done", "") and not place.unfinished.exists()
    assert not (place.finished / "attempt.json").exists()


def test_a_run_of_another_notebook_package_or_parameter_has_changed(place: Place):
    finish(place, OLD)
    assert place.state(NEW) == ("changed", "notebook")
    assert place.state(NEW | {"package": "q", "parameters": {"a": 1, "b": 2}}) == (
        "changed",
        "parameters, notebook, package",
    )


def test_an_attempt_at_the_same_run_is_continued_and_at_another_one_begun_anew(place: Place):
    place.prepare(OLD, STARTED)
    (place.unfinished / "checkpoint").write_text("half")
    place.prepare(OLD, STARTED)
    assert (place.unfinished / "checkpoint").read_text() == "half"
    place.prepare(NEW, STARTED)
    assert sorted(path.name for path in place.unfinished.iterdir()) == ["attempt.json"]
    assert [path.name for path in place.unfinished.parent.iterdir()] == ["a=1"]


def test_what_a_notebook_wrote_as_run_json_is_kept_in_the_record(place: Place):
    place.prepare(OLD, STARTED)
    (place.unfinished / "run.json").write_text('{"health": "well"}')
    assert place.state(OLD)[0] == "unfinished" and read_record(place.unfinished) is None
    place.complete(OLD)
    assert place.state(OLD)[1] == "complete, and to be moved"
    record = read_record(place.unfinished)
    assert record is not None and record["wrote"] == {"health": "well"}


def test_what_is_no_json_is_kept_as_text_and_is_no_record(place: Place):
    place.prepare(OLD, STARTED)
    (place.unfinished / "run.json").write_text("well")
    assert read_record(place.unfinished) is None
    (place.unfinished / ".history.csv.partial").write_text("half")
    place.complete(OLD)
    place.publish()
    record = place.record()
    assert record is not None and record["wrote"] == "well"
    assert sorted(path.name for path in place.finished.iterdir()) == ["run.json"]


class KilledError(BaseException):
    """This process was killed."""


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, *, halfway: bool):
    """Have the process killed before its so many-th change to the disk, or halfway through one that takes a while."""
    steps = iter(range(step + 1))

    def guarded(change: Callable[..., Any], half: Callable[..., Any] | None = None) -> Callable[..., Any]:
        def guard(*arguments: Any, **options: Any):
            if next(steps, None) == step:
                if half is not None and halfway:
                    half(*arguments)
                raise KilledError
            return change(*arguments, **options)

        return guard

    def half_removed(folder: Path, *_: Any):
        for path in sorted(folder.iterdir())[-1:] if folder.exists() else []:
            path.unlink()

    monkeypatch.setattr(folders, "write_atomically", guarded(folders.write_atomically))
    monkeypatch.setattr(shutil, "rmtree", guarded(shutil.rmtree, half_removed))
    monkeypatch.setattr(Path, "rename", guarded(Path.rename))
    monkeypatch.setattr(Path, "unlink", guarded(Path.unlink))


@pytest.mark.parametrize("halfway", [False, True])
@pytest.mark.parametrize("before", ["nothing", "finished", "unfinished"])
def test_killed_at_any_step_a_run_is_whole_or_not_there_and_the_next_sweep_finishes_it(
    tmp_path: Path, before: str, halfway: bool
):
    step, killed = 0, True
    while killed:
        place = Place(out=tmp_path / str(step), name="a=1")
        if before == "finished":
            finish(place, OLD, "of old")
        elif before == "unfinished":
            place.prepare(OLD, STARTED)
            (place.unfinished / "left").write_text("of old")
        with pytest.MonkeyPatch.context() as patch:
            killed_at(step, patch, halfway=halfway)
            try:
                finish(place, NEW, "of new")
                killed = False
            except KilledError:
                pass
        if before == "unfinished" and place.state(OLD) == ("unfinished", "at cell 0 of 3"):
            # Should the notebook be changed back, the old attempt is there with all it had.
            assert (place.unfinished / "left").read_text() == "of old"
        if place.finished.exists():
            record = place.record()
            assert record is not None
            whole = {"old": "of old", "new": "of new"}[record["notebook"]["hash"]]
            assert (place.finished / "scores.json").read_text() == whole
        elif before == "finished":
            # Between the two renames: the new one, complete, is about to be moved.
            assert place.state(NEW) == ("unfinished", "complete, and to be moved")
        finish(place, NEW, "of new")
        assert place.state(NEW) == ("done", "")
        assert sorted(path.name for path in place.finished.iterdir()) == ["run.json", "scores.json"]
        assert (place.finished / "scores.json").read_text() == "of new"
        assert [*(place.out / "unfinished").iterdir()] == []
        step += 1
    assert step > 4


def test_what_was_complete_is_not_done_again(place: Place, monkeypatch: pytest.MonkeyPatch):
    place.prepare(OLD, STARTED)
    place.complete(OLD)
    monkeypatch.setattr(Place, "prepare", lambda *_: pytest.fail("done again"))
    finish(place, OLD)
    assert place.state(OLD) == ("done", "")


def test_a_lock_is_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folders, "WAIT", 0.001)
    looks = iter([False, False, True])
    with place.locked() as lock, place.locked(ended=lambda: next(looks)) as other:
        assert lock is not None and other is None
    with place.locked(ended=lambda: pytest.fail("waited")) as lock:
        assert lock is not None


@pytest.mark.skipif(os.name != "posix", reason="Windows hands no files on")
def test_a_lock_lasts_as_long_as_a_process_that_inherited_it(place: Place):
    wait = [sys.executable, "-c", "input()"]
    with place.locked() as lock:
        assert lock is not None
        heir = subprocess.Popen(wait, stdin=subprocess.PIPE, pass_fds=(lock,))
    with place.locked(ended=lambda: True) as other:
        assert other is None
    heir.kill()
    heir.communicate()
    with place.locked(ended=lambda: True) as other:
        assert other is not None


def test_two_sweeps_of_one_folder_are_an_error_that_names_the_first(tmp_path: Path):
    message = f"out must be a folder that no other sweep is writing to, got {tmp_path}: process {os.getpid()} on "
    with alone(tmp_path), pytest.raises(RuntimeError, match=re.escape(message)), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_records_are_of_sweeps_only(tmp_path: Path):
    assert read_record(tmp_path) is None
    (tmp_path / "run.json").write_text(json.dumps({"format": "gaia_explore/1"}))
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "run.json") is None
