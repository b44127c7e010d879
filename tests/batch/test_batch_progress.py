"""How a sweep is shown while it runs: read from the runs' folders, in bars or lines."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from gaia_explore import stimuli
from gaia_explore.batch import progress
from gaia_explore.batch.progress import Progress, line_of
from gaia_explore.batch.running import Outcome, Task
from gaia_explore.models import AEConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.runs import Run, train
from gaia_explore.training import write_checkpoint


def under_way(one: Task, **changes: Any) -> Task:
    one.place.note({"identity": {}, "status": "running", "sweep": "this", "cell": 3, "cells": 9} | changes)
    return one


@pytest.fixture
def told_of(tmp_path: Path) -> Path:
    """The notice of a training of twenty steps, which are more than the last ten by far."""
    seen: list[Run] = []
    config = AEConfig(network=FullyConnected(hidden_units=4, hidden_layers=1))
    train(config, stimuli.moons(n=64, seed=0), steps=20, seed=0, device="cpu", progress=False, watch=seen.append)
    path = tmp_path / "notice"
    history = {"history": seen[-1].tensors["history"]}
    write_checkpoint(path, history, {**seen[-1].description, "step": 20, "steps": 600})
    return path


def test_a_notebook_under_way_is_shown_with_its_cell(task: Any):
    assert line_of(task("a=1")) is None
    assert line_of(under_way(task("a=1"))) == "a=1  cell 3 of 9"
    assert line_of(under_way(task("a=1"), status="failed", message="no")) is None


def test_what_an_earlier_sweep_left_is_not_under_way(task: Any):
    assert line_of(under_way(task("a=1"), sweep="earlier")) is None


@pytest.mark.parametrize("folder", ["", "GAIA"])
def test_a_training_is_shown_with_its_step_and_loss(task: Any, told_of: Path, folder: str):
    one = under_way(task("a=1"))
    (one.place.unfinished / folder).mkdir(exist_ok=True)
    told_of.rename(one.place.unfinished / folder / "progress.safetensors")
    line = line_of(one)
    assert line is not None and line.startswith("a=1  cell 3 of 9  step 20 of 600, pixel_error 0.")


def test_a_training_before_its_first_step_has_no_loss_yet(task: Any):
    one = under_way(task("a=1"))
    description = {"step": 0, "steps": 600, "terms": [], "held_out_error": {}}
    write_checkpoint(one.place.unfinished / "progress.safetensors", {"history": torch.empty(0, 0)}, description)
    assert line_of(one) == "a=1  cell 3 of 9  step 0 of 600"


def test_a_notice_that_is_damaged_is_not_shown(task: Any):
    one = under_way(task("a=1"))
    (one.place.unfinished / "progress.safetensors").write_text("damaged")
    assert line_of(one) == "a=1  cell 3 of 9"


def test_where_there_is_no_terminal_each_run_is_a_line(task: Any, capsys: pytest.CaptureFixture[str]):
    tasks = [task(name) for name in "abc"]
    with Progress(tasks, total=5, done=2, shown=True) as shown:
        shown.tell(Outcome(name="a", status="finished", seconds=12.4))
        shown.tell(Outcome(name="b", status="failed", seconds=3.0, cell="cell 2 of 4 (x)", message="KeyError: 1"))
        shown.tell(Outcome(name="c", status="interrupted"))
    assert capsys.readouterr().err == (
        "3/5 a: finished, 12 s\n4/5 b: failed: cell 2 of 4 (x): KeyError: 1, 3 s\n4/5 c: interrupted, 0 s\n"
    )


def test_nothing_is_shown_where_it_is_not_wanted(task: Any, capsys: pytest.CaptureFixture[str]):
    with Progress([task("a")], total=1, done=0, shown=False) as shown:
        shown.tell(Outcome(name="a", status="finished"))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar_and_a_line_for_each_notebook_under_way(
    task: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(progress, "EVERY", 0.01)
    monkeypatch.setattr(progress, "MOST_LINES", 3)
    tasks = [under_way(task(f"a={i}")) for i in range(5)]
    told = ""
    with Progress(tasks, total=9, done=4, shown=True) as shown:
        deadline = time.monotonic() + 60
        while "and 3 more" not in told and time.monotonic() < deadline:
            time.sleep(0.01)
            told += capsys.readouterr().err
        assert "a=0  cell 3 of 9" in told and "a=1  cell 3 of 9" in told and "a=2" not in told
        shown.tell(Outcome(name="a=0", status="failed", message="no"))
        assert [line.split("  ")[0] for line in shown.lines()] == ["a=1", "a=2", "… and 2 more"]
        for name in ("a=1", "a=2"):
            shown.tell(Outcome(name=name, status="finished"))
        while "a=4" not in told and time.monotonic() < deadline:
            time.sleep(0.01)
            told += capsys.readouterr().err
    told += capsys.readouterr().err
    assert "7/9" in told and "a=4" in told and "1 failed" in told
