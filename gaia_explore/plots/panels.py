"""Figures made of panels: their sizes in pixels, one scale for both axes of a plane, which stimuli are drawn."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Integer, Shaped
from plotly.subplots import make_subplots

from gaia_explore.plots.template import TEMPLATE
from gaia_explore.stimuli import Stimuli


def panel_grid(
    rows: int,
    columns: int,
    *,
    panel: tuple[int, int],
    gap: tuple[int, int],
    margin: dict[str, int],
    title: str,
    subtitle: str = "",
    **options: Any,
) -> go.Figure:
    """An empty figure of equal panels.

    Parameters
    ----------
    panel, gap
        Width and height of a panel, and of what lies between two, in pixels.
    margin
        Left, right, top and bottom (``l``, ``r``, ``t``, ``b``), in pixels.
    options
        For plotly's ``make_subplots``: titles, shared axes.
    """
    width = columns * panel[0] + (columns - 1) * gap[0]
    height = rows * panel[1] + (rows - 1) * gap[1]
    figure = make_subplots(
        rows, columns, horizontal_spacing=gap[0] / width, vertical_spacing=gap[1] / height, **options
    )
    figure.update_annotations(font_size=14)
    figure.update_layout(
        template=TEMPLATE,
        title={"text": title, "subtitle": {"text": subtitle}, "yref": "container", "y": 1, "yanchor": "top"},
        width=width + margin["l"] + margin["r"],
        height=height + margin["t"] + margin["b"],
        margin=margin,
    )
    return figure


def square(figure: go.Figure, row: int, column: int, *points: Shaped[np.ndarray, "_ 2"], ratio: float = 1.0):
    """Fix a panel to the square around these points, with a little room.

    Both axes have one scale, or a unit up is ``ratio`` times as long as one across.
    """
    low, high = (bound(np.concatenate(points), axis=0) for bound in (np.min, np.max))
    half = 0.53 * float(((high - low) * [1, ratio]).max()) or 0.5
    across, up = axes(figure, row, column)
    for axis, middle, reach in zip((across, up), (low + high) / 2, (half, half / ratio), strict=True):
        axis.update(range=[float(middle) - reach, float(middle) + reach], constrain="domain")
    up.update(scaleanchor=up["anchor"], scaleratio=ratio)


def axes(figure: go.Figure, row: int, column: int) -> tuple[go.layout.XAxis, go.layout.YAxis]:
    """The axes of a panel."""
    return next(figure.select_xaxes(row=row, col=column)), next(figure.select_yaxes(row=row, col=column))


def log_ticks(low: float, high: float) -> dict[str, list]:
    """Round numbers between 10**low and 10**high for a logarithmic scale, written out: Plotly's own are bare digits."""
    span = high - low
    steps = (1,) if span > 3 else (1, 3) if span > 1.5 else (1, 2, 5) if span > 0.6 else np.arange(1, 10, 0.5)
    exponents = np.log10(steps) + np.arange(np.floor(low), np.ceil(high) + 1)[:, None]
    exponents = exponents[(exponents >= low) & (exponents <= high)]
    return {"tickvals": exponents.tolist(), "ticktext": [f"{tick:.2g}" for tick in 10**exponents]}


def log_axis(axis: go.layout.XAxis | go.layout.YAxis, values: Shaped[np.ndarray, " _"]):
    """Make an axis logarithmic, and as long as those of these values that it can show, with a little room."""
    shown = np.log10(values[(values > 0) & np.isfinite(values)])
    axis.type = "log"
    if shown.size:
        low, high = float(shown.min()), float(shown.max())
        room = 0.06 * (high - low) or 0.2
        ticks = log_ticks(low - room, high + room)
        axis.update(range=[low - room, high + room], ticktext=ticks["ticktext"])
        axis.tickvals = [10**exponent for exponent in ticks["tickvals"]]


def legend_once(figure: go.Figure):
    """Keep the first legend entry of each name, which then shows and hides every trace of that name."""
    seen = set()

    def enter(trace: go.Scatter):
        trace.update(legendgroup=trace.name, showlegend=bool(trace.name) and trace.name not in seen)
        seen.add(trace.name)

    figure.for_each_trace(enter)


def sets_and_models(panels: Mapping[tuple[str, str], Any]) -> tuple[list[str], list[str]]:
    """Titles of the rows and names of the columns of a grid, in the order in which they come."""
    if not panels:
        raise ValueError("panels must hold at least 1 (stimuli, model), got none")
    sets, models = (list(dict.fromkeys(key[part] for key in panels)) for part in (0, 1))
    missing = [(title, model) for title in sets for model in models if (title, model) not in panels]
    if missing:
        raise ValueError(f"panels must hold every model for every set of stimuli, missing {missing}")
    return sets, models


def check_planar(stimuli: Stimuli):
    """Refuse stimuli that are no points of a plane."""
    if stimuli.shape != (2,):
        raise ValueError(f"stimuli must have 2 dimensions to be drawn in a plane, got shape {stimuli.shape}")


def drawn_rows(n: int, n_points: int, seed: int) -> Integer[np.ndarray, " _"]:
    """Rows of the stimuli that are drawn: all of them, or as many as asked for, at random without replacement."""
    if n_points < 1:
        raise ValueError(f"n_points must be at least 1, got {n_points}")
    return np.random.default_rng(seed).permutation(n)[:n_points]


def hover(names: Iterable[str], extra: str = "") -> str:
    """What hovering over a point of a plane tells: both coordinates by name, and what it is."""
    across, up = names
    return f"{across} %{{x:.3g}}<br>{up} %{{y:.3g}}<extra>{extra}</extra>"
