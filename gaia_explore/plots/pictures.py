"""Pictures side by side: contact sheets, of any pictures or of a set of stimuli by an attribute."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Shaped

from gaia_explore.plots.mosaics import as_bytes, as_pictures, fit_cells, mosaic_trace
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
        Pixels of the page that a picture has across, at most: a row is no wider than a page, and pixels of small
        pictures are enlarged by a whole factor.

    Raises
    ------
    ValueError
        If `x` holds no pictures, or the labels are not one a picture, the row labels not one a row.
    """
    pictures = as_pictures(x)
    if not np.isfinite(pictures).all():
        raise ValueError("x must be finite, got NaN or infinite pixels")
    pictures, n = as_bytes(pictures), len(pictures)
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
    below = LETTERING + 4 if len(labels) else 0
    cells = fit_cells((pictures.shape[1], pictures.shape[2]), columns, side=side, room=room, gap=GAP, below=below)
    (height, width), cell, scale = cells
    figure = panel_grid(
        1,
        1,
        panel=(int(columns * cell[1] * scale), max(int(rows * cell[0] * scale), 1)),
        gap=(0, 0),
        margin=margin,
        title=title,
        subtitle=subtitle,
    )
    # White where the last row has fewer pictures.
    blanks = np.full((rows * columns - n, *pictures.shape[1:]), 255, dtype=np.uint8)
    pictures = np.concatenate([pictures, blanks]).reshape(rows, columns, *pictures.shape[1:])
    figure.add_trace(mosaic_trace(pictures, cells))
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
