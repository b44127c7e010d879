"""Codecs, interpolations, morphs."""

from typing import Any

import numpy as np
import pytest
import torch

from gaia_explore.latent import (
    MINIBATCH,
    Codec,
    Identified,
    Judge,
    JudgingCodec,
    Magnifier,
    ModelCodec,
    Perceiver,
    PlainCodec,
    Reproducer,
    Trainable,
    codec_of,
    interpolate,
    morph,
    tour,
    training_panel,
)
from gaia_explore.models import AE, AEConfig, GAIAConfig, VAEConfig
from gaia_explore.networks import Convolutional, FullyConnected, InitialWeights, StyleContent
from gaia_explore.networks.fully_connected import MultilayerPerceptron
from gaia_explore.training.player import Player

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=8, hidden_layers=2)}


def codec(config: AEConfig | VAEConfig | GAIAConfig, shape: tuple[int, ...] = (2,)) -> ModelCodec:
    model = config.build(shape, torch.Generator().manual_seed(0))
    return codec_of(model.requires_grad_(False).eval(), shape)


def stimuli(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).random((n, *shape), dtype=np.float32)


@pytest.mark.parametrize("config", [AEConfig(**SMALL), VAEConfig(**SMALL), GAIAConfig(**SMALL)])
def test_a_codec_maps_stimuli_of_any_shape_to_codes_and_back_as_its_model_does(config):
    x = stimuli(7, 3, 4)
    ours = codec(config, (3, 4))
    z = ours.encode(x)
    assert isinstance(ours, Codec) and isinstance(ours, Magnifier)
    assert z.shape == (7, 2) and z.dtype == np.float32
    torch.testing.assert_close(torch.from_numpy(z), ours.model.encode(torch.from_numpy(x.reshape(7, 12))))
    assert ours.decode(z).shape == (7, 3, 4)
    expected = ours.model.decode(torch.from_numpy(z)).reshape(7, 3, 4)
    torch.testing.assert_close(torch.from_numpy(ours.decode(z)), expected)


def test_many_stimuli_pass_in_minibatches_in_their_order():
    ours = codec(AEConfig(**SMALL))
    x = stimuli(MINIBATCH + 3, 2)
    np.testing.assert_allclose(ours.encode(x)[-3:], ours.encode(x[-3:]), rtol=1e-5, atol=1e-6)
    assert len(ours.encode(x)) == MINIBATCH + 3


def test_bytes_are_scaled_as_a_pack_scales_them():
    ours = codec(GAIAConfig(**SMALL), (2, 3))
    packed = np.random.default_rng(1).integers(256, size=(MINIBATCH + 2, 2, 3), dtype=np.uint8)
    np.testing.assert_array_equal(ours.encode(packed), ours.encode(packed.astype(np.float32) / 255))
    assert isinstance(ours, JudgingCodec)
    np.testing.assert_array_equal(ours.realism(packed), ours.realism(packed.astype(np.float32) / 255))


def test_only_a_gaias_codec_judges():
    judging, plain = codec(GAIAConfig(**SMALL)), codec(AEConfig(**SMALL))
    assert isinstance(judging, JudgingCodec) and isinstance(judging, Judge)
    assert isinstance(plain, PlainCodec) and not isinstance(plain, Judge)
    x = stimuli(5, 2)
    judged = judging.model.discriminator(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(judging.realism(x), np.abs(x - judged).mean(1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(2,), (3, 4)])
def test_realism_is_the_distance_of_a_stimulus_from_its_reproduction(shape):
    judging = codec(GAIAConfig(**SMALL), shape)
    assert isinstance(judging, JudgingCodec) and isinstance(judging, Reproducer)
    x = stimuli(5, *shape)
    assert judging.reproduce(x).shape == x.shape
    distance = np.abs(x - judging.reproduce(x)).reshape(5, -1).mean(1)
    np.testing.assert_allclose(judging.realism(x), distance, rtol=1e-5)
    assert not isinstance(codec(AEConfig(**SMALL)), Reproducer)


@pytest.mark.parametrize(
    ("network", "n_features"),
    [
        (FullyConnected(hidden_units=8, hidden_layers=2), 5),
        (Convolutional(filters=(2, 3), hidden_units=8), 5),
        (StyleContent(filters=4, residual_blocks=1, style_dim=3), 8 * 8 * 8 + 3),
    ],
)
def test_features_are_the_discriminators_own_code_from_which_it_reproduces(network: Any, n_features: int):
    config = GAIAConfig(network=network, latent_dim=5)
    judging, x = codec(config, (32, 32, 1)), stimuli(3, 32, 32, 1)
    assert isinstance(judging, JudgingCodec) and isinstance(judging, Perceiver)
    features, discriminator = torch.from_numpy(judging.features(x)), judging.model.discriminator
    assert features.shape == (3, n_features) and features.dtype == torch.float32
    if isinstance(network, StyleContent):
        content, style = features.split([8 * 8 * 8, 3], 1)
        again = discriminator.get_submodule("renderer")(content.reshape(3, 8, 8, 8), style)
    else:
        again = discriminator.get_submodule("decoder")(features)
    torch.testing.assert_close(again.reshape(3, 32, 32, 1), torch.from_numpy(judging.reproduce(x)))
    assert not isinstance(codec(AEConfig(**SMALL)), Perceiver)


def test_a_snapshot_stays_as_it_was_while_its_model_trains_on():
    x = stimuli(64, 2)
    model = GAIAConfig(**SMALL).build((2,), torch.Generator().manual_seed(0))
    trained = codec_of(model, (2,))
    snapshot = trained.snapshot()
    assert isinstance(snapshot, JudgingCodec) and isinstance(trained, Trainable)
    assert not snapshot.model.training and not any(p.requires_grad for p in snapshot.model.parameters())
    assert model.training and all(p.requires_grad for p in model.parameters())
    before = snapshot.encode(x), snapshot.realism(x), snapshot.fingerprint
    assert before[2] == trained.fingerprint
    adam = torch.optim.Adam(model.parameters(), lr=0.1)
    round_ = model.play(torch.from_numpy(x), torch.Generator().manual_seed(1))
    torch.stack([objective.loss for objective in round_.objectives.values()]).sum().backward()
    adam.step()
    np.testing.assert_array_equal(snapshot.encode(x), before[0])
    np.testing.assert_array_equal(snapshot.realism(x), before[1])
    assert snapshot.fingerprint == before[2] != trained.fingerprint
    assert not np.allclose(trained.encode(x), before[0])


def test_a_snapshot_of_a_running_training_shares_no_memory_with_its_weights():
    model = AEConfig(**SMALL).build((2,), torch.Generator().manual_seed(0))
    player = Player(model.players()["autoencoder"], 0.1)
    snapshot = codec_of(model, (2,)).snapshot()
    before = snapshot.fingerprint
    player.weights.data.add_(1.0)
    assert snapshot.fingerprint == before != codec_of(model, (2,)).fingerprint


def test_a_fingerprint_is_the_same_on_every_machine_and_knows_weights_config_and_shape():
    ours = codec(AEConfig(**SMALL))
    for p in ours.model.parameters():
        p.copy_(torch.arange(p.numel()).reshape(p.shape) / 8)
    assert isinstance(ours, Identified)
    assert ours.fingerprint == "94a9d91e7ec4514b7e1f543af3af12bc9e21d3c80da99cf02277c1d88c662a7e"
    others = {ours.fingerprint, codec(AEConfig(**SMALL)).fingerprint, codec(VAEConfig(**SMALL)).fingerprint}
    others |= {codec(AEConfig(**SMALL), shape).fingerprint for shape in ((4,), (2, 2))}
    assert len(others) == 5
    next(ours.model.parameters()).view(-1)[3] += 1e-6
    assert ours.fingerprint not in others


def test_a_training_panel_is_made_of_codes_decoded_judged_and_halfway_to_the_next():
    judging, x = codec(GAIAConfig(**SMALL), (3, 4)), stimuli(4, 3, 4)
    assert isinstance(judging, JudgingCodec)
    rows = training_panel(judging, x)
    assert list(rows) == ["X", "D(X)", "D(G(X))", "G(X)", "G(z_i)", "D(G(z_i))", "mean"]
    z = judging.encode(x)
    np.testing.assert_array_equal(rows["X"], x)
    np.testing.assert_array_equal(rows["D(G(X))"], judging.reproduce(judging.decode(z)))
    np.testing.assert_allclose(rows["G(z_i)"][:1], judging.decode((z[:1] + z[1:2]) / 2), rtol=1e-5)
    np.testing.assert_allclose(rows["mean"][-1], (x[-1] + x[0]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(rows["D(G(z_i))"], judging.reproduce(rows["G(z_i)"]))


def test_a_training_panel_takes_bytes_and_has_no_rows_of_a_discriminator_that_there_is_not():
    packed = np.random.default_rng(1).integers(256, size=(3, 2), dtype=np.uint8)
    rows = training_panel(codec(AEConfig(**SMALL)), packed)
    assert list(rows) == ["X", "G(X)", "G(z_i)", "mean"]
    np.testing.assert_allclose(rows["X"], packed / 255, rtol=1e-6)
    np.testing.assert_allclose(rows["mean"][0], packed[:2].mean(0) / 255, rtol=1e-6)


def test_magnification_is_the_determinant_of_the_decoders_jacobian_by_finite_differences():
    ours = codec(AEConfig(**SMALL))
    z = stimuli(6, 2)
    h = 1e-2
    columns = [(ours.decode(z + h * e) - ours.decode(z - h * e)).astype(float) / (2 * h) for e in np.eye(2, dtype="f4")]
    determinants = np.abs(np.linalg.det(np.stack(columns, -1)))
    # A kink of a leaky ReLU may lie between the two differences; most codes have none.
    close = np.isclose(ours.magnification(z), determinants, rtol=0.02)
    assert close.mean() >= 0.5


def test_magnification_of_a_linear_decoder_is_its_singular_values_product_where_x_has_more_dimensions():
    ours = codec(AEConfig(**SMALL), (5,))
    linear = MultilayerPerceptron((2, 5), InitialWeights(torch.Generator().manual_seed(3), "glorot"))
    assert isinstance(ours.model, AE)
    ours.model.autoencoder.decoder = linear.requires_grad_(False)
    weight = linear.get_parameter("layers.0.weight").numpy()
    expected = np.sqrt(np.linalg.det(weight @ weight.T))
    np.testing.assert_allclose(ours.magnification(stimuli(4, 2)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("method", "array", "message"),
    [
        ("encode", np.zeros((3, 5), np.float32), r"x must have shape \(n, 2\), got \(3, 5\)"),
        ("decode", np.zeros((3, 5), np.float32), r"z must have shape \(n, 2\), got \(3, 5\)"),
        ("magnification", np.zeros((3, 1), np.float32), r"z must have shape \(n, 2\), got \(3, 1\)"),
        ("realism", np.zeros((3, 1), np.float32), r"x must have shape \(n, 2\), got \(3, 1\)"),
        ("features", np.zeros((3, 1), np.float32), r"x must have shape \(n, 2\), got \(3, 1\)"),
    ],
)
def test_arrays_of_the_wrong_shape_are_named(method: str, array: np.ndarray, message: str):
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(codec(GAIAConfig(**SMALL)), method)(array)


def test_interpolation_has_its_ends_exactly_and_equal_steps_between():
    a, b = np.array([0.1, -3.0], np.float32), np.array([0.7, 5.0], np.float32)
    path = interpolate(a, b, 5)
    assert np.array_equal(path[0], a) and np.array_equal(path[-1], b)
    np.testing.assert_allclose(np.diff(path, axis=0), np.tile((b - a) / 4, (4, 1)), rtol=1e-6)


def test_a_morph_is_the_decoded_interpolation():
    ours = codec(AEConfig(**SMALL))
    z = stimuli(2, 2)
    np.testing.assert_array_equal(morph(ours, z[0], z[1], n_steps=7), ours.decode(interpolate(z[0], z[1], 7)))
    assert morph(ours, z[0], z[1]).shape == (10, 2)


def test_an_interpolation_needs_two_steps_and_two_codes_of_one_length():
    with pytest.raises(ValueError, match=r"n_steps must be at least 2, got 1"):
        interpolate(np.zeros(2), np.ones(2), 1)
    with pytest.raises(ValueError, match=r"two codes of one length, got \(2,\) and \(3,\)"):
        interpolate(np.zeros(2), np.ones(3), 2)


def test_a_tour_joins_morphs_and_shows_each_anchor_once():
    ours = codec(AEConfig(**SMALL))
    anchors = np.random.default_rng(0).standard_normal((3, 2))
    shown = tour(ours, anchors, n_steps=4)
    expected = np.concatenate([morph(ours, *anchors[:2], n_steps=4), morph(ours, *anchors[1:], n_steps=4)[1:]])
    np.testing.assert_allclose(shown, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tour(ours, anchors[:2], n_steps=4), expected[:4], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(2,), (1, 2)])
def test_a_tour_needs_two_anchors(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"anchors must be at least 2 codes, \(n, d\), got shape \("):
        tour(codec(AEConfig(**SMALL)), np.zeros(shape))
