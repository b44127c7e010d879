"""Figure 2: a mesh over the convex hull of the codes, drawn where the decoder puts it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Integer
from plotly.colors import sample_colorscale

from gaia_explore import geometry
from gaia_explore.geometry import Mesh
from gaia_explore.latent import Codec, Magnifier
from gaia_explore.plots.panels import (
    check_planar,
    drawn_rows,
    each_panel,
    hover,
    log_ticks,
    model_grid,
    panel_grid,
    sets_and_models,
    square,
)
from gaia_explore.plots.template import COLOUR_SCALE, INK, NEUTRAL, PALETTE
from gaia_explore.stimuli import Stimuli

LEVELS = 16
"""Colours of a mesh. Plotly has one colour a trace of lines, so that each level is a trace."""

FLOOR = 1e-6
"""Less magnification than this is drawn as this: a decoder that has died has none, and zero has no logarithm."""


@dataclass(frozen=True)
class _Scale:
    """Ends of the colour scale, as log10 of the magnification, and whether that is over the median of each panel."""

    low: float
    high: float
    relative: bool


def warp(
    codec: Codec,
    mesh: Mesh,
    stimuli: Stimuli | None = None,
    *,
    magnification: bool = True,
    units: str = "scaled",
    n_points: int = 1000,
    seed: int = 0,
    title: str = "",
) -> go.Figure:
    """Draw a mesh of the latent space where the decoder puts it, over the data.

    Parameters
    ----------
    mesh
        In the latent space, as from :func:`~gaia_explore.geometry.hull_mesh`.
    stimuli
        Drawn behind the mesh; their names go to the axes.
    magnification
        Colour each edge by the decoder's magnification at its middle, on a logarithmic scale of which the outermost
        2 % on either side are cut off. Only for two latent dimensions, and a codec that is a
        :class:`~gaia_explore.latent.Magnifier`; other meshes have one colour.
    units
        "scaled": the stimuli as the codec sees them, [0, 1]. "original": the units of the stimuli's scaler. Either way
        the shape of the picture, and the magnification, are those of the scaled stimuli.
    n_points, seed
        At most so many stimuli are drawn, chosen at random.

    Raises
    ------
    ValueError
        If the stimuli, or what the codec decodes, are not points of a plane.
    """
    if units not in ("scaled", "original"):
        raise ValueError(f"units must be 'scaled' or 'original', got {units!r}")
    if units == "original" and stimuli is None:
        raise ValueError("units must be 'scaled' without stimuli, got 'original'")
    warped, logs = _warped(codec, mesh, magnification)
    scale = _scale([logs], relative=False)
    points = _points(stimuli, n_points, seed)
    names, ratio = ("x1", "x2"), 1.0
    if stimuli is not None:
        names = stimuli.names
        if units == "original":
            points, vertices, outline, corners = map(
                stimuli.unscale, (points, warped.vertices, warped.outline, np.eye(2, dtype=np.float32))
            )
            warped = replace(warped, vertices=vertices, outline=outline)
            ratio = float(np.ptp(corners[:, 0]) / np.ptp(corners[:, 1]))
    figure = panel_grid(
        1,
        1,
        panel=(460, 460),
        gap=(0, 0),
        margin={"l": 70, "r": 110 if scale else 24, "t": 18, "b": 60},
        title=title
        or ("The latent mesh, decoded" if stimuli is None else f"{stimuli.title}: the latent mesh, decoded"),
        subtitle="a grid over the convex hull of the codes, drawn where the decoder puts it; grey: the data",
    )
    figure.add_traces(list(_traces(points, warped, logs, scale, names)))
    figure.update_xaxes(title_text=f"{names[0]} ({units})")
    figure.update_yaxes(title_text=f"{names[1]} ({units})")
    square(figure, 1, 1, points, warped.vertices, warped.outline, ratio=ratio)
    if scale:
        _add_colour_bar(figure, scale)
    return figure


def warp_grid(
    panels: Mapping[tuple[str, str], tuple[Codec, Stimuli]],
    *,
    n: int = 40,
    magnification: bool = True,
    relative: bool = True,
    n_points: int = 500,
    seed: int = 0,
    title: str = "Warps: the latent mesh, decoded",
) -> go.Figure:
    """Draw Figure 2: sets of stimuli in rows, models in columns, one colour scale for all.

    Parameters
    ----------
    panels
        The codec and the stimuli of every (title of the stimuli, name of the model), in the order of rows and columns.
        The mesh is laid over the codes of all those stimuli.
    n
        Grid positions along each side of a mesh.
    magnification, n_points, seed
        As in :func:`warp`, a panel.
    relative
        Divide the magnification of each panel by its median there. The scale of a latent space is a model's own
        affair: without this the colours say how large each space is rather than where it is stretched.

    Raises
    ------
    ValueError
        If a model lacks a set of stimuli, or a panel cannot be drawn: the message names it.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), figure 2.

    Departs from it
    ---------------
    The paper colours by density; the magnification is one over that of the mesh.
    """
    sets, models = sets_and_models(panels)

    def on_hull(codec: Codec, stimuli: Stimuli) -> tuple[Mesh, Float[np.ndarray, " _"]]:
        check_planar(stimuli)
        warped, logs = _warped(codec, geometry.hull_mesh(codec.encode(stimuli.x), n), magnification)
        return warped, logs - np.median(logs) if relative and logs.size else logs

    warps = each_panel(panels, on_hull)
    scale = _scale([logs for _, logs in warps.values()], relative)
    figure = model_grid(
        sets,
        models,
        right=104 if scale else 16,
        title=title,
        subtitle="lines: a grid over the convex hull of the codes; grey: the data; axes scaled, one scale a row",
    )
    for row, name in enumerate(sets, 1):
        around = []
        for column, model in enumerate(models, 1):
            stimuli = panels[name, model][1]
            warped, logs = warps[name, model]
            points = _points(stimuli, n_points, seed)
            around += [points, warped.vertices, warped.outline]
            for trace in _traces(points, warped, logs, scale, stimuli.names, thin=True):
                figure.add_trace(trace, row, column)
        for column in range(1, len(models) + 1):
            square(figure, row, column, *around)
    if scale:
        _add_colour_bar(figure, scale)
    return figure


def _warped(codec: Codec, mesh: Mesh, magnification: bool) -> tuple[Mesh, Float[np.ndarray, " e"]]:
    """The decoded mesh, and log10 of the magnification at the middle of each edge; of none if it is not known."""
    warped = geometry.warp(codec, mesh)
    if warped.vertices.shape[1] != 2:
        raise ValueError(f"codec must decode to 2 dimensions to be drawn in a plane, got {warped.vertices.shape[1]}")
    # Codes that nearly lie on a line, as a barely trained VAE's do, have a hull that a grid meets in single vertices.
    drawable = mesh.vertices.shape[1] == 2 and len(mesh.edges) > 0
    if not (magnification and drawable and isinstance(codec, Magnifier)):
        return warped, np.empty(0)
    factors = codec.magnification(mesh.vertices[mesh.edges].mean(axis=1))
    if not np.isfinite(factors).all():
        raise ValueError(f"codec must have a finite magnification, got {np.sum(~np.isfinite(factors))} others")
    return warped, np.log10(np.maximum(factors.astype(np.float64), FLOOR))


def _scale(logs: list[Float[np.ndarray, " _"]], relative: bool) -> _Scale | None:
    """One colour scale for all panels; none without magnification."""
    every = np.concatenate(logs)
    if not every.size:
        return None
    low, high = np.quantile(every, (0.02, 0.98)).tolist()
    # Wide enough for a round number to be in it: a linear decoder has the same magnification everywhere.
    short = max(0, 0.4 - (high - low)) / 2
    return _Scale(low - short, high + short, relative)


def _points(stimuli: Stimuli | None, n_points: int, seed: int) -> Float[np.ndarray, "n 2"]:
    if stimuli is None:
        return np.empty((0, 2), np.float32)
    check_planar(stimuli)
    return stimuli.x[drawn_rows(len(stimuli), n_points, seed)]


def _traces(
    points: Float[np.ndarray, "n 2"],
    warped: Mesh,
    logs: Float[np.ndarray, " _"],
    scale: _Scale | None,
    names: tuple[str, ...],
    *,
    thin: bool = False,
) -> Iterator[go.Scatter]:
    """The data, the edges of the mesh level by level, the outline of the hull, and what carries the colour bar."""
    x, y = points.T
    marker = {"color": NEUTRAL, "size": 3 if thin else 5, "opacity": 0.5}
    yield go.Scatter(
        x=x, y=y, mode="markers", marker=marker, name="data", hovertemplate=hover(names, "data"), showlegend=False
    )
    width = 0.7 if thin else 1.2
    for text, colour, edges in _levels(warped, logs, scale):
        x, y = _strokes(warped.vertices, edges)
        line = {"color": colour, "width": width}
        yield go.Scatter(
            x=x, y=y, mode="lines", line=line, name="mesh", hovertemplate=hover(names, text), showlegend=False
        )
    x, y = np.concatenate([warped.outline, warped.outline[:1]]).T
    line = {"color": INK, "width": width}
    yield go.Scatter(x=x, y=y, mode="lines", line=line, name="convex hull", hoverinfo="skip", showlegend=False)
    if scale:
        marker = {"color": [scale.low, scale.high], "coloraxis": "coloraxis"}
        yield go.Scatter(x=[None] * 2, y=[None] * 2, mode="markers", marker=marker, hoverinfo="skip", showlegend=False)


def _levels(
    warped: Mesh, logs: Float[np.ndarray, " _"], scale: _Scale | None
) -> Iterator[tuple[str, str, Integer[np.ndarray, "_ 2"]]]:
    """Text, colour and edges of each level that has edges, the most magnified last and on top."""
    if scale is None or not logs.size:
        yield "mesh", PALETTE[0], warped.edges
        return
    span = scale.high - scale.low
    levels = np.clip((logs - scale.low) / span * LEVELS, 0, LEVELS - 1).astype(int)
    for level in np.unique(levels):
        share = (level + 0.5) / LEVELS
        (colour,) = sample_colorscale(COLOUR_SCALE, [share])
        text = f"magnification about {10 ** (scale.low + share * span):.2g}"
        yield text + (" × the median" if scale.relative else ""), str(colour), warped.edges[levels == level]


def _strokes(
    vertices: Float[np.ndarray, "v 2"], edges: Integer[np.ndarray, "e 2"]
) -> tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]:
    """Every edge once, in strokes as long as they come, NaN between them: a third of the size of edge by edge."""
    onward = defaultdict(list)
    for start, end in edges.tolist():
        onward[start].append(end)
    strokes = []
    for start in list(onward):
        while onward[start]:
            strokes.append(vertex := start)
            while onward[vertex]:
                strokes.append(vertex := onward[vertex].pop())
            strokes.append(-1)
    x, y = np.concatenate([vertices, np.full_like(vertices[:1], np.nan)])[np.array(strokes, int)].T
    return x, y


def _add_colour_bar(figure: go.Figure, scale: _Scale):
    """A logarithmic colour bar with round numbers on it, in magnification rather than its logarithm."""
    margin = figure.layout.margin
    length = min(360, figure.layout.height - margin.t - margin.b)
    unit = "over its median<br>in the panel" if scale.relative else "(area in X<br>per area in Z)"
    colour_bar = {
        "title": {"text": f"magnification<br>{unit}", "font": {"size": 12}},
        "thickness": 14,
        "outlinewidth": 0,
        "lenmode": "pixels",
        "len": length,
        "y": 1,
        "yanchor": "top",
        # What the title leaves, a tick every 20 pixels.
        **log_ticks(scale.low, scale.high, max(2, (length - 64) // 20)),
    }
    ends = {"cmin": scale.low, "cmax": scale.high}
    figure.update_layout(coloraxis=ends | {"colorscale": COLOUR_SCALE, "colorbar": colour_bar})
