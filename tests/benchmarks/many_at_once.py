"""Training many models together against one after another: the ratio of the two, in one process.

Prints, for each kind of model, the median over rounds of the seconds that the same trainings take one after another
(``fit``) and together (``fit_many``), block by block in turns, and their ratio: above 1, together is faster.
"""

import argparse
import time

import numpy as np
import torch

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[8])
    parser.add_argument("--at-once", type=int, help="most members of one program; as fit_many chooses where not given")
    parser.add_argument("--models", nargs="+", choices=CONFIGS, default=["AE", "GAIA α=1"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    course = Course(steps=arguments.steps, batch_size=128)
    x = moons(n=3072, seed=0).x
    where = (arguments.device, arguments.threads)
    for name in arguments.models:
        for members in arguments.members:
            tasks = [Task(config=CONFIGS[name], x=x, seed=seed) for seed in range(members)]
            seconds(tasks, Course(steps=5, batch_size=128), *where, arguments.at_once)  # warms up
            pairs = np.array(
                [
                    (seconds(tasks, course, *where, 1), seconds(tasks, course, *where, arguments.at_once))
                    for _ in range(arguments.rounds)
                ]
            )
            low, middle, high = np.quantile(pairs[:, 0] / pairs[:, 1], [0.25, 0.5, 0.75])
            rate = members * arguments.steps / np.median(pairs, 0)
            memory = ""
            if choose_device(arguments.device).type == "cuda":
                memory = f", at most {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
            print(
                f"{name:15} × {members:<4} one after another {rate[0]:8.1f}, together {rate[1]:8.1f} steps/s:"
                f" {middle:.2f} × (quartiles {low:.2f}–{high:.2f}){memory}",
                flush=True,
            )


if __name__ == "__main__":
    main()
