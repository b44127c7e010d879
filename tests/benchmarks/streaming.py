"""Are more stimuli than fit on a device read fast enough? Of a made-up pack, 200,000 × 128 × 128 × 3 bytes by default.

First the reading alone: minibatches a second from threads with nothing else to do, past the file's mapping as it is
done and through it, from a file that the system was asked to forget and of rows that it holds; beside copies of as many
bytes in memory (the floor). Then trainings: steps of one model on stimuli that live on the device and on those that are
streamed, in turns, in blocks of some seconds. A streamed step should cost no more. The file is made once, in
``--folder``.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from machine import Advance, advance_of, described, release, seconds_a_step, steps_in, wait

import gaia_explore as ge
from gaia_explore.networks import Convolutional, StyleContent
from gaia_explore.training import Augmentation, Course, Precision, Task, capturing, choose_device
from gaia_explore.training.member import Member
from gaia_explore.training.precision import products_in
from gaia_explore.training.program import Program
from gaia_explore.training.stop import StopRequest
from gaia_explore.training.streaming import Streamed

RESIDENT = 2048
"""Stimuli that the training beside it has on the device."""


def made(folder: Path, n: int, size: int) -> np.memmap:
    """Random bytes, mapped: of speckle every picture is another one, and no disk can cheat."""
    path = folder / f"{n}x{size}.npy"
    if not path.exists():
        # Under another name until it is whole: who is killed meanwhile must not leave half of it for the next.
        beside = path.with_suffix(".part")
        x = np.lib.format.open_memmap(beside, "w+", np.uint8, (n, size, size, 3))
        rng = np.random.default_rng(0)
        for start in range(0, n, 2048):
            part = x[start : start + 2048]
            # Eight at a time: four times as fast as one by one.
            part[...] = rng.bit_generator.random_raw(-(-part.size // 8)).view(np.uint8)[: part.size].reshape(part.shape)
        x.flush()
        beside.replace(path)
    return np.load(path, mmap_mode="r")


def reading(x: np.ndarray, batch_size: int, device: torch.device, steps: int, *, mapping: bool) -> float:
    """Minibatches a second, past the mapping or through it."""
    rng = torch.Generator(device)
    # A view is read through its mapping.
    with Streamed(x[:] if mapping else x, np.arange(len(x)), batch_size=batch_size, seed=0, device=device) as feed:
        began = time.perf_counter()
        for step in range(steps):
            feed.fetch(step)
            feed.minibatch(rng)
        wait(device)
        return steps / (time.perf_counter() - began)


def copying(shape: tuple[int, ...], steps: int) -> float:
    """Copies a second of a minibatch in memory."""
    source = np.ones(shape, np.uint8)
    target = np.empty_like(source)
    began = time.perf_counter()
    for _ in range(steps):
        np.copyto(target, source)
    return steps / (time.perf_counter() - began)


def forget(path: Path):
    """Ask the system to drop what it holds of a file; what is mapped at the moment it may keep."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def config_of(size: int) -> ge.GAIAConfig:
    if size < 128:
        return ge.GAIAConfig(network=Convolutional(filters=(24, 48, 96), hidden_units=192), latent_dim=64)
    return ge.GAIAConfig(network=StyleContent(), latent_dim=1024)


@contextmanager
def programs(x: np.ndarray, course: Course, device: torch.device, config: Any) -> Iterator[dict[str, Advance]]:
    """What takes so many steps of both kinds."""
    rows = np.arange(min(RESIDENT, len(x)))
    tasks = {
        "resident": Task(config=config, x=x, rows=rows, seed=0, stream=False),
        "streamed": Task(config=config, x=x, seed=0, stream=True),
    }
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest(button=False))

        def begun(task: Task) -> Advance:
            program = stack.enter_context(Program([Member(task, course, device, 1)]))
            return advance_of(program, stop)

        yield {name: begun(task) for name, task in tasks.items()}


def trained(x: np.ndarray, course: Course, device: torch.device, config: Any, *, blocks: int, seconds: float):
    """Seconds a step in each block, of both kinds in turns."""
    took: dict[str, list[float]] = {"resident": [], "streamed": []}
    release(device)
    with products_in(course.precision), programs(x, course, device, config) as kinds:
        for advance in kinds.values():
            # In the first steps one is captured.
            advance(capturing.WARM_UP + 1)
        steps = steps_in(seconds, kinds["resident"], device)
        for _ in range(blocks):
            for name, advance in kinds.items():
                took[name].append(seconds_a_step(advance, steps, device))
    return took


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "gaia-explore-streaming")
    parser.add_argument("--stimuli", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=6, help="of each kind (default 6; 0: reading alone)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a block (default 3)")
    told = "of the trainings (default: bf16 on a GPU, fp32 on a CPU)"
    parser.add_argument("--precision", choices=get_args(Precision), help=told)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    precision = arguments.precision or ("bf16" if device.type == "cuda" else "fp32")
    print(described(device), flush=True)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    x = made(arguments.folder, arguments.stimuli, arguments.size)
    minibatch = arguments.batch_size * x[0].nbytes
    print(
        f"{arguments.stimuli:,} × {arguments.size} px, {x.nbytes / 1e9:.1f} GB, minibatches of {minibatch / 1e6:.1f} MB"
    )
    copies = copying((arguments.batch_size, *x.shape[1:]), 200)
    print(f"minibatches a second: {copies:,.0f} copied in memory", flush=True)
    path = Path(str(x.filename))
    for mapping, way in ((True, "through the mapping"), (False, "past the mapping")):
        # Mapped anew: nothing of it has been touched.
        x = np.load(path, mmap_mode="r")
        forget(path)
        cold, warm = (reading(x, arguments.batch_size, device, 40, mapping=mapping) for _ in range(2))
        print(f"  {way}: {cold:,.1f} of a forgotten file, {warm:,.1f} of the same rows again", flush=True)
    if not arguments.blocks:
        return
    length = {"blocks": arguments.blocks, "seconds": arguments.seconds}
    varied = Augmentation(mirror=True, shift=0.05, turn=5.0)
    for name, augmentation in (("plain", None), ("augmented", varied)):
        # More steps than will be taken: they only set when the learning rate falls.
        course = Course(steps=10**6, batch_size=arguments.batch_size, precision=precision, augmentation=augmentation)
        took = trained(x, course, device, config_of(arguments.size), **length)
        rates = {kind: 1 / np.median(seconds) for kind, seconds in took.items()}
        low, middle, high = np.quantile(np.divide(took["resident"], took["streamed"]), [0.25, 0.5, 0.75])
        print(
            f"{name}, {precision}: {rates['streamed']:,.1f} steps a second streamed, {rates['resident']:,.1f} resident;"
            f" streamed at {middle:.2f} of resident (quartiles {low:.2f}–{high:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
