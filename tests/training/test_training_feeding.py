"""Minibatches: which stimuli, to the last bit, from the device."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gaia_explore.models import AEConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.stimuli.scaling import to_unit
from gaia_explore.training import feeding, fit, read_checkpoint, write_checkpoint
from gaia_explore.training.feeding import Resident, fits, resident, scaled
from gaia_explore.training.memory import free_memory

CPU = torch.device("cpu")
NETWORK = FullyConnected(hidden_units=8, hidden_layers=2)
CONFIG = AEConfig(network=NETWORK)
PIXELS = np.random.default_rng(0).integers(256, size=(40, 2, 2, 3), dtype=np.uint8)
ROWS = np.arange(39, 5, -1)


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "x.npy", PIXELS)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def fitted(x: np.ndarray, config: Any = CONFIG, **options: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return fit(config, x, **({"rows": ROWS, "steps": 20, "batch_size": 8, "seed": 1, "progress": False} | options))


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


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
        feed.fetch(0)
        x = feed.minibatch(torch.Generator().manual_seed(3))
    drawn = torch.randint(len(ROWS), (8,), generator=torch.Generator().manual_seed(3)).numpy()
    np.testing.assert_array_equal(x.numpy(), to_unit(PIXELS[ROWS[drawn]]).reshape(8, 12))


# --- in a training


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


def test_a_run_from_before_there_were_streams_goes_on(tmp_path: Path):
    constant = AEConfig(network=NETWORK, schedule="constant")
    fitted(PIXELS, constant, steps=7, checkpoint=tmp_path / "run")
    tensors, description = read_checkpoint(tmp_path / "run")
    del description["stream"]
    write_checkpoint(tmp_path / "run", tensors, description)
    assert_equal(fitted(PIXELS, constant, checkpoint=tmp_path / "run")[0], fitted(PIXELS, constant)[0])


def test_a_file_that_is_cut_is_not_copied_to_the_device(mapped: np.ndarray, tmp_path: Path):
    os.truncate(tmp_path / "x.npy", 200)
    with pytest.raises(OSError, match=r"x\.npy must have 608 bytes, has 200 now"):
        fitted(mapped)


# --- memory


def test_free_memory_is_some_and_on_a_gpu_counts_what_pytorch_keeps(monkeypatch: pytest.MonkeyPatch):
    assert 0 < free_memory(CPU) < 2**50
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 70)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 30)
    assert free_memory(torch.device("cuda")) == 140
