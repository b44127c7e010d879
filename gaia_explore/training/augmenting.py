"""Augmentation: every picture a little otherwise each time it is shown, made on the device."""

import math
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from gaia_explore.models import Chance, draw
from gaia_explore.networks import check_range

NUMBERS = 7
"""Random numbers a picture: mirror, shift down and right, zoom, turn, brightness, contrast."""


@final
@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How pictures are varied while a model trains on them, each anew in every minibatch; held-out ones never are.

    A model that must not know left from right, or where exactly a face lies, is shown all of it. Variations are drawn
    from the training's own generator and made on the device, after the bytes have been scaled. What a picture does not
    reach is filled with its edge.

    Parameters
    ----------
    mirror
        Whether half of the pictures are mirrored, left to right.
    shift
        The longest shift down and right or up and left, as a share of height and width, in [0, 1); whole pixels.
    zoom
        The largest z of a zoom by a factor between 1/(1 + z) and 1 + z.
    turn
        The largest turn either way, in degrees, in [0, 180].
    brightness
        The largest number added to or taken from all values, which are in [0, 1] and are clipped to that.
    contrast
        The largest k of a factor between 1 − k and 1 + k on every value's distance from its picture's mean, in [0, 1].
    """

    mirror: bool = False
    shift: float = 0.0
    zoom: float = 0.0
    turn: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0

    def __post_init__(self):
        if not isinstance(self.mirror, bool):
            raise TypeError(f"mirror must be True or False, got {self.mirror!r}")
        check_range("shift", self.shift, 0, 1.0)
        check_range("zoom", self.zoom, 0, math.inf)
        for name, most in (("turn", 180), ("brightness", 1), ("contrast", 1)):
            check_range(name, getattr(self, name), 0, math.inf)
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be at most {most}, got {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def preview(self, x: Float[np.ndarray, "n h w c"], *, seed: int = 0) -> Float[np.ndarray, "n h w c"]:
        """Pictures, values in [0, 1], as a training might see them: to look at before hours of it."""
        flat = torch.from_numpy(np.array(x, np.float32).reshape(len(x), -1))
        return self(flat, x.shape[1:], torch.Generator().manual_seed(seed)).numpy().reshape(x.shape)

    def __call__(self, x: Float[Tensor, "*g b p"], shape: tuple[int, ...], rng: Chance) -> Float[Tensor, "*g b p"]:
        """Flattened pictures of a shape (h, w, c), values in [0, 1], varied."""
        numbers = draw(Tensor.uniform_, (*x.shape[:-1], NUMBERS), rng, x).flatten(0, -2).unbind(-1)
        mirror, *ways = numbers
        down, right, zoom, turn, brightness, contrast = (2 * way - 1 for way in ways)
        pictures = x.reshape(-1, *shape).permute(0, 3, 1, 2)
        if self.mirror:
            pictures = torch.where((mirror < 0.5)[:, None, None, None], pictures.flip(3), pictures)
        if self.shift or self.zoom or self.turn:
            pictures = self._moved(pictures, down, right, zoom, turn)
        if self.contrast:
            mean = pictures.mean((1, 2, 3), keepdim=True)
            pictures = mean + (pictures - mean) * (1 + self.contrast * contrast)[:, None, None, None]
        if self.brightness:
            pictures = pictures + self.brightness * brightness[:, None, None, None]
        if self.contrast or self.brightness:
            pictures = pictures.clamp(0, 1)
        return pictures.permute(0, 2, 3, 1).reshape(x.shape)

    def _moved(
        self,
        pictures: Float[Tensor, "n c h w"],
        down: Float[Tensor, " n"],
        right: Float[Tensor, " n"],
        zoom: Float[Tensor, " n"],
        turn: Float[Tensor, " n"],
    ) -> Float[Tensor, "n c h w"]:
        """Pictures turned and zoomed about their centres, and shifted; numbers are in [−1, 1)."""
        h, w = pictures.shape[2:]
        angle = math.radians(self.turn) * turn
        scale = torch.exp(-math.log1p(self.zoom) * zoom)
        cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
        # Where in the picture each pixel comes from, in halves of its width and height.
        x = -2 / w * torch.round(self.shift * w * right)
        y = -2 / h * torch.round(self.shift * h * down)
        rows = (
            torch.stack([cos, -sin * h / w, cos * x - sin * (h / w) * y], -1),
            torch.stack([sin * w / h, cos, sin * (w / h) * x + cos * y], -1),
        )
        grid = functional.affine_grid(torch.stack(rows, 1), list(pictures.shape), align_corners=False)
        return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
