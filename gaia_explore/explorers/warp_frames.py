"""What the WarpExplorer shows, as arrays: meshes over the hull of the codes, and what decoders make of them."""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jaxtyping import Bool, Float, Float64

from gaia_explore.explorers.colours import by_value
from gaia_explore.explorers.parts import Box, Leaf, bar, column, row
from gaia_explore.explorers.planes import MARGIN, Plane
from gaia_explore.explorers.states import State
from gaia_explore.geometry import Mesh, cell_areas, hull_mesh, warp
from gaia_explore.latent import Codec, Magnifier

LAYERS = ("mesh", "magnification", "data")

FLOOR = 1e-6
"""Less magnification than this is shown as this: a decoder that has died has none, and zero has no logarithm."""

ENDS = (0.02, 0.98)
"""Quantiles of the magnification at which the colour scale ends."""

NARROWEST = 0.4
"""Powers of ten that the colour scale spans at least: a linear decoder has the same magnification everywhere."""

MOST_AWAY = 2.0
"""How many times as wide as the data a chart of stimuli is at most, however far a mesh is thrown."""


SIZES = {1: 384, 2: 384, 3: 250, 4: 184}
"""Pixels of a chart, by the number of models that stand side by side."""


@final
@dataclass(frozen=True, kw_only=True)
class WarpState(State):
    """Where a WarpExplorer is.

    Attributes
    ----------
    resolution
        Grid positions along each side of the mesh.
    extent
        How far the mesh reaches from the middle of the codes, in per cent of their hull.
    layers
        What is shown: some of "mesh" (which a contact sheet has not), "magnification" and "data".
    plane
        Where the mesh lies: along two "dimensions", two principal components ("PCA"), or through three "stimuli".
    dimensions
        Two latent dimensions, for that plane.
    anchors
        Rows of stimuli: the first three span the plane "stimuli". As long as there are fewer, three that are far apart
        do, for each model its own.
    """

    resolution: int
    extent: int = 100
    layers: tuple[str, ...] = LAYERS
    plane: str = "dimensions"
    dimensions: tuple[int, ...] = (0, 1)
    anchors: tuple[int, ...] = ()


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Warp:
    """A mesh on a plane of the latent space, and its image.

    Attributes
    ----------
    mesh
        In coordinates of the plane.
    lifted
        The same in the latent space.
    warped
        The same among the stimuli, each flattened.
    hull
        Border of the hull itself, on the plane and among the stimuli: the mesh's own at an extent of 100 %. Empty among
        the stimuli, as the outline of the warped mesh is, where borders are not decoded.
    """

    mesh: Mesh
    lifted: Mesh
    warped: Mesh
    hull: tuple[Float64[np.ndarray, "h 2"], Float[np.ndarray, "w p"]]


def make_warp(codec: Codec, plane: Plane, n: int, extent: int, *, borders: bool) -> Warp:
    """Lay a mesh over the hull of a plane's points, drawn together or apart by its extent in per cent, and decode it.

    Parameters
    ----------
    borders
        Whether to decode outlines too, which take some 500 stimuli.
    """
    middle = plane.points.mean(axis=0)
    mesh = hull_mesh(middle + extent / 100 * (plane.points - middle), n)
    lifted = _lifted(plane, mesh)
    if not borders:
        warped = warp(codec, replace(lifted, outline=lifted.outline[:0]))
        return Warp(mesh=mesh, lifted=lifted, warped=warped, hull=(plane.hull, warped.outline))
    edges, cells = np.zeros((0, 2), int), np.zeros((0, 4), int)
    border = _lifted(plane, Mesh(vertices=plane.hull[:1], edges=edges, cells=cells, outline=plane.hull))
    return Warp(mesh=mesh, lifted=lifted, warped=warp(codec, lifted), hull=(plane.hull, warp(codec, border).outline))


def _lifted(plane: Plane, mesh: Mesh) -> Mesh:
    # Straight on to the plane, whatever else its points may stand for.
    invert = plane.embedding.invert
    return replace(mesh, vertices=invert(mesh.vertices), outline=invert(mesh.outline))


def squares(mesh: Mesh) -> Float64[np.ndarray, "v 4 2"]:
    """A cell around every vertex of a mesh in a plane, as wide and as high as the grid's steps."""
    half = steps(mesh) / 2
    return mesh.vertices[:, None] + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])


def steps(mesh: Mesh) -> Float64[np.ndarray, "2"]:
    """Distance between neighbouring columns, and rows, of the grid."""
    gaps = np.abs(mesh.vertices[mesh.edges[:, 1]] - mesh.vertices[mesh.edges[:, 0]])
    longest = gaps.max(axis=0, initial=0)
    return np.where(longest > 0, longest, longest.max() or 1)


def magnification(codec: Codec, plane: Plane, corners: Float64[np.ndarray, "c 4 2"]) -> Float64[np.ndarray, " c"]:
    """Area among the stimuli per area in the latent space, for cells of a plane.

    The codec's own at the middles of the cells, where it knows one and the plane is all there is of its latent space;
    else the area of the decoded cell over that of the cell.
    """
    invert = plane.embedding.invert
    if isinstance(codec, Magnifier) and plane.z.shape[1] == 2:
        factors = np.asarray(codec.magnification(invert(corners.mean(axis=1)).astype(np.float32)), np.float64)
    else:
        codes = invert(corners.reshape(-1, 2))
        cells = np.arange(len(codes)).reshape(-1, 4)
        mesh = Mesh(vertices=codes, edges=np.zeros((0, 2), int), cells=cells, outline=codes[:3])
        factors = cell_areas(warp(codec, mesh)) / cell_areas(mesh)
    bad = int((~np.isfinite(factors)).sum())
    if bad:
        raise ValueError(f"codec must have a finite magnification, got {bad} others")
    return factors


def scaled(factors: list[Float64[np.ndarray, " _"]]) -> tuple[list[Float64[np.ndarray, " _"]], float, float]:
    """Magnifications as powers of ten over their median in each model, and one range for all.

    The scale of a latent space is a model's own affair: what counts is where it is stretched.
    """
    logs = [np.log10(np.maximum(own, FLOOR)) for own in factors]
    logs = [own - np.median(own) if own.size else own for own in logs]
    every = np.concatenate(logs)
    if not every.size:
        return logs, 0.0, NARROWEST
    low, high = np.quantile(every, ENDS).tolist()
    short = max(0.0, NARROWEST - (high - low)) / 2
    return logs, low - short, high + short


def coloured(logs: Float64[np.ndarray, " c"], low: float, high: float) -> tuple[np.ndarray, dict[str, Any]]:
    """Colours of magnifications, on a logarithmic scale."""
    numbers, legend = by_value(logs, "magnification, × the median", low, high)
    return numbers, {**legend, "low": low, "high": high, "log": True}


def folded(warped: Mesh) -> Bool[np.ndarray, " c"]:
    """Which cells of a mesh in a plane lie the other way round than most: the decoder folded them over."""
    x, y = np.moveaxis(warped.vertices[warped.cells].astype(np.float64), -1, 0)
    signed = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    return np.sign(signed) == -np.sign(np.sign(signed).sum() or 1)


def square_around(*points: Float[np.ndarray, "_ 2"]) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a square with all points and some space in it."""
    every = np.concatenate(points)
    low, high = every.min(axis=0), every.max(axis=0)
    middle, half = (low + high) / 2, ((high - low).max() / 2 or 1) * (1 + 2 * MARGIN)
    (left, bottom), (right, top) = (middle - half).tolist(), (middle + half).tolist()
    return left, right, bottom, top


def sheet_extent(mesh: Mesh) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a contact sheet: a square in steps of the grid, so that its tiles fill it."""
    low, high, step = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0), steps(mesh)
    middle, half = (low + high) / 2, ((high - low) / step + 1.2).max() / 2 * step
    (left, bottom), (right, top) = (middle - half).tolist(), (middle + half).tolist()
    return left, right, bottom, top


def near(x: Float[np.ndarray, "n 2"], points: Float[np.ndarray, "_ 2"]) -> Float[np.ndarray, "_ 2"]:
    """Points, those thrown far beyond the data brought back to the border of what a chart shows."""
    low, high = x.min(axis=0), x.max(axis=0)
    middle, half = (low + high) / 2, MOST_AWAY * (high - low).max() / 2
    return np.clip(points, middle - half, middle + half)


def chart_title(model: str, side: str, planar: bool) -> str:
    """What the chart of a model shows: side "z" or "x"."""
    words = "Mesh over the latent codes" if side == "z" else "Its warp" if planar else "Its vertices, decoded"
    return f"{model}: {words[0].lower()}{words[1:]}" if model else words


def layout(models: tuple[str, ...], planar: bool) -> Box:
    """One model's mesh and warp side by side, or those of several models one above the other; controls above."""
    size = SIZES[len(models)]
    mesh = (("cells", "cells"), ("data", "points"), ("mesh", "segments"), ("hull", "lines"), ("outline", "lines"))
    sheet = (("cells", "cells"), ("tiles", "tiles"))

    def chart(side: str, i: int) -> Leaf:
        layers = mesh if side == "z" or planar else sheet
        options = {"size": (size, size), "layers": layers, "linked": f"warp{i}"}
        return Leaf(kind="chart", name=f"{side}{i}", label=chart_title(models[i], side, planar), options=options)

    pairs = [(chart("z", i), chart("x", i)) for i in range(len(models))]
    return column(
        bar(
            Leaf(kind="choice", name="plane", label="Plane"),
            Leaf(kind="number", name="across", label="z"),
            Leaf(kind="number", name="up", label="z"),
            Leaf(kind="checks", name="layers", label="Show"),
        ),
        row(
            column(Leaf(kind="slider", name="resolution", label="Resolution")),
            column(Leaf(kind="slider", name="extent", label="Extent of the hull")),
        ),
        row(*pairs[0]) if len(models) == 1 else bar(*(column(*pair) for pair in pairs)),
        Leaf(kind="table", name="table", label="How unequally each decoder stretches its latent space"),
    )
