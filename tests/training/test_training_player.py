"""A player: flat parameters, Adam at a pace, averaged weights."""

import torch
from torch import nn

from gaia_explore.networks import InitialWeights
from gaia_explore.networks.fully_connected import MultilayerPerceptron
from gaia_explore.training.player import Player


def network(seed: int = 0) -> MultilayerPerceptron:
    return MultilayerPerceptron((2, 8, 2), InitialWeights(torch.Generator().manual_seed(seed), "glorot"))


def loss(module: nn.Module) -> torch.Tensor:
    x = torch.rand(6, 2, generator=torch.Generator().manual_seed(1))
    return (module(x) - x).abs().mean()


def test_flattening_keeps_every_parameter_and_gradients_arrive_in_one_vector():
    module, plain = network(), network()
    player = Player(module, 1e-3)
    for ours, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    loss(module).backward()
    loss(plain).backward()
    expected = torch.cat([p.grad.reshape(-1) for p in plain.parameters() if p.grad is not None])
    torch.testing.assert_close(player.collect(), expected)
    assert [p.grad for p in module.parameters()] == [None] * 4


def test_what_a_loss_does_not_depend_on_has_no_gradient_left_of_another():
    player = Player(network(), 1e-3)
    loss(player.module).backward()
    assert player.collect().all()
    first = next(player.module.parameters())
    first.square().sum().backward()
    torch.testing.assert_close(player.collect()[:16], 2 * first.detach().flatten())
    assert not player.gradient[16:].any()


def test_a_step_is_adams_with_the_learning_rate_times_pace_times_schedule():
    module, plain = network(), network()
    player = Player(module, 1e-2)
    adam = torch.optim.Adam(plain.parameters(), lr=1e-2)
    for pace, schedule in ((1.0, 1.0), (0.4, 1.0), (0.7, 0.5)):
        loss(module).backward()
        player.collect()
        player.step(torch.tensor(pace), schedule)
        adam.zero_grad()
        loss(plain).backward()
        adam.param_groups[0]["lr"] = 1e-2 * pace * schedule
        adam.step()
    for ours, theirs in zip(module.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_average_follows_the_weights_and_is_in_the_module_only_inside_the_block():
    module = network()
    player = Player(module, 1e-2, averaging=0.9)
    weights = [player.weights.detach().clone()]
    average = weights[0].clone()
    for step in range(1, 30):
        loss(module).backward()
        player.collect()
        player.step(torch.tensor(1.0), 1.0)
        weights.append(player.weights.detach().clone())
        decay = min((1 + step) / (10 + step), 0.9)
        average = decay * average + (1 - decay) * weights[-1]
    assert player.average is not None
    torch.testing.assert_close(player.average, average)
    with player.averaged():
        torch.testing.assert_close(next(module.parameters()).reshape(-1), average[:16])
    assert torch.equal(player.weights, weights[-1])


def test_without_averaging_the_block_changes_nothing():
    player = Player(network(), 1e-2)
    before = player.weights.detach().clone()
    with player.averaged():
        assert torch.equal(player.weights, before)
    assert "average" not in player.state()


def test_a_restored_player_takes_the_same_next_step():
    first, second = Player(network(), 1e-2, averaging=0.5), Player(network(seed=9), 1e-2, averaging=0.5)
    loss(first.module).backward()
    first.collect()
    first.step(torch.tensor(1.0), 1.0)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    for player in (first, second):
        loss(player.module).backward()
        player.collect()
        player.step(torch.tensor(0.5), 1.0)
    for name, tensor in first.state().items():
        assert torch.equal(tensor, second.state()[name]), name
