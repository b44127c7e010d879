"""Small convolutional autoencoders."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from gaia_explore.networks import Autoencoder, Convolutional, InitialWeights, network_from_dict
from gaia_explore.networks.convolutional import AsPicture, AsVector


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def initial(initialisation: Literal["torch", "glorot"] = "torch", seed: int = 0) -> InitialWeights:
    return InitialWeights(seeded(seed), initialisation)


def autoencoder(weights: InitialWeights | None = None, **changes: Any) -> Autoencoder:
    return Convolutional(filters=(4, 6), hidden_units=10).autoencoder((8, 12, 3), 5, weights or initial(), **changes)


def pictures(n: int = 2) -> Tensor:
    return torch.rand(n, 8 * 12 * 3, generator=seeded(9))


def test_flattened_pictures_become_codes_and_flattened_pictures():
    network, x = autoencoder(), pictures()
    z = network.encoder(x)
    assert z.shape == (2, 5)
    assert network.decoder(z).shape == x.shape
    assert autoencoder(code_parameters=2).encoder(x).shape == (2, 10)


def test_a_picture_is_a_view_and_comes_back_unchanged():
    x = pictures()
    picture = AsPicture((8, 12, 3))(x)
    assert picture.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(picture[0, 2, 1, 5], x.view(2, 8, 12, 3)[0, 1, 5, 2])
    again = AsVector()(picture)
    assert torch.equal(again, x)
    assert again.data_ptr() == x.data_ptr()


def test_bounded_pictures_lie_between_zero_and_one_and_are_the_sigmoid_of_the_unbounded():
    z = 50 * torch.randn(3, 5, generator=seeded(1))
    free, bounded = autoencoder().decoder(z), autoencoder(bounded=True).decoder(z)
    torch.testing.assert_close(free.sigmoid(), bounded)


def test_parameters_are_those_counted_by_hand():
    counts = [p.numel() for p in autoencoder().parameters()]
    down = [4 * 3 * 16, 4, 6 * 4 * 16, 6, 10 * 2 * 3 * 6, 10, 5 * 10, 5]
    up = [10 * 5, 10, 2 * 3 * 6 * 10, 36, 6 * 4 * 16, 4, 4 * 3 * 16, 3]
    assert counts == down + up


@pytest.mark.parametrize("initialisation", ["torch", "glorot"])
def test_the_seed_sets_the_weights_and_the_global_stream_is_left_alone(initialisation):
    before = torch.random.get_rng_state()
    first, second, other = (
        torch.cat([p.flatten() for p in autoencoder(initial(initialisation, seed)).parameters()]) for seed in (0, 0, 1)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize(
    ("initialisation", "bounds"),
    [("torch", (1 / 48**0.5, 1 / 256**0.5)), ("glorot", ((6 / (48 + 256)) ** 0.5, (6 / (256 + 512)) ** 0.5))],
)
def test_initial_weights_fill_the_bound_that_their_inputs_and_outputs_set(initialisation, bounds):
    network = Convolutional(filters=(16, 32, 64)).autoencoder((32, 32, 3), 32, initial(initialisation))
    first = next(layer for layer in network.encoder.modules() if isinstance(layer, nn.Conv2d))
    # Of 64 filters in, a kernel of 16 and a stride of 2 give each output pixel 64 × 16 / 4 inputs.
    last = next(layer for layer in network.decoder.modules() if isinstance(layer, nn.ConvTranspose2d))
    for layer, bound in zip((first, last), bounds, strict=True):
        assert float(layer.weight.abs().max().detach()) <= bound
        assert float(layer.weight.std().detach()) == pytest.approx(bound / 3**0.5, rel=0.05)
        if initialisation == "glorot":
            assert layer.bias is not None and not layer.bias.any()


def test_the_discriminator_is_an_autoencoder_with_its_own_latent():
    network = Convolutional(filters=(4,)).discriminator((4, 4, 1), 3, initial())
    x = network(torch.rand(2, 16, generator=seeded()))
    assert x.shape == (2, 16) and float(x.detach().min()) > 0 and float(x.detach().max()) < 1


def test_a_convolutional_network_survives_json():
    network = Convolutional(filters=(8, 16))
    assert network_from_dict(network.to_dict() | {"filters": [8, 16]}) == network


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"a convolutional network needs pictures, shape \(h, w, c\), got \(2,\)"):
        Convolutional().autoencoder((2,), 2, initial())
    with pytest.raises(ValueError, match=r"needs sides that are multiples of 8 pixels, got \(28, 28\)"):
        Convolutional().autoencoder((28, 28, 1), 2, initial())
    with pytest.raises(TypeError, match=r"filters must be a tuple of whole numbers, got \(\)"):
        Convolutional(filters=())
    with pytest.raises(ValueError, match="filters must be at least 1, got 0"):
        Convolutional(filters=(8, 0))
