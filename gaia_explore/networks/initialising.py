"""Initial weights, drawn from a generator that is passed in."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, final

import torch
from torch import Tensor, nn

Initialisation = Literal["glorot", "torch"]
Layer = TypeVar("Layer", bound=nn.Module)


def blank(make: Callable[..., Layer], *sizes: int, **settings: Any) -> Layer:
    """A layer whose weights are yet to be drawn: PyTorch's own drawing would take from the global stream."""
    return make(*sizes, **settings, device="meta").to_empty(device=torch.get_default_device())


@final
@dataclass(frozen=True)
class InitialWeights:
    """Where initial weights come from, and how they are drawn.

    Parameters
    ----------
    generator
        Their source: the global stream is never drawn from.
    initialisation
        ``"glorot"``: uniform weights in ±√(6 / (in + out)) and zero bias, the published choice; or ``"torch"``: weights
        and bias uniform in ±1/√in, PyTorch's own default.
    """

    generator: torch.Generator
    initialisation: Initialisation

    @torch.no_grad()
    def fill(self, weight: Tensor, bias: Tensor, n_in: int, n_out: int):
        """Draw the weights and biases of one layer of so many inputs and outputs, in place."""
        glorot = self.initialisation == "glorot"
        bound = math.sqrt(6 / (n_in + n_out)) if glorot else 1 / math.sqrt(n_in)
        weight.uniform_(-bound, bound, generator=self.generator)
        if glorot:
            bias.zero_()
        else:
            bias.uniform_(-bound, bound, generator=self.generator)

    def fill_layers(self, network: nn.Module):
        """Draw those of all convolutions and linear layers of a network, in the order in which it names them."""
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                area = math.prod(layer.weight.shape[2:])
                n_in, n_out = layer.weight.shape[1] * area, layer.weight.shape[0] * area
                if isinstance(layer, nn.ConvTranspose2d):
                    # Each output pixel of a strided transposed convolution sees only a share of the kernel.
                    n_in, n_out = n_out // math.prod(layer.stride), n_in
                assert layer.bias is not None
                self.fill(layer.weight, layer.bias, n_in, n_out)
