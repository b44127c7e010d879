"""Following a run: from the same process, where every state can be met, and from another one."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import gaia_explore as ge
from gaia_explore import following
from gaia_explore import stimuli as sets
from gaia_explore.following import Follower
from gaia_explore.models import GAIAConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.runs import FILE, Run, load, train
from gaia_explore.training import PROGRESS, board, read_checkpoint, write_checkpoint

MOONS = sets.moons(n=64, seed=0)
CONFIG = GAIAConfig(network=FullyConnected(hidden_units=8, hidden_layers=2))


def trained(**options: Any) -> Run:
    return train(CONFIG, MOONS, **({"steps": 40, "batch_size": 8, "progress": False, "device": "cpu"} | options))


def assert_same_codes(run: Run, other: Run):
    np.testing.assert_array_equal(run.codec.encode(MOONS.x), other.codec.encode(MOONS.x))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch):
    """Progress is written after every block, whatever the time."""
    monkeypatch.setattr(board, "EVERY", 0.0)
    monkeypatch.setattr(board, "SHARE", 0)


def test_where_there_is_nothing_yet_nothing_is_seen(tmp_path: Path):
    assert Follower(tmp_path).look() is None
    assert Follower(tmp_path / "not" / "yet").look() is None


def test_a_run_is_seen_once_and_again_when_it_has_changed(tmp_path: Path):
    follower = Follower(tmp_path)
    run = trained(out=tmp_path)
    seen = follower.look()
    assert seen is not None and seen.history.equals(run.history) and seen.health == run.health
    assert seen.weights_step == run.weights_step == 40
    assert_same_codes(seen, run)
    assert follower.look() is None
    trained(out=tmp_path / "other", seed=1).save(tmp_path)
    again = follower.look()
    assert again is not None and again.description["seed"] == 1
    assert follower.look() is None


def test_the_history_runs_ahead_of_the_weights(tmp_path: Path, at_once: None):
    follower = Follower(tmp_path)
    seen: list[Run | None] = []
    last = trained(out=tmp_path, checkpoint_every=20, watch=lambda run: seen.append(follower.look()), watch_every=10)
    seen.append(follower.look())
    shown = [run for run in seen if run is not None]
    assert [run.description["step"] for run in shown] == [10, 20, 30, 40, 40]
    assert [run.weights_step for run in shown] == [None, 20, 20, 40, 40]
    assert [str(run.health) for run in shown[:4]] == [f"healthy: {step} of 40 steps" for step in (10, 20, 30, 40)]
    for run in shown:
        assert run.history.equals(last.history[: run.description["step"]])
    at_20, at_30 = shown[1], shown[2]
    assert_same_codes(at_20, at_30)
    assert_same_codes(shown[3], last)
    with pytest.raises(AssertionError):
        assert_same_codes(at_30, last)


def test_before_the_first_checkpoint_there_is_a_history_and_no_codec(tmp_path: Path, at_once: None):
    follower = Follower(tmp_path)
    seen: list[Run | None] = []
    trained(out=tmp_path, watch=lambda run: seen.append(follower.look()), watch_every=10)
    run = seen[0]
    assert run is not None and len(run.history) == 10
    with pytest.raises(ValueError) as refused:
        _ = run.codec
    assert str(refused.value) == "this run is still before its first checkpoint: it has a history, but no weights yet"


def test_a_training_that_has_just_begun_has_an_empty_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(board, "EVERY", 1e9)
    follower = Follower(tmp_path)
    seen: list[Run | None] = []
    trained(out=tmp_path, watch=lambda run: seen.append(follower.look()), watch_every=10)
    assert seen[0] is not None and len(seen[0].history) == 0
    assert seen[1] is None


def test_a_run_that_is_followed_cannot_be_taken_for_one_to_resume(tmp_path: Path, at_once: None):
    def copy(run: Run):
        seen = follower.look()
        if seen is not None and seen.description["step"] < 40:
            seen.save(tmp_path / "copy")

    follower = Follower(tmp_path / "run")
    trained(out=tmp_path / "run", checkpoint_every=10, watch=copy, watch_every=10)
    with pytest.raises(ValueError, match=r"^resume: the run was saved without its optimisers and cannot go on$"):
        trained(resume=tmp_path / "copy")


def test_progress_that_a_killed_training_left_counts_until_the_run_is_past_it(tmp_path: Path):
    run = trained(out=tmp_path)
    history = torch.cat([run.tensors["history"]] * 2)
    write_checkpoint(tmp_path / PROGRESS, {"history": history[:60]}, {**run.description, "step": 60})
    follower = Follower(tmp_path)
    seen = follower.look()
    assert seen is not None and (len(seen.history), seen.weights_step) == (60, 40)
    write_checkpoint(tmp_path / PROGRESS, {"history": history[:20]}, {**run.description, "step": 20})
    seen = follower.look()
    assert seen is not None and (len(seen.history), seen.weights_step) == (40, 40)


def test_a_run_that_is_taken_away_is_not_seen_and_its_successor_is(tmp_path: Path):
    trained(out=tmp_path)
    follower = Follower(tmp_path)
    assert follower.look() is not None
    kept = (tmp_path / FILE).rename(tmp_path / "elsewhere")
    assert follower.look() is None
    kept.rename(tmp_path / FILE)
    assert follower.look() is not None


def test_a_file_that_goes_while_it_is_opened_was_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    trained(out=tmp_path)
    write_checkpoint(tmp_path / PROGRESS, {}, {"step": 100})

    def read(path: Path) -> Any:
        if path.name == PROGRESS:
            path.unlink()
        return read_checkpoint(path)

    monkeypatch.setattr(following, "read_checkpoint", read)
    seen = Follower(tmp_path).look()
    assert seen is not None and seen.description["step"] == 40


@pytest.mark.parametrize("name", [FILE, PROGRESS])
def test_a_file_that_is_cut_off_or_foreign_is_named_each_time(name: str, tmp_path: Path):
    trained(out=tmp_path / "run")
    whole = (tmp_path / "run" / FILE).read_bytes()
    follower = Follower(tmp_path)
    path = tmp_path / name
    path.write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        with pytest.raises(ValueError) as refused:
            follower.look()
        assert str(refused.value).startswith(f"{path} is not a safetensors file, or is damaged: ")
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError) as refused:
        follower.look()
    assert str(refused.value) == f"{path} is not a run of gaia_explore in the format 'gaia_explore/1'"
    path.write_bytes(whole)
    assert follower.look() is not None


TRAINING = """
import sys
import gaia_explore as ge
from gaia_explore.networks import FullyConnected

config = ge.GAIAConfig(network=FullyConnected(hidden_units=8, hidden_layers=2))
moons = ge.stimuli.moons(n=64, seed=0)
quiet = {"device": "cpu", "progress": False}
run = ge.train(config, moons, steps=10**6, batch_size=8, out=sys.argv[1], checkpoint_every=200, **quiet)
print(run.health)
"""


def looked(follower: Follower, training: subprocess.Popen[str]) -> Run:
    """The next thing that is to be seen."""
    ends = time.monotonic() + 120
    while time.monotonic() < ends and training.poll() is None:
        run = follower.look()
        if run is not None:
            return run
        time.sleep(0.02)
    pytest.fail(f"nothing new was seen; the training's exit status is {training.poll()}")


@pytest.mark.slow
def test_a_training_in_another_process_is_followed_and_asked_to_stop(tmp_path: Path):
    folder = tmp_path / "run"
    follower = Follower(folder)
    command = [sys.executable, "-c", TRAINING, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as training:
        seen = [looked(follower, training)]
        while seen[-1].weights_step is None or seen[-1].description["step"] <= seen[-1].weights_step:
            seen.append(looked(follower, training))
        assert seen[-1].codec.encode(MOONS.x).shape == (64, 2)
        ge.request_stop(folder)
        told, _ = training.communicate(timeout=60)
    assert training.returncode == 0
    last = follower.look()
    assert last is not None and follower.look() is None
    step = last.description["step"]
    assert told == f"{last.health}\n" == f"stopped: asked by another process at step {step} of 1000000\n"
    assert step % 50 == 0 and seen[-1].description["step"] <= step
    # What was seen first may be from before the first step, and then has no terms.
    for history in (run.history for run in seen):
        assert history.equals(last.history.loc[: len(history), history.columns])
    assert last.history.equals(load(folder).history)
    assert sorted(path.name for path in folder.iterdir()) == ["history.csv", "run.json", "run.safetensors"]
