"""Training steps on a GPU: one by one, captured, many at once, and image networks; how far each is from the floor.

Prints a row a setting. The floor is the floating-point operations of a step (counted) at the rate of one large matrix
product in the same precision (measured here); "of the floor" is how near a step comes to it. On a CPU, with
``--device cpu``, it only shows that it runs.
"""

import argparse
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import gaia_explore as ge
from gaia_explore.models import Config
from gaia_explore.networks import Convolutional, StyleContent
from gaia_explore.training import Course, Task, capturing
from gaia_explore.training.member import Member
from gaia_explore.training.program import MOST_STEPS, Program
from gaia_explore.training.stop import StopRequest

PLANAR = np.random.default_rng(0).random((4096, 2), dtype=np.float32)


@final
@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row."""

    name: str
    config: Config
    x: np.ndarray
    batch_size: int = 128
    members: int = 1
    captured: bool = True
    precision: Literal["fp32", "bf16"] = "fp32"
    tf32: bool = False


def settings(members: list[int]) -> Iterator[Setting]:
    planar: dict[str, Any] = {"config": ge.GAIAConfig(), "x": PLANAR}
    yield Setting(name="planar GAIA, step by step", captured=False, **planar)
    yield Setting(name="planar GAIA, captured", **planar)
    for n in members:
        yield Setting(name=f"planar GAIA, {n} at once", members=n, **planar)
    pictures = np.random.default_rng(0).integers(0, 256, (2048, 32, 32, 3), dtype=np.uint8)
    network = Convolutional(filters=(24, 48, 96), hidden_units=192)
    small: dict[str, Any] = {"config": ge.GAIAConfig(network=network, latent_dim=64), "x": pictures, "batch_size": 64}
    yield Setting(name="convolutional GAIA, 32 px", **small)
    yield Setting(name="convolutional GAIA, 32 px, bf16", precision="bf16", **small)
    pictures = np.random.default_rng(0).integers(0, 256, (256, 128, 128, 3), dtype=np.uint8)
    config = ge.GAIAConfig(network=StyleContent(), latent_dim=1024)
    large: dict[str, Any] = {"config": config, "x": pictures, "batch_size": 64}
    yield Setting(name="style–content GAIA, 128 px", **large)
    yield Setting(name="style–content GAIA, 128 px, TF32", tf32=True, **large)
    yield Setting(name="style–content GAIA, 128 px, bf16", precision="bf16", **large)


@contextmanager
def asked(setting: Setting) -> Iterator[None]:
    """Matrix precision and capture as the setting wants them."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32, capturing.WARM_UP
    torch.set_float32_matmul_precision("high" if setting.tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = setting.tf32
    capturing.WARM_UP = before[2] if setting.captured else 2**62
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32, capturing.WARM_UP = before[1:]


def rate_of_products(device: torch.device, dtype: torch.dtype, n: int) -> float:
    """Floating-point operations a second of a square matrix product."""
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    seconds(lambda: a @ b, device, 3)
    return 2 * n**3 / seconds(lambda: a @ b, device, 10)


def seconds(do: Any, device: torch.device, times: int) -> float:
    """Mean duration of something."""
    wait(device)
    began = time.perf_counter()
    for _ in range(times):
        do()
    wait(device)
    return (time.perf_counter() - began) / times


def wait(device: torch.device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(setting: Setting, device: torch.device, blocks: int) -> str:
    course = Course(steps=(blocks + 2) * MOST_STEPS, batch_size=setting.batch_size, precision=setting.precision)
    tasks = [Task(config=setting.config, x=setting.x, seed=i) for i in range(setting.members)]
    cuda = device.type == "cuda"
    dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float32
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    with asked(setting), StopRequest(button=False) as stop:
        with Program([Member(task, course, device, len(tasks)) for task in tasks]) as program:
            with FlopCounterMode(display=False) as counter:
                program.advance(1, stop)
            program.advance(MOST_STEPS, stop)
            took = seconds(lambda: program.advance(program.step + MOST_STEPS, stop), device, blocks) / MOST_STEPS
        floor = counter.get_total_flops() / rate_of_products(device, dtype, 8192 if cuda else 512)
    memory = f"{torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB" if cuda else "–"
    steps = setting.members / took
    return f"| {setting.name} | {steps:,.0f} | {steps * setting.batch_size:,.0f} | {floor / took:.0%} | {memory} |"


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", type=int, nargs="*", default=[16, 100, 400])
    parser.add_argument("--blocks", type=int, default=6, help=f"of {MOST_STEPS} steps that are timed (default 6)")
    parser.add_argument("--only", default="", help="settings with this in their name")
    arguments = parser.parse_args()
    logging.basicConfig()
    device = torch.device(arguments.device)
    print(torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU", torch.__version__)
    print("| setting | steps a second, of all members | stimuli a second | of the floor | peak memory |")
    print("|---|---|---|---|---|", flush=True)
    for setting in settings(arguments.members):
        if arguments.only in setting.name:
            print(measure(setting, device, arguments.blocks), flush=True)


if __name__ == "__main__":
    main()
