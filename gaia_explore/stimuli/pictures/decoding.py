"""From a picture file to bytes: opened, cropped, brought to one size and one number of channels."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
# Named one by one, because Pillow hands some others, such as EPS, to programs that it starts.
_FORMATS = ("BMP", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)

Crop = tuple[int, int, int, int]
"""Rows from and to, columns from and to: ``(57, 185, 25, 153)`` is ``picture[57:185, 25:153]``."""


@final
@dataclass(frozen=True, kw_only=True)
class Framing:
    """How each picture of a set is cut and scaled.

    Attributes
    ----------
    crop
        The part that is kept. None keeps the whole picture, or, if there is a `size`, the largest square in its middle.
    size
        Height and width in the end, in pixels; None leaves pictures as large as they are.
    grey
        One channel instead of three.
    """

    crop: Crop | None
    size: int | None
    grey: bool

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
        if self.crop is None:
            return
        top, bottom, left, right = self.crop
        if not (0 <= top < bottom and 0 <= left < right):
            raise ValueError(f"crop must be rows from and to, columns from and to, each rising, got {self.crop}")
        if self.size is not None and bottom - top != right - left:
            raise ValueError(f"crop must be square if there is a size, got {bottom - top} × {right - left}")

    def __call__(self, image: Image.Image) -> UInt8[np.ndarray, "h w c"]:
        """The picture as bytes. Transparent parts become white."""
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"a picture must have 8 bits a channel, got mode {image.mode}")
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("L" if self.grey else "RGB")
        left, top, right, bottom = box = self._box(image.width, image.height)
        if self.size is None or (right - left, bottom - top) == (self.size, self.size):
            image = image.crop(box)
        else:
            # The gap lets Pillow shrink large pictures in two steps, which is faster and hardly different.
            image = image.resize((self.size, self.size), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
        return np.asarray(image).reshape(image.height, image.width, -1)

    def _box(self, width: int, height: int) -> tuple[int, int, int, int]:
        if self.crop is not None:
            top, bottom, left, right = self.crop
            if bottom > height or right > width:
                raise ValueError(
                    f"crop must lie in the picture, which has {height} rows and {width} columns, "
                    f"got rows {top}:{bottom} and columns {left}:{right}"
                )
        elif self.size is not None:
            side = min(width, height)
            top, left = (height - side) // 2, (width - side) // 2
            bottom, right = top + side, left + side
        else:
            top, bottom, left, right = 0, height, 0, width
        return left, top, right, bottom


def open_picture(path: Path) -> Image.Image:
    """Decode a picture file, turned as its EXIF says; or a ``.npy`` file of bytes, (1, 3, h, w) or (3, h, w)."""
    try:
        if path.suffix != ".npy":
            with Image.open(path, formats=_FORMATS) as image:
                image.load()
                return ImageOps.exif_transpose(image)
        values = np.load(path, allow_pickle=False)
    except _BROKEN as error:
        if isinstance(error, Image.UnidentifiedImageError):
            raise ValueError(f"a picture must be one of {', '.join(_FORMATS)}, got none of them") from error
        raise ValueError(f"a picture must be whole: {error}") from error
    return from_channels_first(values)


def from_channels_first(values: np.ndarray) -> Image.Image:
    """A picture from bytes (1, 3, h, w) or (3, h, w)."""
    shape = values.shape[1:] if values.ndim == 4 and len(values) == 1 else values.shape
    if values.dtype != np.uint8 or len(shape) != 3 or shape[0] != 3:
        raise ValueError(f"an array must be uint8 of shape (1, 3, h, w), got {values.dtype} of shape {values.shape}")
    return Image.fromarray(np.ascontiguousarray(values.reshape(shape).transpose(1, 2, 0)))
