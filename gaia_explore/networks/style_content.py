"""The paper's network for faces: content and style are encoded apart (after MUNIT)."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gaia_explore.networks.convolutional import AsPicture, AsVector
from gaia_explore.networks.enlarging import Doubled, convolution
from gaia_explore.networks.initialising import InitialWeights, blank
from gaia_explore.networks.limits import check_whole
from gaia_explore.networks.network import Autoencoder, Network, Reproducing, Shape, check_picture
from gaia_explore.networks.normalising import LayerNorm, normalised


@final
@dataclass(frozen=True, kw_only=True)
class StyleContent(Network):
    """A residual autoencoder whose style sets the statistics of its content (AdaIN); 32 to 256 pixels.

    The last ``style_dim`` latent dimensions are the style's, the others the content's. Its discriminator has half the
    filters and no linear bottleneck: its content code is a map of a quarter of the picture's sides.

    Parameters
    ----------
    filters
        Of the first convolution; the next two have twice and four times as many.
    residual_blocks
        In the content encoder, and as many in the decoder.
    style_dim
        Latent dimensions of the style.

    Source: Sainburg et al. 2018, appendix 5.1, after Huang et al. 2018 (MUNIT): reflect padding, ReLU.
    """

    filters: int = 64
    residual_blocks: int = 4
    style_dim: int = 512

    kind: ClassVar[str] = "style–content"
    discriminator_has_code: ClassVar[bool] = False

    def __post_init__(self):
        check_whole("filters", self.filters, minimum=2)
        check_whole("residual_blocks", self.residual_blocks, minimum=1)
        check_whole("style_dim", self.style_dim, minimum=1)

    def autoencoder(
        self, shape: Shape, latent_dim: int, initial: InitialWeights, *, code_parameters: int = 1, bounded: bool = False
    ) -> Autoencoder:
        check_picture(self.kind, shape, 4)
        if min(shape[:2]) < 32:
            raise ValueError(f"a {self.kind} network needs pictures of at least 32 pixels, got {shape[:2]}")
        content_dim = latent_dim - self.style_dim
        if content_dim < 1:
            raise ValueError(f"latent_dim must be above style_dim, {self.style_dim}, got {latent_dim}")
        h, w, c = shape
        inner = (h // 4, w // 4, 4 * self.filters)
        n_inner = inner[0] * inner[1] * inner[2]
        content = nn.Sequential(
            self._content_encoder(shape, self.filters), AsVector(), _linear(n_inner, content_dim * code_parameters)
        )
        style = _style_encoder(shape, self.filters, self.style_dim * code_parameters)
        into = nn.Sequential(_linear(content_dim, n_inner), AsPicture(inner))
        network = Autoencoder(
            Encoder(content, style, code_parameters),
            Decoder(into, self._renderer(c, self.filters, bounded), content_dim),
        )
        initial.fill_layers(network)
        return network

    def discriminator(self, shape: Shape, latent_dim: int, initial: InitialWeights) -> "Discriminator":
        check_picture(self.kind, shape, 4)
        filters = self.filters // 2
        content, style = self._content_encoder(shape, filters), _style_encoder(shape, filters, self.style_dim)
        network = Discriminator(content, style, self._renderer(shape[2], filters, bounded=True))
        initial.fill_layers(network)
        return network

    def _content_encoder(self, shape: Shape, filters: int) -> nn.Sequential:
        blocks = [ResidualBlock(4 * filters) for _ in range(self.residual_blocks)]
        return nn.Sequential(AsPicture(shape), *_descent(shape[2], filters), *blocks)

    def _renderer(self, channels: int, filters: int, bounded: bool) -> "Renderer":
        return Renderer(
            channels, filters, style_dim=self.style_dim, residual_blocks=self.residual_blocks, bounded=bounded
        )


@final
class Encoder(nn.Module):
    """Codes of stimuli: content first, then style; of each parameter of a code in turn."""

    def __init__(self, content: nn.Module, style: nn.Module, code_parameters: int):
        super().__init__()
        self.content = content
        self.style = style
        self.code_parameters = code_parameters

    def forward(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "b d"]:
        parts = [half(x).unflatten(1, (self.code_parameters, -1)) for half in (self.content, self.style)]
        return torch.cat(parts, 2).flatten(1)


@final
class Decoder(nn.Module):
    """Stimuli of codes."""

    def __init__(self, into: nn.Module, renderer: "Renderer", content_dim: int):
        super().__init__()
        self.into = into
        self.renderer = renderer
        self.content_dim = content_dim

    def forward(self, z: Float[Tensor, "b d"]) -> Float[Tensor, "b p"]:
        content, style = z[:, : self.content_dim], z[:, self.content_dim :]
        return self.renderer(self.into(content), style)


@final
class Discriminator(Reproducing):
    """Reproductions of stimuli, (b, p) → (b, p), through a map as content code."""

    def __init__(self, content: nn.Module, style: nn.Module, renderer: "Renderer"):
        super().__init__()
        self.content = content
        self.style = style
        self.renderer = renderer

    def encode(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "b k"]:
        return torch.cat([self.content(x).flatten(1), self.style(x)], 1)

    def forward(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "b p"]:
        return self.renderer(self.content(x), self.style(x))


@final
class Renderer(nn.Module):
    """From a content map and a style code to pictures.

    One scale and one shift for every filter, made from the style by a perceptron, serve all residual blocks.
    """

    def __init__(self, channels: int, filters: int, *, style_dim: int, residual_blocks: int, bounded: bool):
        super().__init__()
        n = 4 * filters
        self.statistics = nn.Sequential(
            _linear(style_dim, 256), nn.ReLU(), _linear(256, 256), nn.ReLU(), _linear(256, 2 * n)
        )
        self.blocks = nn.ModuleList(ResidualBlock(n) for _ in range(residual_blocks))
        rise: list[nn.Module] = []
        for n_in, n_out in ((n, n // 2), (n // 2, n // 4)):
            layers = [Doubled(), convolution(n_in, n_out, 5), LayerNorm(n_out)]
            rise += [*layers, nn.ReLU(inplace=True)]
        rise.append(convolution(filters, channels, 7))
        self.rise = nn.Sequential(*rise, *([nn.Sigmoid()] if bounded else []), AsVector())

    def forward(self, content: Float[Tensor, "b n i j"], style: Float[Tensor, "b d"]) -> Float[Tensor, "b p"]:
        scale, shift = self.statistics(style)[:, :, None, None].chunk(2, 1)
        for block in self.blocks:
            content = block(content, 1 + scale, shift)
        return self.rise(content)


@final
class ResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))): instance norm, then scale and shift (AdaIN, Huang & Belongie 2017).

    The norm takes every filter's mean away, and with it the bias of the convolution. The weights have one, as the
    published network's do; adding it and summing up its gradient would be two passes over a map for nothing.
    """

    def __init__(self, filters: int):
        super().__init__()
        self.first = convolution(filters, filters, 3)
        self.second = convolution(filters, filters, 3)

    def forward(self, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        scale = x.new_ones(1, 1, 1, 1) if scale is None else scale
        shift = torch.zeros_like(scale) if shift is None else shift
        y = functional.relu_(normalised(self.first(x, biased=False), scale, shift))
        return x + normalised(self.second(y, biased=False), scale, shift)


def _style_encoder(shape: Shape, filters: int, n_code: int) -> nn.Sequential:
    """No normalisation: it would erase the statistics that are the style."""
    n = 4 * filters
    narrower = [convolution(n, n, 4, stride=2), nn.ReLU(inplace=True)]
    narrower += [convolution(n, n, 4, stride=2), nn.ReLU(inplace=True)]
    pooled = [nn.AdaptiveAvgPool2d(1), convolution(n, n_code, 1), nn.Flatten()]
    return nn.Sequential(AsPicture(shape), *_descent(shape[2], filters), *narrower, *pooled)


def _descent(channels: int, filters: int) -> list[nn.Module]:
    """To a quarter of the picture's sides, and four times the filters."""
    return [
        convolution(channels, filters, 7),
        nn.ReLU(inplace=True),
        convolution(filters, 2 * filters, 4, stride=2),
        nn.ReLU(inplace=True),
        convolution(2 * filters, 4 * filters, 4, stride=2),
        nn.ReLU(inplace=True),
    ]


def _linear(n_in: int, n_out: int) -> nn.Linear:
    return blank(nn.Linear, n_in, n_out)
