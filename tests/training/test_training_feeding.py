"""Minibatches: which stimuli, to the last bit, from the device or a mapped file; and the thread that reads them."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaia_explore.models import AEConfig, GAIAConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.stimuli.scaling import to_unit
from gaia_explore.training import feeding, fit, read_checkpoint, write_checkpoint
from gaia_explore.training.feeding import Resident, Streamed, fits, resident, scaled
from gaia_explore.training.memory import free_memory
from gaia_explore.training.player import Player

CPU = torch.device("cpu")
NETWORK = FullyConnected(hidden_units=8, hidden_layers=2)
CONFIG = AEConfig(network=NETWORK)
PIXELS = np.random.default_rng(0).integers(256, size=(40, 2, 2, 3), dtype=np.uint8)
ROWS = np.arange(39, 5, -1)


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "x.npy", PIXELS)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def streamed(x: np.ndarray, seed: int = 1) -> Streamed:
    return Streamed(x, ROWS, batch_size=8, seed=seed, device=CPU)


def fitted(x: np.ndarray, config: Any = CONFIG, **options: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return fit(config, x, **({"rows": ROWS, "steps": 20, "batch_size": 8, "seed": 1, "progress": False} | options))


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("minibatches")]


def test_bytes_are_scaled_to_the_last_bit_as_in_the_stimuli_room():
    values = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(scaled(torch.from_numpy(values)).numpy(), to_unit(values))


def test_stimuli_are_scaled_already():
    x = torch.rand(3, 2)
    assert scaled(x) is x


class Recording(np.ndarray):
    """An array that notes how many stimuli it is asked for at a time."""

    asked: list[int]

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, np.ndarray):
            self.asked.append(len(rows))
        return np.asarray(self)[rows]


def test_stimuli_go_to_the_device_in_blocks_in_the_order_of_their_rows():
    x = np.arange(6000, dtype=np.uint8).reshape(3000, 2, 1, 1).view(Recording)
    x.asked = []
    rows = np.random.default_rng(0).permutation(3000)[:2500]
    np.testing.assert_array_equal(resident(x, rows, CPU).numpy(), np.asarray(x)[rows].reshape(2500, 2))
    assert x.asked == [1024, 1024, 452]


def test_residents_are_drawn_with_the_trainings_own_generator():
    with Resident(PIXELS, ROWS, batch_size=8, device=CPU) as feed:
        x = feed.minibatch(0, torch.Generator().manual_seed(3))
    drawn = torch.randint(len(ROWS), (8,), generator=torch.Generator().manual_seed(3)).numpy()
    np.testing.assert_array_equal(x.numpy(), to_unit(PIXELS[ROWS[drawn]]).reshape(8, 12))


def test_what_is_streamed_depends_on_seed_and_step_alone(mapped: np.ndarray):
    rng = torch.Generator().manual_seed(0)
    before = rng.get_state()
    with streamed(mapped) as whole, streamed(mapped) as late, streamed(mapped, seed=2) as other:
        first = [whole.minibatch(step, rng) for step in range(12)]
        for step in range(7, 12):
            assert torch.equal(late.minibatch(step, rng), first[step])
        assert not torch.equal(other.minibatch(0, rng), first[0])
    assert torch.equal(rng.get_state(), before)
    assert not torch.equal(first[0], first[1])
    ours = to_unit(PIXELS[ROWS]).reshape(-1, 1, 12)
    drawn = [int((ours[:, 0] == x.numpy()).all(1).argmax()) for x in torch.cat(first)[:, None]]
    np.testing.assert_array_equal(torch.cat(first).numpy(), ours[drawn, 0])
    assert len(set(drawn)) > 25


def test_few_minibatches_are_read_ahead(monkeypatch: pytest.MonkeyPatch):
    read: list[int] = []
    draw = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: read.append(seed[1]) or draw(seed))
    with streamed(PIXELS) as feed:
        for step in range(3):
            feed.minibatch(step, torch.Generator())
    assert read == list(range(len(read))) and 3 <= len(read) <= 3 + feeding.AHEAD


# --- in a training


@pytest.mark.parametrize("cut", [1, 25, 40])
def test_a_streamed_training_is_resumed_bit_for_bit(
    mapped: np.ndarray, cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = GAIAConfig(network=NETWORK, averaging=0.9)
    options: dict[str, Any] = {"steps": 45, "stream": True, "checkpoint_every": 20}
    whole, description = fitted(mapped, config, **options)
    step = Player.step
    taken = 0

    def dying_step(self: Player, *args: Any):
        nonlocal taken
        taken += 1
        if taken > 2 * cut:
            raise MemoryError
        step(self, *args)

    monkeypatch.setattr(Player, "step", dying_step)
    with pytest.raises(MemoryError):
        fitted(mapped, config, **options, checkpoint=tmp_path / "run")
    monkeypatch.undo()
    assert readers() == []
    # "auto" goes on as the checkpoint began, though this set would fit.
    options["stream"] = "auto" if cut > 20 else True
    resumed, resumed_description = fitted(mapped, config, **options, checkpoint=tmp_path / "run")
    assert_equal(resumed, whole)
    assert resumed_description == description and description["stream"] is True
    assert readers() == []


def test_bytes_and_their_scaled_stimuli_train_alike(mapped: np.ndarray):
    for stream in (False, True):
        from_bytes, _ = fitted(mapped, stream=stream, held_out=PIXELS[:6], evaluate_every=5)
        stimuli, _ = fitted(to_unit(PIXELS), stream=stream, held_out=to_unit(PIXELS[:6]), evaluate_every=5)
        assert_equal(from_bytes, stimuli)


def test_a_set_that_takes_too_much_of_the_free_memory_is_streamed(monkeypatch: pytest.MonkeyPatch):
    n_bytes = len(ROWS) * 12
    for free, fitting in ((2 * n_bytes, True), (2 * n_bytes - 1, False)):
        monkeypatch.setattr(feeding, "free_memory", lambda device, free=free: free)
        assert fits(PIXELS, ROWS, CPU) is fitting
        assert fitted(PIXELS)[1]["stream"] is not fitting
        assert fitted(PIXELS, stream=fitting)[1]["stream"] is fitting


def test_a_run_is_not_continued_with_other_minibatches(tmp_path: Path):
    fitted(PIXELS, checkpoint=tmp_path / "run", stream=True)
    with pytest.raises(ValueError, match=r"resume: stream must be the run's own, True, got False"):
        fitted(PIXELS, checkpoint=tmp_path / "run", stream=False)
    assert readers() == []


def test_a_run_from_before_there_were_streams_goes_on(tmp_path: Path):
    constant = AEConfig(network=NETWORK, schedule="constant")
    fitted(PIXELS, constant, steps=7, checkpoint=tmp_path / "run")
    tensors, description = read_checkpoint(tmp_path / "run")
    del description["stream"]
    write_checkpoint(tmp_path / "run", tensors, description)
    assert_equal(fitted(PIXELS, constant, checkpoint=tmp_path / "run")[0], fitted(PIXELS, constant)[0])


# --- the thread


def cut_short(path: Path):
    os.truncate(path, 200)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, r"^the stimuli of step \d+ could not be read: .*No such file or directory: '.*x\.npy'$"),
        (cut_short, r"^the stimuli of step \d+ could not be read: .*x\.npy must have 608 bytes, has 200 now$"),
    ],
)
def test_a_file_that_is_lost_ends_the_training_in_words(
    mapped: np.ndarray, spoil: Callable[[Path], Any], message: str, tmp_path: Path
):
    with pytest.raises(RuntimeError, match=message):
        fitted(mapped, steps=1000, stream=True, watch=lambda *_: spoil(tmp_path / "x.npy"), watch_every=10)
    assert readers() == []


def test_a_file_that_is_cut_is_not_copied_to_the_device(mapped: np.ndarray, tmp_path: Path):
    cut_short(tmp_path / "x.npy")
    with pytest.raises(OSError, match=r"x\.npy must have 608 bytes, has 200 now"):
        fitted(mapped)


def test_the_thread_ends_with_the_training_also_on_an_interrupt(mapped: np.ndarray):
    seen: list[list[str]] = []

    def watch(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        if not seen:
            os.kill(os.getpid(), signal.SIGINT)
        seen.append(readers())

    _, description = fitted(mapped, stream=True, watch=watch, watch_every=10)
    assert description["health"]["reason"] == "interrupted by the user at step 11 of 20" and len(seen[0]) == 1
    assert readers() == []

    def impatient(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(5)

    with pytest.raises(KeyboardInterrupt):
        fitted(mapped, stream=True, watch=impatient, watch_every=5)
    assert readers() == []


# --- memory


def test_free_memory_is_some_and_on_a_gpu_counts_what_pytorch_keeps(monkeypatch: pytest.MonkeyPatch):
    assert 0 < free_memory(CPU) < 2**50
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 30)
    assert free_memory(torch.device("cuda")) == 140
