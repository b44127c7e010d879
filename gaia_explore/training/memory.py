"""How much memory a training may take, and where on the CPU it comes from."""

import ctypes
import sys

import psutil
import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_MEBIBYTE = 1 << 20


def keep_freed_memory() -> bool:
    """Tell the C library to keep the memory that this process frees; whether it can.

    A step makes and forgets megabytes of activations. glibc hands them back to the system each time, which then zeroes
    and maps them anew for the next step: an eighth of a planar step. Only Linux's glibc is told; others go unchanged.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # 32 MiB is the largest threshold that glibc takes; larger blocks are mapped, rare, and worth handing back.
    settings = ((_MMAP_THRESHOLD, 32 * _MEBIBYTE), (_TRIM_THRESHOLD, 1024 * _MEBIBYTE), (_TOP_PAD, 64 * _MEBIBYTE))
    return all(mallopt(setting, value) == 1 for setting, value in settings)


def free_memory(device: torch.device) -> int:
    """Bytes that a training could take on a device, those included that PyTorch keeps from what ran there before."""
    if device.type != "cuda":
        return psutil.virtual_memory().available
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
