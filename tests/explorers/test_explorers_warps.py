"""The WarpExplorer without a page: meshes, warps, magnification, contact sheets, requests, export."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial import ConvexHull

from gaia_explore.explorers import WarpExplorer, WarpState
from gaia_explore.explorers.colours import table_of
from gaia_explore.explorers.planes import make_plane
from gaia_explore.explorers.warp_explorer import file_names
from gaia_explore.explorers.warp_frames import (
    SIZES,
    coloured,
    folded,
    magnification,
    make_warp,
    near,
    scaled,
    sheet_extent,
    squares,
    steps,
)
from gaia_explore.geometry import hull_mesh
from gaia_explore.stimuli import Stimuli


class Linear:
    """Codes are stimuli in other units: area 1 in Z is an area of 1/4 among the stimuli."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return 2 * np.asarray(x, float).reshape(len(x), -1) - 1

    def decode(self, z: np.ndarray) -> np.ndarray:
        return (np.asarray(z, np.float32) + 1) / 2


class Square(Linear):
    """Bends the second number, and knows its own magnification: |z2| / 2."""

    def decode(self, z: np.ndarray) -> np.ndarray:
        z = np.asarray(z, np.float32)
        return np.stack([z[:, 0] / 2, z[:, 1] ** 2 / 2], axis=1)

    def magnification(self, z: np.ndarray) -> np.ndarray:
        return np.abs(z[:, 1]) / 2


class Padded(Linear):
    """Has a third latent dimension."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        z = super().encode(x)
        return np.column_stack([z, z.sum(axis=1) ** 2])

    def decode(self, z: np.ndarray) -> np.ndarray:
        return super().decode(z[:, :2])


class Pictures:
    """Pictures of 2 × 2 pixels, and their judge, which likes them dark."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float).reshape(len(x), -1)

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, np.float32).reshape(-1, 2, 2)

    def realism(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1).mean(axis=1)


def planar(n: int = 60) -> Stimuli:
    x = np.random.default_rng(0).random((n, 2))
    x[:4] = [[0, 0], [0, 1], [1, 0], [1, 1]]
    return Stimuli.from_array(x)


def pictures() -> Stimuli:
    x = np.random.default_rng(0).random((50, 2, 2))
    return replace(Stimuli.from_array(x), x=np.asarray(x, np.float32))


def event(explorer: WarpExplorer, name: str, value: Any, what: str = "set"):
    return explorer.answer({"type": "event", "name": name, "what": what, "value": value})


def test_the_mesh_lies_over_the_hull_and_its_warp_is_decoded():
    explorer = WarpExplorer(Linear(), planar())
    (own,) = explorer.warps
    np.testing.assert_allclose(own.mesh.vertices, hull_mesh(Linear().encode(planar().x), 24).vertices, atol=1e-9)
    np.testing.assert_allclose(own.warped.vertices, (own.lifted.vertices + 1) / 2, atol=1e-6)
    contents = explorer.contents()
    for side, mesh in (("z", own.mesh), ("x", own.warped)):
        cells = contents[f"{side}0.cells"].arrays["xy"].reshape(-1, 4, 2)
        np.testing.assert_allclose(cells, mesh.vertices[mesh.cells], atol=1e-6)
        segments = contents[f"{side}0.mesh"].arrays["xy"].reshape(-1, 2, 2)
        np.testing.assert_allclose(segments, mesh.vertices[mesh.edges], atol=1e-6)
        np.testing.assert_allclose(contents[f"{side}0.outline"].arrays["xy"], mesh.outline, atol=1e-6)


def test_cells_and_edges_are_linked_by_their_rows_a_model_each():
    explorer = WarpExplorer({"a": Linear(), "b": Square()}, planar())
    contents, leaves = explorer.contents(), explorer._layout.leaves()
    for i in range(2):
        assert leaves[f"z{i}"].options["linked"] == leaves[f"x{i}"].options["linked"] == f"warp{i}"
        for layer in ("cells", "mesh"):
            z, x = (contents[f"{side}{i}.{layer}"].arrays["xy"] for side in "zx")
            assert len(z) == len(x) > 0
        # The same cell has the same colour here and there.
        z, x = (contents[f"{side}{i}.cells"].arrays["numbers"] for side in "zx")
        np.testing.assert_array_equal(z, x)
    assert leaves["z0"].options["linked"] != leaves["z1"].options["linked"]


@pytest.mark.parametrize("extent", [50, 80, 120])
def test_the_extent_draws_the_mesh_together_or_apart_about_the_middle_of_the_codes(extent: int):
    explorer = WarpExplorer(Linear(), planar())
    event(explorer, "extent", extent)
    z = Linear().encode(planar().x)
    outline = explorer.warps[0].mesh.outline
    own, whole = ConvexHull(outline).volume, ConvexHull(z).volume
    assert own == pytest.approx(whole * (extent / 100) ** 2)
    hull = explorer.contents()["z0.hull"].arrays["xy"]
    assert ConvexHull(hull).volume == pytest.approx(whole, rel=1e-5)
    assert ConvexHull(explorer.contents()["x0.hull"].arrays["xy"]).volume == pytest.approx(whole / 4, rel=1e-5)
    event(explorer, "extent", 100)
    assert "z0.hull" not in explorer.contents()


def test_more_resolution_is_a_finer_mesh_and_comes_back_at_once():
    explorer = WarpExplorer(Linear(), planar(), resolution=10)
    before = explorer.warps[0]
    event(explorer, "resolution", 20)
    np.testing.assert_allclose(steps(explorer.warps[0].mesh) * 19, steps(before.mesh) * 9, rtol=1e-9)
    event(explorer, "resolution", 10)
    assert explorer.warps[0] is before
    for resolution in range(4, 61):
        event(explorer, "resolution", resolution)
    assert len(explorer._made) <= 24


def test_a_codecs_own_magnification_is_taken_at_the_middles_of_cells():
    explorer = WarpExplorer(Square(), planar())
    (own,) = explorer.warps
    middles = own.mesh.vertices[own.mesh.cells].mean(axis=1)
    np.testing.assert_allclose(explorer.magnifications[0], np.abs(middles[:, 1]) / 2, atol=1e-6)


def test_another_codecs_magnification_is_the_area_of_decoded_cells():
    np.testing.assert_allclose(WarpExplorer(Linear(), planar()).magnifications[0], 0.25, rtol=1e-3)
    # On a plane that is not all of the latent space, a codec's own would be of something else.
    explorer = WarpExplorer(Padded(), planar())
    event(explorer, "plane", "dimensions")
    np.testing.assert_allclose(explorer.magnifications[0], 0.25, rtol=1e-3)


def test_a_magnification_that_is_not_finite_is_refused():
    class Broken(Square):
        def magnification(self, z: np.ndarray) -> np.ndarray:
            return np.full(len(z), np.nan)

    plane = make_plane(Linear().encode(planar().x), "dimensions", (0, 1), ())
    with pytest.raises(ValueError, match="codec must have a finite magnification, got 2 others"):
        magnification(Broken(), plane, np.random.default_rng(0).random((2, 4, 2)))


@settings(deadline=None)
@given(st.floats(-3, 3))
def test_colours_are_over_the_median_so_that_the_size_of_a_latent_space_does_not_matter(power: float):
    factors = np.random.default_rng(0).lognormal(size=50)
    (first, second), low, high = scaled([factors, factors * 10**power])
    np.testing.assert_allclose(first, second, atol=1e-9)
    assert np.median(first) == pytest.approx(0, abs=1e-12) and low < 0 < high


def test_a_scale_is_logarithmic_common_to_all_models_and_never_narrow():
    (logs,), low, high = scaled([np.ones(5)])
    assert (low, high) == pytest.approx((-0.2, 0.2)) and not logs.any()
    numbers, legend = coloured(np.array([-0.2, 0, 0.2, 9]), low, high)
    assert numbers.tolist() == [0, 127, 254, 254] and legend["log"] and legend["low"] == -0.2
    assert table_of(legend).shape == (256, 3)
    assert scaled([np.zeros(0)])[1:] == (0.0, 0.4)
    assert np.isfinite(scaled([np.array([0.0, 1.0])])[0][0]).all()  # no magnification at all has no logarithm
    contents = WarpExplorer({"a": Linear(), "b": Square()}, planar()).contents()
    assert contents["z0.cells"].plain["legend"] == contents["x1.cells"].plain["legend"]


def test_cells_that_are_folded_over_are_counted():
    explorer = WarpExplorer({"flat": Linear(), "folded": Square()}, planar())
    summary = explorer.summary
    assert summary.loc["flat", "folded over"] == 0
    assert summary.loc["folded", "folded over"] == pytest.approx(0.5, abs=0.06)  # z2 below 0
    assert summary.loc["flat", "median magnification"] == pytest.approx(0.25, rel=1e-3)
    assert summary.loc["flat", "98 % over 2 %"] == pytest.approx(1, abs=0.01)
    rows = explorer.contents()["table"].plain["rows"]
    assert rows[0][0] == "flat" and rows[0][1] == "0.25" and rows[0][3] == "0.0%"
    mirrored = explorer.warps[0].warped
    assert not folded(replace(mirrored, vertices=mirrored.vertices[:, ::-1])).any()


def test_without_magnification_there_is_the_plain_mesh():
    explorer = WarpExplorer(Linear(), planar())
    reply = event(explorer, "layers", ["mesh"])
    assert set(reply.plain["gone"]) == {"z0.cells", "x0.cells", "z0.data", "x0.data"}
    assert explorer.contents()["z0.mesh"].plain["style"] == "plain"
    event(explorer, "layers", ["magnification"])
    assert "z0.mesh" not in explorer.contents()


def test_the_mesh_comes_first_and_its_colours_late():
    explorer = WarpExplorer(Linear(), planar())
    reply = event(explorer, "resolution", 12)
    assert reply.plain["late"] == ["table", "z0.cells", "x0.cells"]
    assert {"z0.mesh", "x0.mesh", "z0.outline"} <= set(reply.parts) and "z0.data" not in reply.parts


def test_models_share_the_scale_of_stimuli_and_meshes_thrown_far_do_not_set_it():
    class Far(Linear):
        def decode(self, z: np.ndarray) -> np.ndarray:
            return 1000 * super().decode(z)

    contents = WarpExplorer({"near": Linear(), "far": Far()}, planar()).contents()
    assert contents["x0"].plain["extent"] == contents["x1"].plain["extent"]
    left, right = contents["x0"].plain["extent"][:2]
    assert left <= 0 and 1 < right < 3
    np.testing.assert_allclose(near(planar().x, np.array([[9.0, 0.5]])), [[1.5, 0.5]])


def test_at_most_so_many_stimuli_lie_behind():
    contents = WarpExplorer(Linear(), planar(3000)).contents()
    assert len(contents["x0.data"].arrays["xy"]) == 1000


@pytest.mark.parametrize("plane", ["PCA", "dimensions", "stimuli"])
def test_pictures_are_a_contact_sheet_of_decoded_vertices(plane: str):
    explorer = WarpExplorer(Pictures(), pictures())
    event(explorer, "plane", plane)
    (own,) = explorer.warps
    contents = explorer.contents()
    tiles = contents["x0.tiles"]
    np.testing.assert_allclose(tiles.arrays["xy"], own.mesh.vertices, atol=1e-6)
    decoded = np.clip(own.lifted.vertices.reshape(-1, 2, 2), 0, 1)
    np.testing.assert_allclose(tiles.arrays["rgba"][..., 0], 255 * decoded, atol=1)
    # A cell around each vertex here and there, so that a tile finds its place on the plane.
    z, x = (contents[f"{side}0.cells"].arrays["xy"] for side in "zx")
    np.testing.assert_array_equal(z, x)
    np.testing.assert_allclose(z.reshape(-1, 4, 2).mean(axis=1), own.mesh.vertices, atol=1e-6)


class Large(Pictures):
    def encode(self, x: np.ndarray) -> np.ndarray:
        return super().encode(np.asarray(x)[:, ::64, ::64])

    def decode(self, z: np.ndarray) -> np.ndarray:
        return super().decode(z).repeat(64, axis=1).repeat(64, axis=2)


def test_tiles_have_about_as_many_pixels_as_the_page_shows():
    x = np.random.default_rng(0).random((50, 2, 2)).repeat(64, axis=1).repeat(64, axis=2)
    contents = WarpExplorer(Large(), Stimuli.from_array(x)).contents()
    left, right, *_ = contents["x0"].plain["extent"]
    shown = contents["x0.tiles"].plain["size"] / (right - left) * SIZES[1]
    assert 128 > 2 * shown >= contents["x0.tiles"].arrays["rgba"].shape[1] >= shown


def test_borders_of_a_contact_sheet_are_coloured_by_realism():
    explorer = WarpExplorer(Pictures(), pictures())
    contents = explorer.contents()
    legend, numbers = contents["x0.cells"].plain["legend"], contents["x0.cells"].arrays["numbers"]
    assert legend["name"] == "discriminator's error"
    errors = explorer.warps[0].warped.vertices.mean(axis=1)
    assert (numbers.argmin(), numbers.argmax()) == (errors.argmin(), errors.argmax())
    colours = table_of(legend)[numbers].tolist()
    assert contents["x0.tiles"].plain["borders"] == [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in colours]


def test_a_contact_sheet_without_magnification_keeps_its_cells():
    explorer = WarpExplorer(Pictures(), pictures())
    assert explorer.contents()["layers"].plain["options"] == ["magnification", "data"]
    event(explorer, "layers", [])
    bare = explorer.contents()["z0.cells"]
    assert bare.plain == {"style": "faint", "word": "vertex"} and "numbers" not in bare.arrays
    assert explorer.picture().shape[2] == 3


def test_tiles_fill_the_sheet_whatever_the_shape_of_the_hull():
    z = np.random.default_rng(0).random((50, 2)) * [10, 1]
    mesh = hull_mesh(z, 6)
    left, right, bottom, top = sheet_extent(mesh)
    across, up = steps(mesh)
    assert (right - left) / across == pytest.approx((top - bottom) / up)
    assert left < mesh.vertices[:, 0].min() and top > mesh.vertices[:, 1].max()
    np.testing.assert_allclose(np.ptp(squares(mesh), axis=1), np.tile(steps(mesh), (len(mesh.vertices), 1)))


def test_the_plane_of_three_stimuli_goes_through_the_anchors():
    explorer = WarpExplorer(Pictures(), pictures())
    event(explorer, "plane", "stimuli")
    explorer.change(anchors=(4, 7, 9))
    plane = explorer._plane(explorer.state, 0)
    z = Pictures().encode(pictures().x)
    np.testing.assert_allclose(plane.lift(plane.points[[4, 7, 9]]), z[[4, 7, 9]], atol=1e-6)


def test_dimensions_are_chosen_by_number_from_1():
    explorer = WarpExplorer(Pictures(), pictures())
    event(explorer, "plane", "dimensions")
    event(explorer, "across", 3)
    event(explorer, "up", 4)
    assert explorer.state.dimensions == (2, 3)
    assert explorer.contents()["z0"].plain["axes"] == ("z3", "z4")
    assert "plane" not in WarpExplorer(Linear(), planar()).contents()


def test_a_mesh_in_a_line_has_a_step_too():
    z = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]])
    mesh = hull_mesh(z, 2)
    assert (steps(mesh) > 0).all()


def test_outlines_of_a_contact_sheet_are_not_decoded():
    plane = make_plane(Pictures().encode(pictures().x), "PCA", (0, 1), ())
    own = make_warp(Pictures(), plane, 5, 100, borders=False)
    assert own.warped.outline.shape == (0, 4) and len(own.warped.vertices) == len(own.mesh.vertices)


def test_an_export_of_planar_models_holds_vertices_and_cells(tmp_path: Path):
    explorer = WarpExplorer({"AE": Linear(), "GAIA α=1": Square()}, planar(), out=tmp_path)
    folder = explorer.export()
    names = {"explorer.png", "state.json", "summary.csv"}
    names |= {f"{model}-{what}.csv" for model in ("AE", "GAIA-α=1") for what in ("vertices", "cells")}
    assert {path.name for path in folder.iterdir()} == names
    vertices = pd.read_csv(folder / "GAIA-α=1-vertices.csv", index_col="vertex")
    np.testing.assert_allclose(vertices[["x1", "x2"]], Square().decode(vertices[["z1", "z2"]].to_numpy()), atol=1e-5)
    cells = pd.read_csv(folder / "AE-cells.csv", index_col="cell")
    np.testing.assert_array_equal(cells.iloc[:, :4], explorer.warps[0].mesh.cells)
    np.testing.assert_allclose(cells["magnification"], 0.25, rtol=1e-3)


def test_an_export_of_a_contact_sheet_holds_its_stimuli(tmp_path: Path):
    explorer = WarpExplorer(Pictures(), pictures(), out=tmp_path, resolution=4)
    folder = explorer.export()
    vertices = pd.read_csv(folder / "model-vertices.csv", index_col="vertex")
    assert {"across", "up", "z4", "discriminator's error", "magnification"} <= set(vertices)
    assert len([*(folder / "model").iterdir()]) == len(vertices)
    with Image.open(folder / "model" / "0000.png") as image:
        expected = np.clip(explorer.warps[0].warped.vertices[0].reshape(2, 2), 0, 1) * 255
        np.testing.assert_allclose(np.asarray(image)[..., 0], expected, atol=1)


def test_an_export_of_a_coarser_sheet_leaves_no_stimuli_of_the_finer(tmp_path: Path):
    explorer = WarpExplorer(Pictures(), pictures(), out=tmp_path, resolution=6)
    explorer.export()
    (tmp_path / "model" / "mine.png").write_bytes(b"")
    finer = len(explorer.warps[0].mesh.vertices)
    explorer.change(resolution=3)
    explorer.export()
    n = len(explorer.warps[0].mesh.vertices)
    assert n < finer
    left = {path.name for path in (tmp_path / "model").iterdir()}
    assert left == {"mine.png", *(f"{k:04d}.png" for k in range(n))}


def test_models_of_like_names_have_files_of_their_own(tmp_path: Path):
    assert file_names(("AE 1", "AE/1", "ae-1", "AE 1-2", "?", "GAIA")) == [
        "AE-1", "AE-1-2", "ae-1-3", "AE-1-2-2", "model", "GAIA",
    ]  # fmt: skip
    folder = WarpExplorer({"AE 1": Linear(), "AE/1": Square()}, planar(), out=tmp_path, resolution=4).export()
    first, second = (pd.read_csv(folder / f"{name}-vertices.csv") for name in ("AE-1", "AE-1-2"))
    assert not np.allclose(first["x2"], second["x2"])


def test_the_still_shows_every_model():
    one = WarpExplorer(Linear(), planar()).picture()
    three = WarpExplorer({name: Linear() for name in "abc"}, planar()).picture()
    assert one.shape[1] > 2 * 384 and three.shape[1] > 3 * 250
    assert repr(WarpExplorer({"a": Linear(), "b": Linear()}, planar())) == (
        "WarpExplorer('stimuli', n=60, models=['a', 'b'], plane='dimensions')"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resolution": 61}, "resolution must be from 4 to 60, got 61"),
        ({"extent": 40}, "extent must be from 50 to 150, got 40"),
        ({"layers": ("fog",)}, "layers must be some of mesh, magnification, data, got fog"),
        ({"plane": "UMAP"}, "plane must be one of dimensions, got 'UMAP'"),
        ({"dimensions": (0, 2)}, "dimensions must be two different ones from 0 to 1, got (0, 2)"),
        ({"anchors": (60,)}, "anchors must name rows of the 60 stimuli, got 60 to 60"),
    ],
)
def test_states_that_cannot_be_are_refused(changes: dict[str, Any], told: str):
    explorer = WarpExplorer(Linear(), planar())
    with pytest.raises(ValueError) as error:
        explorer.change(**changes)
    assert str(error.value) == told
    assert explorer.state == WarpState(resolution=24)


def test_models_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="codecs must be 1 to 4 models, got 5"):
        WarpExplorer({name: Linear() for name in "abcde"}, planar())
    with pytest.raises(ValueError, match="codecs must be 1 to 4 models, got 0"):
        WarpExplorer({}, planar())
    one, other = WarpExplorer(Linear(), planar()), WarpExplorer(Linear(), planar(50))
    with pytest.raises(ValueError, match="codecs must be of the same stimuli, got sets of different lengths or shapes"):
        WarpExplorer({"a": one._sets[0], "b": other._sets[0]})
