"""Watching: when somebody is called back, and that a training survives it."""

import os
import signal
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
