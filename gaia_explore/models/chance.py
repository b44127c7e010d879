"""Where a model's random numbers come from, and how several processes share one minibatch."""

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from jaxtyping import Float, Integer, Shaped
from torch import Tensor, distributed

FOLD = 4
"""A minibatch divides into shares whose size is a multiple of this: with pairs of two halves, and of one mirrored."""


@final
class Share:
    """One process's share of the minibatches that several processes train on together.

    All processes draw the same numbers from one seed, and each keeps its own rows of them; so they take the step
    together that one process would take alone, whatever their number. Rows are chosen so that both codes of every
    pair (:func:`losses.mix_pairs`) lie in one share, in the same order.

    Parameters
    ----------
    generator
        The same state in every process.
    batch_size
        Stimuli in the whole minibatch: a multiple of ``FOLD`` times the processes.
    rank, size
        Which of the processes this is, of how many.
    """

    def __init__(self, generator: torch.Generator, batch_size: int, rank: int, size: int):
        if batch_size % (FOLD * size):
            raise ValueError(f"batch_size must be a multiple of {FOLD} × {size} processes, got {batch_size}")
        self.generator = generator
        self.size = size
        self._batch_size = batch_size
        shares = torch.stack([_rows(batch_size, other, size) for other in range(size)]).to(generator.device)
        self.rows: Integer[Tensor, " b"] = shares[rank]
        self._order = shares.flatten().argsort()

    def draw(self, fill: Callable[..., object], shape: Sequence[int], like: Tensor, dtype: Any) -> Tensor:
        """Its rows of numbers that are drawn for all; the rows of one minibatch, or of several under one another."""
        *outer, rows, inner = shape
        numbers = draw(fill, (*outer, rows * self.size, inner), self.generator, like, dtype)
        return numbers.unflatten(-2, (-1, self._batch_size))[..., self.rows, :].flatten(-3, -2)

    def mean(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The mean of what the processes have, without gradient."""
        mean = x.detach().clone()
        distributed.all_reduce(mean)
        return mean.div_(self.size)

    def average(self, gradient: Float[Tensor, " n"]):
        """Replace a gradient by the mean of those that the processes have."""
        distributed.all_reduce(gradient)
        gradient.div_(self.size)

    def gather(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "B p"]:
        """The rows of all processes in the minibatch's order. A gradient finds its way back to the process it is of."""
        return _Gather.apply(x, self)

    def gathered(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "B p"]:
        """The rows of all, without gradient."""
        parts = [torch.empty_like(x) for _ in range(self.size)]
        distributed.all_gather(parts, x.detach().contiguous())
        return torch.cat(parts)[self._order]


class _Gather(torch.autograd.Function):
    """Each process uses all rows, and is owed the sum of the gradients that all of them have for its own."""

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "b p"], share: Share) -> Float[Tensor, "B p"]:
        ctx.share = share
        return share.gathered(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].contiguous()
        distributed.all_reduce(gradient)
        return gradient[ctx.share.rows], None


Chance = torch.Generator | Sequence[torch.Generator] | Share
"""Where a model's random numbers come from: a generator, one a member, or one that several processes share."""


def draw(
    fill: Callable[..., object], shape: Sequence[int], rng: Chance, like: Tensor, dtype: torch.dtype | None = None
) -> Tensor:
    """Random numbers on the device of ``like``, filled in by ``fill(tensor, generator=…)``, e.g. ``Tensor.normal_``.

    With a generator a member, each member's come from its own, as if it were alone. With a share, the rows (the last
    axis but one) are this process's of what one process would draw.
    """
    if isinstance(rng, Share):
        return rng.draw(fill, shape, like, dtype)
    numbers = torch.empty(tuple(shape), device=like.device, dtype=dtype)
    if isinstance(rng, torch.Generator):
        fill(numbers, generator=rng)
    else:
        for part, own in zip(numbers.unbind(), rng, strict=True):
            fill(part, generator=own)
    return numbers


def over_all(mean: Float[Tensor, "*n"], rng: Chance) -> Float[Tensor, "*n"]:
    """A mean over a share of the minibatch as the mean over all of it, without gradient."""
    return rng.mean(mean) if isinstance(rng, Share) else mean


def whole(x: Shaped[Tensor, "*g b p"], rng: Chance) -> Shaped[Tensor, "*g B p"]:
    """All rows of a minibatch of which this process has a share."""
    return rng.gather(x) if isinstance(rng, Share) else x


def _rows(batch_size: int, rank: int, size: int) -> Integer[Tensor, " b"]:
    """A block of the first half of the first half, mirrored in that half; and the same in the second half."""
    half = batch_size // 2
    block = torch.arange(half // 2).view(size, -1)[rank]
    first = torch.cat([block, half - 1 - block.flip(0)])
    return torch.cat([first, half + first])
