"""Instance and layer norm that leave pictures in memory as they lie there."""

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

SMALLEST = 1e-5
"""Added to variances, as PyTorch's norms do."""

PLACES = (2, 3)
"""The axes of a picture (b, c, h, w) along which one filter lies."""


def normalised(
    x: Float[Tensor, "b c h w"],
    scale: Float[Tensor, "#b #c 1 1"],
    shift: Float[Tensor, "#b #c 1 1"],
    *,
    across_filters: bool = False,
) -> Float[Tensor, "b c h w"]:
    """Maps (x − mean) / √variance · scale + shift, of each filter of each picture, or of each picture.

    PyTorch's own instance norm copies what lies as channels_last does, and its group norm does so on GPUs; what follows
    them then runs in the other layout, which convolutions are slower in. Statistics are at least in single precision.

    Source: Ulyanov et al. 2017 (instance norm), Ba et al. 2016 (layer norm, over maps as in MUNIT).
    """
    return _Normalised.apply(x, scale, shift, (1, 2, 3) if across_filters else PLACES)


@final
class LayerNorm(nn.Module):
    """Normalises each picture over all of its filters, which then have a scale and a shift each."""

    def __init__(self, filters: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(filters)), nn.Parameter(torch.zeros(filters))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return normalised(x, self.weight[None, :, None, None], self.bias[None, :, None, None], across_filters=True)


class _Normalised(torch.autograd.Function):
    """Its gradient by hand: half the passes over the maps that autograd would take."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, axes: tuple[int, ...]) -> Tensor:
        # In two passes: on a CPU var_mean takes several times as long along axes that are not the last in memory.
        exact = torch.promote_types(x.dtype, torch.float32)
        mean = x.mean(axes, keepdim=True, dtype=exact)
        centred = torch.sub(x, mean, out=_place(x))
        # No square(): autocast on GPUs has powers in single precision.
        spread = torch.rsqrt((centred * centred).mean(axes, keepdim=True, dtype=exact) + SMALLEST)
        ctx.save_for_backward(x, mean, spread, scale, shift)
        ctx.axes = axes
        return torch.addcmul(shift.to(mean), centred, spread * scale, out=_place(x)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, mean, spread, scale, shift = ctx.saved_tensors
        gradient, exact = gradients[0], mean.dtype
        by_shift = gradient.sum(PLACES, keepdim=True, dtype=exact)
        by_scale = ((gradient * x).sum(PLACES, keepdim=True, dtype=exact) - mean * by_shift) * spread
        # Means over what was normalised, of the gradient by it, and of that gradient times it.
        n = x[0].numel() if 1 in ctx.axes else x.shape[2] * x.shape[3]
        level, slope = scale * by_shift / n, scale * by_scale / n
        if 1 in ctx.axes:
            level, slope = level.sum(1, keepdim=True), slope.sum(1, keepdim=True)
        # spread · (scale · gradient − level − slope · (x − mean) · spread), in two passes.
        bend = -spread.square() * slope
        by_x = torch.addcmul((-spread * level - bend * mean).to(x.dtype), x, bend.to(x.dtype))
        by_x = by_x.addcmul_(gradient, (spread * scale).to(x.dtype))
        return by_x, by_scale.sum_to_size(scale.shape).to(scale), by_shift.sum_to_size(shift.shape).to(shift), None


def _place(x: Tensor) -> Tensor | None:
    """Where to write a map that is computed more precisely than x is: as precise as x, or None for a map as computed.

    On GPUs that saves half the bytes. CPUs would convert in passes of their own, and what is compiled makes no such map
    (torch.compile, too, lets only what is contiguous be written to).
    """
    return None if x.device.type == "cpu" or torch.compiler.is_compiling() else torch.empty_like(x)
