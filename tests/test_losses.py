"""Losses against plain NumPy transcriptions, closed forms, and the laws they obey."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.distributions import Bernoulli, Normal, kl_divergence

from gaia_explore import losses


def minibatch(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


stimuli = arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(1, 4)), elements=st.floats(0, 1, width=32))
scalars = st.floats(0, 1).map(lambda value: torch.tensor(value, dtype=torch.float64))


def structure_loss_in_numpy(x: np.ndarray, z: np.ndarray) -> float:
    logs = []
    for codes in (x, z):
        b = len(codes)
        s = np.array([[np.mean((codes[i] - codes[j]) ** 2) for j in range(b)] for i in range(b)])
        logs.append(np.log(1 + s / s.mean()))
    return float(np.mean((logs[0] - logs[1]) ** 2))


def published_rule_in_numpy(real: float, reconstruction: float, interpolation: float, slope: float) -> dict[str, float]:
    def sigma(d: float) -> float:
        return 1 / (1 + np.exp(-slope * d))

    fake = (reconstruction + interpolation) / 2
    w_d = np.clip(sigma(0.5 * interpolation - real), 0, 0.9)
    w_g = sigma(interpolation - reconstruction)
    return {
        "L_D": real - w_d * fake,
        "L_G": w_g * interpolation + (1 - w_g) * reconstruction,
        "w_D": w_d,
        "w_G": w_g,
        "pace_discriminator": sigma(real - fake),
    }


# --- errors


def test_stimulus_and_pixel_error_are_means_of_absolute_differences():
    x, x_hat = minibatch(5, 3), minibatch(5, 3, seed=1)
    expected = np.abs(x.numpy() - x_hat.numpy())
    np.testing.assert_allclose(losses.stimulus_error(x, x_hat), expected.mean(1))
    np.testing.assert_allclose(losses.pixel_error(x, x_hat), expected.mean())


def test_bernoulli_error_is_the_negative_log_likelihood_of_torch_distributions():
    x, logits = minibatch(6, 4).round(), minibatch(6, 4, seed=1) * 8 - 4
    expected = -Bernoulli(logits=logits).log_prob(x).sum(1).mean()
    torch.testing.assert_close(losses.bernoulli_error(x, logits), expected)


def test_gaussian_kl_is_that_of_torch_distributions():
    mean, log_variance = minibatch(6, 3) * 4 - 2, minibatch(6, 3, seed=1) * 4 - 2
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(losses.gaussian_kl(mean, log_variance), expected)


@pytest.mark.parametrize(
    "loss", [losses.pixel_error, losses.bernoulli_error, losses.gaussian_kl, losses.structure_loss]
)
def test_a_leading_member_axis_is_kept_and_members_do_not_mix(loss):
    x, y = minibatch(3, 6, 2), minibatch(3, 6, 2, seed=1)
    torch.testing.assert_close(loss(x, y), torch.stack([loss(a, b) for a, b in zip(x, y, strict=True)]))


# --- structure loss


def test_structure_loss_equals_its_plain_transcription():
    x, z = minibatch(9, 3), minibatch(9, 2, seed=1)
    assert losses.structure_loss(x, z).item() == pytest.approx(structure_loss_in_numpy(x.numpy(), z.numpy()))


@given(angle=st.floats(0, 6.3), scale=st.floats(0.01, 100), shift=st.floats(-10, 10), mirrored=st.booleans())
def test_structure_loss_is_zero_under_similarity(angle: float, scale: float, shift: float, mirrored: bool):
    x = minibatch(8, 2)
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=x.dtype)
    z = scale * (x.flip(1) if mirrored else x) @ turn + shift
    assert losses.structure_loss(x, z).item() == pytest.approx(0, abs=1e-12)


def test_structure_loss_does_not_depend_on_the_order_of_the_minibatch():
    x, z = minibatch(9, 3), minibatch(9, 2, seed=1)
    order = torch.tensor([4, 2, 0, 8, 1, 3, 7, 6, 5])
    torch.testing.assert_close(losses.structure_loss(x[order], z[order]), losses.structure_loss(x, z))


def test_structure_loss_is_positive_where_a_distance_is_distorted():
    x = minibatch(8, 2)
    assert losses.structure_loss(x, x * torch.tensor([1.0, 3.0])).item() > 0.01


def test_structure_loss_of_equal_codes_is_finite_and_so_is_its_gradient():
    z = torch.full((4, 2), 0.3, requires_grad=True)
    loss = losses.structure_loss(torch.rand(4, 2, generator=torch.Generator().manual_seed(0)), z)
    loss.backward()
    assert torch.isfinite(loss)
    assert z.grad is not None and torch.isfinite(z.grad).all()


def test_the_structure_loss_stays_in_single_precision_where_the_rest_is_mixed():
    x, z = minibatch(16, 3).float(), minibatch(16, 2, seed=1).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = losses.structure_loss(x, z)
    mixed.backward()
    single = z.detach().float().requires_grad_()
    exact = losses.structure_loss(x, single)
    exact.backward()
    assert torch.equal(mixed, exact) and z.grad is not None and single.grad is not None
    assert torch.equal(z.grad, single.grad.bfloat16())


def test_the_gradient_of_the_structure_loss_is_the_one_that_finite_differences_find():
    x, z = minibatch(6, 3).requires_grad_(), minibatch(6, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(losses.structure_loss, (x, z))
    members = minibatch(3, 5, 2).requires_grad_(), minibatch(3, 5, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(losses.structure_loss, members)


# --- balance


@given(difference=st.floats(-1, 1), slope=st.floats(0.1, 30))
def test_balance_lies_between_zero_and_one_and_is_fair_at_zero(difference: float, slope: float):
    d = torch.tensor(difference, dtype=torch.float64)
    assert 0 < losses.balance(d, slope) < 1
    assert losses.balance(d, slope) + losses.balance(-d, slope) == pytest.approx(1)
    assert losses.balance(torch.zeros(()), slope) == 0.5


# --- interpolation


@given(x=stimuli)
def test_interpolation_reproduces_both_ends_of_every_pair(x: np.ndarray):
    z = torch.from_numpy(x)
    b = len(z)
    first = losses.mix_pairs(z, torch.ones(b, 1, dtype=z.dtype))
    second = losses.mix_pairs(z, torch.zeros(b, 1, dtype=z.dtype))
    half = b // 2
    torch.testing.assert_close(first[:half], z[:half])
    torch.testing.assert_close(first[half : 2 * half], z[:half].flip(0))
    torch.testing.assert_close(second[:half], z[half : 2 * half])
    torch.testing.assert_close(second[half : 2 * half], z[half : 2 * half])


@pytest.mark.parametrize("b", [4, 8, 128])
def test_a_minibatch_of_b_codes_gives_b_distinct_pairs(b: int):
    z = torch.arange(b, dtype=torch.float64)[:, None]
    first = losses.mix_pairs(z, torch.ones(b, 1, dtype=z.dtype)).flatten().tolist()
    second = losses.mix_pairs(z, torch.zeros(b, 1, dtype=z.dtype)).flatten().tolist()
    pairs = {frozenset(pair) for pair in zip(first, second, strict=True)}
    assert len(pairs) == b and all(len(pair) == 2 for pair in pairs)


def test_the_odd_code_out_meets_the_first_one():
    z = torch.arange(5, dtype=torch.float64)[:, None]
    mixed = losses.mix_pairs(z, torch.full((5, 1), 0.5, dtype=z.dtype))
    assert mixed.flatten().tolist() == [1.0, 2.0, 1.5, 1.5, 2.0]


def test_mixing_the_minibatch_with_one_hot_weights_picks_codes_and_with_equal_weights_gives_their_mean():
    z = minibatch(4, 2)
    torch.testing.assert_close(losses.mix_minibatch(z, torch.eye(4, dtype=z.dtype).flip(0)), z.flip(0))
    equal = torch.full((4, 4), 0.25, dtype=z.dtype)
    torch.testing.assert_close(losses.mix_minibatch(z, equal), z.mean(0).expand(4, 2))


# --- rules


@given(real=scalars, reconstruction=scalars, interpolation=scalars, slope=st.floats(1, 30))
def test_the_published_rule_equals_its_plain_transcription(real, reconstruction, interpolation, slope):
    discriminator, generator, terms, *_ = losses.published_rule(
        real, reconstruction, interpolation, slope=slope, attached=True
    )
    expected = published_rule_in_numpy(float(real), float(reconstruction), float(interpolation), slope)
    for name, value in {"L_D": discriminator, "L_G": generator, **terms}.items():
        assert float(value) == pytest.approx(expected[name]), name


@given(real=st.floats(0.001, 0.3), reconstruction=st.floats(0.001, 0.3), interpolation=st.floats(0.001, 0.3))
def test_the_published_rules_gradients_are_the_effective_coefficients(real, reconstruction, interpolation):
    b = 20.0
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (real, reconstruction, interpolation)]
    l_x, l_g, l_i = leaves
    discriminator, generator, terms, *_ = losses.published_rule(l_x, l_g, l_i, slope=b, attached=True)
    w_d, w_g = float(terms["w_D"].detach()), float(terms["w_G"].detach())
    bend = b * w_d * (1 - w_d) if w_d < 0.9 else 0.0
    fake, gap = (reconstruction + interpolation) / 2, interpolation - reconstruction
    of_discriminator = [1 + bend * fake, -w_d / 2, -w_d / 2 - bend * fake / 2]
    of_generator = [0, 1 - w_g - b * gap * w_g * (1 - w_g), w_g + b * gap * w_g * (1 - w_g)]
    got = torch.autograd.grad(discriminator, leaves, retain_graph=True)
    np.testing.assert_allclose([float(g) for g in got], of_discriminator, rtol=1e-9, atol=1e-12)
    got = torch.autograd.grad(generator, leaves, allow_unused=True)
    np.testing.assert_allclose([0 if g is None else float(g) for g in got], of_generator, rtol=1e-9, atol=1e-12)


def test_detached_balances_carry_no_gradient():
    leaves = [torch.tensor(v, requires_grad=True) for v in (0.02, 0.05, 0.03)]
    discriminator, generator, terms, *_ = losses.published_rule(*leaves, slope=20.0, attached=False)
    w_d, w_g = terms["w_D"].detach(), terms["w_G"].detach()
    torch.testing.assert_close(
        torch.stack(torch.autograd.grad(discriminator, leaves)), torch.stack([w_d / w_d, -w_d / 2, -w_d / 2])
    )
    got = torch.autograd.grad(generator, leaves[1:])
    torch.testing.assert_close(torch.stack(got), torch.stack([1 - w_g, w_g]))


def test_the_rule_of_interpolations_alone_is_the_published_one_without_reconstructions():
    real, interpolation = torch.tensor(0.02), torch.tensor(0.1)
    discriminator, generator, terms, *_ = losses.interpolations_rule(real, interpolation, slope=20.0, attached=True)
    w = 1 / (1 + np.exp(-20 * (0.05 - 0.02)))
    assert float(terms["w_D"]) == pytest.approx(w)
    assert float(discriminator) == pytest.approx(0.02 - w * 0.1)
    assert generator is interpolation
    assert float(terms["pace_discriminator"]) == pytest.approx(1 / (1 + np.exp(-20 * (0.02 - 0.1))))


def test_the_rule_of_interpolations_alone_with_detached_balance_has_the_weight_as_coefficient():
    leaves = [torch.tensor(v, requires_grad=True) for v in (0.02, 0.1)]
    discriminator, _, terms, *_ = losses.interpolations_rule(*leaves, slope=20.0, attached=False)
    got = torch.autograd.grad(discriminator, leaves)
    assert [float(g) for g in got] == pytest.approx([1.0, -float(terms["w_D"].detach())])


@pytest.mark.parametrize(("interpolation", "capped"), [(0.01, 0.01), (0.5, 0.02)])
def test_the_capped_rule_counts_the_fake_up_to_the_real_error(interpolation: float, capped: float):
    real, reconstruction = torch.tensor(0.02, requires_grad=True), torch.tensor(0.03)
    discriminator, generator, terms, *_ = losses.capped_rule(
        real, reconstruction, torch.tensor(interpolation), slope=20.0
    )
    assert float(discriminator.detach()) == pytest.approx(0.02 + 0.03 - capped)
    assert float(generator) == pytest.approx(capped)
    assert torch.autograd.grad(discriminator, real)[0] == 1
    pace = 1 / (1 + np.exp(-20 * (0.02 - (0.03 + interpolation) / 2)))
    assert float(terms["pace_discriminator"].detach()) == pytest.approx(pace)


@given(errors=st.tuples(*[st.floats(0.001, 0.3)] * 3), slope=st.floats(1, 30))
@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize("rule", [losses.published_rule, losses.interpolations_rule, losses.capped_rule])
def test_the_slopes_of_every_rule_are_the_derivatives_of_its_losses(rule, attached: bool, errors, slope: float):
    assume(errors[0] != errors[2])  # where the cap begins, its loss has a corner
    taken = errors[::2] if rule is losses.interpolations_rule else errors
    leaves = [torch.tensor(e, dtype=torch.float64, requires_grad=True) for e in taken]
    how = {} if rule is losses.capped_rule else {"attached": attached}
    played = rule(*leaves, slope=slope, **how)
    for loss, slopes in ((played.discriminator, played.by_discriminator), (played.generator, played.by_generator)):
        wanted = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        for got, expected in zip(slopes, wanted, strict=True):
            assert float(got.detach()) == pytest.approx(0 if expected is None else float(expected), abs=1e-9)
