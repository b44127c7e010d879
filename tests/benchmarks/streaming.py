"""Are more stimuli than fit on a device read fast enough? Of a made-up pack, 200,000 × 128 × 128 × 3 bytes by default.

First the reading alone: minibatches a second from threads with nothing else to do, past the file's mapping as it is
done and through it, from a file that the system was asked to forget and of rows that it holds; beside copies of as many
bytes in memory (the floor). Then trainings: the same steps of one model on stimuli that live on the device and on those
that are streamed, in turns. A streamed step should cost no more. The file is made once, in ``--folder``.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import gaia_explore as ge
from gaia_explore.networks import Convolutional, StyleContent
from gaia_explore.training import Augmentation, Course, Task, choose_device
from gaia_explore.training.member import Member
from gaia_explore.training.program import MOST_STEPS, Program
from gaia_explore.training.stop import StopRequest
from gaia_explore.training.streaming import Streamed

RESIDENT = 2048
"""Stimuli that the training beside it has on the device."""


def made(folder: Path, n: int, size: int) -> np.memmap:
    """Random bytes, mapped: of speckle every picture is another one, and no disk can cheat."""
    path = folder / f"{n}x{size}.npy"
    if not path.exists():
        x = np.lib.format.open_memmap(path, "w+", np.uint8, (n, size, size, 3))
        rng = np.random.default_rng(0)
        for start in range(0, n, 2048):
            x[start : start + 2048] = rng.integers(0, 256, x[start : start + 2048].shape, np.uint8)
        x.flush()
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


def wait(device: torch.device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def config_of(size: int) -> ge.GAIAConfig:
    if size < 128:
        return ge.GAIAConfig(network=Convolutional(filters=(24, 48, 96), hidden_units=192), latent_dim=64)
    return ge.GAIAConfig(network=StyleContent(), latent_dim=1024)


def trained(x: np.ndarray, course: Course, device: torch.device, blocks: int, config: Any) -> dict[str, list[float]]:
    """Seconds of each block of steps, of both kinds in turns."""
    stop = StopRequest(button=False)
    rows = np.arange(min(RESIDENT, len(x)))
    tasks = {
        "resident": Task(config=config, x=x, rows=rows, seed=0, stream=False),
        "streamed": Task(config=config, x=x, seed=0, stream=True),
    }
    programs = {name: Program([Member(task, course, device, 1)]) for name, task in tasks.items()}
    took: dict[str, list[float]] = {name: [] for name in tasks}
    with stop:
        for block in range(blocks + 1):
            for name, program in programs.items():
                wait(device)
                began = time.perf_counter()
                program.advance(min(program.step + MOST_STEPS, course.steps), stop)
                if block:
                    took[name].append(time.perf_counter() - began)
    for program in programs.values():
        program.__exit__(None, None, None)
    return took


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "gaia-explore-streaming")
    parser.add_argument("--stimuli", type=int, default=200_000)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument(
        "--blocks", type=int, default=6, help=f"of {MOST_STEPS} steps of each kind (default 6; 0: reading alone)"
    )
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    x = made(arguments.folder, arguments.stimuli, arguments.size)
    minibatch = arguments.batch_size * x[0].nbytes
    print(
        f"{arguments.stimuli:,} × {arguments.size} px, {x.nbytes / 1e9:.1f} GB, minibatches of {minibatch / 1e6:.1f} MB"
    )
    copies = copying((arguments.batch_size, *x.shape[1:]), 200)
    print(f"minibatches a second: {copies:,.0f} copied in memory")
    path = Path(str(x.filename))
    for mapping, way in ((True, "through the mapping"), (False, "past the mapping")):
        # Mapped anew: nothing of it has been touched.
        x = np.load(path, mmap_mode="r")
        forget(path)
        cold, warm = (reading(x, arguments.batch_size, device, 40, mapping=mapping) for _ in range(2))
        print(f"  {way}: {cold:,.1f} of a forgotten file, {warm:,.1f} of the same rows again")
    if not arguments.blocks:
        return
    varied = Augmentation(mirror=True, shift=0.05, turn=5.0)
    for name, augmentation in (("plain", None), ("augmented", varied)):
        steps = (arguments.blocks + 1) * MOST_STEPS
        course = Course(steps=steps, batch_size=arguments.batch_size, augmentation=augmentation)
        took = trained(x, course, device, arguments.blocks, config_of(arguments.size))
        rates = {kind: MOST_STEPS / median(seconds) for kind, seconds in took.items()}
        low, middle, high = np.quantile(np.divide(took["resident"], took["streamed"]), [0.25, 0.5, 0.75])
        print(
            f"{name}: {rates['streamed']:,.1f} steps a second streamed, {rates['resident']:,.1f} resident; streamed at "
            f"{middle:.2f} of resident (quartiles {low:.2f}–{high:.2f})"
        )


if __name__ == "__main__":
    main()
