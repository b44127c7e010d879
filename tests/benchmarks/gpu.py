"""Training steps on a GPU: plain loops, ours step by step, captured, many at once, and image networks; and floors.

Prints a row a setting. The floor is the floating-point operations of a step (counted) at the rate of one large matrix
product in the same precision (measured here); "of the floor" is how near a step comes to it. "Of its products" is the
time that its matrix products and convolutions take, each alone in a loop, over that of the step. What does not fit into
memory is said and left out. On a CPU, with ``--device cpu --quick``, it only shows that it runs.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from alone import Products
from steps_per_second import B, PlainGAIA, pythaes_ae
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import gaia_explore as ge
from gaia_explore.models import Config
from gaia_explore.networks import Convolutional, FullyConnected, StyleContent
from gaia_explore.training import Course, Precision, Task, capturing, compiling
from gaia_explore.training.member import Member
from gaia_explore.training.precision import products_in
from gaia_explore.training.program import MOST_STEPS, Program
from gaia_explore.training.stop import StopRequest

STEPS = 6000
"""Of a training of the planar study."""
BEGIN = capturing.WARM_UP + 1
"""Steps in which networks are compiled, and steps captured."""


@final
@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row."""

    name: str
    config: Config
    x: np.ndarray
    batch_size: int = B
    members: int = 1
    captured: bool = True
    precision: Precision = "fp32"
    compile: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class How:
    """Where, and for how long it is measured."""

    device: torch.device
    blocks: int
    steps: int
    product: int

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    def seconds(self, do: Callable[[], object], times: int | None = None) -> float:
        """Mean duration of something, after one time that is not counted."""
        times = times or self.blocks
        do()
        self._wait()
        began = time.perf_counter()
        for _ in range(times):
            do()
        self._wait()
        return (time.perf_counter() - began) / times

    def _wait(self):
        if self.cuda:
            torch.cuda.synchronize(self.device)


def settings(members: list[int], quick: bool) -> Iterator[Setting]:
    network = FullyConnected(hidden_units=16) if quick else FullyConnected()
    x = np.random.default_rng(0).random((4096, 2), dtype=np.float32)
    planar = Setting(name="planar GAIA, captured", config=ge.GAIAConfig(network=network), x=x)
    yield replace(planar, name="planar AE, captured", config=ge.AEConfig(network=network))
    yield replace(planar, name="planar GAIA as published, captured", config=ge.GAIAConfig.published(network=network))
    yield replace(planar, name="planar GAIA, step by step", captured=False)
    yield planar
    for n in [2] if quick else members:
        yield replace(planar, name=f"planar GAIA, {n} at once", members=n)
    yield from _pictures(
        "convolutional GAIA, 32 px",
        Convolutional(filters=(4, 8), hidden_units=8)
        if quick
        else Convolutional(filters=(24, 48, 96), hidden_units=192),
        latent_dim=64,
        size=32,
        batch_size=8 if quick else 64,
    )
    size = 32 if quick else 128
    yield from _pictures(
        f"style–content GAIA, {size} px",
        StyleContent(filters=4, residual_blocks=1, style_dim=8) if quick else StyleContent(),
        latent_dim=16 if quick else 1024,
        size=size,
        batch_size=4 if quick else 64,
    )


def _pictures(name: str, network: Any, *, latent_dim: int, size: int, batch_size: int) -> Iterator[Setting]:
    x = np.random.default_rng(0).integers(0, 256, (4 * batch_size, size, size, 3), dtype=np.uint8)
    config = ge.GAIAConfig(network=network, latent_dim=latent_dim)
    full = Setting(name=f"{name}, fp32", config=config, x=x, batch_size=batch_size)
    yield full
    yield replace(full, name=f"{name}, TF32", precision="tf32")
    yield replace(full, name=f"{name}, bf16", precision="bf16")
    yield replace(full, name=f"{name}, bf16, compiled", precision="bf16", compile=True)


@contextmanager
def program_of(setting: Setting, how: How) -> Iterator[Callable[[int], None]]:
    """What takes so many steps of a setting."""
    course = Course(steps=10**6, batch_size=setting.batch_size, precision=setting.precision, compile=setting.compile)
    tasks = [Task(config=setting.config, x=setting.x, seed=i) for i in range(setting.members)]
    warm_up = capturing.WARM_UP
    if not setting.captured:
        capturing.WARM_UP = 2**62
    try:
        members = [Member(task, course, how.device, len(tasks)) for task in tasks]
        with products_in(setting.precision), StopRequest(button=False) as stop, Program(members) as program:
            yield lambda steps: program.advance(program.step + steps, stop)
    finally:
        capturing.WARM_UP = warm_up


def rate_of_products(how: How, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a square matrix product."""
    a, b = (torch.randn(how.product, how.product, device=how.device, dtype=dtype) for _ in range(2))
    return 2 * how.product**3 / how.seconds(lambda: a @ b, 10)


def measure(setting: Setting, how: How) -> tuple[float, str]:
    """Seconds a step, and the row."""
    # Counted in steps that are not compiled: compiled ones hide what they run.
    counter, products = FlopCounterMode(display=False), Products()
    with program_of(replace(setting, compile=False, captured=False), how) as advance, counter, products:
        advance(1)
    if how.cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(how.device)
    with program_of(setting, how) as advance:
        advance(BEGIN)
        took = how.seconds(lambda: advance(how.steps)) / how.steps
    memory = f"{torch.cuda.max_memory_allocated(how.device) / 1e9:.2f} GB" if how.cuda else "–"
    with products_in(setting.precision):
        dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float32
        floor = counter.get_total_flops() / rate_of_products(how, dtype)
        alone = products.seconds_alone(how.device, lambda do: how.seconds(do, 10))
    steps = setting.members / took
    shares = f"{floor / took:.0%} | {alone / took:.0%}"
    return took, f"{steps:,.0f} | {steps * setting.batch_size:,.0f} | {shares} | {memory}"


def plain_loops(how: How) -> Iterator[tuple[str, Callable[[], object]]]:
    device = str(how.device)
    yield "published GAIA in two passes, a plain loop", PlainGAIA(device).two_passes
    try:
        yield "pythae's AE", pythaes_ae(device)
    except ModuleNotFoundError:
        print("| pythae's AE | not installed: the extra `benchmark` | | | | |")


def kernels(setting: Setting, how: How) -> str:
    """The ten longest kernels of a setting's steps."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if how.cuda else [])]
    with program_of(setting, how) as advance:
        advance(BEGIN)
        with profile(activities=activities) as profiled:
            advance(5)
            how.seconds(lambda: None, 1)
    by = "self_cuda_time_total" if how.cuda else "self_cpu_time_total"
    return profiled.key_averages().table(sort_by=by, row_limit=10, max_name_column_width=70)


def study(how: How, quick: bool):
    """Table 1 with 20 seeds, trained and scored, in a folder that is deleted."""
    cells = ge.study.plan(ge.study.MODELS, range(1 if quick else 20), quick=quick)
    scored: list[float] = []
    record = ge.study.record

    def timed(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        row = record(*arguments, **options)
        scored.append(time.perf_counter() - began)
        return row

    ge.study.record = timed
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        ge.study.execute(cells, Path(folder), device=str(how.device), progress=False)
        took = time.perf_counter() - began
    ge.study.record = record
    print(f"{len(cells)} trainings of {cells[0].steps:,} steps, and their scores: {took:,.0f} s", end=", ")
    print(f"{sum(scored):,.0f} s of them for the scores")


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", type=int, nargs="*", default=[16, 100, 400])
    parser.add_argument("--blocks", type=int, default=6, help=f"of {MOST_STEPS} steps that are timed (default 6)")
    parser.add_argument("--only", default="", help="settings with this in their name")
    parser.add_argument("--profile", metavar="NAME", help="the ten longest kernels of these settings, and no more")
    parser.add_argument("--study", action="store_true", help="Table 1 with 20 seeds too, trained and scored")
    parser.add_argument("--quick", action="store_true", help="tiny networks and few steps: to see that it runs")
    arguments = parser.parse_args()
    logging.basicConfig()
    device, quick = torch.device(arguments.device), arguments.quick
    sizes = {"blocks": 1, "steps": 2, "product": 256} if quick else {"blocks": arguments.blocks, "steps": MOST_STEPS}
    how = How(device=device, **({"product": 8192 if device.type == "cuda" else 512} | sizes))
    if quick and not how.cuda:
        # A C++ compiler takes minutes for what is measured here in seconds.
        compiling.BACKEND = "aot_eager"
    only = arguments.only if arguments.profile is None else arguments.profile
    chosen = [setting for setting in settings(arguments.members, quick) if only in setting.name]
    if arguments.profile is not None:
        for setting in chosen:
            print(setting.name, kernels(setting, how), sep="\n", flush=True)
        return
    print(torch.cuda.get_device_name(device) if how.cuda else "CPU", torch.__version__)
    print("| setting | steps a second, of all | stimuli a second | of the floor | of its products | peak memory |")
    print("|---|---|---|---|---|---|", flush=True)
    if not only:
        for name, step in plain_loops(how):
            rate = 1 / how.seconds(step, how.blocks * how.steps)
            print(f"| {name} | {rate:,.0f} | {rate * B:,.0f} | | | |", flush=True)
    most: tuple[int, float] = (1, 0.0)
    for setting in chosen:
        try:
            took, row = measure(setting, how)
        except (torch.OutOfMemoryError, MemoryError) as error:
            took, row = 0.0, f"out of memory: {str(error).splitlines()[0]} | | | |"
        print(f"| {setting.name} | {row} |", flush=True)
        if took > 0:
            most = max(most, (setting.members, took))
    if most[0] > 1:
        print(f"{most[0]} trainings of {STEPS:,} steps at this rate: {most[1] * STEPS:,.0f} s")
    if arguments.study:
        study(how, quick)


if __name__ == "__main__":
    main()
