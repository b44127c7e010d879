"""The shape of the latent space: meshes cut to the convex hull of codes, and what a decoder makes of them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer, Shaped
from scipy.linalg import null_space
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from gaia_explore.latent import Codec

THIN = 1e-6
"""A hull narrower than this share of its length is a line: codes in single precision on one are off it by 1e-7."""

FINE = 1e-3
"""A slice may lack corners that stand out by less than this share of the width of all codes."""


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A grid in the latent space cut to a convex hull, or its image among the stimuli.

    Attributes
    ----------
    vertices
        One point a row.
    edges
        Pairs of neighbouring vertices, by their rows.
    cells
        The four corners of every whole cell, by their rows, in order around it.
    outline
        The border of the hull, point by point in order around it. The last joins the first.

    Raises
    ------
    ValueError
        If a coordinate is not finite, if vertices and outline differ in their dimensions, or if an edge or a cell
        names a vertex that is not there.
    """

    vertices: Float[np.ndarray, "v d"]
    edges: Integer[np.ndarray, "e 2"]
    cells: Integer[np.ndarray, "c 4"]
    outline: Float[np.ndarray, "h _"]

    def __post_init__(self):
        _points("vertices", self.vertices)
        _points("outline", self.outline)
        if self.vertices.shape[1] != self.outline.shape[1]:
            raise ValueError(
                f"outline must have the {self.vertices.shape[1]} dimensions of the vertices, "
                f"got {self.outline.shape[1]}"
            )
        for argument, rows in (("edges", self.edges), ("cells", self.cells)):
            if rows.size and not 0 <= rows.min() <= rows.max() < len(self.vertices):
                raise ValueError(
                    f"{argument} must name rows of the {len(self.vertices)} vertices, got {rows.min()} to {rows.max()}"
                )


def hull_mesh(
    z: Shaped[np.ndarray, "n ..."],
    n: int = 40,
    *,
    plane: tuple[int, int] | Shaped[np.ndarray, "3 ..."] = (0, 1),
    how: str = "projection",
) -> Mesh:
    """Lay a grid over the convex hull of latent codes and keep what lies inside.

    With two latent dimensions this is the hull itself. With more, the mesh lies on a plane, and the hull is either
    the shadow that the codes throw on the plane, or the cut of the plane through their full hull.

    Parameters
    ----------
    z
        The codes, (n, d), d at least 2.
    n
        Grid positions along each side of the hull's bounding box, at least 2.
    plane
        Two latent dimensions: the plane along them through the mean code. Or three codes, (3, d): the plane through
        them, where the first side of the grid runs from the first code towards the second.
    how
        "projection": the hull of the codes, projected at right angles on to the plane. It covers every code, but a
        vertex may lie outside the hull of the codes themselves.
        "slice": the part of the plane inside the hull of the codes themselves, so that every vertex is a mixture of
        codes. In many dimensions this is far smaller than the projection. A second or so in a dozen dimensions,
        minutes in a hundred.

    Raises
    ------
    TypeError
        If `z` or `plane` holds something other than numbers.
    ValueError
        If the codes are too few, not finite, or on a line, if the plane is none or misses the hull, or if no grid
        position lies inside the hull.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), figures 2 and 6: a mesh grid over the convex hull of the codes.

    Departs from it
    ---------------
    The paper has two latent dimensions; planes in more are ours.
    """
    z = _points("z", z)
    if len(z) < 3:
        raise ValueError(f"z must hold at least 3 codes, got {len(z)}")
    if z.shape[1] < 2:
        raise ValueError(f"z must have at least 2 latent dimensions, got {z.shape[1]}")
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")
    if how not in ("projection", "slice"):
        raise ValueError(f"how must be 'projection' or 'slice', got {how!r}")
    origin, basis = span_plane(z, plane)
    flat = (z - origin) @ basis.T
    if how == "slice" and z.shape[1] > 2:
        flat = _slice(flat, (z - origin) @ null_space(basis))
    centred = flat - flat.mean(axis=0)
    turn = np.linalg.svd(centred, full_matrices=False)[2].T
    turn[:, 1] *= np.sign(np.linalg.det(turn))
    extents = np.ptp(centred @ turn, axis=0)
    if extents.min() <= THIN * extents.max():
        raise ValueError(
            f"z must span two dimensions, but its {how} lies on a line (smallest extent {extents.min():.2g})"
        )
    # Qhull rounds by the largest coordinate: it is shown a hull as wide as it is long, whose corners are the same. Nor
    # is it mirrored, so that they are in the same order.
    hull = ConvexHull(centred @ turn / extents)
    corners = flat[hull.vertices]
    sides = np.linspace(corners.min(axis=0), corners.max(axis=0), n)
    grid = np.stack(np.meshgrid(*sides.T, indexing="ij"), axis=-1)
    shown = (grid - flat.mean(axis=0)) @ turn / extents
    beyond = shown @ hull.equations[:, :2].T + hull.equations[:, 2]  # distance beyond the line of each side of the hull
    inside = (beyond <= 1e-9).all(axis=-1)
    if not inside.any():
        raise ValueError(f"n must be larger: no position of the grid lies inside the hull, got {n}")
    edges, cells = _neighbours(inside)
    return Mesh(vertices=origin + grid[inside] @ basis, edges=edges, cells=cells, outline=origin + corners @ basis)


def warp(codec: Codec, mesh: Mesh) -> Mesh:
    """Decode a mesh: the same edges and cells, each vertex where the decoder puts it.

    The stimuli are flattened to (v, p). The outline gains points along its sides first, about 256 in all, because a
    straight side of the hull decodes to a curve.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), figure 2.
    """
    sides = np.roll(mesh.outline, -1, axis=0) - mesh.outline
    lengths = np.linalg.norm(sides, axis=1)
    steps = np.ceil(256 * lengths / lengths.sum()).astype(int)
    outline = [
        start + np.linspace(0, 1, n, endpoint=False)[:, None] * side
        for start, side, n in zip(mesh.outline, sides, steps, strict=True)
    ]
    z = np.concatenate([mesh.vertices, *outline])
    x = codec.decode(z)
    if len(x) != len(z):
        raise ValueError(f"codec must decode {len(z)} codes to as many stimuli, got {len(x)}")
    vertices, outline = np.split(x.reshape(len(x), -1), [len(mesh.vertices)])
    return Mesh(vertices=vertices, edges=mesh.edges, cells=mesh.cells, outline=outline)


def edge_stretch(mesh: Mesh, warped: Mesh) -> Float[np.ndarray, " e"]:
    """Length of each edge after the warp, over its length before: 1 where the decoder keeps distances."""
    if not np.array_equal(mesh.edges, warped.edges):
        raise ValueError(f"warped must have the {len(mesh.edges)} edges of mesh, got {len(warped.edges)} others")
    before, after = (
        np.linalg.norm(m.vertices[m.edges[:, 1]] - m.vertices[m.edges[:, 0]], axis=1) for m in (mesh, warped)
    )
    if not before.all():
        raise ValueError(f"mesh must have no edge of length 0, got {np.sum(before == 0)}")
    return after / before


def cell_areas(mesh: Mesh) -> Float[np.ndarray, " c"]:
    """Area of each cell, as that of the two triangles on either side of a diagonal, in any number of dimensions.

    The areas of a warped mesh over those of the mesh itself are the decoder's magnification, √det(JᵀJ), by finite
    differences.
    """
    first, second, third, fourth = np.moveaxis(mesh.vertices[mesh.cells].astype(np.float64), 1, 0)
    areas = np.zeros(len(mesh.cells))
    for corner in (second, fourth):
        a, b = corner - first, third - first
        gram = (a * a).sum(axis=1) * (b * b).sum(axis=1) - (a * b).sum(axis=1) ** 2
        areas += np.sqrt(np.maximum(gram, 0)) / 2  # rounding can take a flat triangle below 0
    return areas


def _points(argument: str, points: Shaped[np.ndarray, "..."]) -> Float64[np.ndarray, "n d"]:
    """Check a set of points, and return it in double precision."""
    points = np.asarray(points)
    if points.dtype.kind not in "fiu":
        raise TypeError(f"{argument} must be an array of numbers, got {points.dtype}")
    if points.ndim != 2:
        raise ValueError(f"{argument} must hold one point a row, got shape {points.shape}")
    bad = (~np.isfinite(points)).any(axis=1).sum()
    if bad:
        raise ValueError(f"{argument} must be finite, got {bad} of {len(points)} points that are not")
    return points.astype(np.float64)


def span_plane(
    z: Float[np.ndarray, "n d"], plane: tuple[int, int] | Shaped[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "2 d"]]:
    """A point of the plane along two latent dimensions, or through three codes, and two orthonormal directions in it.

    Along two dimensions, coordinates on the plane are those dimensions' own. Through three codes, the first code has
    the coordinates (0, 0), and the first direction leads from it towards the second.
    """
    d = z.shape[1]
    if isinstance(plane, tuple):
        if len(set(plane)) != 2 or not all(dimension in range(d) for dimension in plane):
            raise ValueError(f"plane must be two different latent dimensions from 0 to {d - 1}, got {plane}")
        origin = z.mean(axis=0)
        origin[list(plane)] = 0
        return origin, np.eye(d)[list(plane)]
    codes = _points("plane", plane)
    if codes.shape != (3, d):
        raise ValueError(f"plane must be two latent dimensions or three codes, (3, {d}), got shape {codes.shape}")
    directions, triangle = np.linalg.qr((codes[1:] - codes[0]).T)
    if np.abs(triangle.diagonal()).min() <= THIN * np.abs(triangle).max():
        raise ValueError("plane must be three codes that are not on a line")
    return codes[0], (directions * np.sign(triangle.diagonal())).T


def _slice(along: Float[np.ndarray, "n 2"], across: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "h 2"]:
    """Corners of the cut of a plane through the hull of codes, given their coordinates along and across it.

    A mixture of codes lies on the plane if it mixes their coordinates across to 0. The mixture farthest in a direction
    is a linear programme, and a corner of the cut. From two opposite corners on, each two neighbours ask for the
    farthest one beyond the line between them, until there is none: quickhull without the facets of the full hull, of
    which there are too many in more than a few dimensions.

    Source
    ------
    Ours, after the quickhull of Barber, Dobkin & Huhdanpaa 1996.
    """
    centre, width = along.mean(axis=0), np.ptp(along) or 1
    along = (along - centre) / width
    mixture = np.vstack([across.T / (np.abs(across).max() or 1), np.ones(len(along))])
    on_plane = np.append(np.zeros(across.shape[1]), 1)

    def best(reach, active):
        solved = linprog(-reach[active], A_eq=mixture[:, active], b_eq=on_plane)
        if solved.x is None:
            raise ValueError(f"plane must cut the convex hull of z, but no mixture of its {len(along)} codes is on it")
        return solved

    # Most codes play no part in a corner: begin with some mixture, and let in those that lead farther at its prices.
    active = best(np.zeros(len(along)), np.full(len(along), True)).x > 0

    def farthest(direction):
        reach = along @ direction
        while True:
            solved = best(reach, active)
            gain = np.where(active, 0, reach + solved.eqlin.marginals @ mixture)
            if gain.max() <= 1e-7:
                return solved.x @ along[active]
            active[np.argsort(gain)[-64:]] = True

    def between(corner, following):
        side = following - corner
        outward = np.array([side[1], -side[0]]) / (np.linalg.norm(side) or 1)
        found = farthest(outward)
        if outward @ (found - corner) <= FINE:
            return []
        return [*between(corner, found), found, *between(found, following)]

    left, right = farthest(np.array([-1, 0])), farthest(np.array([1, 0]))
    return centre + width * np.array([left, *between(left, right), right, *between(right, left)])


def _neighbours(inside: Bool[np.ndarray, "n n"]) -> tuple[Integer[np.ndarray, "e 2"], Integer[np.ndarray, "c 4"]]:
    """Edges and cells between the positions of a grid that lie inside, numbered in order."""
    row = np.full(inside.shape, -1)
    row[inside] = np.arange(inside.sum())
    down = np.stack([row[:-1], row[1:]], axis=-1).reshape(-1, 2)
    right = np.stack([row[:, :-1], row[:, 1:]], axis=-1).reshape(-1, 2)
    cells = np.stack([row[:-1, :-1], row[1:, :-1], row[1:, 1:], row[:-1, 1:]], axis=-1).reshape(-1, 4)
    edges = np.concatenate([down, right])
    return edges[(edges >= 0).all(axis=1)], cells[(cells >= 0).all(axis=1)]
