"""What models make of pictures: morphs (Figure 3 of the paper), reconstructions (Figure 5), training panels."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Shaped

from gaia_explore.latent import Codec, Judge, morph
from gaia_explore.latent import training_panel as rows_of_panel
from gaia_explore.plots.grids import Block, picture_grid
from gaia_explore.plots.mosaics import as_pictures
from gaia_explore.plots.panels import PAGE_WIDTH

ROWS = {
    "X": "<b>X</b><br>stimuli",
    "D(X)": "<b>D(X)</b><br>stimuli, by D",
    "D(G(X))": "<b>D(G(X))</b><br>reconstructions, by D",
    "G(X)": "<b>G(X)</b><br>reconstructions",
    "G(z_i)": "<b>G(z<sub>i</sub>)</b><br>interpolations",
    "D(G(z_i))": "<b>D(G(z<sub>i</sub>))</b><br>interpolations, by D",
    "mean": "mean of the two<br>in pixels",
}
"""What the rows of a training panel are called."""

COLUMNS = 12
"""Pictures side by side, at most, in a figure of reconstructions."""

TALL = 6
"""Rows of a figure of reconstructions before there are groups side by side."""


def morphs(
    codecs: Codec | Mapping[str, Codec],
    x_start: Shaped[np.ndarray, "n *x"],
    x_end: Shaped[np.ndarray, "..."],
    *,
    n_steps: int = 10,
    judge: Judge | None = None,
    title: str = "Morphs",
) -> go.Figure:
    """Draw morphs between pairs of pictures, and the pictures themselves at the ends: a row a model, a block a pair.

    Parameters
    ----------
    codecs
        One model, or several by name, one below the other for each pair.
    x_start, x_end
        Pictures in [0, 1], a pair a row.
    n_steps
        Decoded pictures of each morph, ends included.
    judge
        Draws below each morph its realism to this one judge, such as a GAIA's codec: low on the manifold of the data.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Figure 3.
    """
    named = _by_name(codecs)
    start, end = as_pictures(x_start, "x_start"), as_pictures(x_end, "x_end")
    if x_start.shape != x_end.shape:
        raise ValueError(f"x_start and x_end must have one shape, got {x_start.shape} and {x_end.shape}")
    steps = [f"{t:.2g}" for t in np.linspace(0, 1, n_steps)]
    continua = []
    for codec in named.values():
        ends = zip(codec.encode(x_start), codec.encode(x_end), strict=True)
        continua.append(np.stack([morph(codec, *codes, n_steps) for codes in ends]))
    lines = []
    for pair in range(len(start)):
        strips = np.stack([continuum[pair] for continuum in continua])
        realism = None if judge is None else np.stack([judge.realism(strip) for strip in strips])
        pictures = np.stack([as_pictures(strip) for strip in strips])
        sides = [np.stack([x[pair : pair + 1]] * len(named)) for x in (start, end)]
        # Names over the first pair are enough.
        original, over = (["original"], ["t = 0", *steps[1:]]) if pair == 0 else ([""], [""] * n_steps)
        unnamed = [""] * len(named)
        between = Block(pictures, unnamed, over, realism)
        lines.append([Block(sides[0], list(named), original), between, Block(sides[1], unnamed, original)])
    note = "" if judge is None else "the line: realism, how badly the discriminator reproduces a picture; from 0 up"
    return picture_grid(lines, title=title, subtitle=note)


def reconstructions(
    codecs: Codec | Mapping[str, Codec], x: Shaped[np.ndarray, "n *x"], *, title: str = "Reconstructions"
) -> go.Figure:
    """Draw pictures, and to the right of each what models make of it, with their mean pixel errors over all of them.

    Parameters
    ----------
    codecs
        One model, or several by name, in columns.
    x
        Pictures in [0, 1].

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Figure 5.
    """
    named = _by_name(codecs)
    original = as_pictures(x)
    x_hat = {name: as_pictures(np.asarray(codec.decode(codec.encode(x)))) for name, codec in named.items()}
    errors = {name: f"{np.abs(original - made).mean():.3f}" for name, made in x_hat.items()}
    heads = ["original", *(f"{name or 'decoded'}<br>{error}" for name, error in errors.items())]
    columns = np.stack([original, *x_hat.values()], axis=1)
    n, width = columns.shape[:2]
    # As many groups side by side as have room for their names.
    letters = max(len(part) for head in heads for part in head.split("<br>"))
    most = min(COLUMNS, (PAGE_WIDTH - 100) // (6 * letters + 4))
    groups = max(min(most // width, -(-n // TALL)), 1)
    rows = -(-n // groups)
    blank = np.ones((rows * groups - n, *columns.shape[1:]), columns.dtype)
    columns = np.concatenate([columns, blank]).reshape(groups, rows, *columns.shape[1:])
    line = [Block(group, [""] * rows, heads) for group in columns]
    return picture_grid([line], title=title, subtitle=f"numbers: mean pixel error over these {n:,} stimuli")


def training_panel(
    codec: Codec, x: Shaped[np.ndarray, "n *x"], *, side: int = 66, pixels: int = 64, title: str = "Training panel"
) -> go.Figure:
    """Draw what a model makes of pictures: a row each for stimuli, reconstructions, interpolations, and the judge's.

    Columns are stimuli; what the rows are is told by :func:`gaia_explore.latent.training_panel`.

    Parameters
    ----------
    x
        Pictures in [0, 1], some ten of them.
    side
        Pixels of the page that a picture has across, at most.
    pixels
        Pixels of its own that it keeps, across and down: larger ones are drawn coarser.
    """
    as_pictures(x)
    if pixels < 1:
        raise ValueError(f"pixels must be at least 1, got {pixels}")
    rows = rows_of_panel(codec, x)
    pictures: Float[np.ndarray, "r k h w c"] = np.stack([_coarser(as_pictures(row), pixels) for row in rows.values()])
    block = Block(pictures, [ROWS[name] for name in rows], [""] * pictures.shape[1])
    judge = ", D: reproduced by the discriminator" if "D(X)" in rows else ""
    note = f"G: decoded{judge}; interpolations lie halfway to the next stimulus"
    return picture_grid([[block]], title=title, subtitle=note, side=side)


def _coarser(x: Shaped[np.ndarray, "n h w c"], most: int) -> Shaped[np.ndarray, "n h2 w2 c"]:
    """Means over squares of pixels, so that no more remain; what fills no square at the lower and right edge is cut."""
    n, height, width, channels = x.shape
    size = -(-max(height, width) // most)
    high, wide = height // size, width // size
    squares = x[:, : high * size, : wide * size].reshape(n, high, size, wide, size, channels)
    return squares.mean((2, 4))


def _by_name(codecs: Codec | Mapping[str, Codec]) -> Mapping[str, Codec]:
    if isinstance(codecs, Codec):
        return {"": codecs}
    if not codecs:
        raise ValueError("codecs must hold at least 1 model, got none")
    return codecs
