"""Pictures that move: an animated GIF or an MP4 of frames."""

import math
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from gaia_explore.plots.mosaics import as_bytes, as_pictures
from gaia_explore.training import write_atomically

FASTEST_GIF = 50
"""Frames a second: browsers slow down what is faster."""


@final
@dataclass(frozen=True)
class Animation:
    """An animation in a file, which a notebook plays, and carries along.

    Attributes
    ----------
    path
        The file, a GIF or an MP4.
    size
        Its width and height in pixels.
    """

    path: Path
    size: tuple[int, int]

    def _repr_html_(self) -> str:
        width, height = self.size
        place = f'width="{width}" height="{height}"'
        content = b64encode(self.path.read_bytes()).decode()
        if self.path.suffix == ".gif":
            return f'<img {place} alt="animation" src="data:image/gif;base64,{content}">'
        return f'<video {place} controls autoplay loop muted src="data:video/mp4;base64,{content}"></video>'


def animate(
    frames: Shaped[np.ndarray, "s ..."],
    path: str | Path,
    *,
    frames_per_second: float | int = 20,
    scale: int = 4,
    bounce: bool = False,
) -> Animation:
    """Write frames as an animation that goes round and round; the same frames give the same bytes.

    Parameters
    ----------
    frames
        Pictures in [0, 1] or bytes, (s, h, w), (s, h, w, 1) or (s, h, w, 3); what lies beyond is clipped.
    path
        Its suffix decides: ``.gif``, with one palette of 256 colours for all frames, lest colours flicker, and delays
        in whole hundredths of a second; or ``.mp4`` (H.264), which is smaller and has all colours, but blurs the edges
        between them a little.
    scale
        Pixels of the animation for one of a frame, across and down: frames are enlarged in whole pixels.
    bounce
        Whether to play the frames backwards, too, from the last to the first.

    Raises
    ------
    ValueError
        For another suffix, for frames that are no pictures or not finite, and for numbers out of range.
    """
    path = Path(path)
    write = {".gif": _gif, ".mp4": _mp4}.get(path.suffix)
    if write is None:
        raise ValueError(f"path must end in .gif or .mp4, got {path}")
    if scale < 1:
        raise ValueError(f"scale must be at least 1, got {scale}")
    fastest = FASTEST_GIF if path.suffix == ".gif" else math.inf
    if not 0 < frames_per_second <= fastest:
        limit = f" and at most {fastest} for a GIF" if fastest < math.inf else ""
        raise ValueError(f"frames_per_second must be above 0{limit}, got {frames_per_second}")
    pictures = as_pictures(frames, "frames")
    if not np.isfinite(pictures).all():
        raise ValueError("frames must be finite, got NaN or infinite pixels")
    pictures = as_bytes(pictures)
    if bounce:
        pictures = np.concatenate([pictures, pictures[-2:0:-1]])
    write_atomically(path, write(pictures, scale, frames_per_second))
    _, height, width, _ = pictures.shape
    return Animation(path, (scale * width, scale * height))


def _gif(pictures: UInt8[np.ndarray, "s h w 3"], scale: int, frames_per_second: float | int) -> bytes:
    s, h, w, _ = pictures.shape
    # All frames in one column, so that all share the palette that suits them together.
    column = Image.fromarray(np.ascontiguousarray(pictures.reshape(s * h, w, 3)))
    column = column.quantize(256, dither=Image.Dither.NONE)
    palette = column.getpalette()
    assert palette is not None
    images = []
    for numbers in np.asarray(column).reshape(s, h, w):
        image = Image.fromarray(numbers.repeat(scale, axis=0).repeat(scale, axis=1))
        image.putpalette(palette)
        images.append(image)
    content = BytesIO()
    delay = 10 * max(1, round(100 / frames_per_second))
    images[0].save(
        content, "GIF", save_all=True, append_images=images[1:], duration=delay, loop=0, disposal=1, optimize=False
    )
    return content.getvalue()


def _mp4(pictures: UInt8[np.ndarray, "s h w 3"], scale: int, frames_per_second: float | int) -> bytes:
    import imageio.v3 as imageio

    large = pictures.repeat(scale, axis=1).repeat(scale, axis=2)
    # H.264 halves the resolution of colours, and so wants even sides.
    large = np.pad(large, ((0, 0), (0, large.shape[1] % 2), (0, large.shape[2] % 2), (0, 0)), mode="edge")
    # One thread and no names or dates of programs, for the same bytes on every machine.
    quality = ["-crf", "20", "-preset", "slow", "-threads", "1"]
    return imageio.imwrite(
        "<bytes>",
        large,
        extension=".mp4",
        plugin="FFMPEG",
        fps=frames_per_second,
        codec="libx264",
        pixelformat="yuv420p",
        macro_block_size=1,
        quality=None,
        output_params=[*quality, "-movflags", "+faststart", "-fflags", "+bitexact", "-flags:v", "+bitexact"],
    )
