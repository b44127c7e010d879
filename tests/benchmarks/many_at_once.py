"""Training many models together against one after another: the ratio of the two, in one process.

Prints, for each kind of model, the median over rounds of the steps a second that trainings take one after another and
together, whole trainings in turns, and their ratio: above 1, together is faster. One after another a few of them are
enough to know the rate of all.
"""

import argparse
import time

import numpy as np
import torch
from machine import described, peak_memory, release

from gaia_explore.models import AEConfig, Config, GAIAConfig, VAEConfig
from gaia_explore.stimuli import moons
from gaia_explore.training import Course, Task, choose_device, fit_many

CONFIGS: dict[str, Config] = {
    "AE": AEConfig(),
    "VAE": VAEConfig(),
    "GAIA α=0": GAIAConfig(alpha=0.0),
    "GAIA α=1": GAIAConfig(),
    "GAIA published": GAIAConfig.published(),
}


def seconds(tasks: list[Task], course: Course, device: str, threads: int, at_once: int | None) -> float:
    began = time.perf_counter()
    fit_many(tasks, course, device=device, threads=threads, at_once=at_once, progress=False)
    return time.perf_counter() - began


def compare(name: str, arguments: argparse.Namespace, device: torch.device):
    """Rounds of one kind of model: a few trainings one after another, then each number of them together."""
    x = moons(n=3072, seed=0).x
    tasks = [Task(config=CONFIGS[name], x=x, seed=seed) for seed in range(max(arguments.members))]
    few = tasks[: arguments.sample]
    course = Course(steps=arguments.steps or (4000 if device.type == "cuda" else 60), batch_size=128)
    where = (str(device), arguments.threads)
    rates: dict[int, list[tuple[float, float]]] = {members: [] for members in arguments.members}
    peaks: dict[int, str] = {}
    for some, at_once in ((few[:2], 1), (few[:2], arguments.at_once)):
        seconds(some, Course(steps=5, batch_size=128), *where, at_once)  # warms up
    for _ in range(arguments.rounds or (3 if device.type == "cuda" else 7)):
        alone = len(few) * course.steps / seconds(few, course, *where, 1)
        for members in arguments.members:
            before = release(device)
            took = seconds(tasks[:members], course, *where, arguments.at_once)
            rates[members].append((alone, members * course.steps / took))
            peaks[members] = peak_memory(device, before)
    for members, pairs in rates.items():
        alone, together = np.array(pairs).T
        low, middle, high = np.quantile(together / alone, [0.25, 0.5, 0.75])
        print(
            f"{name:15} × {members:<4} one after another ({len(few)} of them) {np.median(alone):8,.0f}, together"
            f" {np.median(together):8,.0f} steps/s: {middle:.2f} × (quartiles {low:.2f}–{high:.2f}), peak"
            f" {peaks[members]}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[8])
    parser.add_argument("--sample", type=int, default=4, help="trainings one after another, at most (default 4)")
    parser.add_argument("--at-once", type=int, help="most members of one program; as fit_many chooses where not given")
    parser.add_argument("--models", nargs="+", choices=CONFIGS, default=["AE", "GAIA α=1"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, help="of a training (default 60; on a GPU 4000: the first are slow)")
    parser.add_argument("--rounds", type=int, help="default 7; on a GPU 3")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    print(described(device), flush=True)
    for name in arguments.models:
        compare(name, arguments, device)


if __name__ == "__main__":
    main()
