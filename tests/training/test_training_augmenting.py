"""Augmentation: pictures mirrored, moved, turned and lit as was drawn, from the training's generator."""

import inspect
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

import gaia_explore as ge
from gaia_explore.models import AEConfig, GAIAConfig, Share
from gaia_explore.networks import Convolutional, FullyConnected
from gaia_explore.training import Augmentation, fit
from gaia_explore.training.augmenting import NUMBERS

SHAPE = (12, 8, 3)
PICTURES = ndimage.gaussian_filter(np.random.default_rng(0).random((40, *SHAPE)), (0, 1, 1, 0)).astype(np.float32)
X = torch.from_numpy(PICTURES.reshape(40, -1))
CONFIG = AEConfig(network=FullyConnected(hidden_units=8, hidden_layers=1))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def varied(augmentation: Augmentation) -> np.ndarray:
    return augmentation.preview(PICTURES, seed=1)


def drawn() -> np.ndarray:
    """The numbers of each picture: mirror in [0, 1), the others in [−1, 1)."""
    numbers = torch.empty(40, NUMBERS).uniform_(generator=seeded()).numpy()
    return np.concatenate([numbers[:, :1], 2 * numbers[:, 1:] - 1], 1)


def fitted(**options: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    given: dict[str, Any] = {"config": CONFIG, "x": (PICTURES * 255).astype(np.uint8), "steps": 12, "batch_size": 8}
    return fit(**(given | {"seed": 1, "progress": False} | options))


def test_without_variations_pictures_stay_as_they_are():
    assert torch.equal(Augmentation()(X, SHAPE, seeded()), X)


def test_a_preview_shows_what_a_training_sees_and_leaves_the_stimuli_alone():
    augmentation = Augmentation(mirror=True, turn=20.0)
    before = PICTURES.copy()
    shown = augmentation.preview(PICTURES, seed=1).reshape(X.shape)
    assert torch.equal(torch.from_numpy(shown), augmentation(X, SHAPE, seeded()))
    np.testing.assert_array_equal(PICTURES, before)


def test_half_of_the_pictures_are_mirrored_exactly():
    found, mirrored = varied(Augmentation(mirror=True)), drawn()[:, 0] < 0.5
    np.testing.assert_array_equal(found, np.where(mirrored[:, None, None, None], PICTURES[:, :, ::-1], PICTURES))
    assert 10 < mirrored.sum() < 30


def test_pictures_are_shifted_by_whole_pixels_and_filled_with_their_edge():
    found = varied(Augmentation(shift=0.25))
    seen: set[tuple[int, int]] = set()
    for picture, moved, numbers in zip(PICTURES, found, drawn(), strict=True):
        down, right = (int(np.round(0.25 * side * n)) for side, n in zip((12, 8), numbers[1:3], strict=True))
        wide = np.pad(picture, ((3, 3), (2, 2), (0, 0)), mode="edge")
        np.testing.assert_allclose(moved, wide[3 - down : 15 - down, 2 - right : 10 - right], atol=1e-5)
        seen.add((down, right))
    assert {down for down, _ in seen} == set(range(-3, 4)) and {right for _, right in seen} == set(range(-2, 3))


def test_pictures_are_turned_zoomed_and_shifted_as_scipy_does_it():
    found = varied(Augmentation(shift=0.1, zoom=0.3, turn=30.0))
    centre = np.array([5.5, 3.5])
    for i, numbers in enumerate(drawn()):
        shift = np.round(0.1 * np.array([12, 8]) * numbers[1:3])
        angle, factor = math.radians(30) * float(numbers[4]), 1.3 ** float(numbers[3])
        # Of rows and columns, from where a pixel lies to where it comes from.
        matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / factor
        offset = centre - matrix @ (centre + shift)
        for c in range(3):
            expected = ndimage.affine_transform(PICTURES[i, ..., c], matrix, offset, order=1, mode="nearest")
            np.testing.assert_allclose(found[i, ..., c], expected, atol=1e-4)


def test_contrast_and_brightness_move_all_values_and_stay_in_range():
    found, numbers = varied(Augmentation(contrast=0.5, brightness=0.4)), drawn()
    mean = PICTURES.mean((1, 2, 3), keepdims=True)
    stretched = mean + (PICTURES - mean) * (1 + 0.5 * numbers[:, 6, None, None, None])
    expected = stretched + 0.4 * numbers[:, 5, None, None, None]
    np.testing.assert_allclose(found, expected.clip(0, 1), atol=1e-5)
    assert found.min() == 0 and (expected < 0).any()


def test_each_member_is_varied_as_if_it_were_alone():
    augmentation = Augmentation(mirror=True, shift=0.2, turn=10.0)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    found = augmentation(X.view(2, 20, -1), SHAPE, generators)
    for seed in range(2):
        alone = augmentation(X.view(2, 20, -1)[seed], SHAPE, torch.Generator().manual_seed(seed))
        assert torch.equal(found[seed], alone)


def test_processes_vary_their_shares_as_one_would_vary_all():
    augmentation = Augmentation(mirror=True, zoom=0.2, brightness=0.1)
    whole = augmentation(X, SHAPE, seeded())
    for rank in range(2):
        share = Share(seeded(), 40, rank, 2)
        assert torch.equal(augmentation(X[share.rows], SHAPE, share), whole[share.rows])


# --- in a training


@pytest.mark.parametrize("stream", [False, True])
def test_a_varied_training_is_resumed_bit_for_bit(stream: bool, tmp_path: Path):
    options: dict[str, Any] = {"augmentation": Augmentation(mirror=True, turn=5.0), "stream": stream}
    options["config"] = GAIAConfig(network=Convolutional(filters=(4, 8), hidden_units=8), schedule="constant")
    whole, description = fitted(**options)
    fitted(**options, steps=5, checkpoint=tmp_path / "run")
    resumed, _ = fitted(**options, checkpoint=tmp_path / "run")
    for name, tensor in whole.items():
        assert torch.equal(resumed[name], tensor), name
    assert description["augmentation"] == options["augmentation"].to_dict()
    plain, _ = fitted(**(options | {"augmentation": None}))
    assert not torch.equal(plain["history"], whole["history"])


def test_a_run_is_not_continued_with_another_augmentation(tmp_path: Path):
    fitted(checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match=r"^resume: augmentation must be the run's own, None, got \{'mirror': True"):
        fitted(checkpoint=tmp_path / "run", augmentation=Augmentation(mirror=True))


def test_held_out_pictures_are_not_varied():
    # Nothing is learned here, so that what is seen of held-out pictures can only differ if they were varied.
    options: dict[str, Any] = {"config": AEConfig(network=CONFIG.network, learning_rate=1e-30), "evaluate_every": 12}
    errors = [
        fitted(**options, held_out=PICTURES, augmentation=augmentation)[1]["held_out_error"]
        for augmentation in (None, Augmentation(mirror=True, brightness=0.5))
    ]
    assert errors[0] == errors[1] != {}


def test_mirrored_models_know_no_left_and_right():
    # Faces that look to the left only: one that was varied reproduces their mirror images as well.
    pictures = np.zeros((64, 8, 8, 1), np.float32)
    pictures[:, :, :3] = np.random.default_rng(0).random((64, 1, 1, 1))
    stimuli = ge.Stimuli.from_array((255 * pictures).astype(np.uint8))
    mirrored = pictures[:, :, ::-1]
    errors: list[float] = []
    config = AEConfig(latent_dim=4, network=FullyConnected(hidden_units=32, hidden_layers=2))
    for augmentation in (None, ge.Augmentation(mirror=True)):
        run = ge.train(config, stimuli, steps=300, batch_size=32, progress=False, augmentation=augmentation)
        errors.append(float(np.abs(run.codec.decode(run.codec.encode(mirrored)) - mirrored).mean()))
    assert errors[1] < 0.5 * errors[0]


def test_many_are_varied_alike():
    stimuli = ge.Stimuli.from_array((255 * PICTURES).astype(np.uint8))
    options: dict[str, Any] = {"steps": 10, "batch_size": 8, "progress": False}
    options["augmentation"] = ge.Augmentation(mirror=True, contrast=0.2)
    runs = ge.train_many(CONFIG, stimuli, [0, 1], **options)
    for seed, run in enumerate(runs):
        alone = ge.train(CONFIG, stimuli, seed=seed, **options)
        np.testing.assert_allclose(run.history, alone.history, atol=1e-6)


# --- what cannot be


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"mirror": 1}, TypeError, "mirror must be True or False, got 1"),
        ({"shift": 1.0}, ValueError, "shift must be at least 0 and below 1, got 1.0"),
        ({"zoom": -0.1}, ValueError, "zoom must be at least 0, got -0.1"),
        ({"turn": 181.0}, ValueError, "turn must be at most 180, got 181.0"),
        ({"brightness": "much"}, TypeError, "brightness must be a number, got 'much'"),
        ({"contrast": 1.5}, ValueError, "contrast must be at most 1, got 1.5"),
    ],
)
def test_wrong_variations_are_refused(fields: dict[str, Any], error: type[Exception], message: str):
    # Past the type checks of the tests.
    augmentation = object.__new__(Augmentation)
    for name, value in (Augmentation().to_dict() | fields).items():
        object.__setattr__(augmentation, name, value)
    with pytest.raises(error, match=f"^{message}$"):
        augmentation.__post_init__()


def test_points_and_words_are_not_varied():
    with pytest.raises(
        ValueError, match=r"^augmentation must be None for stimuli that are no pictures, shape \(h, w, c\)"
    ):
        ge.train(CONFIG, ge.stimuli.moons(n=64), augmentation=ge.Augmentation(mirror=True))
    with pytest.raises(TypeError, match=r"^augmentation must be an Augmentation or None, got 'mirror'$"):
        inspect.unwrap(ge.train)(CONFIG, ge.stimuli.moons(n=64), augmentation="mirror")
