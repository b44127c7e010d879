"""The loop: seeds, resume, looks at held-out stimuli, stopping and dying."""

import json
import logging
import os
import pickle
import shutil
import signal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaia_explore.models import AEConfig, Config, GAIAConfig, VAEConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.training import choose_device, fit, loop, read_checkpoint, write_checkpoint
from gaia_explore.training.board import Board
from gaia_explore.training.member import MOST_STEPS
from gaia_explore.training.player import Player

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=8, hidden_layers=2)}
X = np.random.default_rng(0).random((64, 2), dtype=np.float32)
LOOKS: dict[str, Any] = {"held_out": X[:16], "evaluate_every": 7, "checkpoint_every": 8}


def fitted(config: Config, steps: int, **options: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return fit(config, X, **({"steps": steps, "batch_size": 8, "seed": 1, "progress": False} | options))


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


CONFIGS = [
    AEConfig(**SMALL),
    VAEConfig(**SMALL),
    GAIAConfig(**SMALL),
    GAIAConfig(**SMALL, averaging=0.9, mixing="minibatch"),
    GAIAConfig.published(**SMALL),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
def test_one_seed_gives_one_result_and_another_seed_another(config: Config):
    assert_equal(fitted(config, 20)[0], fitted(config, 20)[0])
    assert not torch.equal(fitted(config, 20)[0]["history"], fitted(config, 20, seed=2)[0]["history"])


def test_training_lowers_the_pixel_error():
    history = fitted(AEConfig(**SMALL, learning_rate=0.01), 300)[0]["history"][:, 0]
    assert history[-20:].mean() < 0.5 * history[:20].mean()


@cache
def undisturbed(config: Config) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return fitted(config, 40, **LOOKS)


# Before the first look at step 7, before and at the second, and after the last; checkpoints are at 8, 16, ….
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("cut", [1, 9, 14, 38])
def test_a_resumed_training_equals_the_undisturbed_one_bit_for_bit(
    config: Config, cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, description = undisturbed(config)
    path = tmp_path / "run"
    step = Player.step
    taken = 0

    def dying_step(self: Player, *args: Any):
        nonlocal taken
        taken += 1
        if taken > cut * len(whole_players):
            raise MemoryError
        step(self, *args)

    whole_players = config.learning_rates()
    monkeypatch.setattr(Player, "step", dying_step)
    with pytest.raises(MemoryError):
        fitted(config, 40, checkpoint=path, **LOOKS)
    monkeypatch.undo()
    assert path.exists() == (cut >= 8)
    resumed, resumed_description = fitted(config, 40, checkpoint=path, **LOOKS)
    assert_equal(resumed, whole)
    assert resumed_description == description
    tensors, _ = read_checkpoint(path)
    assert_equal(tensors, whole)


def test_the_state_after_a_step_does_not_depend_on_when_anybody_looks():
    often, seldom = (fitted(GAIAConfig(**SMALL), 60, held_out=X[:16], evaluate_every=n)[0]["history"] for n in (7, 60))
    assert torch.equal(often, seldom)


def test_a_constant_schedule_can_be_prolonged_and_a_finished_run_is_returned_as_it_is(tmp_path: Path):
    config = AEConfig(**SMALL, schedule="constant")
    first, _ = fitted(config, 20, checkpoint=tmp_path / "run")
    again, _ = fitted(config, 20, checkpoint=tmp_path / "run")
    assert_equal(first, again)
    longer, _ = fitted(config, 40, checkpoint=tmp_path / "run")
    assert_equal(longer, fitted(config, 40)[0])


def test_a_run_goes_on_with_other_draws_on_another_kind_of_device(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    config = GAIAConfig(**SMALL, schedule="constant")
    fitted(config, 20, checkpoint=tmp_path / "run")
    tensors, description = read_checkpoint(tmp_path / "run")
    # As a GPU leaves it: a seed and an offset.
    write_checkpoint(tmp_path / "of a GPU", tensors | {"generator": torch.zeros(16, dtype=torch.uint8)}, description)
    shutil.copy(tmp_path / "of a GPU", tmp_path / "again")
    with caplog.at_level(logging.WARNING, logger="gaia_explore"):
        resumed, _ = fitted(config, 40, checkpoint=tmp_path / "of a GPU")
    assert caplog.messages == [
        "resumed on another kind of device: it draws other minibatches and noise from step 20 on"
    ]
    assert_equal(resumed, fitted(config, 40, checkpoint=tmp_path / "again")[0])
    whole, _ = fitted(config, 40)
    assert torch.equal(resumed["history"][:20], whole["history"][:20])
    # What its optimisers knew it has kept: no step is like a first one.
    assert not torch.equal(resumed["history"][20:], whole["history"][20:])
    assert torch.allclose(resumed["generator/weights"], whole["generator/weights"], atol=0.02)
    assert resumed["generator/step"].item() == 40


def test_a_schedule_that_ends_cannot_be_prolonged(tmp_path: Path):
    fitted(AEConfig(**SMALL), 20, checkpoint=tmp_path / "run")
    message = r"steps must be the run's own, 20, got 40: its schedule ends there, and another run needs another folder$"
    with pytest.raises(ValueError, match=message):
        fitted(AEConfig(**SMALL), 40, checkpoint=tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 9}, r"resume: batch_size must be the run's own, 8, got 9: another run needs another folder$"),
        ({"seed": 3}, r"resume: seed must be the run's own, 1, got 3"),
        ({"about": {"title": "other"}}, r"resume: about must be the run's own, {}, got {'title': 'other'}"),
        ({"config": VAEConfig(**SMALL)}, r"resume: config must be the run's own, .*'AE'.*, got .*'VAE'"),
    ],
)
def test_a_run_is_not_continued_as_another_one(change: dict[str, Any], message: str, tmp_path: Path):
    fitted(AEConfig(**SMALL), 5, checkpoint=tmp_path / "run")
    options = {"config": AEConfig(**SMALL), "steps": 5, "checkpoint": tmp_path / "run"} | change
    with pytest.raises(ValueError, match=message):
        fitted(**options)


def test_the_cosine_schedule_takes_the_learning_rate_from_full_to_zero(monkeypatch: pytest.MonkeyPatch):
    factors: list[float] = []
    step = Player.step

    def recording_step(self: Player, pace: torch.Tensor, schedule: float):
        factors.append(schedule)
        step(self, pace, schedule)

    monkeypatch.setattr(Player, "step", recording_step)
    fitted(AEConfig(**SMALL), 100)
    np.testing.assert_allclose(factors, 0.5 * (1 + np.cos(np.pi * np.arange(100) / 100)))
    factors.clear()
    fitted(AEConfig(**SMALL, schedule="constant"), 10)
    assert factors == [1.0] * 10


# --- held-out stimuli


def test_the_best_weights_are_those_of_the_smallest_held_out_error():
    config = AEConfig(**SMALL, schedule="constant", learning_rate=0.05)
    tensors, description = fitted(config, 120, held_out=X[:16], evaluate_every=10)
    errors = description["held_out_error"]
    assert list(errors) == [str(step) for step in range(10, 121, 10)]
    best = int(min(errors, key=errors.__getitem__))
    at_best, _ = fitted(config, best)
    assert torch.equal(tensors["autoencoder/best"], at_best["autoencoder/weights"])


def test_training_stops_early_and_says_why():
    config = AEConfig(**SMALL, learning_rate=0.5, schedule="constant")
    tensors, description = fitted(config, 1000, held_out=X[:16], evaluate_every=5, patience=3)
    errors = {int(step): error for step, error in description["held_out_error"].items()}
    best = min(errors, key=errors.__getitem__)
    assert description["step"] == best + 15 == len(tensors["history"])
    assert description["health"] == {
        "status": "stopped",
        "reason": (
            f"early at step {best + 15}: 3 looks since the best held-out error, {errors[best]:.4f} at step {best}"
        ),
    }


# --- stopping and dying


def test_an_interrupt_ends_the_training_after_the_step_that_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    step = Player.step
    taken = 0

    def interrupted_step(self: Player, *args: Any):
        nonlocal taken
        taken += 1
        if taken == 13:
            os.kill(os.getpid(), signal.SIGINT)
        step(self, *args)

    monkeypatch.setattr(Player, "step", interrupted_step)
    tensors, description = fitted(AEConfig(**SMALL), 100, checkpoint=tmp_path / "run")
    monkeypatch.undo()
    assert description["health"] == {"status": "stopped", "reason": "interrupted by the user at step 13 of 100"}
    assert_equal(read_checkpoint(tmp_path / "run")[0], tensors)
    assert_equal(fitted(AEConfig(**SMALL), 100, checkpoint=tmp_path / "run")[0], fitted(AEConfig(**SMALL), 100)[0])


def test_a_training_that_is_lost_ends_at_once_and_names_the_term():
    _, description = fitted(AEConfig(**SMALL, learning_rate=1e30), 1000)
    assert description["health"]["status"] == "died"
    assert description["health"]["reason"].startswith("pixel_error is ")
    assert description["step"] < 200


@pytest.mark.parametrize("config", [GAIAConfig(**SMALL), AEConfig(**SMALL, learning_rate=1e30)], ids=["GAIA", "lost"])
def test_slow_steps_are_shown_one_by_one_and_come_to_the_same(config: Config, monkeypatch: pytest.MonkeyPatch):
    shown: list[int] = []
    quick, description = fitted(config, 120, **LOOKS)
    monkeypatch.setattr(loop, "MOST_SECONDS", 0.0)
    monkeypatch.setattr(Board, "show", lambda board, progress: shown.append(len(progress()[0]["history"])))
    slow, same = fitted(config, 120, **LOOKS)
    assert shown == list(range(same["step"] + 1))
    assert json.dumps(same) == json.dumps(description)
    for name, tensor in quick.items():
        np.testing.assert_array_equal(slow[name].numpy(), tensor.numpy(), err_msg=name)


def test_a_pinned_pace_is_death(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gaia_explore.training.health.PINNED_STEPS", 50)
    # Data near 1 and networks that start, and with steps this small stay, near 0: fakes are always reproduced better.
    config = GAIAConfig(**SMALL, slope=100.0, learning_rate=1e-12)
    _, description = fit(config, 0.8 + 0.2 * X, steps=200, batch_size=8, seed=1, progress=False)
    assert description["health"]["status"] == "died"
    assert description["health"]["reason"].startswith("the discriminator lost: its pace is pinned at 1.000")
    assert description["step"] == 200


# --- devices and threads


def test_threads_are_the_callers_again_afterwards(monkeypatch: pytest.MonkeyPatch):
    before = torch.get_num_threads()
    seen: list[int] = []
    step = Player.step

    def looking_step(self: Player, *args: Any):
        seen.append(torch.get_num_threads())
        step(self, *args)

    monkeypatch.setattr(Player, "step", looking_step)
    fitted(AEConfig(**SMALL), 2, threads=2)
    assert set(seen) == {2}
    assert torch.get_num_threads() == before


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"


def test_bf16_is_opt_in_and_changes_the_arithmetic_but_not_the_weights_type():
    exact, mixed = (fitted(AEConfig(**SMALL), 5, precision=p)[0] for p in ("fp32", "bf16"))
    assert mixed["autoencoder/weights"].dtype == torch.float32
    assert not torch.equal(exact["history"], mixed["history"])
    torch.testing.assert_close(exact["history"], mixed["history"], rtol=0.05, atol=0.01)


def test_the_progress_bar_shows_the_loss_terms(capsys: pytest.CaptureFixture[str]):
    fitted(GAIAConfig(**SMALL), MOST_STEPS + 5, progress=True)
    shown = capsys.readouterr().err
    assert "GAIA: 100%" in shown
    assert all(f"{term}=" in shown for term in ("L_x", "L_i", "pixel_error"))
    assert "pace" not in shown


def test_training_draws_from_no_global_stream():
    torch_before, numpy_before = torch.random.get_rng_state(), pickle.dumps(np.random.get_state())
    fitted(GAIAConfig(**SMALL, mixing="minibatch"), 5)
    assert torch.equal(torch_before, torch.random.get_rng_state())
    assert numpy_before == pickle.dumps(np.random.get_state())
