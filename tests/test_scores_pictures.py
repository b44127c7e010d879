"""Scores on pictures: planted blur and cross-fades are told, copies are not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from gaia_explore.latent import Codec
from gaia_explore.scores import nearest_distances, pictures, told_apart
from gaia_explore.stimuli import faces

FACES = faces(size=16, part="balanced")
SHUFFLED = FACES.x[np.random.default_rng(1).permutation(1000)]
SMALL = (8, 8, 3)


class PixelCodec:
    """Codes are the pixels, so that interpolations are cross-fades; what is decoded is blurred, if at all."""

    def __init__(self, blur: float = 0.0):
        self.blur = blur

    def encode(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1)

    def decode(self, z: np.ndarray) -> np.ndarray:
        return gaussian_filter(z.reshape(-1, 16, 16, 3), (0, self.blur, self.blur, 0))


class DistantJudge(PixelCodec):
    """Finds a picture as bad as it is far from those of one half, whatever the mean."""

    def realism(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x - SHUFFLED[500:].mean(axis=0)).mean(axis=(1, 2, 3))


def values(codec: Codec, **options) -> dict[tuple[str, str], float]:
    table = pictures(codec, SHUFFLED[:400], SHUFFLED[400:], **options)
    low, value, high = table[["low", "value", "high"]].to_numpy().T
    assert (low <= value).all() and (value <= high).all()
    return dict(zip(zip(table["shown"], table["score"], strict=True), value.tolist(), strict=True))


def told(real: np.ndarray, decoded: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    series = told_apart(real, decoded, seed=seed)
    return dict(zip(series.index, series.to_numpy().tolist(), strict=True))


# The classifier


def test_real_pictures_are_not_told_from_other_real_ones():
    found = told(SHUFFLED[:500], SHUFFLED[500:])
    assert found["low"] < 0.5 < found["high"]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_shuffled_copy_is_not_told(seed: int):
    found = told(SHUFFLED[:300], SHUFFLED[:300][::-1], seed=seed)
    assert found["low"] < 0.5 < found["high"] or found["accuracy"] < 0.5


@pytest.mark.parametrize("how", ["cross-fades", "blur", "colour"])
def test_what_is_made_from_pictures_is_told_from_them(how: str):
    real, first, second = SHUFFLED[:900].reshape(3, 300, 16, 16, 3)
    made = {
        "cross-fades": (first + second) / 2,
        "blur": gaussian_filter(first, (0, 0.5, 0.5, 0)),
        "colour": first * np.array([1, 1, 0.7], np.float32),
    }
    assert told(real, made[how])["low"] > 0.9


def test_faint_changes_are_told_less_often_than_strong_ones():
    real, first, second = SHUFFLED[:900].reshape(3, 300, 16, 16, 3)
    faint, strong = (told(real, (1 - t) * first + t * second)["accuracy"] for t in (0.02, 0.5))
    assert 0.45 < faint < strong


def test_the_interval_is_wilsons():
    found = told(SHUFFLED[:500], SHUFFLED[500:])
    p, n, z = found["accuracy"], 500, 1.959964
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    assert found["low"] == pytest.approx(middle - half, abs=1e-6)
    assert found["high"] == pytest.approx(middle + half, abs=1e-6)


def test_many_fakes_do_not_drown_few_real_pictures():
    found = told(SHUFFLED[:60], SHUFFLED[60:])
    assert found["low"] < 0.5 < found["high"]
    assert found["high"] - found["low"] > 0.2  # by 30 of each, as if there were no more


# Nearest pictures


def test_nearest_distances_are_the_smallest_of_all_mean_absolute_differences():
    points, train = SHUFFLED[:20], SHUFFLED[20:70]
    oracle = cdist(points.reshape(20, -1), train.reshape(50, -1), "cityblock").min(axis=1) / (16 * 16 * 3)
    np.testing.assert_allclose(nearest_distances(points, train), oracle, rtol=1e-5)


# The table


def test_a_codec_that_keeps_every_pixel_gives_reconstructions_as_real_as_pictures_and_cross_fades_that_are_not():
    got = values(PixelCodec(), judge=DistantJudge())
    assert got["reconstructions", "pixel_error"] == 0
    assert got["reconstructions", "told_apart"] < 0.6
    assert got["reconstructions", "nearest_ratio"] == pytest.approx(1, abs=0.1)
    assert got["reconstructions", "realism_ratio"] == pytest.approx(1, abs=0.1)
    assert got["interpolations", "told_apart"] > 0.8
    assert got["interpolations", "told_from_reconstructions"] > 0.8
    assert got["interpolations", "realism_ratio"] < 0.9  # nearer the mean


def test_blur_is_told_in_both_kinds_and_is_not_counted_against_interpolations_alone():
    got = values(PixelCodec(blur=1.0), t=0.0)
    assert got["reconstructions", "told_apart"] > 0.95
    assert got["interpolations", "told_apart"] > 0.95
    assert got["interpolations", "told_from_reconstructions"] < 0.6
    assert got["reconstructions", "pixel_error"] > 0.01


def test_at_an_end_an_interpolation_is_the_reconstruction():
    got = values(PixelCodec(), t=0.0)
    assert got["interpolations", "told_apart"] == got["reconstructions", "told_apart"]
    assert got["interpolations", "nearest_ratio"] == got["reconstructions", "nearest_ratio"]
    assert not any(score == "realism_ratio" for _, score in got)


def test_pixel_error_and_its_interval_are_those_of_the_pictures_shown():
    held_out = FACES.subset(range(400, 1000))
    first = pictures(PixelCodec(blur=1.0), FACES.subset(range(400)), held_out).iloc[0]
    assert (first["shown"], first["score"]) == ("reconstructions", "pixel_error")
    errors = np.abs(held_out.x - PixelCodec(blur=1.0).decode(held_out.x)).mean(axis=(1, 2, 3))
    # Of a third of them; a bootstrap's interval is about as wide as the normal one.
    assert first["value"] == pytest.approx(errors.mean(), abs=4 * errors.std() / np.sqrt(200))
    assert first["high"] - first["low"] == pytest.approx(2 * 1.96 * errors.std() / np.sqrt(200), rel=0.2)


def test_one_seed_gives_one_table_and_another_other_pairs():
    first, again, other = (values(PixelCodec(), n_max=50, seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_fewer_pictures_may_be_looked_at():
    table = pictures(PixelCodec(), SHUFFLED[:400], SHUFFLED[400:], n_max=20)
    low, high = table.loc[table["score"] == "told_apart", ["low", "high"]].to_numpy().T
    assert (high - low > 0.15).all()


# Errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"t": 1.5}, "t must be at least 0 and at most 1, got 1.5"),
        ({"n_max": 9}, "n_max must be at least 10, got 9"),
        ({"held_out": FACES.x[:29]}, "held_out must hold at least 30 pictures, got 29"),
        ({}, "held_out must be pictures that are not in train, got none but those"),
    ],
)
def test_arguments_out_of_range_are_named(options: dict, message: str):
    arguments = {"held_out": FACES, **options}
    with pytest.raises(ValueError) as error:
        pictures(PixelCodec(), FACES, **arguments)
    assert str(error.value) == message


def test_a_judge_must_judge():
    with pytest.raises(TypeError, match=r"judge must tell realism, as the codec of a GAIA does, got <.*PixelCodec"):
        pictures(PixelCodec(), FACES, FACES, judge=PixelCodec())


def test_sets_that_cannot_be_compared_are_named():
    few, small = FACES.x[:9], np.zeros((20, *SMALL), np.float32)
    with pytest.raises(ValueError, match="real must hold at least 10 points, got 9"):
        told_apart(few, FACES.x)
    with pytest.raises(ValueError) as error:
        told_apart(FACES.x, small)
    rule = "pictures of at least 16 pixels a side, shape (n, h, w, c)"
    assert str(error.value) == f"decoded must hold {rule}, got (20, 8, 8, 3)"
    with pytest.raises(ValueError, match=r"decoded must be pictures of \(16, 16, 3\) as real, got \(16, 18, 3\)"):
        told_apart(FACES.x, np.zeros((20, 16, 18, 3), np.float32))
    with pytest.raises(ValueError, match="points must have the 768 dimensions of train, got 192"):
        nearest_distances(small, FACES.x)
