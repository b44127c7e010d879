"""Many pictures in one image, which a figure carries as a PNG: numbers as text would take ten times the room."""

import base64
import io
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Shaped, UInt8

from gaia_explore.stimuli.scaling import to_unit


class Cells(NamedTuple):
    """How large pictures are in a mosaic, in its pixels.

    Parameters
    ----------
    picture, cell
        Height and width of a picture, and of what it takes with the paper below it and to its right.
    scale
        Pixels of the page that one of the mosaic has.
    """

    picture: tuple[int, int]
    cell: tuple[int, int]
    scale: float


def fit_cells(picture: tuple[int, int], columns: int, *, side: int, room: int, gap: int, below: int = 0) -> Cells:
    """Pictures as large as their side may be, so many of them in a row with gaps between, in so many pixels of a page.

    Pixels of small pictures are enlarged by a whole factor where that is 2 or more, so that all look alike; those of
    large ones become fewer, for a page would not show them.
    """
    height, width = picture
    wide = max(min(side, room / columns - gap), 1)
    if wide < width:
        height, width = max(round(height * int(wide) / width), 1), int(wide)
    whole = map(float, range(int(wide / width), 1, -1))
    scale = next((s for s in whole if columns * (width + _pixels(gap, s)) * s <= room), min(wide / width, 2.0))
    cell = (height + _pixels(gap + below, scale), width + _pixels(gap, scale))
    return Cells((height, width), cell, min(scale, room / (columns * cell[1])))


def _pixels(length: int, scale: float) -> int:
    return max(round(length / scale), 1)


def mosaic(pictures: UInt8[np.ndarray, "r k h w 3"], cells: Cells) -> UInt8[np.ndarray, "y x 3"]:
    """Pictures in the upper left corners of their cells, white between them."""
    from PIL import Image

    rows, columns, *shape, _ = pictures.shape
    (height, width), cell = cells.picture, cells.cell
    sheet = np.full((rows, columns, *cell, 3), 255, dtype=np.uint8)
    if shape == [height, width]:
        sheet[:, :, :height, :width] = pictures
    else:
        for i, j in np.ndindex(rows, columns):
            reduced = Image.fromarray(pictures[i, j]).resize((width, height), Image.Resampling.BOX)
            sheet[i, j, :height, :width] = np.asarray(reduced)
    return sheet.swapaxes(1, 2).reshape(rows * cell[0], columns * cell[1], 3)


def mosaic_trace(pictures: UInt8[np.ndarray, "r k h w 3"], cells: Cells, **place: float) -> go.Image:
    """The mosaic as a trace, its pixels 1 × 1 on the axes unless ``dx`` and ``dy`` say otherwise."""
    # Pixels enlarged by one and a half would be unequal: smooth ones are not.
    smooth = "fast" if 1 < cells.scale < 2 else False
    return go.Image(source=data_uri(mosaic(pictures, cells)), hoverinfo="skip", zsmooth=smooth, **place)


def as_pictures(x: Shaped[np.ndarray, "*n"], argument: str = "x") -> Shaped[np.ndarray, "n h w c"]:
    """Pictures with their channels last, also where grey ones came without; an error where these are no pictures.

    Bytes, as a pack holds them, are scaled to [0, 1].
    """
    pictures = x[..., None] if x.ndim == 3 else x
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3) or not len(pictures):
        raise ValueError(f"{argument} must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape {x.shape}")
    return to_unit(pictures)


def as_bytes(pictures: Shaped[np.ndarray, "*n h w c"]) -> UInt8[np.ndarray, "*n h w 3"]:
    """Pictures of 1 or 3 channels in [0, 1]; what lies beyond is clipped, what is no number is black."""
    grey_or_colour = np.round(255 * np.clip(np.nan_to_num(pictures), 0, 1)).astype(np.uint8)
    return np.broadcast_to(grey_or_colour, (*pictures.shape[:-1], 3))


def data_uri(picture: UInt8[np.ndarray, "h w 3"]) -> str:
    """A picture as a PNG within a figure."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
