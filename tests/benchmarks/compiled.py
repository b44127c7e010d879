"""Does ``compile=True`` pay? Steps of a GAIA compiled and as usual, in blocks in turns, in one process.

Prints, for each kind of network, the ratio of the two (above 1, compiled is faster), and how long compiling took: less
where PyTorch's cache has it from before.
"""

import argparse
import time
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from machine import advance_of, described, seconds_a_step

import gaia_explore as ge
from gaia_explore.networks import Convolutional, FullyConnected, StyleContent
from gaia_explore.training import Course, Task, choose_device
from gaia_explore.training.member import Member
from gaia_explore.training.memory import keep_freed_memory
from gaia_explore.training.program import Program
from gaia_explore.training.stop import StopRequest

# Of each: the network, its latent dimensions, the stimuli's shape, a minibatch, and the steps of a block.
NETWORKS: dict[str, tuple[Any, int, tuple[int, ...], int, int]] = {
    "fully-connected": (FullyConnected(), 2, (2,), 128, 40),
    "convolutional": (Convolutional(), 64, (32, 32, 3), 32, 5),
    "style-content": (StyleContent(filters=16, style_dim=32), 128, (64, 64, 3), 8, 1),
}


def compare(name: str, device: torch.device, blocks: int):
    network, latent_dim, shape, batch_size, steps = NETWORKS[name]
    x = np.random.default_rng(0).random((512, *shape), dtype=np.float32)
    task = Task(config=ge.GAIAConfig(network=network, latent_dim=latent_dim), x=x, seed=0)
    with ExitStack() as stack:
        stop = stack.enter_context(StopRequest(button=False))

        def begun(compile: bool) -> Any:
            course = Course(steps=10**6, batch_size=batch_size, compile=compile)
            return advance_of(stack.enter_context(Program([Member(task, course, device, 1)])), stop)

        usual, compiled = begun(False), begun(True)
        began = time.perf_counter()
        compiled(5)
        compiling = time.perf_counter() - began
        usual(5)
        ratios: list[float] = []
        for _ in range(blocks):
            took = [seconds_a_step(advance, steps, device) for advance in (usual, compiled)]
            ratios.append(took[0] / took[1])
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(f"{name}: {middle:.2f} × (quartiles {low:.2f}–{high:.2f}), after {compiling:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=15)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    print(described(device), flush=True)
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    for name in arguments.networks:
        compare(name, device, arguments.blocks)


if __name__ == "__main__":
    main()
