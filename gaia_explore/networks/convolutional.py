"""A small convolutional autoencoder: pictures of 16 to 64 pixels, on two CPU cores."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from gaia_explore.networks.initialising import InitialWeights, blank
from gaia_explore.networks.limits import check_whole
from gaia_explore.networks.network import Autoencoder, Layers, Network, Shape, check_picture


@final
@dataclass(frozen=True, kw_only=True)
class Convolutional(Network):
    """Strided convolutions down to a few pixels, a linear latent code, and the way back; leaky ReLUs between.

    Parameters
    ----------
    filters
        Filters of each convolution (4 × 4, stride 2), which halves the picture. A picture's sides must be multiples
        of 2 to the power of their number.
    hidden_units
        Width of one fully connected layer between the smallest picture and the code.
    """

    filters: tuple[int, ...] = (16, 32, 64)
    hidden_units: int = 256

    kind: ClassVar[str] = "convolutional"

    def __post_init__(self):
        if not isinstance(self.filters, tuple) or not self.filters:
            raise TypeError(f"filters must be a tuple of whole numbers, got {self.filters!r}")
        for count in self.filters:
            check_whole("filters", count, minimum=1)
        check_whole("hidden_units", self.hidden_units, minimum=1)

    def autoencoder(
        self, shape: Shape, latent_dim: int, initial: InitialWeights, *, code_parameters: int = 1, bounded: bool = False
    ) -> Autoencoder:
        scale = 2 ** len(self.filters)
        check_picture(self.kind, shape, scale)
        h, w, c = shape
        smallest = (h // scale, w // scale, self.filters[-1])
        widths = (c, *self.filters)
        down: list[nn.Module] = [AsPicture(shape)]
        for n_in, n_out in pairwise(widths):
            down += [blank(nn.Conv2d, n_in, n_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        n_smallest, n_code = math.prod(smallest), latent_dim * code_parameters
        down += [AsVector(), blank(nn.Linear, n_smallest, self.hidden_units), nn.LeakyReLU(0.2, inplace=True)]
        down += [blank(nn.Linear, self.hidden_units, n_code)]
        up: list[nn.Module] = [blank(nn.Linear, latent_dim, self.hidden_units), nn.LeakyReLU(0.2, inplace=True)]
        up += [blank(nn.Linear, self.hidden_units, n_smallest), AsPicture(smallest)]
        for n_in, n_out in pairwise(widths[::-1]):
            up += [nn.LeakyReLU(0.2, inplace=True), blank(nn.ConvTranspose2d, n_in, n_out, 4, stride=2, padding=1)]
        up += [nn.Sigmoid(), AsVector()] if bounded else [AsVector()]
        network = Autoencoder(Layers(*down), Layers(*up))
        initial.fill_layers(network)
        return network


@final
class AsPicture(nn.Module):
    """Flattened pictures (b, h·w·c) as (b, c, h, w): a view, which lies in memory as channels_last does."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape

    def forward(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "b c h w"]:
        return x.unflatten(1, self.shape).permute(0, 3, 1, 2)


@final
class AsVector(nn.Module):
    """Pictures (b, c, h, w) flattened to (b, h·w·c): a view where they lie in memory as channels_last does."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b p"]:
        return x.permute(0, 2, 3, 1).flatten(1)
