"""Minibatches of stimuli that live on the device, of one model or of many."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Integer, Shaped
from torch import Tensor

from gaia_explore.models import Share
from gaia_explore.stimuli.packed import blocks
from gaia_explore.training.memory import free_memory

SHARE = 0.5
"""Share of the memory free on the device that stimuli may take; the networks and their gradients need the rest."""


@final
class Resident:
    """Minibatches of stimuli that live on the device, drawn with replacement from the training's own generator.

    Parameters
    ----------
    x
        Stimuli, float32 in [0, 1] or uint8 in [0, 255]; copied in blocks, so that a mapped file is never read whole
        into the host's memory.
    rows
        Which of them are trained on.
    batch_size, device
        Stimuli in a minibatch, and where it is wanted.
    """

    def __init__(
        self,
        x: Shaped[np.ndarray, "n *x"],
        rows: Integer[np.ndarray, " m"],
        *,
        batch_size: int,
        device: torch.device,
    ):
        self._batch_size = batch_size
        self._x = resident(x, rows, device)

    def fetch(self, step: int):
        """Nothing: all are there."""

    def minibatch(self, rng: torch.Generator | Share) -> Float[Tensor, "b p"]:
        """The stimuli of a step, scaled, on the device; or the share of them that is this process's."""
        own = rng.generator if isinstance(rng, Share) else rng
        rows = torch.randint(len(self._x), (self._batch_size,), generator=own, device=self._x.device)
        return scaled(self._x[rows[rng.rows] if isinstance(rng, Share) else rows])

    def __enter__(self) -> "Resident":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        pass


@final
class Together:
    """Minibatches of many members, each of its own stimuli and drawn as :class:`Resident` draws for it alone.

    On a GPU, too, a draw is one small kernel a member: the price of each member's own stream. Nothing waits for them,
    so that the host can launch them while the device is still at the step before.

    Parameters
    ----------
    sets
        Stimuli and rows of each member, as in :class:`Resident`, or None for all rows; of one shape and type. What
        several members share is kept once.
    batch_size, device
        Stimuli in a minibatch of one member, and where it is wanted.
    """

    def __init__(
        self,
        sets: Sequence[tuple[Shaped[np.ndarray, "n *x"], Integer[np.ndarray, " m"] | None]],
        *,
        batch_size: int,
        device: torch.device,
    ):
        kept: dict[tuple[int, int], Tensor] = {}
        firsts: dict[tuple[int, int], int] = {}
        for x, rows in sets:
            key = id(x), id(rows)
            if key not in kept:
                firsts[key] = sum(map(len, kept.values()))
                kept[key] = resident(x, np.arange(len(x)) if rows is None else rows, device)
        self._x = torch.cat(list(kept.values()))
        self._sizes = [len(x if rows is None else rows) for x, rows in sets]
        self._first = torch.tensor([firsts[id(x), id(rows)] for x, rows in sets], device=device)[:, None]
        self._rows = torch.empty((len(sets), batch_size), dtype=torch.int64, device=device)

    def fetch(self, step: int):
        """Nothing: all are there."""

    def minibatch(self, rng: Sequence[torch.Generator]) -> Float[Tensor, "g b p"]:
        """The stimuli of a step, scaled, on the device."""
        for rows, size, own in zip(self._rows.unbind(), self._sizes, rng, strict=True):
            rows.random_(size, generator=own)
        return scaled(self._x[self._rows + self._first])

    def __enter__(self) -> "Together":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        pass


def fits(x: Shaped[np.ndarray, "n *x"], rows: Integer[np.ndarray, " m"], device: torch.device) -> bool:
    """Whether stimuli may live on the device: a ``SHARE`` of its free memory holds them."""
    return len(rows) * x[0].nbytes <= SHARE * free_memory(device)


def resident(
    x: Shaped[np.ndarray, "n *x"], rows: Integer[np.ndarray, " m"], device: torch.device
) -> Shaped[Tensor, "m p"]:
    """The stimuli at these rows, flattened, on the device."""
    check_file(x)
    there = torch.empty((len(rows), x[0].size), dtype=torch.from_numpy(x[:0].copy()).dtype, device=device)
    for some in blocks(len(rows), x.shape[1:]):
        there[some] = torch.from_numpy(x[rows[some]].reshape(len(rows[some]), -1))
    return there


def scaled(x: Shaped[Tensor, "*g b p"]) -> Float[Tensor, "*g b p"]:
    """Bytes scaled to [0, 1], to the last bit as NumPy scales them; others as they are."""
    if x.is_floating_point():
        return x
    # By a number that is no tensor, a GPU would multiply with its rounded inverse.
    return x.float() / torch.full((), 255.0, device=x.device)


def check_file(x: Shaped[np.ndarray, "..."]):
    """Raise where an array is mapped from a file that is gone or cut: to read there would kill the process."""
    path = getattr(x, "filename", None)
    if isinstance(x, np.memmap) and path is not None:
        needed, there = x.offset + x.nbytes, Path(path).stat().st_size
        if there < needed:
            raise OSError(f"{path} must have {needed} bytes, has {there} now")
