"""Pictures in rows and columns that have names: blocks of them side by side, or one below the other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gaia_explore.plots.mosaics import Cells, as_bytes, fit_cells, mosaic_trace
from gaia_explore.plots.panels import PAGE_WIDTH, panel_grid
from gaia_explore.plots.template import PALETTE

GAP = 2
"""Pixels of the page between two pictures."""

BETWEEN = 14
"""And between two blocks."""

LINE = 18
"""Height of a line of letters."""

CURVE = 22
"""Height of the curve below a row of pictures."""


@dataclass(frozen=True)
class Block:
    """Pictures that stand together.

    Parameters
    ----------
    pictures
        In [0, 1]; what lies beyond is clipped, what is no number is black.
    rows, names
        What stands to the left of each row, and above each column, if anything.
    curves
        Numbers of at least 0, drawn as a curve below each row, all curves of a figure on one scale that begins at 0.
    """

    pictures: Float[np.ndarray, "r k h w c"]
    rows: Sequence[str]
    names: Sequence[str]
    curves: Float[np.ndarray, "r k"] | None = None


def picture_grid(blocks: Sequence[Sequence[Block]], *, title: str, subtitle: str = "", side: int = 110) -> go.Figure:
    """Draw blocks of pictures, all of one size: those of an inner sequence, of as many rows each, side by side.

    A figure has one image a block, and a point on every picture for the pointer. Names of rows stand to the left of
    the figure, so that only the first block of a row of blocks should have any; names that are empty take no room.

    Parameters
    ----------
    side
        Pixels of the page that a picture has across at most.
    """
    every = [block for line in blocks for block in line]
    height, width, channels = every[0].pictures.shape[2:]
    if channels not in (1, 3):
        raise ValueError(f"pictures must have 1 or 3 channels, last, got shape {every[0].pictures.shape}")
    names = [name for block in every for name in block.names]
    left = 14 + 7 * max(_letters(row) for block in every for row in block.rows)
    longest = max(map(_letters, names), default=0)
    columns = max(sum(block.pictures.shape[1] for block in line) for line in blocks)
    between = BETWEEN * (max(map(len, blocks)) - 1)

    below = 0 if all(block.curves is None for block in every) else CURVE

    def fit(right: int) -> Cells:
        room = PAGE_WIDTH - left - right - between
        return fit_cells((height, width), columns, side=side, room=room, gap=GAP, below=below)

    right, cells = 14, fit(14)
    head = LINE + 13 * max((name.count("<br>") for name in names), default=0) if longest else 0
    turned = 6 * longest > cells.cell[1] * cells.scale
    if turned:
        right = head = 10 + 5 * longest
        cells = fit(right)
    drawn, top = [], 0
    for line in blocks:
        top += head if any(name for block in line for name in block.names) else 0
        drawn.append((top, line))
        top += round(len(line[0].rows) * cells.cell[0] * cells.scale) + BETWEEN
    size = (int(columns * cells.cell[1] * cells.scale) + between, top - BETWEEN)
    margin = {"l": left, "r": right, "t": 8, "b": 8}
    figure = panel_grid(1, 1, panel=size, gap=(0, 0), margin=margin, title=title, subtitle=subtitle)
    curves = [block.curves for block in every if block.curves is not None]
    # A model that has died judges nothing: its curve is empty, and not an error.
    most = max((float(np.max(curve, initial=0, where=np.isfinite(curve))) for curve in curves), default=0.0)
    for y, line in drawn:
        x = 0.0
        for block in line:
            _add_block(figure, block, cells, (x, float(y)), turned=turned, most=most or 1.0)
            x += block.pictures.shape[1] * cells.cell[1] * cells.scale + BETWEEN
    figure.update_xaxes(visible=False, range=[0, size[0]], fixedrange=True)
    return figure.update_yaxes(visible=False, range=[size[1], 0], fixedrange=True)


def _add_block(
    figure: go.Figure, block: Block, cells: Cells, corner: tuple[float, float], *, turned: bool, most: float
):
    """One image, the names around it, its curves, and a point on every picture."""
    rows, columns = block.pictures.shape[:2]
    (x, y), scale = corner, cells.scale
    pitch = (cells.cell[0] * scale, cells.cell[1] * scale)
    # Plotly means the middle of the first pixel.
    place = {"x0": x + scale / 2, "y0": y + scale / 2, "dx": scale, "dy": scale}
    figure.add_trace(mosaic_trace(as_bytes(block.pictures), cells, **place))
    across = x + pitch[1] * np.arange(columns) + cells.picture[1] * scale / 2
    down = y + pitch[0] * np.arange(rows) + cells.picture[0] * scale / 2
    above = {"textangle": -45, "xanchor": "left", "xshift": -6} if turned else {"xanchor": "center"}
    for column_x, text in zip(across, block.names, strict=True):
        figure.add_annotation(x=column_x, y=y, text=text, yanchor="bottom", showarrow=False, font_size=11, **above)
    beside = {"xref": "paper", "xanchor": "right", "xshift": -6, "font_size": 12, "align": "right"}
    for row_y, text in zip(down, block.rows, strict=True):
        figure.add_annotation(x=0, y=row_y, text=text, showarrow=False, **beside)
    if block.curves is not None:
        for row, curve in enumerate(block.curves):
            floor = y + pitch[0] * row + cells.picture[0] * scale + CURVE - 2
            _add_curve(figure, across, floor, curve, most)
    tips = [" ".join(filter(None, (name, row))) for row in block.rows for name in block.names]
    figure.add_scatter(
        x=np.tile(across, rows),
        y=np.repeat(down, columns),
        text=[tip.replace("<br>", " ") for tip in tips],
        hovertemplate="%{text}<extra></extra>",
        mode="markers",
        marker={"size": cells.picture[1] * scale / 2, "opacity": 0},
        showlegend=False,
    )


def _add_curve(
    figure: go.Figure, x: Float[np.ndarray, " k"], floor: float, curve: Float[np.ndarray, " k"], most: float
):
    """A thin line over its zero, from the middle of the first picture to that of the last."""
    line = {"color": PALETTE[0], "width": 1.3}
    zero = {"x": x[[0, -1]], "y": [floor] * 2, "mode": "lines", "line": {"color": "#DDDDDD", "width": 1}}
    figure.add_scatter(**zero, hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        x=x,
        y=floor - (CURVE - 6) * curve / most,
        mode="lines+markers",
        line=line,
        marker={"size": 3.5},
        customdata=curve,
        hovertemplate="%{customdata:.3g}<extra></extra>",
        showlegend=False,
    )


def _letters(text: str) -> int:
    """Letters in the longest line of a text, without its marks."""
    return max(len(re.sub("<[^>]+>", "", line)) for line in text.split("<br>"))
