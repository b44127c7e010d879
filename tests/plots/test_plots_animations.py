"""Animations: that files hold the frames they were made of."""

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from gaia_explore.plots import animate


def colours(s: int, h: int = 6, w: int = 8) -> np.ndarray:
    """Frames of one colour each, which differ by far."""
    rgb = np.stack([np.linspace(0, 1, s), np.linspace(1, 0, s), np.full(s, 0.5)], axis=1)
    return np.broadcast_to(rgb[:, None, None], (s, h, w, 3)).astype(np.float32)


def frames_of(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Every frame of a file, (s, h, w, 3) in [0, 1]."""
    if path.suffix == ".gif":
        with Image.open(path) as file:
            frames = []
            for number in range(getattr(file, "n_frames", 1)):
                file.seek(number)
                frames.append(np.asarray(file.convert("RGB")))
        return np.stack(frames) / 255
    decode = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        str(path),
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    raw = subprocess.run(decode, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3) / 255


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_a_file_holds_the_frames_in_their_order_enlarged(suffix: str, tmp_path: Path):
    frames = colours(5)
    animation = animate(frames, tmp_path / f"new/morph{suffix}", scale=4)
    assert animation.size == (32, 24)
    found = frames_of(animation.path, animation.size)
    assert found.shape == (5, 24, 32, 3)
    np.testing.assert_allclose(found, frames.repeat(4, axis=1).repeat(4, axis=2), atol=0.03)


def test_a_gif_keeps_pixels_sharp_and_its_colours_from_flickering(tmp_path: Path):
    picture = np.zeros((4, 4, 3), np.float32)
    picture[1, 2] = [1.0, 0.2, 0.0]
    found = frames_of(animate(np.stack([picture] * 3), tmp_path / "a.gif", scale=3).path, (12, 12))
    expected = np.round(255 * picture.repeat(3, axis=0).repeat(3, axis=1)) / 255
    for frame in found:
        np.testing.assert_allclose(frame, expected, atol=1e-6)


def test_a_bounce_goes_back_without_showing_an_end_twice(tmp_path: Path):
    frames = colours(4)
    found = frames_of(animate(frames, tmp_path / "a.gif", scale=1, bounce=True).path, (8, 6))
    np.testing.assert_allclose(found, frames[[0, 1, 2, 3, 2, 1]], atol=0.01)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_the_same_frames_give_the_same_bytes(suffix: str, tmp_path: Path):
    rng = np.random.default_rng(0)
    frames = rng.random((6, 16, 16, 3))
    one, other = (animate(frames, tmp_path / f"{name}{suffix}").path for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one{suffix}", f"other{suffix}"]


def test_delays_are_those_asked_for_and_a_gif_goes_round(tmp_path: Path):
    with Image.open(animate(colours(3), tmp_path / "a.gif", frames_per_second=25).path) as file:
        assert file.info["duration"] == 40 and file.info["loop"] == 0


@pytest.mark.parametrize("shape", [(3, 6, 8), (3, 6, 8, 1)])
def test_grey_frames_are_grey_and_what_lies_beyond_is_clipped(shape: tuple[int, ...], tmp_path: Path):
    frames = np.full(shape, 1.5)
    frames[1:] = [[[0.5]], [[-1.0]]] if len(shape) == 3 else [[[[0.5]]], [[[-1.0]]]]
    found = frames_of(animate(frames, tmp_path / "a.gif", scale=1).path, (8, 6))
    np.testing.assert_allclose(found[:, 0, 0], [[1, 1, 1], [0.5, 0.5, 0.5], [0, 0, 0]], atol=0.01)


def test_odd_sides_become_even_for_an_mp4(tmp_path: Path):
    animation = animate(colours(2, 25, 25), tmp_path / "a.mp4", scale=1)
    assert animation.size == (25, 25)
    np.testing.assert_allclose(frames_of(animation.path, (26, 26))[0, 25, 25], [0, 1, 0.5], atol=0.03)


def test_a_notebook_carries_the_animation_along(tmp_path: Path):
    gif = animate(colours(3), tmp_path / "a.gif")._repr_html_()
    assert re.match(r'<img width="32" height="24" alt="animation" src="data:image/gif;base64,R0lGOD', gif)
    mp4 = animate(colours(3), tmp_path / "a.mp4")._repr_html_()
    assert re.match(r'<video width="32" height="24" controls autoplay loop muted src="data:video/mp4;base64,', mp4)


@pytest.mark.parametrize(
    ("frames", "name", "options", "rule"),
    [
        (colours(2), "a.webm", {}, r"path must end in .gif or .mp4, got .*a.webm"),
        (colours(2), "a.gif", {"scale": 0}, "scale must be at least 1, got 0"),
        (
            colours(2),
            "a.gif",
            {"frames_per_second": 60},
            "frames_per_second must be above 0 and at most 50 for a GIF, got 60",
        ),
        (colours(2), "a.mp4", {"frames_per_second": 0}, "frames_per_second must be above 0, got 0"),
        (np.zeros((2, 4)), "a.gif", {}, r"frames must hold pictures, .*, got shape \(2, 4\)"),
        (np.zeros((0, 4, 4)), "a.gif", {}, r"frames must hold pictures, .*, got shape \(0, 4, 4\)"),
        (np.full((2, 4, 4), np.nan), "a.gif", {}, "frames must be finite, got NaN or infinite pixels"),
    ],
)
def test_what_cannot_be_animated_is_refused_and_nothing_written(
    frames: np.ndarray, name: str, options: dict, rule: str, tmp_path: Path
):
    with pytest.raises(ValueError, match=rule):
        animate(frames, tmp_path / name, **options)
    assert not list(tmp_path.iterdir())
