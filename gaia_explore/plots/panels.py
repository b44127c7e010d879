"""Figures made of panels: their sizes in pixels, one scale for both axes of a plane, which stimuli are drawn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any, TypeVar

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Integer, Shaped
from plotly.subplots import make_subplots

from gaia_explore.latent import Codec
from gaia_explore.plots.template import TEMPLATE
from gaia_explore.stimuli import Stimuli

PAGE_WIDTH = 840
"""Pixels that figures have across: JupyterLab shows a little more before there is a scroll bar."""

MODEBAR = 160
"""Pixels that Plotly's buttons take at the right end of the title's first line."""

Drawn = TypeVar("Drawn")


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
        Left, right, top and bottom (``l``, ``r``, ``t``, ``b``), in pixels. What title and subtitle need comes on top.
    title, subtitle
        Broken into lines where the figure is too narrow for them.
    options
        For plotly's ``make_subplots``: titles, shared axes.
    """
    width = columns * panel[0] + (columns - 1) * gap[0]
    height = rows * panel[1] + (rows - 1) * gap[1]
    title, subtitle = wrapped(title, width + margin["r"] - MODEBAR, 17), wrapped(subtitle, width + margin["r"], 12)
    margin = margin | {"t": margin["t"] + 30 + 22 * title.count("<br>")}
    margin["t"] += 32 + 14 * subtitle.count("<br>") if subtitle else 0
    figure = make_subplots(
        rows, columns, horizontal_spacing=gap[0] / width, vertical_spacing=gap[1] / height, **options
    )
    figure.update_annotations(font_size=14)
    figure.update_layout(
        template=TEMPLATE,
        title={
            "text": title,
            "subtitle": {"text": subtitle},
            "yref": "container",
            "y": 1,
            "yanchor": "top",
            # Plotly sets a title of several lines higher than one of a single line.
            "pad": {"t": 26 if "<br>" in title else 14},
        },
        width=width + margin["l"] + margin["r"],
        height=height + margin["t"] + margin["b"],
        margin=margin,
    )
    return figure


def model_grid(
    sets: Sequence[str], models: Sequence[str], kinds: Sequence[str] = (), *, right: int, title: str, subtitle: str
) -> go.Figure:
    """An empty grid of square panels without ticks: models in columns, a row a set, or a row a set and kind.

    Its panels are as large as the width of a page allows, between 60 and 250 pixels.
    """
    gap, left = 10, 66 if kinds else 44
    side = min(max((PAGE_WIDTH - left - right - gap * (len(models) - 1)) // len(models), 60), 250)
    names = [wrapped(model, side, 14) for model in models]
    figure = panel_grid(
        len(sets) * max(len(kinds), 1),
        len(models),
        panel=(side, side),
        gap=(gap, gap),
        margin={"l": left, "r": right, "t": 40 + 18 * max(name.count("<br>") for name in names), "b": 16},
        title=title,
        subtitle=subtitle,
        column_titles=names,
    )
    rows = [f"<b>{name}</b><br>{kind}" for name in sets for kind in kinds] or [f"<b>{name}</b>" for name in sets]
    for row, text in enumerate(rows, 1):
        figure.update_yaxes(title={"text": text, "font": {"size": 12 if kinds else 14}}, row=row, col=1)
    figure.update_xaxes(showticklabels=False, ticks="", showgrid=False)
    figure.update_yaxes(showticklabels=False, ticks="", showgrid=False)
    return figure


def each_panel(
    panels: Mapping[tuple[str, str], tuple[Codec, Stimuli]], draw: Callable[[Codec, Stimuli], Drawn]
) -> dict[tuple[str, str], Drawn]:
    """What ``draw`` makes of the codec and the stimuli of each panel; an error of its names the panel."""
    drawn = {}
    for key, (codec, stimuli) in panels.items():
        try:
            drawn[key] = draw(codec, stimuli)
        except ValueError as error:
            raise ValueError(f"panel {key}: {error}") from error
    return drawn


def wrapped(text: str, width: int, size: int) -> str:
    """A text broken into lines that fit so many pixels at this size of the font, in pixels too."""
    # The mean letter is a little less than half as wide as the font is high.
    columns = max(2 * width // size, 8)
    return "<br>".join(line for part in text.split("<br>") for line in wrap(part, columns, break_long_words=False))


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


def log_ticks(low: float, high: float, n_ticks: int = 6) -> dict[str, list]:
    """Round numbers between 10**low and 10**high for a logarithmic scale, written out: Plotly's own are bare digits.

    As many as ``n_ticks`` allow, at least 2 of which must be allowed; one or more over a span of 0.4.
    """
    decades = np.arange(np.floor(low), np.ceil(high) + 1)
    grids = [np.log10(steps) + decades[:, None] for steps in (np.arange(1, 10, 0.5), (1, 2, 5), (1, 3))]
    grids += [decades[::stride] for stride in range(1, len(decades) + 1)]
    inside = (grid[(grid >= low) & (grid <= high)] for grid in grids)
    exponents = next(ticks for ticks in inside if len(ticks) <= n_ticks)
    return {"tickvals": exponents.tolist(), "ticktext": [f"{tick:.2g}" for tick in 10**exponents]}


def log_axis(axis: go.layout.XAxis | go.layout.YAxis, values: Shaped[np.ndarray, " _"], n_ticks: int = 6):
    """Make an axis logarithmic, and as long as those of these values that it can show, with a little room."""
    shown = np.log10(values[(values > 0) & np.isfinite(values)])
    axis.type = "log"
    if shown.size:
        low, high = float(shown.min()), float(shown.max())
        # Long enough for a round number to be on it.
        room = max(0.06 * (high - low), (0.4 - (high - low)) / 2)
        ticks = log_ticks(low - room, high + room, n_ticks)
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
