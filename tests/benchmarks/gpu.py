"""Training steps on a GPU: plain loops, ours step by step, captured, many at once, and image networks; and floors.

Prints a row a setting, cell by cell as they are measured. The floor is the floating-point operations of a step
(counted) at the rate of one large matrix product in the same precision (measured here); "of the floor" is how near a
step comes to it. "Of its products" is the time that its matrix products and convolutions take, each alone in a loop and
convolutions in the quicker of two layouts, over that of the step. A row that fails, for want of memory say, is said to.
On a CPU, with ``--device cpu --quick``, it only shows that it runs.
"""

import argparse
import logging
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, final

import numpy as np
import torch
from alone import Products
from machine import LEAST, Advance, advance_of, described, peak_memory, release, seconds_a_step, steps_in, wait
from steps_per_second import B, PlainGAIA, pythaes_ae
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import gaia_explore as ge
from gaia_explore.models import Config
from gaia_explore.networks import Convolutional, FullyConnected, StyleContent
from gaia_explore.training import Course, Precision, Task, capturing, compiling, write_atomically
from gaia_explore.training.member import Member
from gaia_explore.training.precision import products_in
from gaia_explore.training.program import Program
from gaia_explore.training.stop import StopRequest

STEPS = ge.study.STEPS
BEGIN = capturing.WARM_UP + 1
"""Steps in which networks are compiled, and steps captured."""
PARTS = {"models": ge.study.MODELS, "published": ge.study.PUBLISHED, "frontier": ge.study.FRONTIER}
TARGETS = (180, 120)
"""Seconds in which the study's 400 trainings, and their scores, should be done."""


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
    seconds: float
    product: int

    @property
    def cuda(self) -> bool:
        return self.device.type == "cuda"

    def step(self, advance: Advance) -> float:
        """Seconds of a step: the median over blocks of as many as take about so long."""
        advance(BEGIN)
        steps = steps_in(self.seconds, advance, self.device)
        return median(seconds_a_step(advance, steps, self.device) for _ in range(self.blocks))


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
def program_of(setting: Setting, how: How) -> Iterator[Advance]:
    """What takes so many steps of a setting."""
    course = Course(steps=10**6, batch_size=setting.batch_size, precision=setting.precision, compile=setting.compile)
    tasks = [Task(config=setting.config, x=setting.x, seed=i) for i in range(setting.members)]
    warm_up = capturing.WARM_UP
    if not setting.captured:
        capturing.WARM_UP = 2**62
    try:
        members = [Member(task, course, how.device, len(tasks)) for task in tasks]
        with products_in(setting.precision), StopRequest(button=False) as stop, Program(members) as program:
            yield advance_of(program, stop)
    finally:
        capturing.WARM_UP = warm_up


def rate_of_products(how: How, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a square matrix product."""
    a, b = (torch.randn(how.product, how.product, device=how.device, dtype=dtype) for _ in range(2))

    def products(times: int):
        for _ in range(times):
            torch.mm(a, b)

    products(LEAST)
    return 2 * how.product**3 / seconds_a_step(products, 10, how.device)


def measure(setting: Setting, how: How) -> Iterator[str]:
    """The cells of a row."""
    counter, products = FlopCounterMode(display=False), Products()
    before = release(how.device)
    with program_of(setting, how) as advance:
        # Compiled steps would hide what they run.
        with torch.compiler.set_stance("force_eager"), counter, products:
            advance(1)
        release(how.device)
        took = how.step(advance)
        memory = peak_memory(how.device, before)
    del advance
    release(how.device)
    steps = setting.members / took
    yield f"{steps:,.0f} | {steps * setting.batch_size:,.0f} | {took * STEPS:,.1f} s | {memory}"
    with products_in(setting.precision):
        dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float32
        yield f"{counter.get_total_flops() / rate_of_products(how, dtype) / took:.0%}"
        yield f"{products.seconds_alone(how.device) / took:.0%}"


def plain_loops(how: How) -> Iterator[tuple[str, Iterator[str]]]:
    """Rows of the loops beside ours."""
    device = str(how.device)
    yield "planar GAIA as published, a plain loop in two passes", _loop(lambda: PlainGAIA(device).two_passes, how)
    yield "planar AE, pythae's loop", _loop(lambda: pythaes_ae(device), how)


def _loop(made: Callable[[], Callable[[], object]], how: How) -> Iterator[str]:
    try:
        step = made()
    except ModuleNotFoundError:
        yield "not installed: the extra `benchmark` | | | | |"
        return

    def advance(steps: int):
        for _ in range(steps):
            step()

    took = how.step(advance)
    yield f"{1 / took:,.0f} | {B / took:,.0f} | {took * STEPS:,.1f} s | | |"


def print_row(name: str, cells: Iterable[str]):
    """Each cell as soon as it is there: what a command had that was killed is not lost."""
    print(f"| {name}", end=" | ", flush=True)
    try:
        for cell in cells:
            print(cell, end=" | ", flush=True)
        print(flush=True)
    except (RuntimeError, MemoryError) as error:
        print(f"failed: {(str(error).strip() or repr(error)).splitlines()[0]} |", flush=True)
        traceback.print_exc()


def kernels(setting: Setting, how: How) -> str:
    """The ten longest kernels of a setting's steps."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if how.cuda else [])]
    with program_of(setting, how) as advance:
        advance(BEGIN)
        with profile(activities=activities) as profiled:
            advance(5)
            wait(how.device)
    by = "self_cuda_time_total" if how.cuda else "self_cpu_time_total"
    return profiled.key_averages().table(sort_by=by, row_limit=10, max_name_column_width=70)


def study(how: How, *, parts: list[str], seeds: int, jobs: int, out: Path | None, quick: bool):
    """The planar study with many seeds, trained and scored, in a folder that is kept or deleted."""
    settings = {name: config for part in parts for name, config in PARTS[part].items()}
    cells = ge.study.plan(settings, range(seeds), quick=quick)
    train_many = ge.study.train_many
    trained: list[float] = []

    def timed(configs: Any, *arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        runs = train_many(configs, *arguments, **options)
        trained.append(time.perf_counter() - began)
        print(f"{len(configs)} trainings of {cells[0].steps:,} steps: {trained[-1]:,.0f} s", flush=True)
        return runs

    ge.study.train_many = timed
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        began = time.perf_counter()
        scores = ge.study.execute(cells, folder, jobs=jobs, device=str(how.device), progress=False)
        took = time.perf_counter() - began
        write_atomically(folder / "scores.csv", scores.to_csv(index=False).encode())
    ge.study.train_many = train_many
    healthy = scores["health"].str.startswith("healthy").sum()
    print(f"{healthy} of {len(scores)} are healthy")
    if trained:
        print(f"trained in {sum(trained):,.0f} s (400 of {STEPS:,} steps should take {TARGETS[0]})")
    # On a CPU the processes that score train as well.
    rest = "scored" if trained else "trained and scored"
    print(f"{rest} by {jobs} processes in {took - sum(trained):,.0f} s (scores of 400 should take {TARGETS[1]})")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", default="", help="rows with this in their name: planar, convolutional, style, …")
    parser.add_argument("--members", type=int, nargs="*", default=[16, 100, 400], help="that are trained at once")
    parser.add_argument("--blocks", type=int, default=6, help="whose median is told (default 6)")
    parser.add_argument("--seconds", type=float, default=2.0, help=f"of a block (default 2), at least {LEAST} steps")
    parser.add_argument("--profile", metavar="NAME", help="the ten longest kernels of these rows, and no more")
    parser.add_argument("--study", action="store_true", help="the planar study, trained and scored, and no more")
    parser.add_argument("--parts", nargs="+", default=["models"], choices=PARTS, help="of the study (default: Table 1)")
    parser.add_argument("--seeds", type=int, default=20, help="of the study (default 20: 400 trainings)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes that score (default: one a core)")
    parser.add_argument("--out", type=Path, help="folder in which the study's runs stay; it goes on with what is there")
    parser.add_argument("--quick", action="store_true", help="tiny networks and few steps: to see that it runs")
    return parser.parse_args()


def main():
    arguments = parsed()
    logging.basicConfig()
    device, quick = torch.device(arguments.device), arguments.quick
    if quick:
        how = How(device=device, blocks=1, seconds=0.1, product=256)
    else:
        product = 8192 if device.type == "cuda" else 512
        how = How(device=device, blocks=arguments.blocks, seconds=arguments.seconds, product=product)
    if quick and device.type != "cuda":
        # A C++ compiler takes minutes for what is measured here in seconds.
        compiling.BACKEND = "aot_eager"
    print(described(device), flush=True)
    if arguments.study:
        seeds = 1 if quick else arguments.seeds
        study(how, parts=arguments.parts, seeds=seeds, jobs=arguments.jobs, out=arguments.out, quick=quick)
        return
    if arguments.profile is not None:
        for setting in settings(arguments.members, quick):
            if arguments.profile in setting.name:
                print(setting.name, kernels(setting, how), sep="\n", flush=True)
        return
    columns = ["setting", "steps a second, of all", "stimuli a second", f"{STEPS:,} steps", "peak memory"]
    print(f"| {' | '.join([*columns, 'of the floor', 'of its products'])} |")
    print("|" + "---|" * 7, flush=True)
    rows = ((setting.name, measure(setting, how)) for setting in settings(arguments.members, quick))
    for name, cells in chain(plain_loops(how), rows):
        if arguments.only in name:
            print_row(name, cells)


if __name__ == "__main__":
    main()
