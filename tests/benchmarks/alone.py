"""The matrix products and convolutions of one training step, and how long each takes alone in a loop."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, final

import torch
from machine import wait
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from gaia_explore.training import capturing

OPS = torch.ops.aten
CONVOLUTIONS = {OPS.convolution.default, OPS.convolution_backward.default}
PRODUCTS = CONVOLUTIONS | {OPS.mm.default, OPS.addmm.default, OPS.bmm.default, OPS.baddbmm.default}
LOOP = 5
"""Times that a product is done in one loop."""
SHORT = 0.005
"""Seconds: a loop that takes less may be waiting for the host."""
ENOUGH = 0.05
"""Seconds that loops are repeated for."""

Layout = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]


@final
class Products(TorchDispatchMode):
    """Counts the products and convolutions that run inside, forward and backward, by shapes, layouts and types."""

    def __init__(self):
        super().__init__()
        self.seen: Counter[Any] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        if func in PRODUCTS:
            leaves, form = tree_flatten((args, kwargs or {}))
            kept = [("like", _layout(leaf)) if isinstance(leaf, Tensor) else ("as is", leaf) for leaf in leaves]
            self.seen[func, tuple(kept), form] += 1
        return func(*args, **(kwargs or {}))

    def seconds_alone(self, device: torch.device) -> float:
        """How long all of them take, each alone on random numbers, in the quickest layout."""
        total = 0.0
        # All on one stream that can be captured: libraries set themselves up for each.
        with torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else nullcontext():
            for (func, kept, form), times in self.seen.items():
                leaves = [_random(value, device) if kind == "like" else value for kind, value in kept]
                ways = _layouts(leaves) if func in CONVOLUTIONS else [leaves]
                total += times * min(_seconds(_call(func, tree_unflatten(way, form)), device) for way in ways)
        return total


def _layout(tensor: Tensor) -> Layout:
    return tuple(tensor.shape), tensor.stride(), tensor.dtype


def _random(layout: Layout, device: torch.device) -> Tensor:
    shape, stride, dtype = layout
    n = 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    return torch.randn(n, device=device).to(dtype).as_strided(shape, stride)


def _layouts(leaves: list[Any]) -> Iterator[list[Any]]:
    """In both layouts of pictures: that in which they ran may be the slow one, and would flatter the step."""
    for layout in (torch.contiguous_format, torch.channels_last):
        yield [
            leaf.contiguous(memory_format=layout) if isinstance(leaf, Tensor) and leaf.ndim == 4 else leaf
            for leaf in leaves
        ]


def _call(func: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> Callable[[], object]:
    return lambda: func(*arguments[0], **arguments[1])


def _seconds(do: Callable[[], object], device: torch.device) -> float:
    """Mean duration in a loop. On a GPU a short one is replayed as a graph: else the host would be measured."""

    def loop():
        for _ in range(LOOP):
            do()

    # Libraries set themselves up in the first one.
    loop()
    repeated, once = loop, _timed(loop, 1, device)
    if device.type == "cuda" and once < SHORT:
        repeated = capturing.record(loop, torch.cuda.current_stream(device), ())
        repeated()
    return _timed(repeated, max(1, round(ENOUGH / once)), device) / LOOP


def _timed(do: Callable[[], object], times: int, device: torch.device) -> float:
    wait(device)
    began = time.perf_counter()
    for _ in range(times):
        do()
    wait(device)
    return (time.perf_counter() - began) / times
