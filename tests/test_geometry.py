import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.spatial import ConvexHull, Delaunay, HalfspaceIntersection

from gaia_explore.geometry import Mesh, cell_areas, edge_stretch, hull_mesh, warp


class LinearCodec:
    """x = z A + b, with x in any shape."""

    def __init__(self, matrix, offset=0.0, shape=(-1,)):
        self.matrix, self.offset, self.shape = np.asarray(matrix), offset, shape

    def encode(self, x):
        return (x.reshape(len(x), -1) - self.offset) @ np.linalg.pinv(self.matrix)

    def decode(self, z):
        return (z @ self.matrix + self.offset).reshape(len(z), *self.shape)


class PolarCodec:
    """Takes a code for a radius and an angle; its magnification is the radius."""

    def encode(self, x):
        return np.stack([np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 1], x[:, 0])], axis=1)

    def decode(self, z):
        return z[:, :1] * np.stack([np.cos(z[:, 1]), np.sin(z[:, 1])], axis=1)


def normal_codes(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def square_codes():
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    return np.concatenate([np.random.default_rng(0).random((20, 2)), corners])


def cube_codes():
    return np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]), axis=-1).reshape(-1, 3)


def polygon_area(corners):
    x, y = corners.T
    return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


def bounding_grid(outline, n):
    sides = np.linspace(outline.min(axis=0), outline.max(axis=0), n)
    return np.stack(np.meshgrid(*sides.T), axis=-1).reshape(-1, 2)


def exact_slice_area(z):
    """Area of the cut along the first two dimensions through the mean code, from the facets of the full hull."""
    equations = ConvexHull(z).equations
    through = np.concatenate([[0.0, 0.0], z.mean(axis=0)[2:]])
    lines = np.column_stack([equations[:, :2], equations[:, :-1] @ through + equations[:, -1]])
    return ConvexHull(HalfspaceIntersection(lines, z.mean(axis=0)[:2]).intersections).volume


def edge_set(mesh):
    ends = np.sort(mesh.vertices[mesh.edges].round(9).view("complex128")[..., 0], axis=1)
    return {tuple(pair) for pair in ends}


# Oracles


def test_mesh_keeps_what_qhull_finds_inside_and_nothing_else():
    z = normal_codes(200, 2)
    mesh = hull_mesh(z, 25)
    grid = bounding_grid(mesh.outline, 25)
    inside = grid[Delaunay(z).find_simplex(grid) >= 0]
    assert 0 < len(inside) < 25**2
    assert sorted(map(tuple, mesh.vertices.round(9))) == sorted(map(tuple, inside.round(9)))


def test_outline_is_qhulls_in_order():
    z = normal_codes(100, 2)
    outline, theirs = hull_mesh(z).outline, z[ConvexHull(z).vertices]
    # Around the same way, from whichever corner.
    assert np.array_equal(np.roll(outline, -np.flatnonzero((outline == theirs[0]).all(axis=1))[0], axis=0), theirs)
    assert polygon_area(outline) == pytest.approx(ConvexHull(z).volume)


@pytest.mark.parametrize("d", [3, 5])
def test_slice_is_the_cut_through_the_full_hull(d):
    z = normal_codes(150, d)
    mesh = hull_mesh(z, 15, how="slice")
    exact = exact_slice_area(z)
    assert exact * 0.995 < polygon_area(mesh.outline[:, :2]) < exact * (1 + 1e-9)
    equations = ConvexHull(z).equations
    assert (mesh.vertices @ equations[:, :-1].T + equations[:, -1]).max() < 1e-7
    assert np.allclose(mesh.vertices[:, 2:], z.mean(axis=0)[2:])


def test_vertices_of_a_slice_in_twelve_dimensions_are_mixtures_of_codes():
    z = normal_codes(200, 12)
    mesh = hull_mesh(z, 8, how="slice")
    codes = np.vstack([z.T, np.ones(len(z))])
    for vertex in np.concatenate([mesh.vertices, mesh.outline])[::7]:
        assert nnls(codes, np.append(vertex, 1))[1] < 1e-6


@pytest.mark.parametrize("d", [3, 5, 12])
def test_projection_is_the_hull_of_two_dimensions_at_the_mean_of_the_others(d):
    z = normal_codes(100, d)
    mesh = hull_mesh(z, 12, plane=(2, 0))
    flat = hull_mesh(z[:, [2, 0]], 12)
    assert np.allclose(mesh.vertices[:, [2, 0]], flat.vertices)
    assert np.array_equal(mesh.edges, flat.edges)
    others = np.setdiff1d(np.arange(d), [0, 2])
    assert np.allclose(mesh.vertices[:, others], z.mean(axis=0)[others])


# Planted answers


@pytest.mark.parametrize("n", [2, 3, 40])
def test_square_keeps_the_whole_grid(n):
    mesh = hull_mesh(square_codes(), n)
    assert len(mesh.vertices) == n**2
    assert len(mesh.edges) == 2 * n * (n - 1)
    assert len(mesh.cells) == (n - 1) ** 2
    assert np.allclose(cell_areas(mesh), (n - 1) ** -2.0)
    assert sorted(map(tuple, mesh.outline)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_edges_join_neighbours_only_and_cells_go_around():
    mesh = hull_mesh(normal_codes(50, 2), 20)
    pitch = np.ptp(mesh.outline, axis=0) / 19
    sides = np.abs(np.diff(mesh.vertices[mesh.edges], axis=1)[:, 0]) / pitch
    assert np.allclose(np.sort(sides, axis=1), [0, 1])
    assert len(np.unique(np.sort(mesh.edges, axis=1), axis=0)) == len(mesh.edges)
    around = mesh.vertices[np.roll(mesh.cells, -1, axis=1)] - mesh.vertices[mesh.cells]
    assert np.allclose(np.abs(around / pitch).sum(axis=2), 1)
    turns = np.cross(np.pad(around[:, 0], ((0, 0), (0, 1))), np.pad(around[:, 1], ((0, 0), (0, 1))))
    assert (turns[:, 2] > 0).all()


def test_cells_fill_a_triangle_but_for_its_long_side():
    mesh = hull_mesh(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), 101)
    # 100 x 100 cells, of which the diagonal cuts 100 in half and leaves 4,950 whole.
    assert len(mesh.cells) == 4950
    assert cell_areas(mesh).sum() == pytest.approx(0.99)
    assert len(mesh.vertices) == 5151


def test_cube_is_cut_across_its_diagonal_in_a_hexagon():
    middle = np.full(3, 0.5)
    plane = middle + np.array([[0, 0, 0], [1, -1, 0], [1, 1, -2]])
    cut, shadow = (hull_mesh(cube_codes(), 30, plane=plane, how=how) for how in ("slice", "projection"))
    assert len(cut.outline) == len(shadow.outline) == 6
    assert np.allclose(np.linalg.norm(cut.outline - middle, axis=1), np.sqrt(0.5))
    assert np.allclose(np.linalg.norm(shadow.outline - middle, axis=1), np.sqrt(2 / 3))
    for mesh in (cut, shadow):
        assert np.allclose(mesh.vertices.sum(axis=1), 1.5)
    # The corners are the middles of the six edges that the plane crosses.
    halves = np.sort(cut.outline, axis=1)
    assert np.allclose(halves, [0, 0.5, 1])


def test_cube_is_cut_near_a_corner_in_a_triangle():
    cut = hull_mesh(cube_codes(), 10, plane=np.eye(3), how="slice")
    assert np.allclose(sorted(cut.outline.round(9).tolist()), np.eye(3)[::-1])


@pytest.mark.parametrize("first", range(6))
def test_first_side_of_the_grid_runs_from_the_first_code_to_the_second(first):
    z = normal_codes(60, 4)
    plane = z[first : first + 3]
    mesh = hull_mesh(z, 9, plane=plane)
    across_rows = mesh.vertices[mesh.edges[0, 1]] - mesh.vertices[mesh.edges[0, 0]]
    along, towards = plane[1] - plane[0], plane[2] - plane[0]
    assert across_rows @ along == pytest.approx(np.linalg.norm(across_rows) * np.linalg.norm(along))
    # Within a row, positions go to the side of the third code.
    assert (mesh.vertices[1] - mesh.vertices[0]) @ (towards - (towards @ along) / (along @ along) * along) > 0


def test_slice_of_codes_that_all_lie_on_the_plane_is_their_hull():
    z = np.column_stack([square_codes(), np.full(24, 3.0)])
    assert np.allclose(hull_mesh(z, 5, how="slice").vertices, hull_mesh(z, 5).vertices)


# Laws


@given(st.permutations(range(12)))
def test_mesh_does_not_depend_on_the_order_of_codes(order):
    z = normal_codes(12, 2)
    mesh, other = hull_mesh(z, 10), hull_mesh(z[order], 10)
    assert np.allclose(mesh.vertices, other.vertices)
    assert np.array_equal(mesh.edges, other.edges)
    assert np.array_equal(mesh.cells, other.cells)


@given(st.integers(0, 1000), st.floats(-50, 50), st.floats(-50, 50))
def test_mesh_moves_with_the_codes(seed, right, up):
    z = normal_codes(30, 2, seed)
    step = np.array([right, up])
    assert np.allclose(hull_mesh(z + step, 12).vertices, hull_mesh(z, 12).vertices + step)


@given(st.integers(0, 1000))
def test_mesh_turns_with_the_codes_by_right_angles(seed):
    z = normal_codes(30, 2, seed)
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    mesh = hull_mesh(z, 12)
    turned = hull_mesh(z @ turn, 12)
    assert edge_set(turned) == edge_set(warp(LinearCodec(turn), mesh))


@given(st.integers(0, 1000), st.floats(0, np.pi))
def test_cells_fill_nearly_the_same_area_at_any_angle(seed, angle):
    z = normal_codes(30, 2, seed)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    area = cell_areas(hull_mesh(z @ turn, 60)).sum()
    assert 0.9 < area / ConvexHull(z).volume < 1


@given(st.integers(0, 1000), st.integers(2, 6))
def test_affine_codec_scales_every_area_by_its_determinant(seed, p):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(2, p))
    mesh = hull_mesh(normal_codes(30, 2, seed), 12)
    warped = warp(LinearCodec(matrix, rng.normal(size=p)), mesh)
    assert np.allclose(cell_areas(warped), np.sqrt(np.linalg.det(matrix @ matrix.T)) * cell_areas(mesh), rtol=1e-6)


@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_edges_of_a_scaled_isometry_stretch_by_its_scale(seed, scale):
    isometry = np.linalg.qr(normal_codes(5, 2, seed))[0].T
    mesh = hull_mesh(normal_codes(30, 2, seed), 12)
    assert np.allclose(edge_stretch(mesh, warp(LinearCodec(scale * isometry), mesh)), scale)


def test_areas_of_a_warp_are_its_magnification():
    z = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 1.5], [2.0, 1.5]])
    mesh = hull_mesh(z, 60)
    magnification = cell_areas(warp(PolarCodec(), mesh)) / cell_areas(mesh)
    radius = mesh.vertices[mesh.cells, 0].mean(axis=1)
    assert np.allclose(magnification, radius, rtol=1e-3)


def test_codes_in_single_precision_and_far_from_the_origin_serve_too():
    z = normal_codes(100, 2).astype(np.float32) + 1000
    mesh = hull_mesh(z, 20)
    assert (Delaunay(z.astype(np.float64)).find_simplex(mesh.vertices) >= 0).all()


# Warps


def test_warped_outline_is_a_curve():
    z = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 3.0], [2.0, 3.0]])
    warped = warp(PolarCodec(), hull_mesh(z, 5))
    assert len(warped.outline) >= 256
    on_border = PolarCodec().encode(warped.outline)
    distances = np.abs(np.column_stack([on_border - [1, 0], on_border - [2, 3]])).min(axis=1)
    assert np.allclose(distances, 0)
    # Its area is that of half a ring, where straight sides between four corners would give far less.
    assert polygon_area(warped.outline) == pytest.approx(3 / 2 * (4 - 1), rel=1e-3)


def test_warp_flattens_pictures_and_keeps_edges_and_cells():
    matrix = normal_codes(2, 12)
    mesh = hull_mesh(normal_codes(20, 2), 8)
    warped = warp(LinearCodec(matrix, shape=(3, 2, 2)), mesh)
    assert np.allclose(warped.vertices, mesh.vertices @ matrix)
    assert np.array_equal(warped.edges, mesh.edges)
    assert np.array_equal(warped.cells, mesh.cells)


# Errors


@pytest.mark.parametrize(
    ("z", "options", "message"),
    [
        (np.zeros(5), {}, r"^z must hold one point a row, got shape \(5,\)$"),
        (np.zeros((2, 2)), {}, "^z must hold at least 3 codes, got 2$"),
        (np.arange(5.0)[:, None], {}, "^z must have at least 2 latent dimensions, got 1$"),
        (np.array([[0, 0], [1, 0], [np.nan, 1]]), {}, "^z must be finite, got 1 of 3 points that are not$"),
        (square_codes(), {"n": 1}, "^n must be at least 2, got 1$"),
        (square_codes(), {"how": "shadow"}, "^how must be 'projection' or 'slice', got 'shadow'$"),
        (square_codes() @ [[1, 1], [1, 1]], {}, "^z must span two dimensions, but its projection lies on a line "),
        (np.ones((5, 2)), {}, r"^z must span two dimensions, but its projection lies on a line \(smallest extent 0\)$"),
        (
            np.array([[0, 0], [0.5, 1e-9], [1, 0]]),
            {},
            r"^z must span two dimensions, but its projection lies on a line \(smallest extent 1e-09\)$",
        ),
        (
            cube_codes(),
            {"plane": np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]), "how": "slice"},
            "^z must span two dimensions, but its slice lies on a line ",
        ),
        (
            cube_codes(),
            {"plane": np.array([[0.0, 0.0, 2.0], [1.0, 0.0, 2.0], [0.0, 1.0, 2.0]]), "how": "slice"},
            "^plane must cut the convex hull of z, but no mixture of its 8 codes is on it$",
        ),
        (
            np.array([[0.5, 0.0], [1.0, 0.5], [0.5, 1.0], [0.0, 0.5]]),
            {"n": 2},
            "^n must be larger: no position of the grid lies inside the hull, got 2$",
        ),
        (
            cube_codes(),
            {"plane": (1, 1)},
            r"^plane must be two different latent dimensions from 0 to 2, got \(1, 1\)$",
        ),
        (
            cube_codes(),
            {"plane": (0, 3)},
            r"^plane must be two different latent dimensions from 0 to 2, got \(0, 3\)$",
        ),
        (
            cube_codes(),
            {"plane": np.eye(3)[:, :2]},
            r"^plane must be two latent dimensions or three codes, \(3, 3\), got shape \(3, 2\)$",
        ),
        (
            cube_codes(),
            {"plane": np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2]])},
            "^plane must be three codes that are not on a line$",
        ),
        (
            cube_codes(),
            {"plane": np.array([[0, 0, 0], [0, 0, 0], [2, 2, 2]])},
            "^plane must be three codes that are not on a line$",
        ),
    ],
)
def test_bad_input_is_named(z, options, message):
    with pytest.raises(ValueError, match=message):
        hull_mesh(z, **options)


@given(
    seed=st.integers(0, 1000),
    n=st.integers(3, 30),
    thin=st.floats(-5, 0),
    scale=st.floats(-300, 150),
    angle=st.floats(0, np.pi),
    away=st.floats(0, 6),
)
def test_hulls_however_thin_small_and_far_away_have_the_outline_of_round_ones(
    seed: int, n: int, thin: float, scale: float, angle: float, away: float
):
    # Few places, so that many codes lie on one, or on one side.
    round_ = np.random.default_rng(seed).integers(5, size=(n, 2)) + [[0.0, 0.0]] + np.eye(n, 2) * 7
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    thin_ones = 10.0**scale * ((round_ * [1, 10.0**thin]) @ turn + min(10**away, 1e6 * 10**thin))
    try:
        outline = hull_mesh(thin_ones, 12).outline
    except ValueError as error:
        # Rows of the grid may all miss what is so thin, or the three codes were on a line.
        assert str(error).startswith(("n must be larger: no position of the grid", "z must span two dimensions"))
        return
    area = polygon_area(outline / 10.0**scale) / 10.0**thin
    assert area == pytest.approx(ConvexHull(round_).volume, rel=1e-4)


def test_codes_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match=r"^z must be an array of numbers, got <U1$"):
        hull_mesh(np.array([["a", "b"]] * 3))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"vertices": np.array([[np.inf, 0.0]])}, "^vertices must be finite, got 1 of 1 points that are not$"),
        ({"outline": np.zeros((3, 3))}, "^outline must have the 2 dimensions of the vertices, got 3$"),
        ({"edges": np.array([[0, 3]])}, "^edges must name rows of the 3 vertices, got 0 to 3$"),
        ({"cells": np.array([[0, 1, 2, -1]])}, "^cells must name rows of the 3 vertices, got -1 to 2$"),
    ],
)
def test_mesh_checks_its_parts(part, message):
    parts = {
        "vertices": np.eye(3)[:, :2],
        "outline": np.eye(3)[:, :2],
        "edges": np.array([[0, 1], [1, 2]]),
        "cells": np.zeros((0, 4), int),
    }
    Mesh(**parts)
    with pytest.raises(ValueError, match=message):
        Mesh(**(parts | part))


def test_codec_must_decode_every_code():
    class Forgetful(PolarCodec):
        def decode(self, z):
            return z[1:]

    with pytest.raises(ValueError, match=r"^codec must decode \d+ codes to as many stimuli, got \d+$"):
        warp(Forgetful(), hull_mesh(square_codes(), 3))


def test_stretch_needs_two_states_of_one_mesh():
    mesh = hull_mesh(square_codes(), 3)
    with pytest.raises(ValueError, match=r"^warped must have the 12 edges of mesh, got 24 others$"):
        edge_stretch(mesh, hull_mesh(square_codes(), 4))
    collapsed = warp(LinearCodec(np.zeros((2, 2))), mesh)
    assert not edge_stretch(mesh, collapsed).any()
    with pytest.raises(ValueError, match=r"^mesh must have no edge of length 0, got 12$"):
        edge_stretch(collapsed, mesh)
