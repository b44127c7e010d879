"""Points of the plane by their attribute: stimuli, their codes, and what is decoded (Figure 6)."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float, Shaped
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from gaia_explore.latent import Codec
from gaia_explore.plots.panels import (
    check_planar,
    drawn_rows,
    each_panel,
    hover,
    legend_once,
    model_grid,
    panel_grid,
    sets_and_models,
    square,
)
from gaia_explore.plots.pictures import sheet_of_stimuli
from gaia_explore.plots.template import COLOUR_SCALE, NEUTRAL, PALETTE
from gaia_explore.stimuli import Stimuli

SYMBOLS = ("circle", "diamond", "square", "cross", "x", "triangle-up", "star", "pentagon")
"""After as many classes as there are colours, the colours begin anew with the next symbol."""

PAIRS = "interpolations: t = 0 to 1 between the codes of random pairs"

KINDS = ("latent codes", "reconstructions", "interpolations")


def stimuli(
    stimuli: Stimuli, *, attribute: str = "auto", n_points: int = 2000, seed: int = 0, title: str = ""
) -> go.Figure:
    """Draw a planar set of stimuli, coloured by an attribute, or a sheet of pictures, ordered by it.

    Parameters
    ----------
    attribute
        Name of an attribute; "auto" for "label" if there is one, else for the first; "none" for grey. An attribute with
        more than 8 different numbers has a colour scale, any other a colour a class. What is missing is grey. Pictures
        have a row a class, go from low to high with a colour scale's numbers, and have no order without attribute.
    n_points, seed
        At most so many stimuli are drawn, chosen at random; of pictures, as many as fit a few rows.
    """
    if len(stimuli.shape) > 1:
        return sheet_of_stimuli(stimuli, attribute_values(stimuli, attribute), n_points, seed, title or stimuli.title)
    check_planar(stimuli)
    values = attribute_values(stimuli, attribute)
    rows = drawn_rows(len(stimuli), n_points, seed)
    figure = panel_grid(
        1,
        1,
        panel=(460, 460),
        gap=(0, 0),
        margin={"l": 70, "r": 110 if values.name else 24, "t": 18, "b": 60},
        title=title or stimuli.title,
        subtitle=f"{len(rows):,} of {len(stimuli):,} stimuli",
    )
    figure.add_traces(list(_traces(stimuli.x[rows], values.iloc[rows], stimuli.names, size=6, bar=True)))
    across, up = stimuli.names
    figure.update_xaxes(title_text=f"{across} (scaled)")
    figure.update_yaxes(title_text=f"{up} (scaled)")
    square(figure, 1, 1, stimuli.x[rows])
    legend_once(figure)
    return figure


def codes_and_decodings(
    codec: Codec, stimuli: Stimuli, *, attribute: str = "auto", n_points: int = 600, seed: int = 0, title: str = ""
) -> go.Figure:
    """Draw stimuli as latent codes, their reconstructions, and as many decoded interpolations, side by side.

    Codes and reconstructions are coloured by the attribute (see :func:`stimuli`). An interpolation is t = 0 to 1,
    uniform, between the codes of a random pair of the stimuli drawn; it has no attribute, and is grey.
    """
    points, values = _codes_and_decodings(codec, stimuli, attribute, n_points, seed)
    figure = panel_grid(
        1,
        3,
        panel=(184, 184),
        gap=(68, 0),
        margin={"l": 60, "r": 90, "t": 40, "b": 56},
        title=title or f"{stimuli.title}: codes and what is decoded",
        subtitle=PAIRS,
        column_titles=KINDS,
    )
    _fill(figure, [(1, 1), (1, 2), (1, 3)], points, values, stimuli, size=4, bar=True)
    square(figure, 1, 1, points[0])
    for column in (2, 3):
        square(figure, 1, column, *points[1:])
    for column, (across, up) in enumerate([("z1", "z2"), *[[f"{name} (scaled)" for name in stimuli.names]] * 2], 1):
        figure.update_xaxes(title_text=across, col=column)
        figure.update_yaxes(title_text=up, col=column)
    legend_once(figure)
    return figure


def codes_grid(
    panels: Mapping[tuple[str, str], tuple[Codec, Stimuli]],
    *,
    attribute: str = "auto",
    n_points: int = 300,
    seed: int = 0,
    title: str = "Codes, reconstructions and interpolations",
) -> go.Figure:
    """Draw Figure 6: models in columns, three rows a set of stimuli (codes, reconstructions, interpolations).

    Parameters
    ----------
    panels
        As in :func:`~gaia_explore.plots.warp_grid`, three rows a set.
    attribute, n_points, seed
        As in :func:`codes_and_decodings`, a panel. An attribute of numbers runs from dark (low) to light (high) within
        each set.

    Raises
    ------
    ValueError
        If a model lacks a set of stimuli, or a panel cannot be drawn: the message names it.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), figure 6.
    """
    sets, models = sets_and_models(panels)
    drawn = each_panel(panels, lambda codec, stimuli: _codes_and_decodings(codec, stimuli, attribute, n_points, seed))
    figure = model_grid(
        sets, models, KINDS, right=104, title=title, subtitle=f"{PAIRS}; decoded panels of a set have one scale"
    )
    for block, name in enumerate(sets):
        rows = [3 * block + kind for kind in (1, 2, 3)]
        decoded = [xy for model in models for xy in drawn[name, model][0][1:]]
        for column, model in enumerate(models, 1):
            points, values = drawn[name, model]
            places = [(row, column) for row in rows]
            _fill(figure, places, points, values, panels[name, model][1], size=3, bar=False)
            for place, around in zip(places, ([points[0]], decoded, decoded), strict=True):
                square(figure, *place, *around)
    legend_once(figure)
    return figure


def _codes_and_decodings(
    codec: Codec, stimuli: Stimuli, attribute: str, n_points: int, seed: int
) -> tuple[list[Float[np.ndarray, "_ 2"]], pd.Series]:
    """Codes, reconstructions, and interpolations of the stimuli that are drawn, and their attribute."""
    check_planar(stimuli)
    rows = drawn_rows(len(stimuli), n_points, seed)
    if len(rows) < 2:
        raise ValueError(f"n_points must be at least 2 for interpolations, got {n_points}")
    z = codec.encode(stimuli.x[rows])
    if z.shape[1:] != (2,):
        raise ValueError(f"codec must have 2 latent dimensions to be drawn in a plane, got shape {z.shape[1:]}")
    rng = np.random.default_rng(seed)
    # A partner is never the stimulus itself.
    partners = (np.arange(len(z)) + rng.integers(1, len(z), size=len(z))) % len(z)
    t = rng.random((len(z), 1))
    return [z, codec.decode(z), codec.decode((1 - t) * z + t * z[partners])], attribute_values(stimuli, attribute).iloc[
        rows
    ]


def _fill(
    figure: go.Figure,
    places: list[tuple[int, int]],
    points: list[Float[np.ndarray, "_ 2"]],
    values: pd.Series,
    stimuli: Stimuli,
    *,
    size: int,
    bar: bool,
):
    """Add codes, reconstructions and interpolations to three panels."""
    nothing = pd.Series(index=values.index, dtype="category", name="")
    for place, kind, xy in zip(places, KINDS, points, strict=True):
        shown = nothing if kind == "interpolations" else values
        names = ("z1", "z2") if kind == "latent codes" else stimuli.names
        for trace in _traces(xy, shown, names, size=size, bar=bar and kind == "latent codes"):
            figure.add_trace(trace, *place)


def attribute_values(stimuli: Stimuli, attribute: str) -> pd.Series:
    """The attribute that colours the stimuli, as categories where it has classes; nameless where there is none."""
    names = [str(name) for name in stimuli.attributes.columns]
    if attribute == "auto":
        attribute = "label" if "label" in names else [*names, "none"][0]
    if attribute == "none":
        return pd.Series(index=stimuli.attributes.index, dtype="category", name="")
    if attribute not in names:
        raise ValueError(f"attribute must be among {', '.join([*names, 'none'])}, got {attribute!r}")
    values = stimuli.attributes.iloc[:, names.index(attribute)].rename(attribute)
    is_number = is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype)
    if is_number and values.nunique() > 8:
        return pd.Series(values.to_numpy(np.float64, na_value=np.nan), name=attribute)
    return values.astype("category")


def _traces(
    points: Float[np.ndarray, "n 2"], values: pd.Series, names: tuple[str, ...], *, size: int, bar: bool
) -> Iterator[go.Scatter]:
    """A trace a class, or one with a colour scale; and one for what has no value."""
    marker = {"size": size, "opacity": 0.7}
    known = np.asarray(values.notna())
    if isinstance(values.dtype, pd.CategoricalDtype):
        for i, value in enumerate(values.cat.categories):
            text = f"{values.name} {value}"
            look = {"color": PALETTE[i % len(PALETTE)], "symbol": SYMBOLS[i // len(PALETTE) % len(SYMBOLS)]}
            yield _scatter(points[np.asarray(values.cat.codes) == i], text, hover(names, text), marker | look)
    elif known.any():
        scale = {"color": np.asarray(values)[known], "colorscale": COLOUR_SCALE, "showscale": bar}
        # Short, so that the legend has room above it.
        bar_look = {"title": {"text": str(values.name)}, "thickness": 14, "outlinewidth": 0, "len": 0.85}
        look = scale | {"colorbar": bar_look | {"y": 0, "yanchor": "bottom"}}
        text = hover(names, f"{values.name} %{{marker.color:.3g}}")
        yield _scatter(points[known], "", text, marker | look)
    if not known.all():
        text = f"{values.name} missing" if values.name else ""
        yield _scatter(points[~known], text, hover(names, text), marker | {"color": NEUTRAL})


def _scatter(points: Shaped[np.ndarray, "n 2"], name: str, hovertemplate: str, marker: dict) -> go.Scatter:
    x, y = points.T
    return go.Scatter(x=x, y=y, mode="markers", name=name, hovertemplate=hovertemplate, marker=marker)
