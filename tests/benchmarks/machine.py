"""What benchmarks on a GPU share: whether a bare machine has the packages, what it is, and how steps are timed."""

import gc
import platform
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch

NEEDED = ("jaxtyping", "joblib", "pandas", "psutil", "pyarrow", "safetensors", "scipy", "sklearn", "tqdm")
"""What trainings and their scores import beside torch and NumPy, some of it only when minutes are over."""
LEAST = 3
"""Steps of a block, at least."""

Advance = Callable[[int], object]
"""Takes so many steps."""

MISSING = [name for name in NEEDED if find_spec(name) is None]
if MISSING:
    raise SystemExit(f"not installed, and needed by trainings and their scores: {', '.join(MISSING)}")


def advance_of(program: Any, stop: Any) -> Advance:
    """What takes steps of a program, in blocks: what it records between two looks has room for so many."""
    # Not before it is known that what this imports is there.
    from gaia_explore.training.member import MOST_STEPS

    def advance(steps: int):
        for start in range(0, steps, MOST_STEPS):
            program.advance(program.step + min(MOST_STEPS, steps - start), stop)

    return advance


def described(device: torch.device) -> str:
    """The device, and the versions that decide what its libraries do."""
    if device.type != "cuda":
        return f"CPU, torch {torch.__version__}, Python {platform.python_version()}"
    memory = torch.cuda.get_device_properties(device).total_memory / 1e9
    return (
        f"{torch.cuda.get_device_name(device)}, {memory:.0f} GB, torch {torch.__version__}, CUDA {torch.version.cuda}, "
        f"cuDNN {torch.backends.cudnn.version()}, Python {platform.python_version()}"
    )


def wait(device: torch.device):
    """Until the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release(device: torch.device) -> int:
    """Free what nobody holds any more, measure the peak of memory anew, and tell how many bytes are held."""
    # What refers to each other in a circle is left to the collector.
    gc.collect()
    if device.type != "cuda":
        return 0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)


def peak_memory(device: torch.device, before: int) -> str:
    """Since :func:`release`, beyond what was held before: cuBLAS keeps a workspace for every stream there ever was."""
    if device.type != "cuda":
        return "–"
    return f"{(torch.cuda.max_memory_allocated(device) - before) / 1e9:.2f} GB"


def seconds_a_step(advance: Advance, steps: int, device: torch.device) -> float:
    """Mean over so many steps."""
    wait(device)
    began = time.perf_counter()
    advance(steps)
    wait(device)
    return (time.perf_counter() - began) / steps


def steps_in(seconds: float, advance: Advance, device: torch.device) -> int:
    """How many steps take about so long, but no fewer than ``LEAST``; of steps that are over their beginnings."""
    return max(LEAST, round(seconds / seconds_a_step(advance, LEAST, device)))
