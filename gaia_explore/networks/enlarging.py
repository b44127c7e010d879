"""Maps with a reflected margin, or of twice the sides: they lie in memory and are as precise as those they are of."""

from collections.abc import Iterator
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from gaia_explore.networks.initialising import blank


@final
class Convolution(nn.Conv2d):
    """A convolution with a reflected margin: a map keeps its sides, or has them divided by the stride."""

    def __init__(self, n_in: int, n_out: int, size: int, *, stride: int = 1, device: str | None = None):
        super().__init__(n_in, n_out, size, stride=stride, device=device)
        self.margin = (size - 1) // 2

    def forward(self, input: Float[Tensor, "b c h w"], *, biased: bool = True) -> Float[Tensor, "b n i j"]:
        maps = reflected(input, self.margin) if self.margin else input
        return functional.conv2d(maps, self.weight, self.bias if biased else None, self.stride)


def convolution(n_in: int, n_out: int, size: int, *, stride: int = 1) -> Convolution:
    return blank(Convolution, n_in, n_out, size, stride=stride)


@final
class Doubled(nn.Module):
    """Every pixel as two by two: in the precision of the map, where autocast on GPUs would have it in single."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c 2*h 2*w"]:
        with torch.autocast(x.device.type, enabled=False):
            return functional.interpolate(x, scale_factor=2)


def reflected(x: Float[Tensor, "b c h w"], margin: int) -> Float[Tensor, "b c h+2*{margin} w+2*{margin}"]:
    """Maps with a margin, in pixels, that reflects them about their outermost pixels; as channels_last on GPUs.

    There PyTorch's own reflection pads pictures to what never lies so, and convolutions are slower in the other layout;
    its gradient is added up one number at a time, in no fixed order.
    """
    if x.device.type == "cpu" or min(x.shape[2:]) < 2 * margin + 2:
        return functional.pad(x, 4 * (margin,), mode="reflect")
    return (_Gathered if torch.compiler.is_compiling() else _Copied).apply(x, margin)


class _Copied(torch.autograd.Function):
    """Copies the whole, and then two lines of the margin at a time; the gradient adds them up the other way round."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, margin: int) -> Tensor:
        ctx.margin = margin
        b, c, h, w = x.shape
        y = x.new_empty(b, h + 2 * margin, w + 2 * margin, c).permute(0, 3, 1, 2)
        within = slice(margin, -margin)
        y[:, :, within, within] = x
        for outside, inside in _mirrored(w, margin):
            y[:, :, within, outside] = y[:, :, within, inside]
        for outside, inside in _mirrored(h, margin):
            y[:, :, outside] = y[:, :, inside]
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        margin = ctx.margin
        gradient = gradients[0].clone(memory_format=torch.channels_last)
        h, w = (n - 2 * margin for n in gradient.shape[2:])
        for outside, inside in _mirrored(h, margin):
            gradient[:, :, inside].add_(gradient[:, :, outside])
        for outside, inside in _mirrored(w, margin):
            gradient[:, :, :, inside].add_(gradient[:, :, :, outside])
        within = slice(margin, -margin)
        return gradient[:, :, within, within], None


class _Gathered(torch.autograd.Function):
    """For torch.compile, which makes one pass each of these: copies of lines become long chains of conditions there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, margin: int) -> Tensor:
        ctx.margin = margin
        rows, columns = (_reflections(n, margin, x.device) for n in x.shape[2:])
        return x[:, :, rows][:, :, :, columns].contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        within = slice(ctx.margin, -ctx.margin)
        # Of the map only the shape is read, which is also that of this.
        as_map = gradients[0][:, :, within, within]
        return torch.ops.aten.reflection_pad2d_backward(gradients[0], as_map, 4 * [ctx.margin]), None


def _mirrored(n: int, margin: int) -> Iterator[tuple[slice, slice]]:
    """Of n lines between two margins: two lines of the margins, equally far out, and the two that they are as."""
    first, last = margin, margin + n - 1
    for i in range(1, margin + 1):
        yield slice(first - i, last + i + 1, n - 1 + 2 * i), slice(first + i, last - i + 1, n - 1 - 2 * i)


def _reflections(n: int, margin: int, device: torch.device) -> Int[Tensor, "m"]:
    """Which of n lines each line of the enlarged map is."""
    return n - 1 - (n - 1 - torch.arange(-margin, n + margin, device=device).abs()).abs()
