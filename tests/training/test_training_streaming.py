"""Minibatches that are read ahead: which stimuli, to the last bit; the threads that read them, and the way to a GPU."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gaia_explore.models import AEConfig, GAIAConfig, Share
from gaia_explore.networks import FullyConnected
from gaia_explore.stimuli.scaling import to_unit
from gaia_explore.training import fit
from gaia_explore.training.player import Player
from gaia_explore.training.streaming import AHEAD, READERS, Bus, Streamed

CPU = torch.device("cpu")
NETWORK = FullyConnected(hidden_units=8, hidden_layers=2)
CONFIG = AEConfig(network=NETWORK)
PIXELS = np.random.default_rng(0).integers(256, size=(40, 2, 2, 3), dtype=np.uint8)
ROWS = np.arange(39, 5, -1)


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "x.npy", PIXELS)
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def streamed(x: np.ndarray, seed: int = 1, **options: Any) -> Streamed:
    return Streamed(x, ROWS, batch_size=8, seed=seed, device=CPU, **options)


def minibatches(feed: Streamed, steps: range) -> list[torch.Tensor]:
    """Copies: what was fetched is overwritten later."""
    seen: list[torch.Tensor] = []
    for step in steps:
        feed.fetch(step)
        seen.append(feed.minibatch(torch.Generator()).clone())
    return seen


def fitted(x: np.ndarray, config: Any = CONFIG, **options: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    return fit(config, x, **({"rows": ROWS, "steps": 20, "batch_size": 8, "seed": 1, "progress": False} | options))


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]):
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("minibatches")]


def test_what_is_streamed_depends_on_seed_and_step_alone(mapped: np.ndarray):
    with streamed(mapped) as whole, streamed(mapped) as late, streamed(mapped, seed=2) as other:
        first = minibatches(whole, range(40))
        assert all(map(torch.equal, minibatches(late, range(7, 40)), first[7:]))
        assert not torch.equal(minibatches(other, range(1))[0], first[0])
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
        minibatches(feed, range(3))
    assert sorted(read) == list(range(len(read))) and 3 <= len(read) <= 3 + AHEAD


@pytest.mark.parametrize("floats", [False, True])
def test_stimuli_that_lie_otherwise_in_memory_or_a_file_are_streamed_alike(floats: bool, tmp_path: Path):
    x = to_unit(PIXELS) if floats else PIXELS
    turned = np.ascontiguousarray(x.T).T
    assert not turned.flags.c_contiguous
    np.save(tmp_path / "x.npy", np.concatenate([x[:3], x]))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    with streamed(x) as plain, streamed(turned) as other, streamed(mapped[3:]) as view:
        steps = range(2 * AHEAD + 3)
        expected = minibatches(plain, steps)
        assert all(map(torch.equal, minibatches(other, steps), expected))
        assert all(map(torch.equal, minibatches(view, steps), expected))


def test_of_a_shared_minibatch_only_the_share_is_read():
    shares = [Share(torch.Generator(), 8, rank, 2) for rank in range(2)]
    with streamed(PIXELS) as all_of_it, streamed(PIXELS, share=shares[0]) as a, streamed(PIXELS, share=shares[1]) as b:
        (whole,), (first,), (second,) = (minibatches(feed, range(1)) for feed in (all_of_it, a, b))
    assert torch.equal(first, whole[shares[0].rows]) and torch.equal(second, whole[shares[1].rows])
    assert len(first) == len(second) == 4


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


def test_a_run_is_not_continued_with_other_minibatches(tmp_path: Path):
    fitted(PIXELS, checkpoint=tmp_path / "run", stream=True)
    with pytest.raises(ValueError, match=r"resume: stream must be the run's own, True, got False"):
        fitted(PIXELS, checkpoint=tmp_path / "run", stream=False)
    assert readers() == []


# --- the threads


def test_a_file_that_is_cut_ends_the_training_in_words(mapped: np.ndarray, tmp_path: Path):
    def spoil(*_: Any):
        os.truncate(tmp_path / "x.npy", 200)

    message = r"^the stimuli of step \d+ could not be read: .*x\.npy must have 608 bytes, has 200 now$"
    with pytest.raises(RuntimeError, match=message):
        fitted(mapped, steps=1000, stream=True, watch=spoil, watch_every=10)
    assert readers() == []
    with pytest.raises(OSError, match=r"x\.npy must have 608 bytes, has 200 now"):
        fitted(mapped, stream=True)


def test_a_file_that_somebody_deletes_is_read_to_the_end(mapped: np.ndarray, tmp_path: Path):
    def delete(*_: Any):
        (tmp_path / "x.npy").unlink(missing_ok=True)

    lost, _ = fitted(mapped, steps=60, stream=True, watch=delete, watch_every=10)
    assert_equal(lost, fitted(PIXELS, steps=60, stream=True)[0])


@pytest.mark.parametrize("wrong", [os.preadv, None], ids=["in part", "not on this system"])
def test_rows_are_whole_or_an_error(mapped: np.ndarray, wrong: Any, monkeypatch: pytest.MonkeyPatch):
    if wrong is None:
        monkeypatch.delattr(os, "preadv")
        with streamed(mapped) as feed, streamed(PIXELS) as plain:
            assert all(map(torch.equal, minibatches(feed, range(3)), minibatches(plain, range(3))))
        return
    monkeypatch.setattr(os, "preadv", lambda file, places, offset: wrong(file, places, offset) - 1)
    with (
        streamed(mapped) as feed,
        pytest.raises(RuntimeError, match=r"step 1 could not be read: .* only be read in part"),
    ):
        feed.fetch(0)


def test_the_threads_end_with_the_training_also_on_an_interrupt(mapped: np.ndarray):
    seen: list[list[str]] = []

    def watch(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        if not seen:
            os.kill(os.getpid(), signal.SIGINT)
        seen.append(readers())

    _, description = fitted(mapped, stream=True, watch=watch, watch_every=10)
    assert description["health"]["reason"] == "interrupted by the user at step 11 of 20"
    assert 1 <= len(seen[0]) <= READERS
    assert readers() == []

    def impatient(tensors: dict[str, torch.Tensor], description: dict[str, Any]):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(5)

    with pytest.raises(KeyboardInterrupt):
        fitted(mapped, stream=True, watch=impatient, watch_every=5)
    assert readers() == []


# --- the way to a GPU


class Gpu(TorchDispatchMode):
    """Stands in for a GPU: copies are only asked for, and done later, each stream's in their order.

    In which order streams take turns, and how late, is drawn: whatever a real device could do.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.draw = np.random.default_rng(seed)
        self.queues: dict[str, deque[Callable[[], bool]]] = {"computing": deque(), "copying": deque()}
        self.current = "computing"

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        if func is torch.ops.aten.copy_.default:
            to, source = (tensor.numpy() for tensor in args[:2])
            self.ask(lambda: np.copyto(to, source))
            return args[0]
        return func(*args, **(kwargs or {}))

    def ask(self, do: Callable[[], Any], ready: Callable[[], bool] = lambda: True):
        def attempt() -> bool:
            if ready():
                do()
            return ready()

        self.queues[self.current].append(attempt)
        for _ in range(self.draw.integers(3)):
            self.do_something()

    def do_something(self):
        queue = self.queues[self.draw.choice(list(self.queues))]
        if queue and queue[0]():
            queue.popleft()

    def work(self, until: Callable[[], bool]):
        """Do what was asked for, in an order of chance, until something has happened."""
        while not until():
            assert any(self.queues.values()), "waits for ever"
            self.do_something()

    @contextmanager
    def stream(self, stream: Any) -> Iterator[None]:
        self.current = "copying"
        yield
        self.current = "computing"

    def event(self, blocking: bool = False) -> Any:
        return Event(self)


class Event:
    """Stands in for an event of a GPU: it waits for the last time that it was asked to be recorded before."""

    def __init__(self, gpu: Gpu):
        self.gpu = gpu
        self.asked = self.reached = 0

    def record(self):
        self.asked += 1
        self.gpu.ask(lambda asked=self.asked: setattr(self, "reached", asked))

    def wait(self):
        self.gpu.ask(lambda: None, lambda asked=self.asked: self.reached >= asked)

    def synchronize(self):
        self.gpu.work(lambda asked=self.asked: self.reached >= asked)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_order_of_a_gpu_every_step_finds_its_own_stimuli(seed: int, monkeypatch: pytest.MonkeyPatch):
    gpu, steps, n = Gpu(seed), 40, 5
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: "copying")
    monkeypatch.setattr(torch.cuda, "Event", gpu.event)
    monkeypatch.setattr(torch.cuda, "stream", gpu.stream)
    slots, found = torch.zeros(n, 2, 3), list[set[float]]()
    bus = Bus(slots, CPU)
    where = bus.x.data_ptr()
    with gpu:
        for step in range(steps):
            # As reading threads do, some steps ahead where they may.
            bus.wait_until_free(step)
            slots[step % n].numpy()[...] = step
            bus.bring(step)
            assert bus.x.data_ptr() == where
            gpu.ask(lambda: found.append(set(bus.x.numpy().flat)))
        gpu.work(lambda: not any(gpu.queues.values()))
    assert found == [{step} for step in range(steps)]
