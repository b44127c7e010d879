"""The notice board: progress and requests to stop, in a training's folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaia_explore.models import AEConfig, GAIAConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.training import board, fit, read_checkpoint, request_stop
from gaia_explore.training.board import PROGRESS, STOP, Board
from gaia_explore.training.member import MOST_STEPS

CONFIG = AEConfig(network=FullyConnected(hidden_units=8, hidden_layers=2))
X = np.random.default_rng(0).random((64, 2), dtype=np.float32)
Result = tuple[dict[str, torch.Tensor], dict[str, Any]]


def fitted(config: AEConfig | GAIAConfig = CONFIG, **options: Any) -> Result:
    return fit(config, X, **({"steps": 200, "batch_size": 8, "seed": 1, "progress": False} | options))


class Clock:
    """Stands in for the module ``time``."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(board, "time", clock)
    return clock


def notice(step: int = 0) -> Result:
    return {"history": torch.full((step, 1), 0.5)}, {"step": step}


def test_a_request_ends_the_training_after_its_block_and_is_gone(tmp_path: Path):
    def watch(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        if description["step"] == 20:
            request_stop(tmp_path)
            assert (tmp_path / STOP).is_file()

    _, description = fitted(checkpoint=tmp_path / "run", watch=watch, watch_every=20)
    assert description["health"] == {"status": "stopped", "reason": "asked by another process at step 40 of 200"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert read_checkpoint(tmp_path / "run")[1] == description


def test_a_request_is_seen_at_the_end_of_a_block_without_a_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Asked as soon as the training has put up its first notice.
    show = Board.show

    def asking(self: Board, progress: Any):
        show(self, progress)
        request_stop(tmp_path)

    monkeypatch.setattr(Board, "show", asking)
    _, description = fitted(checkpoint=tmp_path / "run")
    assert description["health"]["reason"] == f"asked by another process at step {MOST_STEPS} of 200"


def test_a_request_in_the_last_block_finds_a_finished_training(tmp_path: Path):
    _, description = fitted(
        checkpoint=tmp_path / "run", watch=lambda *_: request_stop(tmp_path), watch_every=180, steps=190
    )
    assert description["health"] == {"status": "healthy", "reason": "190 of 190 steps"}
    assert not (tmp_path / STOP).exists()


def test_a_request_from_before_does_not_stop_a_training(tmp_path: Path):
    (tmp_path / STOP).touch()
    _, description = fitted(checkpoint=tmp_path / "run")
    assert description["health"]["status"] == "healthy"


def test_a_training_that_was_stopped_goes_on_to_the_undisturbed_result(tmp_path: Path):
    config = GAIAConfig(network=CONFIG.network)
    asks = iter([True])

    def watch(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        if next(asks, False):
            request_stop(tmp_path)

    stopped = fitted(config, checkpoint=tmp_path / "run", watch=watch, watch_every=50)
    assert stopped[1]["step"] == 100
    tensors, description = fitted(config, checkpoint=tmp_path / "run")
    whole_tensors, whole = fitted(config)
    assert description == whole
    for name, tensor in whole_tensors.items():
        np.testing.assert_array_equal(tensors[name].numpy(), tensor.numpy(), err_msg=name)


def test_the_history_so_far_lies_in_the_folder_while_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(board, "EVERY", 0.0)
    monkeypatch.setattr(board, "SHARE", 0)
    seen: list[Result] = []
    whole, _ = fitted(
        checkpoint=tmp_path / "run", watch=lambda *_: seen.append(read_checkpoint(tmp_path / PROGRESS)), watch_every=80
    )
    # At the end, too, whoever watches is called before the notice is taken down.
    assert [description["step"] for _, description in seen] == [80, 160, 200]
    for tensors, description in seen:
        assert list(tensors) == ["history"]
        np.testing.assert_array_equal(tensors["history"].numpy(), whole["history"][: description["step"]].numpy())
    assert not (tmp_path / PROGRESS).exists()


def test_the_notice_is_taken_down_where_a_training_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gaia_explore.training.player.Player.step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fitted(checkpoint=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_notices_are_two_seconds_apart(tmp_path: Path, clock: Clock):
    with Board(tmp_path) as shown:
        steps = []
        for step in range(24):
            shown.show(lambda step=step: notice(step))
            steps.append(read_checkpoint(tmp_path / PROGRESS)[1]["step"])
            clock.now += 0.25
    assert sorted(set(steps)) == [0, 8, 16]


def test_slow_notices_are_rarer_so_that_they_cost_half_a_percent(tmp_path: Path, clock: Clock):
    calls: list[float] = []

    def slow() -> Result:
        calls.append(clock.now)
        clock.now += 0.5
        return notice()

    with Board(tmp_path) as shown:
        for _ in range(3000):
            shown.show(slow)
            clock.now += 0.1
    gaps = np.diff(calls)
    assert len(gaps) >= 2
    assert (0.5 / gaps <= 0.005).all() and (0.5 / gaps > 0.0049).all()


def test_without_a_folder_nothing_is_shown_and_nobody_can_ask():
    with Board(None) as shown:
        shown.show(lambda: pytest.fail("a notice was made"))
        assert shown.wish() is None


def test_a_request_where_nothing_runs_is_refused(tmp_path: Path):
    missing = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError) as refused:
        request_stop(missing)
    assert str(refused.value) == f"folder must be a run's, got {missing}: there is no such folder"
    with pytest.raises(FileNotFoundError) as refused:
        request_stop(tmp_path)
    told = f"folder must be one that a training is writing to, got {tmp_path}: none runs there"
    assert str(refused.value) == told
    assert list(tmp_path.iterdir()) == []
