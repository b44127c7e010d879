"""Steps that may be captured: nothing that changes lies in Python, and none waits for the device."""

import gc
import inspect
import logging
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from gaia_explore.models import AEConfig, Config, GAIAConfig, VAEConfig
from gaia_explore.networks import Convolutional, FullyConnected
from gaia_explore.training import Augmentation, Course, Task, capturing, fit_many
from gaia_explore.training.capturing import LEAD, WARM_UP, Captured, Lead
from gaia_explore.training.health import Health
from gaia_explore.training.member import Member
from gaia_explore.training.player import Player
from gaia_explore.training.program import Program
from gaia_explore.training.stop import StopRequest

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=8, hidden_layers=1)}
X = np.random.default_rng(0).random((40, 2), dtype=np.float32)
COURSE = Course(steps=60, batch_size=16)
EVERYTHING = Augmentation(mirror=True, shift=0.1, zoom=0.1, turn=5.0, brightness=0.1, contrast=0.1)
WAITS = ("_local_scalar_dense", "item", "nonzero")


class Ops(TorchDispatchMode):
    """Writes down every operation, with the arguments that are no tensors and the shapes of those that are."""

    def __init__(self):
        super().__init__()
        self.seen: list[tuple[str, str]] = []
        self.funcs: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        plain = tree_map(lambda v: tuple(v.shape) if isinstance(v, torch.Tensor) else v, (args, kwargs))
        if func.namespace != "profiler":
            self.seen.append((str(func), "" if "Generator" in str(plain) else str(plain)))
        if func.namespace == "aten":
            self.funcs.append(func)
        return func(*args, **(kwargs or {}))


def ops_of_a_step(program: Program) -> list[tuple[str, str]]:
    with Ops() as ops:
        program._one_step()
    return ops.seen


@pytest.mark.parametrize(
    "configs",
    [
        [AEConfig(**SMALL, averaging=0.99)],
        [VAEConfig(**SMALL, schedule="constant")],
        [GAIAConfig(**SMALL)],
        [GAIAConfig.published(**SMALL, mixing="minibatch", clip=1.0, discriminator_noise=0.1)],
        [GAIAConfig(**SMALL, alpha=0.5), GAIAConfig(**SMALL, learning_rate=2e-3)],
        [GAIAConfig(network=Convolutional(filters=(4, 8), hidden_units=8), latent_dim=4)],
    ],
    ids=["AE", "VAE", "GAIA", "published", "two members", "convolutional"],
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_step_is_the_same_program_and_waits_for_nothing(configs: list[Config], precision: Any):
    x = np.random.default_rng(0).random((40, 8, 8, 1), dtype=np.float32) if configs[0].latent_dim == 4 else X
    course = Course(steps=60, batch_size=16, precision=precision)
    tasks = [Task(config=config, x=x, seed=i) for i, config in enumerate(configs)]
    with Program([Member(task, course, torch.device("cpu"), len(tasks)) for task in tasks]) as program:
        program._one_step()
        first, second = ops_of_a_step(program), ops_of_a_step(program)
    assert len(first) > 50 and first == second
    assert [name for name, _ in first if any(wait in name for wait in WAITS)] == []


@pytest.mark.parametrize("stream", [False, True])
def test_minibatches_that_are_varied_or_streamed_are_the_same_program_too(stream: bool):
    course = Course(steps=60, batch_size=16, augmentation=EVERYTHING)
    config = GAIAConfig(network=Convolutional(filters=(4, 8), hidden_units=8), latent_dim=4)
    task = Task(
        config=config, x=np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8), seed=0, stream=stream
    )
    seen: list[list[tuple[str, str]]] = []
    with Program([Member(task, course, torch.device("cpu"), 1)]) as program:
        for step in range(3):
            program._feed.fetch(step)
            seen.append(ops_of_a_step(program))
    assert seen[1] == seen[2] and any("grid_sampler" in name for name, _ in seen[1])
    assert [name for name, _ in seen[1] if any(wait in name for wait in WAITS)] == []


def test_a_planar_step_is_few_operations():
    task = Task(config=GAIAConfig(), x=X, seed=0)
    with Program([Member(task, COURSE, torch.device("cpu"), 1)]) as program:
        program._one_step()
        with Ops() as ops:
            program._one_step()
    kernels = [func for func in ops.funcs if not func.is_view and not re.search("detach|empty", str(func))]
    # A GPU starts each of them: tests/benchmarks/README.md counts with this.
    assert 250 < len(kernels) <= 282


def test_on_the_cpu_steps_are_taken_as_they_come():
    taken: list[int] = []
    step = Captured(lambda: taken.append(1), torch.device("cpu"), why_not="nobody asks")
    for _ in range(2 * WARM_UP):
        step()
    assert len(taken) == 2 * WARM_UP


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("ended", [False, True])
def test_a_program_that_is_over_waits_for_no_garbage_collector(members: int, ended: bool):
    tasks = [Task(config=GAIAConfig(**SMALL), x=X, seed=i) for i in range(members)]
    trained = [Member(task, COURSE, torch.device("cpu"), members) for task in tasks]
    gc.disable()
    try:
        with Program(trained) as program, StopRequest(button=False) as stop:
            program.advance(4, stop)
            if ended:
                trained[0].health = Health("stopped", "early")
                program.narrow()
        gone = weakref.ref(program), weakref.ref(program._players["generator"])
        del program
        assert [it() for it in gone] == [None, None]
    finally:
        gc.enable()


class Streams:
    """Stands in for a GPU's streams."""

    def wait_stream(self, other: Any):
        pass


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    """As much of a GPU as capturing asks for."""
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Streams())
    monkeypatch.setattr(torch.cuda, "current_stream", Streams)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())


def test_the_host_is_a_few_steps_ahead_of_a_gpu(monkeypatch: pytest.MonkeyPatch):
    asked: list[int] = []
    waited: list[int] = []

    class Event:
        """Remembers how many steps had been asked for when it was recorded."""

        reached = -1

        def __init__(self, blocking: bool):
            assert blocking

        def record(self):
            self.reached = asked[-1]

        def synchronize(self):
            waited.append(self.reached)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    lead = Lead(torch.device("cuda"))
    # As after a resume.
    for step in range(3, 3 + 3 * LEAD):
        asked.append(step)
        lead.keep(step)
    assert waited == [-1] * LEAD + asked[:-LEAD]
    Lead(torch.device("cpu")).keep(0)
    assert len(waited) == len(asked)


def test_after_some_steps_the_captured_one_is_replayed(gpu: None, monkeypatch: pytest.MonkeyPatch):
    taken: list[str] = []
    generator = torch.Generator()

    def record(step: Callable[[], None], stream: Any, generators: Any) -> Callable[[], None]:
        assert list(generators) == [generator]
        return lambda: taken.append("replayed")

    monkeypatch.setattr(capturing, "record", record)
    step = Captured(lambda: taken.append("taken"), torch.device("cuda"), [generator])
    for _ in range(WARM_UP + 2):
        step()
    assert taken == ["taken"] * WARM_UP + ["replayed"] * 2


def test_what_cannot_be_captured_is_said_once_and_goes_on(
    gpu: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def record(*_: Any) -> Any:
        try:
            raise RuntimeError("operation not permitted when stream is capturing\nmore about it")
        finally:
            # As PyTorch does where it leaves a capture that has failed.
            raise RuntimeError("capture could not be ended due to a previous error")

    monkeypatch.setattr(capturing, "record", record)
    taken: list[int] = []
    with caplog.at_level(logging.WARNING, logger="gaia_explore"):
        step = Captured(lambda: taken.append(1), torch.device("cuda"))
        for _ in range(WARM_UP + 2):
            step()
        Captured(lambda: None, torch.device("cuda"), why_not="somebody knows why")
    begin = "training steps are not captured as a CUDA graph, and take longer: "
    said = ["operation not permitted when stream is capturing", "somebody knows why"]
    assert caplog.messages == [begin + why for why in said] and len(taken) == WARM_UP + 2


class Generator:
    """Stands in for a GPU's generator."""

    state = "drawn from"

    def clone_state(self) -> str:
        return self.state

    def graphsafe_set_state(self, state: str):
        self.state = state


@pytest.mark.parametrize("fails", [False, True])
def test_a_capture_knows_the_generators_and_gives_them_back_where_it_fails(
    fails: bool, gpu: None, monkeypatch: pytest.MonkeyPatch
):
    generators: list[Any] = [Generator(), Generator()]
    begun: list[Any] = []

    class Graph:
        register_generator_state = begun.append

        def replay(self):
            begun.append("replayed")

    @contextmanager
    def graph(graph: Graph, stream: Any, capture_error_mode: str) -> Iterator[None]:
        assert (stream, capture_error_mode) == ("side", "thread_local")
        yield
        for generator in generators:
            generator.state = "captured"

    def step():
        if fails:
            generators[0].state = "lost"
            raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: begun.append("waited"))
    # To beartype stand-ins are no generators.
    record: Any = inspect.unwrap(capturing.record)
    with pytest.raises(RuntimeError, match="not permitted") if fails else nullcontext():
        record(step, "side", generators)()
    assert begun == [*generators, "waited", *([] if fails else ["replayed"])]
    assert [own.state for own in generators] == (["drawn from"] if fails else ["captured"]) * 2


@pytest.mark.parametrize("members", [1, 2])
def test_a_step_that_could_not_be_captured_leaves_nothing_behind(
    members: int, gpu: None, monkeypatch: pytest.MonkeyPatch
):
    def record(step: Callable[[], None], *_: Any) -> Any:
        # As far as a step may come: all gradients are there, and nobody has moved.
        before = [member.rng.get_state() for member in program.members]
        with monkeypatch.context() as within, pytest.raises(ZeroDivisionError):
            within.setattr(Player, "step", lambda *_: 1 / 0)
            step()
        for member, state in zip(program.members, before, strict=True):
            member.rng.set_state(state)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(capturing, "record", record)
    histories: list[torch.Tensor] = []
    for device in ("cpu", "cuda"):
        tasks = [Task(config=GAIAConfig(**SMALL), x=X, seed=i) for i in range(members)]
        with Program([Member(task, COURSE, torch.device("cpu"), members) for task in tasks]) as program:
            program._take = Captured(program._one_step, torch.device(device), forget=program._forget)
            with StopRequest(button=False) as stop:
                program.advance(10, stop)
            histories.append(torch.from_numpy(np.stack([member.history[0] for member in program.members])))
    assert torch.equal(*histories)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("config", [AEConfig(), VAEConfig(), GAIAConfig(), GAIAConfig.published()])
@pytest.mark.parametrize("members", [1, 3])
def test_captured_steps_equal_those_taken_one_by_one(config: Config, members: int, monkeypatch: pytest.MonkeyPatch):
    course = Course(steps=100, batch_size=128)
    tasks = [Task(config=config, x=X, seed=seed) for seed in range(members)]
    captured = fit_many(tasks, course, device="cuda", progress=False)
    monkeypatch.setattr(capturing, "WARM_UP", 10**9)
    for (tensors, _), (others, _) in zip(captured, fit_many(tasks, course, device="cuda", progress=False), strict=True):
        for name, tensor in tensors.items():
            np.testing.assert_allclose(tensor.double(), others[name].double(), atol=1e-4, rtol=0, err_msg=name)
