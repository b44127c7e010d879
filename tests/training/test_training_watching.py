"""Watching: when somebody is called back, and that a training survives it."""

import os
import signal
import threading
from typing import Any

import numpy as np
import pytest
import torch

from gaia_explore.models import AEConfig, GAIAConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.training import fit

CONFIG = AEConfig(network=FullyConnected(hidden_units=8, hidden_layers=2))
X = np.random.default_rng(0).random((64, 2), dtype=np.float32)
Result = tuple[dict[str, torch.Tensor], dict[str, Any]]


def fitted(config: AEConfig = CONFIG, **options: Any) -> Result:
    return fit(config, X, **({"steps": 20, "batch_size": 8, "seed": 1, "progress": False} | options))


def assert_equal(first: Result, second: Result):
    assert first[1] == second[1]
    for name, tensor in first[0].items():
        np.testing.assert_array_equal(tensor.numpy(), second[0][name].numpy(), err_msg=name)


@pytest.mark.parametrize(("every", "steps"), [(6, [6, 12, 18, 20]), (10, [10, 20]), (20, [20]), (500, [20])])
def test_somebody_is_called_every_so_many_steps_and_once_at_the_end(every: int, steps: list[int]):
    seen: list[Result] = []
    result = fitted(watch=lambda *state: seen.append(state), watch_every=every)
    assert [description["step"] for _, description in seen] == steps
    assert_equal(seen[-1], result)
    assert all(len(tensors["history"]) == step for step, (tensors, _) in zip(steps, seen, strict=True))


def test_an_error_is_told_once_and_the_training_goes_on():
    calls: list[int] = []

    def watch(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        calls.append(description["step"])
        if len(calls) == 2:
            raise ZeroDivisionError("no pixels")

    told = r"^watch failed at step 10 and is not called again: ZeroDivisionError\('no pixels'\)$"
    with pytest.warns(UserWarning, match=told) as warned:
        result = fitted(watch=watch, watch_every=5)
    assert (calls, len(warned)) == ([5, 10], 1)
    assert_equal(result, fitted())


def test_a_training_that_dies_does_so_at_the_same_step_watched_or_not():
    lost = AEConfig(network=CONFIG.network, learning_rate=1e30)
    seen: list[str] = []
    watched = fitted(lost, steps=100, watch=lambda _, d: seen.append(d["health"]["status"]), watch_every=1)
    assert_equal(watched, fitted(lost, steps=100))
    assert seen == ["healthy"] * seen.index("died") + ["died"] * (50 - seen.index("died"))


def test_a_pinned_pace_is_found_however_often_somebody_watches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gaia_explore.training.health.PINNED_STEPS", 50)
    config = GAIAConfig(network=CONFIG.network, slope=100.0, learning_rate=1e-12)
    options: dict[str, Any] = {"steps": 60, "batch_size": 8, "seed": 1, "progress": False}
    _, description = fit(config, 0.8 + 0.2 * X, **options, watch=lambda *_: None, watch_every=1)
    assert description["health"]["status"] == "died"


def test_an_interrupt_of_the_callback_is_a_wish_to_stop():
    def watch(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        if description["step"] == 5:
            os.kill(os.getpid(), signal.SIGINT)

    _, description = fitted(watch=watch, watch_every=5)
    assert description["health"]["reason"] == "interrupted by the user at step 6 of 20"


class Explorer:
    """Watches, and may ask for a stop."""

    def __init__(self):
        self.stop_reason: str | None = None
        self.steps: list[int] = []
        self.called = threading.Event()

    def __call__(self, tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        self.steps.append(description["step"])
        self.called.set()


def test_a_watch_that_may_stop_but_does_not_changes_nothing():
    explorer = Explorer()
    assert_equal(fitted(watch=explorer, watch_every=7, stopper=explorer), fitted())
    assert explorer.steps == [7, 14, 20]


def test_the_training_ends_after_the_step_that_runs_when_another_thread_asks():
    explorer = Explorer()
    # The cosine falls more slowly in a longer training.
    config = AEConfig(network=CONFIG.network, schedule="constant")

    def press():
        assert explorer.called.wait(30)
        explorer.stop_reason = "the explorer's Stop button was pressed"

    thread = threading.Thread(target=press)
    thread.start()
    stopped = fitted(config, steps=10**6, watch=explorer, watch_every=5, stopper=explorer)
    thread.join()
    step = stopped[1]["step"]
    assert explorer.steps[0] == 5 < step < 10**6
    assert explorer.steps[-1] == step == len(stopped[0]["history"])
    told = f"the explorer's Stop button was pressed at step {step} of 1000000"
    assert stopped[1]["health"] == {"status": "stopped", "reason": told}
    # What it has learnt is that of a training which was to end there.
    whole, _ = fitted(config, steps=step)
    for name, tensor in whole.items():
        np.testing.assert_array_equal(stopped[0][name].numpy(), tensor.numpy(), err_msg=name)


def test_who_asks_when_called_ends_the_training_after_its_next_step():
    explorer = Explorer()

    def watch(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        explorer.stop_reason = "seen enough" if description["step"] == 7 else None

    _, description = fitted(watch=watch, watch_every=7, stopper=explorer)
    assert description["health"]["reason"] == "seen enough at step 8 of 20"
    # At its end the training calls once more, and the explorer is as it was for the next one.
    assert fitted(watch=watch, stopper=explorer)[1]["health"]["status"] == "healthy"
