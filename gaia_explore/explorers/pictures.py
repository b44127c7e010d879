"""Stimuli as pictures, whatever they are: pictures themselves, points of a plane, or profiles of numbers."""

import io
from typing import Any, final

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from gaia_explore.plots.mosaics import as_bytes, as_pictures
from gaia_explore.stimuli import Stimuli
from gaia_explore.stimuli.scaling import to_unit

SHEET = 256
"""Stimuli on one sheet of thumbnails: 4 MB at their largest."""

THUMBNAIL = 48
"""Pixels of a thumbnail along its side at most."""

SIDE = 120
"""Pixels along the side of a picture of what is no picture."""

FAINT, STRONG, COLD = (128, 128, 128, 150), (213, 94, 0, 255), (86, 180, 233, 255)
"""Grey that is seen on white and on black, and Okabe and Ito's vermilion and sky blue."""

FULL = 0.5
"""Difference of two stimuli from which on it has its full colour."""


def if_finite(x: Shaped[np.ndarray, "n *x"]) -> Shaped[np.ndarray, "n *x"]:
    """Decoded stimuli, if all of their numbers are finite; raises otherwise: the decoder is broken."""
    bad = int((~np.isfinite(x)).any(axis=tuple(range(1, x.ndim))).sum())
    if bad:
        raise ValueError(f"codec must decode to finite numbers, got {bad} of {len(x)} stimuli that are not")
    return x


@final
class Portraits:
    """Makes pictures of stimuli of one set, decoded ones included.

    Parameters
    ----------
    stimuli
        Pictures are shown as they are. A planar stimulus is a dot among all of them; anything else is a line of its
        numbers, from 0 at the bottom to 1 at the top.
    """

    def __init__(self, stimuli: Stimuli):
        shape = stimuli.shape
        self.kind = "profile"
        if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)):
            self.kind = "picture"
        elif shape == (2,):
            self.kind = "point"
            self._place(stimuli.x)

    def __call__(self, x: Shaped[np.ndarray, "n *x"]) -> UInt8[np.ndarray, "n h w 4"]:
        """A picture each, with its transparency.

        Raises
        ------
        ValueError
            If a stimulus is not finite: a decoder that gives such numbers is broken.
        """
        if_finite(x)
        if self.kind == "picture":
            rgb = as_bytes(as_pictures(x, "x"))
            return np.concatenate([rgb, np.full((*rgb.shape[:3], 1), 255, np.uint8)], axis=-1)
        return self._points(x) if self.kind == "point" else self._profiles(x)

    def small(self, x: Shaped[np.ndarray, "n *x"], side: float | int) -> UInt8[np.ndarray, "n h w 4"]:
        """Pictures for a place of so many pixels on the page: of those of more than twice as many, every second pixel,
        or third, and so on.

        Twice, because many screens have two pixels for one of the page. Drawings keep at least every second, as their
        lines are two wide.
        """
        pictures = self(x)
        step = -(-max(pictures.shape[1:3]) // max(int(2 * side), 1))
        step = step if self.kind == "picture" else min(step, 2)
        return np.ascontiguousarray(pictures[:, ::step, ::step])

    def difference(
        self, before: Shaped[np.ndarray, "*x"], after: Shaped[np.ndarray, "*x"]
    ) -> UInt8[np.ndarray, "1 h w 4"]:
        """What changes from one stimulus to another.

        Of pictures, the mean over the channels: vermilion where the second is brighter, blue where it is darker, and
        nothing, whatever the page's colour, where both are alike. Opacity grows with the root of the difference, up to
        :data:`FULL`, so that small ones show. Of points, the way
        from one to the other. Of profiles, the difference, with 0 at half the height.
        """
        if self.kind == "point":
            return self._way(before, after)
        if self.kind == "profile":
            return self._profiles((FULL + (after - before) / 2)[None])
        change = np.asarray(after, np.float64) - before
        change = change.mean(axis=-1) if change.ndim == 3 else change
        picture = np.where((change > 0)[..., None], STRONG, COLD).astype(np.uint8)
        picture[..., 3] = np.round(255 * np.sqrt(np.minimum(np.abs(change) / FULL, 1)))
        return picture[None]

    def _way(self, before: Float[np.ndarray, "2"], after: Float[np.ndarray, "2"]) -> UInt8[np.ndarray, "1 h w 4"]:
        from PIL import Image, ImageDraw

        image = Image.fromarray(self._points(after[None])[0])
        rows, columns = self._pixels(np.stack([before, after]))
        draw = ImageDraw.Draw(image)
        start, end = zip(columns.tolist(), rows.tolist(), strict=True)
        draw.line((start, end), fill=STRONG, width=2)
        draw.ellipse((start[0] - 5, start[1] - 5, start[0] + 5, start[1] + 5), outline=COLD, width=2)
        return np.asarray(image)[None]

    def _place(self, x: Float[np.ndarray, "n 2"]):
        low, high = x.min(axis=0), x.max(axis=0)
        half = 0.6 * ((high - low).max() or 1)
        self._low, self._width = (low + high) / 2 - half, 2 * half
        self._paper = np.zeros((SIDE, SIDE, 4), np.uint8)
        rows, columns = self._pixels(x[:: max(len(x) // 4000, 1)])
        self._paper[rows, columns] = FAINT

    def _pixels(self, x: Float[np.ndarray, "n 2"]) -> tuple[np.ndarray, np.ndarray]:
        shares = np.clip((x - self._low) / self._width, 0, 1)
        places = np.round(shares * (SIDE - 1)).astype(int)
        return SIDE - 1 - places[:, 1], places[:, 0]

    def _points(self, x: Float[np.ndarray, "n 2"]) -> UInt8[np.ndarray, "n h w 4"]:
        pictures = np.repeat(self._paper[None], len(x), axis=0)
        across = np.arange(SIDE)
        for picture, row, column in zip(pictures, *self._pixels(x), strict=True):
            away = np.hypot(*np.meshgrid(across - column, across - row))
            picture[away < 7] = (255, 255, 255, 255)
            picture[away < 5.5] = STRONG
        return pictures

    def _profiles(self, x: Shaped[np.ndarray, "n *x"]) -> UInt8[np.ndarray, "n h w 4"]:
        from PIL import Image, ImageDraw

        pictures = np.empty((len(x), SIDE, SIDE, 4), np.uint8)
        for i, values in enumerate(np.clip(x.reshape(len(x), -1), 0, 1)):
            picture = Image.new("RGBA", (SIDE, SIDE))
            across = np.linspace(4, SIDE - 5, len(values))
            line = [*zip(across.tolist(), (SIDE - 5 - values * (SIDE - 9)).tolist(), strict=True)]
            ImageDraw.Draw(picture).line(line, fill=STRONG, width=2)
            pictures[i] = np.asarray(picture)
        return pictures


def thumbnails(portraits: Portraits, stimuli: Stimuli, sheet: int) -> UInt8[np.ndarray, "n h w 4"]:
    """Small pictures of the stimuli from row ``sheet`` · :data:`SHEET` on."""
    pictures = portraits(to_unit(stimuli.x[sheet * SHEET : (sheet + 1) * SHEET]))
    # Whole pixels only: a hover picture shows what is there, and is quick to make.
    step = -(-max(pictures.shape[1:3]) // THUMBNAIL) if portraits.kind == "picture" else 2
    return np.ascontiguousarray(pictures[:, ::step, ::step])


def as_png(picture: UInt8[np.ndarray, "h w c"]) -> bytes:
    """A picture as a file."""
    return encoded(picture, "PNG", optimize=True)


def encoded(picture: UInt8[np.ndarray, "h w c"], format: str, **options: Any) -> bytes:
    """A picture as a file of this format."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format=format, **options)
    return file.getvalue()
