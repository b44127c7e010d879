"""Initial weights, drawn from a generator that is passed in."""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

Initialisation = Literal["glorot", "torch"]
Layer = TypeVar("Layer", bound=nn.Module)


def blank(make: Callable[..., Layer], *sizes: int, **settings: Any) -> Layer:
    """A layer whose weights are yet to be drawn: PyTorch's own drawing would take from the global stream."""
    return make(*sizes, **settings, device="meta").to_empty(device=torch.get_default_device())


@torch.no_grad()
def draw_weights(weight: Tensor, bias: Tensor, n_in: int, n_out: int, generator: torch.Generator, how: Initialisation):
    """Fill weights and biases: see :meth:`Network.autoencoder` for the two ways."""
    bound = math.sqrt(6 / (n_in + n_out)) if how == "glorot" else 1 / math.sqrt(n_in)
    weight.uniform_(-bound, bound, generator=generator)
    if how == "glorot":
        bias.zero_()
    else:
        bias.uniform_(-bound, bound, generator=generator)


def draw_convolutions(network: nn.Module, generator: torch.Generator, how: Initialisation):
    """Fill all convolutions and linear layers of a network, in the order in which it names them."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            area = math.prod(layer.weight.shape[2:])
            n_in, n_out = layer.weight.shape[1] * area, layer.weight.shape[0] * area
            if isinstance(layer, nn.ConvTranspose2d):
                # Each output pixel of a strided transposed convolution sees only a share of the kernel.
                n_in, n_out = n_out // math.prod(layer.stride), n_in
            assert layer.bias is not None
            draw_weights(layer.weight, layer.bias, n_in, n_out, generator, how)
