"""What the PlaneExplorer computes: a sheet of stimuli over the plane of three, with weights, realism and distances."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Float64, Integer, UInt8

from gaia_explore.explorers.maps import judged_by
from gaia_explore.explorers.pictures import Portraits
from gaia_explore.explorers.sets import CodedStimuli
from gaia_explore.explorers.states import State
from gaia_explore.latent import Judge

SIDES = (5, 13)
"""Tiles along a side, at least and at most."""

GAP = 2
"""Pixels between the pictures of an exported sheet."""

TINY = 1e-9
"""Weights that are smaller are nothing but rounding."""


@final
@dataclass(frozen=True, kw_only=True)
class PlaneState(State):
    """Where a PlaneExplorer is.

    Attributes
    ----------
    anchors
        Rows of stimuli: the first three span the plane. As long as there are fewer, others that lie far apart follow.
    side, beyond
        Tiles along a side, and how many of them lie beyond the triangle on each side: the others go from anchor to
        anchor.
    cursor
        How far from the first anchor towards the second (1: there), and towards the third.
    colour
        The attribute that colours the map, or "none".
    """

    anchors: tuple[int, ...] = ()
    side: int = 7
    beyond: int = 1
    cursor: tuple[float, ...] = (0.25, 0.25)
    colour: str = "none"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    """Stimuli decoded over a plane, row by row from the top left.

    Attributes
    ----------
    places
        How far from the first anchor towards the second, and towards the third.
    weights
        Of the three anchors, with the sum 1; a negative one means extrapolation.
    codes, stimuli
        The anchors' codes mixed by the weights, and what they decode to.
    realism
        The discriminator's error, or the distance to the nearest code (``realism_by`` says which).
    nearest, distance
        Row of the stimulus whose code is nearest, and how far it is from there.
    """

    places: Float64[np.ndarray, "n 2"]
    weights: Float64[np.ndarray, "n 3"]
    codes: Float32[np.ndarray, "n d"]
    stimuli: Float32[np.ndarray, "n *x"]
    realism: Float64[np.ndarray, " n"]
    realism_by: str
    nearest: Integer[np.ndarray, " n"]
    distance: Float64[np.ndarray, " n"]

    @property
    def side(self) -> int:
        """Tiles along a side."""
        return round(len(self.places) ** 0.5)

    @property
    def inside(self) -> Bool[np.ndarray, " n"]:
        """Whether a tile lies in the triangle, its edges included."""
        return self.weights.min(axis=1) >= -TINY

    def to_frame(self) -> pd.DataFrame:
        """A row a tile: its row and column, weights, code, realism, nearest stimulus and its distance."""
        n, d = self.codes.shape
        rows, columns = np.divmod(np.arange(n), self.side)
        table = pd.DataFrame({"row": rows + 1, "column": columns + 1}, index=pd.RangeIndex(n, name="tile"))
        for number, weights in enumerate(self.weights.T, 1):
            table[f"weight{number}"] = weights
        table["extrapolated"] = ~self.inside
        codes = pd.DataFrame(self.codes, index=table.index, columns=[f"z{i + 1}" for i in range(d)])
        judged = {} if self.realism_by.startswith("distance") else {self.realism_by: self.realism}
        return pd.concat([table, codes], axis=1).assign(**judged, nearest=self.nearest, distance=self.distance)


def weights_of(places: Float[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 3"]:
    """Barycentric weights of places in the plane of three anchors."""
    places = places.astype(np.float64)
    return np.column_stack([1 - places.sum(axis=1), places])


def step_of(state: PlaneState) -> float:
    """From tile to tile, as a share of the way from anchor to anchor."""
    return 1 / (state.side - 1 - 2 * state.beyond)


def edges(state: PlaneState) -> tuple[float, float]:
    """Where the sheet begins and ends, the same in both directions."""
    out = (state.beyond + 0.55) * step_of(state)
    return -out, 1 + out


def most_beyond(side: int) -> int:
    """Tiles beyond the triangle at most: three are left from anchor to anchor."""
    return (side - 3) // 2


def lay_sheet(coded: CodedStimuli, state: PlaneState, anchors: tuple[int, ...]) -> Sheet:
    """Decode the sheet of a state over the plane of three anchors."""
    along = (np.arange(state.side) - state.beyond) * step_of(state)
    places = np.stack(np.meshgrid(along, along[::-1]), axis=-1).reshape(-1, 2)
    weights = weights_of(places)
    codes = (weights @ coded.z[list(anchors)]).astype(np.float32)
    stimuli = coded.decode(codes)
    distance, nearest = coded.neighbours(codes)
    realism = coded.codec.realism(stimuli) if isinstance(coded.codec, Judge) else distance
    return Sheet(
        places=places,
        weights=weights,
        codes=codes,
        stimuli=stimuli,
        realism=np.asarray(realism, np.float64),
        realism_by=judged_by(coded.codec),
        nearest=nearest,
        distance=distance,
    )


def outline(state: PlaneState) -> Float64[np.ndarray, "s 4"]:
    """Segments around the tiles that lie in the triangle, in the gaps between tiles."""
    half, n = step_of(state) / 2, state.side - 2 * state.beyond
    sides = []
    for i in range(n):
        for j in range(n - i):
            x, y = 2 * half * i, 2 * half * j
            left, right, low, high = x - half, x + half, y - half, y + half
            if i == 0:
                sides.append((left, low, left, high))
            if j == 0:
                sides.append((left, low, right, low))
            if i + j == n - 1:
                sides += [(right, low, right, high), (left, high, right, high)]
    return np.array(sides)


def in_words(place: tuple[float, ...], anchors: tuple[int, ...]) -> str:
    """Weights of a place, and whether it is in the triangle."""
    weights = weights_of(np.array([place]))[0]
    mixed = " + ".join(f"{w:.2f} of stimulus {row}" for w, row in zip(weights, anchors, strict=True))
    where = "inside the triangle" if weights.min() >= -TINY else "extrapolated beyond the triangle"
    return f"{mixed.replace('+ -', '- ')}: {where}."


def contact_sheet(sheet: Sheet, portraits: Portraits) -> UInt8[np.ndarray, "h w 3"]:
    """All tiles in one picture, on white."""
    rgba = portraits(sheet.stimuli)
    cover = rgba[..., 3:].astype(np.float64) / 255
    rgb = np.round(rgba[..., :3] * cover + 255 * (1 - cover)).astype(np.uint8)
    framed = np.pad(rgb, ((0, 0), (GAP, 0), (GAP, 0), (0, 0)), constant_values=255)
    h, w = framed.shape[1:3]
    whole = framed.reshape(sheet.side, sheet.side, h, w, 3).swapaxes(1, 2).reshape(sheet.side * h, sheet.side * w, 3)
    return np.pad(whole, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
