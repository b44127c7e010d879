"""Pictures side by side: contact sheets, of any pictures or of a set of stimuli by an attribute."""

import base64
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Shaped, UInt8

from gaia_explore.plots.panels import PAGE_WIDTH, drawn_rows, panel_grid
from gaia_explore.stimuli import Stimuli

GAP = 4
"""Pixels of the page between two pictures."""

LETTERING = 11
"""Size of the labels, in pixels."""

COLUMNS = 10

MOST_ROWS = 8


def contact_sheet(
    x: Shaped[np.ndarray, "n *p"],
    *,
    labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    columns: int = COLUMNS,
    side: int = 72,
    title: str = "",
    subtitle: str = "",
) -> go.Figure:
    """Lay pictures out in rows, as one image.

    Parameters
    ----------
    x
        Pictures in [0, 1], (n, h, w) or (n, h, w, 1) grey, (n, h, w, 3) in colour; what lies beyond is clipped.
    labels
        What stands below each picture, if anything.
    row_labels
        What stands to the left of each row, if anything.
    columns
        Pictures in a row.
    side
        Pixels of the page that a picture has across; less where the row would be wider than a page.

    Raises
    ------
    ValueError
        If `x` holds no pictures, or the labels are not one a picture, the row labels not one a row.
    """
    pictures = _as_bytes(x)
    n, height, width, _ = pictures.shape
    for argument, value, least in (("columns", columns, 1), ("side", side, 8)):
        if value < least:
            raise ValueError(f"{argument} must be at least {least}, got {value}")
    columns = min(columns, n)
    rows = -(-n // columns)
    for argument, texts, count in (("labels", labels, n), ("row_labels", row_labels, rows)):
        if len(texts) not in (0, count):
            raise ValueError(f"{argument} must be none or {count} here, got {len(texts)}")
    margin = {"l": 16 + 7 * max(map(len, row_labels), default=0), "r": 16, "t": 8, "b": 12}
    room = PAGE_WIDTH - margin["l"] - margin["r"]
    # How many pixels of the page one of a picture has, and how many of those a picture takes with what is around it.
    scale = max(min(side, room / columns - GAP), 1) / width
    cell = (height + round((GAP + (LETTERING + 4 if len(labels) else 0)) / scale), width + round(GAP / scale))
    scale = min(scale, room / (columns * cell[1]))
    figure = panel_grid(
        1,
        1,
        panel=(int(columns * cell[1] * scale), max(int(rows * cell[0] * scale), 1)),
        gap=(0, 0),
        margin=margin,
        title=title,
        subtitle=subtitle,
    )
    # As a PNG: numbers as text would take ten times the room.
    figure.add_trace(go.Image(source=data_uri(_sheet(pictures, cell, columns)), hoverinfo="skip"))
    for number, text in enumerate(labels):
        row, column = divmod(number, columns)
        below = {"x": column * cell[1] + width / 2, "y": row * cell[0] + height, "yanchor": "top", "borderpad": 0}
        figure.add_annotation(below, text=text, showarrow=False, font_size=LETTERING)
    middles = [row * cell[0] + height / 2 for row in range(rows)]
    plain = {"showgrid": False, "showline": False, "ticks": "", "constrain": "domain"}
    figure.update_xaxes(plain, showticklabels=False)
    figure.update_yaxes(plain, showticklabels=bool(row_labels), tickvals=middles, ticktext=list(row_labels))
    return figure


def sheet_of_stimuli(stimuli: Stimuli, values: pd.Series, n_points: int, seed: int, title: str) -> go.Figure:
    """Draw some pictures at random: a row a class, or from low to high where values are numbers, or in no order."""
    order = drawn_rows(len(stimuli), len(stimuli), seed)
    known = order[np.asarray(values.notna())[order]]
    labels, row_labels = [], []
    if isinstance(values.dtype, pd.CategoricalDtype) and len(known):
        codes = np.asarray(values.cat.codes)[known]
        classes = list(values.cat.categories)[:MOST_ROWS]
        chosen = [known[codes == code][: min(COLUMNS, n_points)] for code in range(len(classes))]
        row_labels = [f"{values.name} {value}" for value in classes]
        # Nothing but paper where a class has fewer pictures than another.
        x = np.ones((len(classes), max(map(len, chosen)), *stimuli.shape), dtype=np.float32)
        for line, rows in zip(x, chosen, strict=True):
            line[: len(rows)] = stimuli.x[rows]
        x, n, columns = x.reshape(-1, *stimuli.shape), sum(map(len, chosen)), x.shape[1]
    else:
        rows = order[: min(n_points, 3 * COLUMNS)]
        if len(known):
            ranked = known[np.argsort(np.asarray(values, dtype=np.float64)[known], kind="stable")]
            rows = ranked[np.linspace(0, len(ranked) - 1, min(len(ranked), len(rows))).round().astype(int)]
            labels = [f"{value:.3g}" for value in values.iloc[rows]]
        x, n, columns = stimuli.x[rows], len(rows), COLUMNS
    return contact_sheet(
        x,
        labels=labels,
        row_labels=row_labels,
        columns=columns,
        title=title,
        subtitle=f"{n:,} of {len(stimuli):,} stimuli" + (f", by {values.name}" if len(known) and values.name else ""),
    )


def _as_bytes(x: Shaped[np.ndarray, "n *p"]) -> UInt8[np.ndarray, "n h w 3"]:
    pictures = x[..., None] if x.ndim == 3 else x
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3) or not len(pictures):
        raise ValueError(f"x must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape {x.shape}")
    if not np.isfinite(pictures).all():
        raise ValueError("x must be finite, got NaN or infinite pixels")
    grey_or_colour = np.round(255 * np.clip(pictures, 0, 1)).astype(np.uint8)
    return np.broadcast_to(grey_or_colour, (*pictures.shape[:3], 3))


def _sheet(
    pictures: UInt8[np.ndarray, "n h w 3"], cell: tuple[int, int], columns: int
) -> UInt8[np.ndarray, "rows_h columns_w 3"]:
    """All pictures in one, each in the upper left corner of its cell, white between them."""
    n, height, width, _ = pictures.shape
    rows = -(-n // columns)
    cells = np.full((rows * columns, *cell, 3), 255, dtype=np.uint8)
    cells[:n, :height, :width] = pictures
    return cells.reshape(rows, columns, *cell, 3).swapaxes(1, 2).reshape(rows * cell[0], columns * cell[1], 3)


def data_uri(picture: UInt8[np.ndarray, "h w 3"]) -> str:
    """A picture as a PNG within a figure."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
