"""Attributes: how entangled edits are, portraits of vectors (Figure 7 of the paper), and edited stimuli (Figure 4)."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gaia_explore.attributes import Entanglement
from gaia_explore.plots.grids import Block, picture_grid
from gaia_explore.plots.panels import PAGE_WIDTH, panel_grid
from gaia_explore.plots.template import PALETTE

DIVERGING = [[0, PALETTE[0]], [0.5, "#F7F7F7"], [1, PALETTE[1]]]
"""Blue for less, vermilion for more: told apart with any kind of colour vision, and both dark enough on white."""


def entanglement_matrix(matrices: Mapping[str, Entanglement], *, title: str = "What an edit changes") -> go.Figure:
    """Draw entanglements side by side on one colour scale: rows are edited, columns read off the decoded stimuli.

    Parameters
    ----------
    matrices
        Under the name of what made the vectors, such as ``{"difference of means": …, "OLS": …}``. Beyond 20
        attributes they stand one below the other.
    """
    if not matrices:
        raise ValueError("matrices must hold at least 1 entanglement, got none")
    names = next(iter(matrices.values())).names
    others = [title for title, held in matrices.items() if held.names != names]
    if others:
        raise ValueError(f"matrices must be of the same attributes, {', '.join(names)}, got others in {others}")
    stacked = len(names) > 20
    rows, columns = (len(matrices), 1) if stacked else (1, len(matrices))
    longest = 8 * max(map(len, names))
    margin = {"l": 52 + longest, "r": 96, "t": 46, "b": 44 + longest}
    side = min(60 * len(names), (PAGE_WIDTH - margin["l"] - margin["r"] - 16 * (columns - 1)) // columns)
    figure = panel_grid(
        rows,
        columns,
        panel=(side, side),
        gap=(16, 88 + longest),
        margin=margin,
        title=title,
        subtitle="change in what is read: of the probability, or in two standard deviations of a continuous attribute",
        subplot_titles=[_heading(name, held) for name, held in matrices.items()],
        shared_yaxes=True,
    )
    limit = max(np.abs(held.matrix.to_numpy()).max() for held in matrices.values())
    for i, (name, held) in enumerate(matrices.items()):
        place = (i + 1, 1) if stacked else (1, i + 1)
        figure.add_trace(_heatmap(name, held, written=side / len(names) >= 34), *place)
    figure.update_xaxes(title_text="read", tickangle=-90, showgrid=False, ticks="", dtick=1)
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", dtick=1)
    figure.update_yaxes(title_text="edited", col=1)
    bar = {"title": {"text": "change"}, "thickness": 14, "outlinewidth": 0}
    figure.update_layout(coloraxis={"colorscale": DIVERGING, "cmin": -limit, "cmax": limit, "colorbar": bar})
    return figure


def _heading(name: str, held: Entanglement) -> str:
    mean, low, high = held.mean_off_diagonal
    return f"<b>{name}</b><br><span style='font-size: 12px'>off the diagonal {mean:.2f} ({low:.2f}–{high:.2f})</span>"


def _heatmap(name: str, held: Entanglement, *, written: bool) -> go.Heatmap:
    """One matrix, its intervals for the pointer and, where there is room, its numbers in the cells."""
    intervals = np.stack([held.low.to_numpy(), held.high.to_numpy()], axis=-1)
    return go.Heatmap(
        x=held.names,
        y=held.names,
        z=held.matrix.to_numpy(),
        customdata=intervals,
        coloraxis="coloraxis",
        xgap=1,
        ygap=1,
        name=name,
        text=[[f"{change:+.2f}" if abs(change) >= 0.005 else "0" for change in row] for row in held.matrix.to_numpy()],
        texttemplate="%{text}" if written else None,
        textfont={"size": 11},
        hovertemplate=(
            "%{y} edited: %{x} %{z:+.3f}<br>95 % %{customdata[0]:+.3f} to %{customdata[1]:+.3f}"
            f"<extra>{name}</extra>"
        ),
    )


def portraits(
    pictures: Mapping[str, Float[np.ndarray, "k h w c"]],
    names: Sequence[str],
    *,
    per_row: int = 10,
    title: str = "Portraits of attributes",
) -> go.Figure:
    """Draw portraits of attribute vectors: a column an attribute, a row a method, in bands of so many attributes.

    Parameters
    ----------
    pictures
        Portraits in [0, 1], as from :func:`~gaia_explore.attributes.portrait`, under the name of the method.
    names
        Of the attributes.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Figure 7: difference of means above, OLS below.
    """
    if not pictures:
        raise ValueError("pictures must hold at least 1 row, got none")
    shapes = {method: faces.shape for method, faces in pictures.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"pictures must have one shape in every row, got {shapes}")
    return _bands(np.stack(list(pictures.values())), list(pictures), names, per_row, title)


def edits(
    pictures: Float[np.ndarray, "n e h w c"], names: Sequence[str], *, per_row: int = 14, title: str = "Edits"
) -> go.Figure:
    """Draw edited stimuli: a row a stimulus, a column an edit, in bands of so many edits.

    Parameters
    ----------
    pictures
        In [0, 1].
    names
        Of the edits, the first of which may be the stimulus itself and its reconstruction.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Figure 4: six faces and twelve edits.
    """
    return _bands(pictures, [""] * len(pictures), names, per_row, title)


def _bands(
    pictures: Float[np.ndarray, "r k h w c"], rows: list[str], names: Sequence[str], per_row: int, title: str
) -> go.Figure:
    """Bands of pictures with their names above."""
    if len(names) != pictures.shape[1]:
        raise ValueError(f"names must be one a column, {pictures.shape[1]} here, got {len(names)}")
    if per_row < 1:
        raise ValueError(f"per_row must be at least 1, got {per_row}")
    texts = [name.replace("_", " ") for name in names]
    bands = [slice(start, start + per_row) for start in range(0, len(names), per_row)]
    return picture_grid([[Block(pictures[:, band], rows, texts[band])] for band in bands], title=title)
