"""Fully connected networks: shapes, initial weights and the products they compute."""

import math
from typing import Literal

import pytest
import torch
from torch import nn

from gaia_explore.networks import FullyConnected, InitialWeights, network_from_dict
from gaia_explore.networks.fully_connected import Linear, MultilayerPerceptron


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def initial(initialisation: Literal["torch", "glorot"] = "torch", seed: int = 0) -> InitialWeights:
    return InitialWeights(seeded(seed), initialisation)


@pytest.mark.parametrize(("n_in", "n_out"), [(2, 16), (16, 2), (8, 8)])
def test_linear_and_its_gradients_equal_torchs_own(n_in: int, n_out: int):
    ours = Linear(n_in, n_out, initial())
    theirs = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        weight = ours.weight if n_in > n_out else ours.weight.t()
        theirs.weight.copy_(weight)
        theirs.bias.copy_(ours.bias)
    x = torch.randn(5, n_in, generator=seeded(1), requires_grad=True)
    torch.testing.assert_close(ours(x), theirs(x))
    (ours_x,) = torch.autograd.grad(ours(x).square().sum(), x)
    (theirs_x,) = torch.autograd.grad(theirs(x).square().sum(), x)
    torch.testing.assert_close(ours_x, theirs_x)


@pytest.mark.parametrize(("n_in", "n_out"), [(2, 16), (16, 2)])
def test_the_long_side_of_the_weights_is_contiguous(n_in: int, n_out: int):
    weight = Linear(n_in, n_out, initial("glorot")).weight
    assert weight.shape == (2, 16) and weight.is_contiguous()


def test_glorot_weights_fill_their_bound_and_biases_are_zero():
    layer = Linear(300, 200, initial("glorot"))
    bound = math.sqrt(6 / 500)
    assert layer.weight.abs().max() <= bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert not layer.bias.any()


def test_torchs_initial_weights_and_biases_lie_within_one_over_the_root_of_the_inputs():
    layer = Linear(100, 400, initial())
    for parameter in (layer.weight, layer.bias):
        assert parameter.abs().max() <= 0.1
        assert parameter.std().item() == pytest.approx(0.1 / math.sqrt(3), rel=0.06)


def test_layers_draw_their_weights_and_then_their_biases_one_after_the_other_from_one_stream():
    network, rng = MultilayerPerceptron((4, 9, 4), initial()), seeded()
    for layer, bound in zip(network.layers, (1 / 2, 1 / 3), strict=True):
        for parameter in layer.parameters():
            assert torch.equal(parameter, torch.empty_like(parameter).uniform_(-bound, bound, generator=rng))


def test_fully_connected_is_a_chain_of_linear_layers_and_leaky_relus():
    network = MultilayerPerceptron((2, 8, 8, 3), initial(), slope=0.2)
    x = torch.randn(4, 2, generator=seeded(1))
    first, second, last = network.layers
    expected = last(nn.functional.leaky_relu(second(nn.functional.leaky_relu(first(x), 0.2)), 0.2))
    torch.testing.assert_close(network(x), expected)


def test_an_autoencoder_has_mirrored_halves_of_the_given_width_and_depth():
    network = FullyConnected(hidden_units=16, hidden_layers=2).autoencoder((5,), 3, initial(), code_parameters=2)
    halves = (network.encoder, network.decoder)
    sizes = [
        [tuple(sorted(layer.get_parameter("weight").shape)) for layer in half.get_submodule("layers").children()]
        for half in halves
    ]
    assert sizes == [[(5, 16), (16, 16), (6, 16)], [(3, 16), (16, 16), (5, 16)]]


def test_the_seed_sets_the_weights_and_the_global_stream_is_left_alone():
    before = torch.random.get_rng_state()
    first, second, other = (MultilayerPerceptron((2, 8, 2), initial(seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(before, torch.random.get_rng_state())
    weights = [network.get_parameter("layers.0.weight") for network in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_pictures_pass_flattened():
    network = FullyConnected(hidden_units=4).autoencoder((3, 2, 1), 2, initial())
    assert network(torch.zeros(5, 6)).shape == (5, 6)


def test_unknown_networks_and_fields_are_errors():
    with pytest.raises(ValueError, match=r"network must be one of fully connected, .*, style–content, got 'x'"):
        network_from_dict({"kind": "x"})
    with pytest.raises(ValueError, match="a fully connected network has no field 'filters'; it has hidden_units"):
        network_from_dict({"kind": "fully connected", "filters": 3})


@pytest.mark.parametrize("field", ["hidden_units", "hidden_layers"])
def test_sizes_out_of_range_are_named(field: str):
    with pytest.raises(ValueError, match=f"{field} must be at least 1, got 0"):
        FullyConnected(**{field: 0})
    with pytest.raises(TypeError, match=f"{field} must be a whole number, got True"):
        FullyConnected(**{field: True})
