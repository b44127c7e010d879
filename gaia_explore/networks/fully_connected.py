"""Fully connected networks, for flat stimuli."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gaia_explore.networks.initialising import InitialWeights
from gaia_explore.networks.limits import check_whole
from gaia_explore.networks.network import Autoencoder, Network, Shape


@final
@dataclass(frozen=True, kw_only=True)
class FullyConnected(Network):
    """An encoder and a decoder of ``hidden_layers`` × ``hidden_units`` each, mirrored, with a linear latent code.

    Takes stimuli of any shape, flattened; what leaves the decoder is never bounded.
    """

    hidden_units: int = 256
    hidden_layers: int = 3

    kind: ClassVar[str] = "fully connected"
    stackable: ClassVar[bool] = True
    compilable: ClassVar[bool] = False

    def __post_init__(self):
        check_whole("hidden_units", self.hidden_units, minimum=1)
        check_whole("hidden_layers", self.hidden_layers, minimum=1)

    def autoencoder(
        self, shape: Shape, latent_dim: int, initial: InitialWeights, *, code_parameters: int = 1, bounded: bool = False
    ) -> Autoencoder:
        n_dimensions, hidden = math.prod(shape), (self.hidden_units,) * self.hidden_layers
        return Autoencoder(
            MultilayerPerceptron((n_dimensions, *hidden, latent_dim * code_parameters), initial),
            MultilayerPerceptron((latent_dim, *hidden, n_dimensions), initial),
        )


class Linear(nn.Module):
    """x W + b, its weights kept with the longer side contiguous.

    Matrix libraries are several times slower where a thin matrix (two columns, in the planar study) is read across
    its short side; keeping the long side contiguous makes all three products of a layer (forward, and the gradients
    of weights and input) run at full speed at both ends of a network.

    Weights and biases may be those of many members, stacked along a leading axis g: then so are its inputs.

    Parameters
    ----------
    n_in, n_out
        Number of inputs and outputs.
    initial
        Where the initial weights come from, and how they are drawn.
    """

    def __init__(self, n_in: int, n_out: int, initial: InitialWeights):
        super().__init__()
        self.long_side_in = n_in > n_out
        weight = torch.empty((n_out, n_in) if self.long_side_in else (n_in, n_out))
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(torch.empty(n_out))
        initial.fill(self.weight, self.bias, n_in, n_out)

    def forward(self, x: Float[Tensor, "*g b n_in"]) -> Float[Tensor, "*g b n_out"]:
        weight = self.weight.mT if self.long_side_in else self.weight
        if weight.ndim == 3:
            return torch.baddbmm(self.bias[:, None], x, weight)
        return torch.addmm(self.bias, x, weight)


class MultilayerPerceptron(nn.Module):
    """Linear layers of the given widths with leaky ReLUs between them and a linear output.

    Parameters
    ----------
    widths
        Number of units from input to output, e.g. ``(2, 256, 256, 256, 2)``.
    initial
        Where the initial weights come from, and how they are drawn.
    slope
        Slope of the leaky ReLU for negative inputs.
    """

    def __init__(self, widths: Sequence[int], initial: InitialWeights, *, slope: float = 0.2):
        super().__init__()
        self.slope = slope
        self.layers = nn.ModuleList(Linear(n_in, n_out, initial) for n_in, n_out in pairwise(widths))

    def forward(self, x: Float[Tensor, "*g b n_in"]) -> Float[Tensor, "*g b n_out"]:
        *hidden, last = self.layers
        for layer in hidden:
            # In place: the backward pass needs only the sign of the result, and the floor is memory traffic here.
            x = functional.leaky_relu_(layer(x), self.slope)
        return last(x)
