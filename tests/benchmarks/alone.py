"""The matrix products and convolutions of one training step, and how long each takes alone in a loop."""

from collections import Counter
from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

OPS = torch.ops.aten
PRODUCTS = {OPS.convolution.default, OPS.convolution_backward.default, OPS.mm.default, OPS.addmm.default}
PRODUCTS |= {OPS.bmm.default, OPS.baddbmm.default}

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

    def seconds_alone(self, device: torch.device, seconds: Callable[[Callable[[], object]], float]) -> float:
        """How long all of them take, each alone on random numbers and measured by ``seconds``."""
        total = 0.0
        for (func, kept, form), times in self.seen.items():
            leaves = [_random(value, device) if kind == "like" else value for kind, value in kept]
            args, kwargs = tree_unflatten(leaves, form)
            total += times * seconds(lambda func=func, args=args, kwargs=kwargs: func(*args, **kwargs))
        return total


def _layout(tensor: Tensor) -> Layout:
    return tuple(tensor.shape), tensor.stride(), tensor.dtype


def _random(layout: Layout, device: torch.device) -> Tensor:
    shape, stride, dtype = layout
    n = 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    return torch.randn(n, device=device).to(dtype).as_strided(shape, stride)
