"""Models: players, objectives, the one backward pass, configs."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Dirichlet

from gaia_explore import losses
from gaia_explore.models import (
    AE,
    GAIA,
    VAE,
    AEConfig,
    Config,
    Crossing,
    GAIAConfig,
    Model,
    VAEConfig,
    config_from_dict,
)
from gaia_explore.networks import FullyConnected, StyleContent

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=16, hidden_layers=2)}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def data(b: int = 16, p: int = 3) -> torch.Tensor:
    return torch.rand(b, p, generator=seeded(7))


def gradients(module: nn.Module) -> list[torch.Tensor]:
    return [p.grad for p in module.parameters() if p.grad is not None]


def played(model: Model, x: torch.Tensor, seed: int = 3) -> dict[str, torch.Tensor]:
    """One round, one backward pass; the recorded terms."""
    model.zero_grad()
    result = model.play(x, seeded(seed))
    torch.stack([objective.loss for objective in result.objectives.values()]).sum().backward()
    return result.terms


def ruled(config: GAIAConfig, errors: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    attached = config.balance == "attached"
    if config.rule == "published":
        return losses.published_rule(*errors, slope=config.slope, attached=attached)[:2]
    if config.rule == "interpolations":
        return losses.interpolations_rule(*errors, slope=config.slope, attached=attached)[:2]
    return losses.capped_rule(*errors, slope=config.slope)[:2]


def two_separate_gradients(model: GAIA, x: torch.Tensor, seed: int = 3) -> dict[str, list[torch.Tensor]]:
    """The gradients of L_D and of L_G, written plainly and computed one after the other."""
    config, rng, b = model.settings, seeded(seed), len(x)
    generator, discriminator = model.generator, model.discriminator
    z = generator.encoder(x)
    x_hat, x_i = generator.decoder(z), generator.decoder(model.interpolations(z, rng))
    fakes = [x_i] if config.rule == "interpolations" else [x_hat, x_i]
    noise = torch.zeros((1 + len(fakes)) * b, x.shape[1])
    if config.discriminator_noise:
        noise = config.discriminator_noise * torch.randn(noise.shape, generator=rng)
    shown = [x, *fakes]
    judged = [discriminator(s + n) for s, n in zip(shown, noise.split(b), strict=True)]
    targets = [x, x_i] if config.rule == "interpolations" else [x, x, x_i]
    rows = [(t - d).abs().mean(1) for t, d in zip(targets, judged, strict=True)]
    within = [rows[0].mean(), *(row.clamp(max=config.margin).mean() for row in rows[1:])]
    loss_d = ruled(config, within)[0].clamp(-config.clip, config.clip)
    loss_g = ruled(config, [row.mean() for row in rows])[1].clamp(-config.clip, config.clip)
    loss_g = config.adversarial_weight * loss_g
    loss_g = loss_g + config.pixel_weight * (x - x_hat).abs().mean() + config.alpha * losses.structure_loss(x, z)
    wanted = {}
    for name, loss, player in (("discriminator", loss_d, discriminator), ("generator", loss_g, generator)):
        parameters = list(player.parameters())
        wanted[name] = list(torch.autograd.grad(loss, parameters, retain_graph=True))
    return wanted


# --- one backward pass


@pytest.mark.parametrize("rule", ["published", "interpolations", "capped"])
@pytest.mark.parametrize("balance", ["attached", "detached"])
@pytest.mark.parametrize("mixing", ["gaussian", "uniform", "minibatch"])
@pytest.mark.parametrize("spread", [3.0, 0.05], ids=["fakes weigh nothing", "healthy balances"])
def test_one_backward_pass_gives_each_player_the_gradient_of_its_own_loss(rule, balance, mixing, spread: float):
    config = GAIAConfig(
        rule=rule, balance=balance, mixing=mixing, pixel_weight=0.3, discriminator_noise=0.05, latent_dim=2, **SMALL
    )
    model = config.build((3,), seeded())
    x = spread * data()
    wanted = two_separate_gradients(model, x)
    terms = played(model, x)
    if rule != "capped":
        assert float(terms["w_D"]) < 1e-4 if spread == 3 else 0.3 < float(terms["w_D"]) < 0.6
    for name, player in model.players().items():
        for got, expected in zip(gradients(player), wanted[name], strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()) + 1e-9)


@pytest.mark.parametrize("rule", ["published", "interpolations", "capped"])
def test_fakes_beyond_the_margin_count_for_the_generator_alone(rule):
    model = GAIAConfig(rule=rule, margin=0.02, **SMALL).build((3,), seeded())
    x = 0.05 * data()
    wanted = two_separate_gradients(model, x)
    unbounded = two_separate_gradients(GAIAConfig(rule=rule, **SMALL).build((3,), seeded()), x)
    assert not torch.allclose(wanted["discriminator"][0], unbounded["discriminator"][0], rtol=0.05)
    played(model, x)
    for name, player in model.players().items():
        for got, expected in zip(gradients(player), wanted[name], strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()) + 1e-8)


@pytest.mark.parametrize("clip", [0.001, 1.0])
def test_the_one_backward_pass_is_exact_where_the_losses_are_clipped_and_all_weights_vanish(clip: float):
    model = GAIAConfig(clip=clip, alpha=0.5, **SMALL).build((3,), seeded())
    x = data()
    wanted = two_separate_gradients(model, x)
    played(model, x)
    for name, player in model.players().items():
        for got, expected in zip(gradients(player), wanted[name], strict=True):
            # The guard against division by zero leaves the discriminator a millionth of an error's gradient.
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=3e-6)


def test_a_discriminator_that_weighs_fakes_with_zero_still_teaches_the_generator():
    # σ(−20 · large) = 0: with L_i far below L_x the discriminator's weight of fakes vanishes.
    model = GAIAConfig(slope=1e4, balance="detached", alpha=0.0, **SMALL).build((3,), seeded())
    x = data()
    wanted = two_separate_gradients(model, x)
    terms = played(model, x)
    assert float(terms["w_D"]) == 0
    for got, expected in zip(gradients(model.generator), wanted["generator"], strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()) + 1e-9)


def test_the_crossing_is_the_identity_forward_and_scales_each_row_backward():
    x = data(4, 2).requires_grad_()
    ratio = torch.zeros(4)
    y = Crossing.apply(x, ratio)
    assert torch.equal(y, x)
    ratio.copy_(torch.tensor([1.0, -2.0, 0.0, 3.0]))
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, ratio[:, None].expand(4, 2))


def test_reported_losses_are_those_of_the_plain_formulas():
    model = GAIAConfig.published(alpha=0.7, pixel_weight=0.2, **SMALL).build((3,), seeded())
    x = data()
    terms = {name: float(term) for name, term in model.play(x, seeded(3)).terms.items()}
    model.requires_grad_(False)
    z = model.encode(x)
    x_hat, x_i = model.decode(z), model.decode(model.interpolations(z, seeded(3)))
    judge = model.discriminator
    assert terms["L_x"] == pytest.approx(float((x - judge(x)).abs().mean()), rel=1e-5)
    assert terms["L_g"] == pytest.approx(float((x - judge(x_hat)).abs().mean()), rel=1e-5)
    assert terms["L_i"] == pytest.approx(float((x_i - judge(x_i)).abs().mean()), rel=1e-5)
    fake = (terms["L_g"] + terms["L_i"]) / 2
    assert terms["L_D"] == pytest.approx(terms["L_x"] - terms["w_D"] * fake, rel=1e-5)
    adversarial = terms["w_G"] * terms["L_i"] + (1 - terms["w_G"]) * terms["L_g"]
    direct = 0.2 * terms["pixel_error"] + 0.7 * terms["structure_loss"]
    assert terms["L_G"] == pytest.approx(adversarial + direct, rel=1e-5)
    assert terms["pace_discriminator"] == pytest.approx(1 / (1 + math.exp(-20 * (terms["L_x"] - fake))), rel=1e-5)
    assert terms["pace_generator"] == pytest.approx(1 - terms["pace_discriminator"])


def test_objectives_carry_the_losses_values_and_the_paces():
    model = GAIAConfig(**SMALL).build((3,), seeded())
    result = model.play(data(), seeded(3))
    for name, loss in (("generator", "L_G"), ("discriminator", "L_D")):
        torch.testing.assert_close(result.objectives[name].loss.detach(), result.terms[loss])
        torch.testing.assert_close(result.objectives[name].pace, result.terms[f"pace_{name}"])


def test_without_alpha_no_structure_loss_is_computed():
    assert "structure_loss" not in GAIAConfig(alpha=0.0, **SMALL).build((3,), seeded()).play(data(), seeded()).terms


# --- mixing


@pytest.mark.parametrize(("mixing", "share_outside"), [("gaussian", 0.0455), ("uniform", 0.0)])
def test_the_share_of_extrapolations_is_that_of_the_mixing(mixing, share_outside: float):
    model = GAIAConfig(latent_dim=1, mixing=mixing, **SMALL).build((1,), seeded())
    # Two stimuli, 0 and 1, in the two halves: an interpolation is 1 − β.
    z = torch.cat([torch.zeros(20_000, 1), torch.ones(20_000, 1)])
    mixed = model.interpolations(z, seeded())
    outside = ((mixed < 0) | (mixed > 1)).double().mean()
    assert float(outside) == pytest.approx(share_outside, abs=0.004)
    assert float(mixed.mean()) == pytest.approx(0.5, abs=0.005)
    assert float(mixed.std()) == pytest.approx(0.25 if mixing == "gaussian" else 1 / math.sqrt(12), abs=0.005)


def test_minibatch_mixing_has_the_moments_of_the_dirichlet_distribution():
    b = 8
    model = GAIAConfig(latent_dim=b, mixing="minibatch", **SMALL).build((2,), seeded())
    # Codes are unit vectors, so that an interpolation is its own weights.
    rng = seeded()
    weights = torch.cat([model.interpolations(torch.eye(b), rng) for _ in range(2000)])
    expected = Dirichlet(torch.full((b,), 1 / (2 * b)))
    torch.testing.assert_close(weights.sum(1), torch.ones(len(weights)))
    assert weights.min() >= 0
    torch.testing.assert_close(weights.mean(0), expected.mean, rtol=0.06, atol=0)
    torch.testing.assert_close(weights.var(0), expected.variance, rtol=0.06, atol=0)


# --- AE and VAE


def test_an_autoencoders_objective_is_its_pixel_error_at_full_pace():
    model = AEConfig(**SMALL).build((3,), seeded())
    x = data()
    objective = model.play(x, seeded()).objectives["autoencoder"]
    torch.testing.assert_close(objective.loss, (x - model.decode(model.encode(x))).abs().mean())
    assert objective.pace == 1


def test_a_vaes_objective_is_the_elbo_with_beta():
    model = VAEConfig(beta=0.5, **SMALL).build((3,), seeded())
    x = data()
    result = model.play(x, seeded(4))
    mean, log_variance = model.autoencoder.encoder(x).chunk(2, 1)
    noise = torch.randn(mean.shape, generator=seeded(4))
    probabilities = model.decode(mean + noise * (log_variance / 2).exp())
    likelihood = (x * probabilities.log() + (1 - x) * (1 - probabilities).log()).sum(1).mean()
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
    torch.testing.assert_close(result.objectives["autoencoder"].loss, -likelihood + 0.5 * kl)
    torch.testing.assert_close(result.terms["kl"], kl.detach())
    torch.testing.assert_close(model.encode(x), mean)


def test_the_default_beta_is_one_over_the_default_minibatch():
    assert VAEConfig().beta == 1 / 128


@pytest.mark.parametrize("config", [AEConfig(**SMALL), VAEConfig(**SMALL), GAIAConfig(**SMALL)])
def test_players_are_disjoint_and_hold_every_parameter(config: Config):
    model = config.build((3,), seeded())
    players = [set(map(id, player.parameters())) for player in model.players().values()]
    assert set.union(*players) == set(map(id, model.parameters()))
    assert sum(map(len, players)) == len(list(model.parameters()))
    assert model.players().keys() == config.learning_rates().keys()


@pytest.mark.parametrize("config", [AEConfig(**SMALL), VAEConfig(**SMALL)])
def test_the_held_out_error_of_an_autoencoder_is_its_pixel_error(config: Config):
    model = config.build((3,), seeded())
    x = data()
    torch.testing.assert_close(model.held_out_error(x, seeded()), (x - model.decode(model.encode(x))).abs().mean())


def test_the_held_out_error_of_gaia_adds_how_far_interpolations_are_from_the_nearest_stimulus():
    model = GAIAConfig(**SMALL).build((3,), seeded())
    x = data()
    model.requires_grad_(False)
    x_i = model.decode(model.interpolations(model.encode(x), seeded(1))).numpy()
    nearest = np.abs(x_i[:, None] - x.numpy()).mean(2).min(1).mean()
    error = float((x - model.decode(model.encode(x))).abs().mean()) + nearest
    assert float(model.held_out_error(x, seeded(1))) == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        AEConfig(**SMALL),
        VAEConfig(**SMALL),
        *(GAIAConfig(**SMALL, mixing=mixing) for mixing in ("gaussian", "uniform", "minibatch")),
    ],
    ids=lambda config: f"{config.name} {getattr(config, 'mixing', '')}",
)
def test_held_out_stimuli_are_looked_at_piece_by_piece_and_count_as_a_whole(
    config: Config, monkeypatch: pytest.MonkeyPatch
):
    built = config.build((3,), seeded())
    x, seen = data(), []
    whole = built.held_out_error(x, seeded(1))
    for module in built.modules():
        module.register_forward_hook(lambda module, given, made: seen.append(len(made)))
    monkeypatch.setattr("gaia_explore.models.model.MOST_AT_ONCE", 3 * 5 + 2)
    torch.testing.assert_close(built.held_out_error(x, seeded(1)), whole, rtol=1e-6, atol=0)
    assert max(seen) == 5 and seen.count(5) > seen.count(len(x) % 5) > 0


def test_realism_is_the_discriminators_error_of_each_stimulus():
    model = GAIAConfig(**SMALL).build((3,), seeded())
    x = data()
    torch.testing.assert_close(model.realism(x), (x - model.discriminator(x)).abs().mean(1))


def test_the_discriminator_can_have_a_latent_code_and_a_learning_rate_of_its_own():
    config = GAIAConfig(discriminator_latent=1, discriminator_learning_rate=3e-4, **SMALL)
    model = config.build((3,), seeded())
    assert model.discriminator.get_submodule("encoder")(data()).shape == (16, 1)
    assert model.encode(data()).shape == (16, 2)
    assert config.learning_rates() == {"generator": 1e-3, "discriminator": 3e-4}


def test_a_discriminator_without_a_latent_code_takes_no_size_of_one():
    message = r"discriminator_latent must be 'same' with a style–content network, whose .* has no latent code, got 8"
    with pytest.raises(ValueError, match=message):
        GAIAConfig(latent_dim=1024, network=StyleContent(), discriminator_latent=8)
    assert GAIAConfig(latent_dim=1024, network=StyleContent()).discriminator_latent == "same"


def test_playing_draws_from_the_given_generator_alone():
    before = torch.random.get_rng_state()
    for config in (AEConfig(**SMALL), VAEConfig(**SMALL), GAIAConfig(mixing="minibatch", **SMALL)):
        config.build((3,), seeded()).play(data(), seeded())
    assert torch.equal(before, torch.random.get_rng_state())


# --- configs


@pytest.mark.parametrize("config", [AEConfig(), VAEConfig(beta=0.1), GAIAConfig.published(), GAIAConfig(alpha=0.0)])
def test_a_config_survives_json(config: Config):
    assert config_from_dict(config.to_dict()) == config


def test_published_is_the_method_as_published():
    config = GAIAConfig.published(alpha=0.0)
    assert config == GAIAConfig(
        alpha=0.0,
        network=FullyConnected(hidden_units=256, hidden_layers=3),
        initialisation="glorot",
        learning_rate=1e-3,
        schedule="constant",
        averaging=0.0,
        rule="published",
        balance="attached",
        slope=20.0,
        clip=math.inf,
        margin=math.inf,
        pixel_weight=0.0,
        adversarial_weight=1.0,
        mixing="gaussian",
        discriminator_latent="same",
        discriminator_noise=0.0,
        discriminator_learning_rate="same",
    )


def test_unknown_models_and_fields_are_errors():
    with pytest.raises(ValueError, match=r"model must be one of AE, VAE, GAIA, got 'GAN'"):
        config_from_dict({"model": "GAN"})
    with pytest.raises(ValueError, match=r"AE has no field 'alpha'; it has latent_dim, network"):
        config_from_dict({"model": "AE", "alpha": 1.0})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("latent_dim", 0, "latent_dim must be at least 1, got 0"),
        ("learning_rate", 0.0, "learning_rate must be above 0, got 0.0"),
        ("learning_rate", math.nan, "learning_rate must be above 0, got nan"),
        ("averaging", 1.0, "averaging must be at least 0 and below 1, got 1.0"),
        ("averaging", -0.1, "averaging must be at least 0 and below 1, got -0.1"),
        ("alpha", -1.0, "alpha must be at least 0, got -1.0"),
        ("slope", 0.0, "slope must be above 0, got 0.0"),
        ("clip", 0.0, "clip must be above 0, got 0.0"),
        ("discriminator_latent", 0, "discriminator_latent must be at least 1, got 0"),
        ("discriminator_learning_rate", -1.0, "discriminator_learning_rate must be above 0, got -1.0"),
    ],
)
def test_values_out_of_range_are_named(field: str, value: object, message: str):
    with pytest.raises(ValueError) as error:
        replace(GAIAConfig(), **{field: value})
    assert str(error.value) == message


def test_a_vaes_beta_must_not_be_negative():
    with pytest.raises(ValueError, match=r"beta must be at least 0, got -1.0"):
        VAEConfig(beta=-1.0)


def test_models_know_their_class():
    assert [
        type(config.build((2,), seeded())) for config in (AEConfig(**SMALL), VAEConfig(**SMALL), GAIAConfig(**SMALL))
    ] == [
        AE,
        VAE,
        GAIA,
    ]
