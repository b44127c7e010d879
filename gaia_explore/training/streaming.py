"""Minibatches of more stimuli than fit on the device: read ahead from array or file, copied while it computes."""

import mmap
import os
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Integer, Shaped
from torch import Tensor

from gaia_explore.models import Share
from gaia_explore.training.feeding import check_file, scaled

AHEAD = 8
"""Minibatches that are read ahead of the step that runs."""
READERS = 4
"""Threads that read them: one waits for a disk while others copy."""


@final
class Streamed:
    """Minibatches that threads read a few steps ahead; which stimuli depends on seed and step alone.

    Bytes stay bytes until they are on the device, which scales them.

    Parameters
    ----------
    x, rows, batch_size, device
        As in :class:`~gaia_explore.training.feeding.Resident`.
    seed
        Of the draws, which are with replacement; the training's generator is left alone.
    share
        Which part of each minibatch is wanted, where several processes train together; None for all.
    """

    def __init__(
        self,
        x: Shaped[np.ndarray, "n *x"],
        rows: Integer[np.ndarray, " m"],
        *,
        batch_size: int,
        seed: int,
        device: torch.device,
        share: Share | None = None,
    ):
        self._rows = rows
        self._batch_size = batch_size
        self._seed = seed
        self._own = np.arange(batch_size) if share is None else share.rows.numpy(force=True)
        on_gpu = device.type == "cuda"
        shape = (AHEAD + 1, len(self._own), x[0].size)
        # From pinned memory a GPU copies while it computes.
        slots = torch.empty(shape, dtype=torch.from_numpy(x[:0].copy()).dtype, pin_memory=on_gpu)
        self._bus = Bus(slots, device) if on_gpu else Here(slots)
        self._slots = slots.view(*shape[:2], *x.shape[1:]).numpy()
        self._stimuli = reader_of(x)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="minibatches")
        self._ahead: dict[int, Future[None]] = {}

    def fetch(self, step: int):
        """Have the stimuli of a step where :meth:`minibatch` finds them; steps come one after another.

        Raises
        ------
        RuntimeError
            Saying why they could not be read.
        """
        for later in range(step, step + AHEAD + 1):
            if later not in self._ahead:
                self._ahead[later] = self._readers.submit(self._read, later)
        try:
            self._ahead.pop(step).result()
        except Exception as error:
            raise RuntimeError(f"the stimuli of step {step + 1} could not be read: {error}") from error
        self._bus.bring(step)

    def minibatch(self, rng: torch.Generator | Share) -> Float[Tensor, "b p"]:
        """The stimuli that were fetched, scaled, on the device."""
        return scaled(self._bus.x)

    def _read(self, step: int):
        """Read the stimuli of a step into its slot, which was that of the last step before the one that runs."""
        drawn = np.random.default_rng((self._seed, step)).integers(len(self._rows), size=self._batch_size)[self._own]
        self._bus.wait_until_free(step)
        self._stimuli.read(self._rows[drawn], self._slots[step % len(self._slots)])

    def __enter__(self) -> "Streamed":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._readers.shutdown(cancel_futures=True)
        self._stimuli.close()


@final
class FromArray:
    """Rows of an array in memory, or that somebody mapped as only they know."""

    def __init__(self, x: Shaped[np.ndarray, "n *x"]):
        self._x = x

    def read(self, rows: Integer[np.ndarray, " b"], to: Shaped[np.ndarray, "b *x"]):
        """Copy rows to where they are wanted."""
        check_file(self._x)
        if self._x.flags.c_contiguous:
            # Past a buffer of its own, which NumPy needs only for rows that may not exist.
            np.take(self._x, rows, axis=0, out=to, mode="clip")
        else:
            to[...] = self._x[rows]

    def close(self):
        """Nothing is open."""


@final
class FromFile:
    """Rows of a mapped file, read past its mapping: each in one piece, and nothing around it.

    What is touched through a mapping is read page by page, or far ahead: of a file that was not in memory, 18 times
    slower (``tests/benchmarks/streaming.py``). And who reads where a file has been cut is told so, not killed.
    """

    def __init__(self, x: np.memmap):
        self._x = x
        check_file(x)
        self._file = os.open(str(x.filename), os.O_RDONLY)

    def read(self, rows: Integer[np.ndarray, " b"], to: Shaped[np.ndarray, "b *x"]):
        """Copy rows to where they are wanted."""
        size = to[0].nbytes
        for row, place in zip(rows.tolist(), to, strict=True):
            if os.preadv(self._file, [place], self._x.offset + row * size) < size:
                check_file(self._x)
                raise OSError(f"{self._x.filename} could only be read in part")

    def close(self):
        os.close(self._file)


def reader_of(x: Shaped[np.ndarray, "n *x"]) -> FromArray | FromFile:
    """The quickest way to rows of an array."""
    # A view of a mapping does not know where in the file it begins.
    if isinstance(x, np.memmap) and isinstance(x.base, mmap.mmap) and x.flags.c_contiguous and hasattr(os, "preadv"):
        return FromFile(x)
    return FromArray(x)


@final
class Here:
    """Where memory and device are one: a step reads its slot itself, and has done so when the next is fetched."""

    def __init__(self, slots: Shaped[Tensor, "s b p"]):
        self._slots = slots
        self.x = slots[0]

    def bring(self, step: int):
        """Make a step's slot what is read next."""
        self.x = self._slots[step % len(self._slots)]

    def wait_until_free(self, step: int):
        """Nothing: whose slot it was has been taken."""


@final
class Bus:
    """The way from pinned memory to a GPU, in two buffers: one is filled while a step computes from the other.

    Everything is only asked for here, and done in its order later; the host waits for nothing but a slot that it wants
    to fill again. A step finds its stimuli always at the same place (``x``), so that it can be captured.

    Parameters
    ----------
    slots
        Minibatches in pinned memory; those of step i lie in slot i modulo their number.
    device
        Where they go.
    """

    def __init__(self, slots: Shaped[Tensor, "s b p"], device: torch.device):
        self._slots = slots
        self._stream = torch.cuda.Stream(device)
        self._buffers = [torch.empty_like(slots[0], device=device) for _ in range(2)]
        self._arrived, self._taken = ([torch.cuda.Event() for _ in range(2)] for _ in range(2))
        # Blocking: readers that wait leave their cores to others.
        self._left = [torch.cuda.Event(blocking=True) for _ in slots]
        self.x = torch.empty_like(slots[0], device=device)

    def bring(self, step: int):
        """Copy a step's slot to a buffer as soon as that is free, and on to ``x`` when the step before has ended."""
        i, slot = step % 2, step % len(self._slots)
        with torch.cuda.stream(self._stream):
            self._taken[i].wait()
            self._buffers[i].copy_(self._slots[slot], non_blocking=True)
            self._arrived[i].record()
            self._left[slot].record()
        self._arrived[i].wait()
        self.x.copy_(self._buffers[i])
        self._taken[i].record()

    def wait_until_free(self, step: int):
        """Wait until a step's slot has been copied by the step that it was for before."""
        self._left[step % len(self._slots)].synchronize()
