"""Colours as numbers: a byte a mark, and a legend that says what the numbers mean.

A legend has ``name`` and ``missing`` (the colour of what is not known), and ``classes`` with their ``palette`` (after
as many as there are colours, they begin anew) or ``low``, ``high`` and ``scale``; where these are powers of ten, also
``log``.
"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped, UInt8

from gaia_explore.plots.scatters import attribute_values
from gaia_explore.plots.template import COLOUR_SCALE, NEUTRAL, PALETTE
from gaia_explore.stimuli import Stimuli

MISSING = 255
"""The number of what is not known."""

Colours = tuple[UInt8[np.ndarray, " n"], dict[str, Any]]


def by_attribute(stimuli: Stimuli, attribute: str) -> Colours:
    """Colour stimuli by an attribute: numbers by a scale, anything else by class, "none" in grey."""
    values = attribute_values(stimuli, attribute)
    name, known = str(values.name), np.asarray(values.notna())
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return by_value(values.to_numpy(np.float64), name)
    numbers = np.full(len(stimuli), MISSING, np.uint8)
    # A number is a byte, and one of them means that the class is not known.
    numbers[known] = np.minimum(values.cat.codes.to_numpy(np.int64)[known], MISSING - 1)
    classes = [str(label) for label in values.cat.categories]
    if len(classes) > MISSING:
        classes[MISSING - 1 :] = [f"other ({len(classes) - MISSING + 1} classes)"]
    return numbers, {"name": name, "missing": NEUTRAL, "classes": classes, "palette": list(PALETTE)}


def by_value(values: Shaped[np.ndarray, " n"], name: str, low: float = np.nan, high: float = np.nan) -> Colours:
    """Colour numbers by a scale from low to high, which are their own smallest and largest unless given."""
    known = np.isfinite(values)
    numbers = np.full(len(values), MISSING, np.uint8)
    legend: dict[str, Any] = {"name": name, "missing": NEUTRAL}
    if known.any():
        low = float(values[known].min()) if np.isnan(low) else low
        high = float(values[known].max()) if np.isnan(high) else high
        numbers[known] = np.round((MISSING - 1) * np.clip((values[known] - low) / ((high - low) or 1), 0, 1))
        legend |= {"low": low, "high": high, "scale": COLOUR_SCALE}
    return numbers, legend


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour that is written as #rrggbb or rgb(r, g, b)."""
    if colour.startswith("#"):
        return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
    red, green, blue = colour.removeprefix("rgb(").removesuffix(")").split(",")
    return int(red), int(green), int(blue)


def table_of(legend: dict[str, Any]) -> UInt8[np.ndarray, "256 3"]:
    """The colour of every number."""
    table = np.tile(np.array(rgb(legend["missing"]), np.uint8), (256, 1))
    if "classes" in legend:
        for number in range(len(legend["classes"])):
            table[number] = rgb(legend["palette"][number % len(legend["palette"])])
    elif "scale" in legend:
        steps = np.array([rgb(colour) for colour in legend["scale"]])
        at = np.linspace(0, len(steps) - 1, MISSING)
        table[:MISSING] = np.stack([np.interp(at, range(len(steps)), channel) for channel in steps.T], axis=-1)
    return table


def written(numbers: UInt8[np.ndarray, " n"], legend: dict[str, Any]) -> list[str]:
    """The colours themselves, as #rrggbb."""
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in table_of(legend)[numbers].tolist()]
