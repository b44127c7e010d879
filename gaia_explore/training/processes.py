"""Several processes that train one model together, as torchrun starts them: one each on a device of its own."""

import atexit
import os

import torch
from torch import distributed

from gaia_explore.models import Share


def join():
    """Find the other processes where torchrun started this one, once; a GPU each, where there are any.

    Source: PyTorch's documentation of torchrun, which names a process's place in its environment.
    """
    if not distributed.is_available() or distributed.is_initialized() or not distributed.is_torchelastic_launched():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    atexit.register(distributed.destroy_process_group)


def size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes files and shows how far all are."""
    return size() == 1 or distributed.get_rank() == 0


def share_of(generator: torch.Generator, batch_size: int) -> torch.Generator | Share:
    """The random numbers of a training in this process: its share of them where there are others."""
    return generator if size() == 1 else Share(generator, batch_size, distributed.get_rank(), size())


def agreed(word: str | None) -> str | None:
    """What the first process that has something to say says; all of them hear it."""
    if size() == 1:
        return word
    words: list[str | None] = [None] * size()
    distributed.all_gather_object(words, word)
    return next((said for said in words if said is not None), None)


def meet():
    """Wait for the others."""
    if size() > 1:
        distributed.barrier()
