"""What the LatentExplorer shows, as arrays and plain values: a decoded stimulus, a table of a selection."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64, Shaped
from pandas.api.types import is_numeric_dtype

from gaia_explore.explorers.maps import judged_by
from gaia_explore.explorers.pictures import if_finite
from gaia_explore.explorers.planes import Neighbours, Plane
from gaia_explore.explorers.states import State
from gaia_explore.latent import Codec, Judge

LAYERS = ("realism", "density", "hull")


@final
@dataclass(frozen=True, kw_only=True)
class LatentState(State):
    """Where a LatentExplorer is.

    Attributes
    ----------
    plane
        "dimensions", "PCA", "UMAP" or "stimuli", or the name of an embedding of yours.
    dimensions
        Two latent dimensions, for that plane.
    anchors
        Rows of stimuli, in order: a path leads through them, and the first three span the plane "stimuli". Others that
        lie far apart stand in for those that are missing.
    cursor
        In coordinates of the plane.
    colour
        The attribute that colours the codes, or "none".
    layers
        What lies behind them: some of "realism", "density" and "hull".
    selection
        Rows of the stimuli that are selected, in ascending order.
    """

    plane: str
    dimensions: tuple[int, ...] = (0, 1)
    anchors: tuple[int, ...] = ()
    cursor: tuple[float, ...]
    colour: str = "none"
    layers: tuple[str, ...] = LAYERS
    selection: tuple[int, ...] = ()


@final
class RealismMap:
    """Realism over a plane, judged place by place from the top left.

    Parameters
    ----------
    side
        Places along each side.

    Attributes
    ----------
    values
        What was judged, and NaN where nothing is yet. A judge may answer with NaN too.
    judged
        How many places were judged.
    """

    def __init__(self, side: int):
        self.values: Float64[np.ndarray, "n n"] = np.full((side, side), np.nan)
        self.judged = 0

    def add(self, realism: Shaped[np.ndarray, " m"]):
        """Put in what the next places were judged."""
        self.values.flat[self.judged : self.judged + len(realism)] = realism
        self.judged += len(realism)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """The stimulus at a point of the plane, and what there is to say of it."""

    code: Float[np.ndarray, " d"]
    stimulus: Float[np.ndarray, "*x"]
    nearest: int
    distance: float
    realism: tuple[str, float]
    text: str


def frame(codec: Codec, plane: Plane, neighbours: Neighbours, cursor: tuple[float, ...]) -> Frame:
    """Decode the point under the cursor, and say how far its code is from the nearest data."""
    at = look_at(codec, neighbours, plane.lift(np.array([cursor], np.float64))[0])
    return replace(at, text=f"Cursor at ({cursor[0]:.3g}, {cursor[1]:.3g}). {at.text}")


def look_at(codec: Codec, neighbours: Neighbours, code: Float[np.ndarray, " d"], judge: Judge | None = None) -> Frame:
    """Decode a code, and say how far it is from the nearest data, and what a judge (else the codec) thinks of it."""
    code = code.astype(np.float32)
    stimulus = if_finite(np.asarray(codec.decode(code[None]), np.float32))[0]
    distances, rows = neighbours(code[None])
    distance, row = float(distances[0]), int(rows[0])
    times = f" ({distance / neighbours.usual:.1f} times the usual)" if neighbours.usual else ""
    text = f"Nearest code: stimulus {row}, {distance:.3g} away{times}."
    judge = codec if judge is None and isinstance(codec, Judge) else judge
    error = distance
    if judge is not None:
        error = float(judge.realism(stimulus[None])[0])
        text += f" Discriminator's error {error:.3g}."
    return Frame(
        code=code,
        stimulus=stimulus,
        nearest=row,
        distance=distance,
        realism=(judged_by(codec if judge is None else judge), error),
        text=text,
    )


def comparison(attributes: pd.DataFrame, rows: tuple[int, ...]) -> pd.DataFrame:
    """Attributes of selected stimuli beside those of all.

    Numbers have their means, and their difference in standard deviations of all; of any other attribute, the commonest
    class of the selection has its shares.

    Returns
    -------
    pandas.DataFrame
        A row an attribute; columns ``selected``, ``all``, ``difference`` (missing where the attribute never varies).
    """
    table = {}
    for name, column in attributes.items():
        chosen = column.iloc[list(rows)]
        label = str(name)
        if not is_numeric_dtype(column.dtype):
            common = chosen.mode()
            if common.empty:
                continue
            column, chosen, label = column == common.iloc[0], chosen == common.iloc[0], f"{name} = {common.iloc[0]}"
        values = column.to_numpy(np.float64, na_value=np.nan)
        own = chosen.to_numpy(np.float64, na_value=np.nan)
        values, own = values[np.isfinite(values)], own[np.isfinite(own)]
        if len(own):
            spread = values.std()
            difference = (own.mean() - values.mean()) / spread if spread else np.nan
            table[label] = (own.mean(), values.mean(), difference)
    return pd.DataFrame.from_dict(table, orient="index", columns=["selected", "all", "difference"])


def decoded_mean(codec: Codec, z: Float[np.ndarray, "n d"], rows: tuple[int, ...]) -> Shaped[np.ndarray, "*x"]:
    """The stimulus of the mean code of a selection."""
    mean = z[list(rows)].mean(axis=0, keepdims=True)
    return np.asarray(codec.decode(mean.astype(np.float32)), np.float32)[0]
