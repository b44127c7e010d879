"""Layers that know only shapes: what a network computes, never what it is trained for."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

Initialisation = Literal["glorot", "torch"]


class Linear(nn.Module):
    """x W + b, its weights kept with the longer side contiguous.

    Matrix libraries are several times slower where a thin matrix (two columns, in the planar study) is read across
    its short side; keeping the long side contiguous makes all three products of a layer (forward, and the gradients
    of weights and input) run at full speed at both ends of a network.

    Parameters
    ----------
    n_in, n_out
        Number of inputs and outputs.
    generator, initialisation
        See :class:`FullyConnected`.
    """

    def __init__(self, n_in: int, n_out: int, *, generator: torch.Generator, initialisation: Initialisation):
        super().__init__()
        self.long_side_in = n_in > n_out
        weight = torch.empty((n_out, n_in) if self.long_side_in else (n_in, n_out))
        bound = math.sqrt(6 / (n_in + n_out)) if initialisation == "glorot" else 1 / math.sqrt(n_in)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound, generator=generator))
        bias = torch.zeros(n_out)
        if initialisation == "torch":
            bias.uniform_(-bound, bound, generator=generator)
        self.bias = nn.Parameter(bias)

    def forward(self, x: Float[Tensor, "b n_in"]) -> Float[Tensor, "b n_out"]:
        return torch.addmm(self.bias, x, self.weight.t() if self.long_side_in else self.weight)


class FullyConnected(nn.Module):
    """Linear layers of the given widths with leaky ReLUs between them and a linear output.

    Parameters
    ----------
    widths
        Number of units from input to output, e.g. ``(2, 256, 256, 256, 2)``.
    initialisation
        ``"glorot"``: uniform weights in ±√(6 / (in + out)), zero bias (the published choice). ``"torch"``: weights and
        bias uniform in ±1/√in, PyTorch's own default for a linear layer.
    generator
        Source of the initial weights; the global stream is never drawn from.
    slope
        Slope of the leaky ReLU for negative inputs.
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        generator: torch.Generator,
        initialisation: Initialisation = "glorot",
        slope: float = 0.2,
    ):
        super().__init__()
        self.slope = slope
        self.layers = nn.ModuleList(
            Linear(n_in, n_out, generator=generator, initialisation=initialisation) for n_in, n_out in pairwise(widths)
        )

    def forward(self, x: Float[Tensor, "b n_in"]) -> Float[Tensor, "b n_out"]:
        *hidden, last = self.layers
        for layer in hidden:
            # In place: the backward pass needs only the sign of the result, and the floor is memory traffic here.
            x = functional.leaky_relu_(layer(x), self.slope)
        return last(x)


class FullyConnectedAutoencoder(nn.Module):
    """An encoder and a decoder of ``hidden_layers`` × ``hidden_units`` each, mirrored, with a linear latent code.

    Parameters
    ----------
    n_dimensions, latent_dim
        Length of a flattened stimulus and of its latent code.
    code_parameters
        How many numbers the encoder gives for each latent dimension: 1, or 2 for a mean and a log variance.
    """

    def __init__(
        self,
        n_dimensions: int,
        latent_dim: int,
        *,
        hidden_units: int,
        hidden_layers: int,
        generator: torch.Generator,
        initialisation: Initialisation = "glorot",
        code_parameters: int = 1,
    ):
        super().__init__()
        hidden = (hidden_units,) * hidden_layers
        code = latent_dim * code_parameters
        self.encoder = FullyConnected((n_dimensions, *hidden, code), generator=generator, initialisation=initialisation)
        self.decoder = FullyConnected(
            (latent_dim, *hidden, n_dimensions), generator=generator, initialisation=initialisation
        )

    def forward(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "b p"]:
        return self.decoder(self.encoder(x))
