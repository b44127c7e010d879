"""Many at once: every member is as it would be alone."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaia_explore.models import GAIA, AEConfig, Config, GAIAConfig, VAEConfig, stack
from gaia_explore.networks import Convolutional, FullyConnected
from gaia_explore.training import Course, Task, fit, fit_many, loop, read_checkpoint, request_stop
from gaia_explore.training.adam import Adam
from gaia_explore.training.board import Board
from gaia_explore.training.member import MOST_STEPS
from gaia_explore.training.player import Player
from gaia_explore.training.program import Program

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=16, hidden_layers=2)}
SETS = [np.random.default_rng(i).random((40 + 7 * i, 2), dtype=np.float32) for i in range(3)]
COURSE = Course(steps=200, batch_size=32, evaluate_every=25)
Result = tuple[dict[str, torch.Tensor], dict[str, Any]]


def tasks_of(*configs: Config, **options: Any) -> list[Task]:
    """Each config from another seed, on another set."""
    return [Task(config=config, x=SETS[i % len(SETS)], seed=i, **options) for i, config in enumerate(configs)]


def alone(task: Task, course: Course = COURSE) -> Result:
    options: dict[str, Any] = {"rows": task.rows, "held_out": task.held_out, "about": task.about}
    return fit(task.config, task.x, seed=task.seed, progress=False, device="cpu", **options, **vars(course))


def together(tasks: list[Task], course: Course = COURSE, **options: Any) -> list[Result]:
    return fit_many(tasks, course, **({"device": "cpu", "progress": False, "at_once": 8} | options))


def assert_close(first: Result, second: Result, tolerance: float = 1e-4):
    assert first[0].keys() == second[0].keys()
    for name, tensor in first[0].items():
        np.testing.assert_allclose(tensor.numpy(), second[0][name].numpy(), rtol=0, atol=tolerance, err_msg=name)
    errors = [np.array(list(description["held_out_error"].values())) for _, description in (first, second)]
    np.testing.assert_allclose(*errors, rtol=1e-4)
    said = [{**description, "held_out_error": {}} for _, description in (first, second)]
    assert said[0] == said[1]


def programs(tasks: list[Task], monkeypatch: pytest.MonkeyPatch, course: Course = COURSE, **options: Any) -> list[int]:
    """How many members are trained in each program."""
    seen: list[int] = []
    enter = Program.__enter__

    def counting(self: Program) -> Program:
        seen.append(len(self.members))
        return enter(self)

    with monkeypatch.context() as patch:
        patch.setattr(Program, "__enter__", counting)
        together(tasks, course, **options)
    return seen


FAMILIES = {
    "AE": [AEConfig(**SMALL), AEConfig(**SMALL, learning_rate=3e-4, initialisation="glorot")],
    "VAE": [VAEConfig(**SMALL), VAEConfig(**SMALL, beta=0.125)],
    "GAIA": [
        GAIAConfig(**SMALL),
        GAIAConfig(**SMALL, alpha=0.3, slope=10.0, margin=0.2, pixel_weight=0.5, adversarial_weight=1.0),
        GAIAConfig(**SMALL, learning_rate=5e-4, discriminator_learning_rate=2e-4),
    ],
    "published": [GAIAConfig.published(**SMALL), GAIAConfig.published(**SMALL, alpha=0.5)],
    "α=0": [GAIAConfig(**SMALL, alpha=0.0), GAIAConfig(**SMALL, alpha=0.0, slope=30.0)],
    "capped": [GAIAConfig(**SMALL, rule="capped", mixing="uniform", clip=clip) for clip in (1.0, 0.05)],
    "average": [
        GAIAConfig(**SMALL, mixing="minibatch", averaging=decay, discriminator_noise=noise)
        for decay, noise in ((0.9, 0.05), (0.5, 0.1))
    ],
}


@pytest.mark.no_cover  # twice as fast, and nothing runs here alone
@pytest.mark.parametrize("family", FAMILIES)
def test_every_member_equals_the_model_trained_alone(family: str):
    tasks = tasks_of(*FAMILIES[family], held_out=SETS[0][:20])
    for task, result in zip(tasks, together(tasks), strict=True):
        assert_close(result, alone(task))


def test_what_differs_only_in_numbers_is_one_program_and_the_rest_is_told_apart(monkeypatch: pytest.MonkeyPatch):
    course = Course(steps=2, batch_size=8)
    for configs in FAMILIES.values():
        assert programs(tasks_of(*configs), monkeypatch, course) == [len(configs)]
    mixed = tasks_of(*(config for configs in FAMILIES.values() for config in configs))
    assert sorted(programs(mixed, monkeypatch, course)) == [2, 2, 2, 2, 2, 2, 3]
    assert programs(tasks_of(*FAMILIES["GAIA"]), monkeypatch, course, at_once=2) == [2, 1]


def test_results_come_in_the_order_of_the_tasks_whatever_their_programs():
    tasks = tasks_of(AEConfig(**SMALL), VAEConfig(**SMALL), AEConfig(**SMALL, schedule="constant"))[::-1]
    described = [description for _, description in together(tasks, Course(steps=2, batch_size=8))]
    assert [(d["config"], d["seed"]) for d in described] == [(t.config.to_dict(), t.seed) for t in tasks]


def test_rows_and_bytes_are_drawn_as_alone():
    x = np.random.default_rng(0).integers(256, size=(50, 4, 4, 1), dtype=np.uint8)
    rows = [np.arange(0, 50, 2), np.arange(30)]
    tasks = [Task(config=AEConfig(**SMALL), x=x, rows=own, seed=0) for own in rows]
    for task, result in zip(tasks, together(tasks), strict=True):
        assert_close(result, alone(task))


def test_what_cannot_be_stacked_is_trained_alone(monkeypatch: pytest.MonkeyPatch):
    x = np.random.default_rng(0).random((12, 16, 16, 1), dtype=np.float32)
    course = Course(steps=2, batch_size=4)
    pictures = [
        Task(config=AEConfig(network=Convolutional(filters=(4,), hidden_units=8)), x=x, seed=seed) for seed in (0, 1)
    ]
    assert programs(pictures, monkeypatch, course) == [1, 1]
    streamed = [Task(config=AEConfig(**SMALL), x=SETS[0], seed=0, stream=stream) for stream in (True, True, False)]
    assert programs(streamed, monkeypatch, course) == [1, 1, 1]
    for task, result in zip(pictures, together(pictures, course), strict=True):
        assert_close(result, alone(task, course), tolerance=0)


# --- ends


def test_a_member_that_dies_ends_alone_and_disturbs_nobody():
    tasks = tasks_of(AEConfig(**SMALL), AEConfig(**SMALL, learning_rate=1e30), AEConfig(**SMALL))
    results = together(tasks)
    assert [d["health"]["status"] for _, d in results] == ["healthy", "died", "healthy"]
    for task, (tensors, description) in zip(tasks, results, strict=True):
        expected = alone(task)
        assert description == expected[1]
        if description["health"]["status"] == "healthy":
            assert_close((tensors, description), expected)
        assert len(tensors["history"]) == description["step"]


def test_members_stop_early_each_at_its_own_look():
    course = Course(steps=400, batch_size=8, evaluate_every=5, patience=3)
    configs = [AEConfig(**SMALL, schedule="constant", learning_rate=rate) for rate in (0.1, 0.02, 1e-4)]
    tasks = [Task(config=config, x=SETS[0], seed=1, held_out=SETS[1]) for config in configs]
    results = together(tasks, course)
    steps = [description["step"] for _, description in results]
    assert len(set(steps)) == 3
    for task, result in zip(tasks, results, strict=True):
        assert_close(result, alone(task, course))


def test_an_interrupt_ends_all_after_the_step_that_runs(monkeypatch: pytest.MonkeyPatch):
    step, taken = Player.step, 0

    def interrupted(self: Player, *args: Any):
        nonlocal taken
        taken += 1
        if taken == 13:
            os.kill(os.getpid(), signal.SIGINT)
        step(self, *args)

    monkeypatch.setattr(Player, "step", interrupted)
    results = together(tasks_of(AEConfig(**SMALL), AEConfig(**SMALL), VAEConfig(**SMALL)))
    told = [description["health"]["reason"] for _, description in results]
    assert told == ["interrupted by the user at step 13 of 200"] * 2 + ["interrupted by the user at step 1 of 200"]
    assert [len(tensors["history"]) for tensors, _ in results] == [13, 13, 1]


def test_a_request_ends_one_member_or_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    paths = [tmp_path / name / "run" for name in "012"]
    tasks = [Task(config=AEConfig(**SMALL), x=SETS[0], seed=0, checkpoint=path) for path in paths]
    wish, wishes = Board.wish, 0

    def asked(self: Board) -> str | None:
        nonlocal wishes
        wishes += 1
        if wishes == 1:
            request_stop(tmp_path / "1")
        elif wishes == 4:
            request_stop(tmp_path)
        return wish(self)

    monkeypatch.setattr(Board, "wish", asked)
    reasons = [description["health"]["reason"] for _, description in together(tasks)]
    assert reasons == [f"asked by another process at step {step} of 200" for step in (50, 25, 50)]
    assert not list(tmp_path.glob("*/stop")) and not list(tmp_path.glob("*/progress*"))


# --- checkpoints


@pytest.mark.parametrize("cut", [20, 70])
def test_what_was_killed_goes_on_bit_for_bit(cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    course = Course(steps=100, batch_size=8, evaluate_every=20, checkpoint_every=30)
    configs = [GAIAConfig(**SMALL, averaging=0.5), GAIAConfig(**SMALL, averaging=0.9, alpha=0.5)]

    def tasks(folder: str) -> list[Task]:
        own = [(config, seed) for config in configs for seed in (0, 1)]
        return [
            Task(config=c, x=SETS[s], seed=s, held_out=SETS[2], checkpoint=tmp_path / folder / str(i) / "run")
            for i, (c, s) in enumerate(own)
        ]

    whole = together(tasks("whole"), course)
    step, taken = Player.step, 0

    def dying(self: Player, *args: Any):
        nonlocal taken
        taken += 1
        if taken > 2 * cut:
            raise MemoryError
        step(self, *args)

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(Player, "step", dying)
        together(tasks("cut"), course)
    for result, (tensors, description) in zip(together(tasks("cut"), course), whole, strict=True):
        assert result[1] == description
        for name, tensor in tensors.items():
            assert torch.equal(result[0][name], tensor), name
    assert read_checkpoint(tmp_path / "cut/0/run")[1] == whole[0][1]


def test_finished_members_are_returned_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    course = Course(steps=10, batch_size=8)
    tasks = [Task(config=AEConfig(**SMALL), x=SETS[0], seed=s, checkpoint=tmp_path / str(s) / "run") for s in (0, 1, 2)]
    first = together(tasks[:2], course)
    taken: list[int] = []
    step = Player.step
    monkeypatch.setattr(Player, "step", lambda self, *args: taken.append(len(self.weights)) or step(self, *args))
    again = together(tasks, course)
    assert len(taken) == 10
    for kept, result in zip(first, again, strict=False):
        assert_close(kept, result, tolerance=0)


# --- parts


def test_adam_moves_all_in_one_launch_as_it_moves_each_alone():
    rng = torch.Generator().manual_seed(0)
    weights = torch.rand(3, 50, generator=rng)
    gradient, moved = torch.empty(3, 50), weights.clone()
    rates = torch.tensor([1e-3, 0.0, 0.5])
    one, each = Adam(moved, gradient, one_launch=True), Adam(weights, gradient, one_launch=False)
    for _ in range(20):
        gradient.copy_(torch.randn(3, 50, generator=rng))
        for adam in (one, each):
            adam.rate.copy_(rates)
            adam.step()
    torch.testing.assert_close(moved, weights)
    torch.testing.assert_close(one.exp_avg_sq, each.exp_avg_sq)
    assert one.age == each.age == 20


def test_a_stack_holds_copies_of_its_members_numbers_and_weights():
    configs = [GAIAConfig(**SMALL, alpha=alpha) for alpha in (0.5, 2.0)]
    members = [config.build((2,), torch.Generator().manual_seed(i)) for i, config in enumerate(configs)]
    stacked = stack(members)
    assert isinstance(stacked, GAIA)
    assert stacked.alpha.tolist() == [0.5, 2.0]
    for own in zip(stacked.parameters(), *(member.parameters() for member in members), strict=True):
        assert torch.equal(own[0], torch.stack(own[1:]))
    assert not stacked.state_dict().keys() & {"alpha", "slope"}


def test_one_progress_bar_counts_the_steps_of_all(capsys: pytest.CaptureFixture[str]):
    together(tasks_of(AEConfig(**SMALL), VAEConfig(**SMALL)), Course(steps=MOST_STEPS, batch_size=8), progress=True)
    shown = capsys.readouterr().err
    assert "AE, VAE × 2: 100%" in shown and "100/100" in shown and "kl=" in shown


def test_checkpoints_that_take_long_to_write_are_written_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    course = Course(steps=50, batch_size=8, checkpoint_every=10)
    written: list[int] = []
    monkeypatch.setattr(
        loop, "write_checkpoint", lambda path, tensors, description: written.append(description["step"])
    )

    def steps_of(n: int, folder: str) -> list[int]:
        written.clear()
        paths = [tmp_path / folder / str(seed) / "run" for seed in range(n)]
        together([Task(config=AEConfig(**SMALL), x=SETS[0], seed=0, checkpoint=path) for path in paths], course)
        return written

    every = [10, 20, 30, 40, 50]
    assert steps_of(2, "quick") == [step for step in every for _ in range(2)]
    monkeypatch.setattr(loop, "LONG", 0.0)
    monkeypatch.setattr(loop, "REST", 10**9)
    assert steps_of(2, "many") == [10, 10, 50, 50]
    # A training alone is promised its checkpoints.
    assert steps_of(1, "alone") == every
