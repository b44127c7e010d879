"""The style–content network: shapes, and the paper's sizes counted by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gaia_explore.networks import Autoencoder, InitialWeights, StyleContent
from gaia_explore.networks.style_content import ResidualBlock

SMALL = StyleContent(filters=4, residual_blocks=1, style_dim=3)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def initial() -> InitialWeights:
    return InitialWeights(seeded(), "torch")


def autoencoder(**changes: Any) -> Autoencoder:
    return SMALL.autoencoder((32, 36, 3), 8, initial(), **changes)


def counts(network: nn.Module) -> list[int]:
    """Parameters of every layer that has some, weight and bias together."""
    layers = (layer for layer in network.modules() if not list(layer.children()))
    return [n for n in (sum(p.numel() for p in layer.parameters()) for layer in layers) if n]


def test_flattened_pictures_become_codes_and_flattened_pictures():
    network, x = autoencoder(bounded=True), torch.rand(2, 32 * 36 * 3, generator=seeded(1))
    z = network.encoder(x)
    assert z.shape == (2, 8)
    y = network.decoder(z)
    assert y.shape == x.shape
    assert float(y.detach().min()) >= 0 and float(y.detach().max()) <= 1


def test_means_come_before_log_variances():
    network, x = autoencoder(code_parameters=2), torch.rand(2, 32 * 36 * 3, generator=seeded(1))
    content, style = (network.get_submodule(f"encoder.{half}")(x) for half in ("content", "style"))
    mean, log_variance = network.encoder(x).chunk(2, -1)
    torch.testing.assert_close(mean, torch.cat([content[:, :5], style[:, :3]], 1))
    torch.testing.assert_close(log_variance, torch.cat([content[:, 5:], style[:, 3:]], 1))


def test_the_style_does_not_see_where_and_the_content_does_not_see_how_strong():
    network = autoencoder()
    x = torch.rand(1, 32, 36, 3, generator=seeded(2))
    turned = x.flip(1, 2).flatten(1)
    assert not torch.allclose(network.encoder(x.flatten(1))[:, :5], network.encoder(turned)[:, :5], rtol=1e-3)
    layers = list(network.get_submodule("encoder.content.0").children())
    y = nn.Sequential(*layers[:-1])(x.flatten(1))
    normed = layers[-1](y) - y
    assert float(normed.detach().mean((2, 3)).abs().max()) < 1e-4  # instance norm: every filter's mean is taken away


def test_biases_before_an_instance_norm_do_nothing_and_are_left_alone():
    block = ResidualBlock(4).double()
    initial().fill_layers(block)
    x, weight = torch.rand(2, 4, 6, 7, generator=seeded(1), dtype=torch.float64), torch.full((4,), 1.5).double()

    def layer(x: Tensor, convolution: nn.Conv2d) -> Tensor:
        padded = functional.pad(x, (1, 1, 1, 1), mode="reflect")
        y = functional.conv2d(padded, convolution.weight, convolution.bias)
        return functional.instance_norm(y, weight=weight, bias=-weight)

    expected = x + layer(layer(x, block.first).relu(), block.second)
    y = block(x, weight[None, :, None, None], -weight[None, :, None, None])
    torch.testing.assert_close(y, expected)
    y.sum().backward()
    assert [name for name, p in block.named_parameters() if p.grad is None] == ["first.bias", "second.bias"]


def test_the_papers_sizes_are_those_counted_by_hand():
    with torch.device("meta"):
        generator = StyleContent().autoencoder((128, 128, 3), 1024, initial())
        discriminator = StyleContent().discriminator((128, 128, 3), 1024, initial())
    descent = [3 * 64 * 49 + 64, 64 * 128 * 16 + 128, 128 * 256 * 16 + 256]
    blocks = [256 * 256 * 9 + 256] * 8
    content = [*descent, *blocks, 262_144 * 512 + 512]
    style = [*descent, *[256 * 256 * 16 + 256] * 2, 256 * 512 + 512]
    assert counts(generator.encoder) == content + style
    perceptron = [512 * 256 + 256, 256 * 256 + 256, 256 * 512 + 512]
    rise = [256 * 128 * 25 + 128, 2 * 128, 128 * 64 * 25 + 64, 2 * 64, 64 * 3 * 49 + 3]
    assert counts(generator.decoder) == [512 * 262_144 + 262_144, *perceptron, *blocks, *rise]
    descent = [3 * 32 * 49 + 32, 32 * 64 * 16 + 64, 64 * 128 * 16 + 128]
    blocks = [128 * 128 * 9 + 128] * 8
    style = [*descent, *[128 * 128 * 16 + 128] * 2, 128 * 512 + 512]
    perceptron = [512 * 256 + 256, 256 * 256 + 256, 256 * 256 + 256]
    rise = [128 * 64 * 25 + 64, 2 * 64, 64 * 32 * 25 + 32, 2 * 32, 32 * 3 * 49 + 3]
    assert counts(discriminator) == [*descent, *blocks, *style, *perceptron, *blocks, *rise]


def test_the_discriminators_content_code_is_a_map():
    network = StyleContent(residual_blocks=1).discriminator((32, 32, 3), 1024, initial())
    x = torch.rand(1, 32 * 32 * 3, generator=seeded())
    assert network.get_submodule("content")(x).shape == (1, 128, 8, 8)
    assert network(x).shape == x.shape


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"latent_dim must be above style_dim, 512, got 512"):
        StyleContent().autoencoder((64, 64, 3), 512, initial())
    with pytest.raises(ValueError, match=r"style–content network needs pictures of at least 32 pixels, got \(16, 64\)"):
        StyleContent().autoencoder((16, 64, 3), 1024, initial())
    with pytest.raises(ValueError, match="residual_blocks must be at least 1, got 0"):
        StyleContent(residual_blocks=0)
