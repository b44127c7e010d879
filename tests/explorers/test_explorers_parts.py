"""What explorers are made of: planes, maps, colours, pictures, sets of coded stimuli, and the still that shows them."""

from typing import Any

import numpy as np
import pytest
from scipy.spatial import ConvexHull

import gaia_explore as ge
from gaia_explore.explorers.colours import MISSING, by_attribute, by_value, rgb, table_of, written
from gaia_explore.explorers.drawing import draw
from gaia_explore.explorers.maps import contour, density, levels
from gaia_explore.explorers.parts import Content, Leaf, bar, column, row
from gaia_explore.explorers.pictures import SHEET, SIDE, STRONG, Portraits, thumbnails
from gaia_explore.explorers.planes import Neighbours, far_apart, make_plane
from gaia_explore.explorers.sets import MOST_PACKED, coded
from gaia_explore.plots.template import NEUTRAL, PALETTE
from gaia_explore.stimuli import Stimuli


class Same:
    """Stimuli are their own codes."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, np.float32).reshape(len(x), -1)

    decode = encode


def planar(n: int = 40, **attributes: Any) -> Stimuli:
    x = np.random.default_rng(0).random((n, 2))
    x[:2] = [[0, 0], [1, 1]]
    return Stimuli.from_array(x, attributes=attributes or None)


def test_planes_hold_their_points_and_flat_ones_lead_back_exactly():
    z = np.random.default_rng(0).normal(size=(40, 5))
    points = np.random.default_rng(1).normal(size=(6, 2))
    for kind, dimensions, anchors in (("PCA", (0, 1), ()), ("dimensions", (3, 1), ()), ("stimuli", (0, 1), (4, 9, 2))):
        plane = make_plane(z, kind, dimensions, anchors)
        left, right, bottom, top = plane.extent
        assert right - left == pytest.approx(top - bottom)
        assert (plane.points > (left, bottom)).all() and (plane.points < (right, top)).all()
        assert len(plane.hull) == len(ConvexHull(plane.points).vertices)
        lifted = plane.lift(points)
        if kind == "PCA":
            # Mixtures of the codes that are there.
            assert (lifted <= z.max(axis=0)).all() and (lifted >= z.min(axis=0)).all()
            np.testing.assert_allclose(plane.lift(plane.points), z, rtol=1e-6)
        else:
            np.testing.assert_allclose(plane.embedding.embed(lifted), points, atol=1e-12)
    np.testing.assert_allclose(make_plane(z, "dimensions", (3, 1), ()).points, z[:, [3, 1]])
    three = make_plane(z, "stimuli", (0, 1), (4, 9, 2))
    np.testing.assert_allclose(three.lift(three.points[[4, 9, 2]]), z[[4, 9, 2]], atol=1e-12)
    assert three.axes == ("from stimulus 4 to 9", "towards stimulus 2")


def test_three_stimuli_far_apart_span_a_triangle():
    z = np.random.default_rng(0).normal(size=(50, 4))
    z[[3, 8, 20], :2] = [[50, 0], [-50, 0], [0, 40]]
    assert set(far_apart(z)) == {3, 8, 20}


def test_codes_on_a_line_have_no_hull_and_one_usual_distance():
    z = np.column_stack([np.arange(9.0), np.zeros(9)])
    plane = make_plane(z, "dimensions", (0, 1), ())
    assert plane.hull.shape == (0, 2) and np.isfinite(plane.extent).all()
    assert Neighbours(z).usual == 1
    assert Neighbours(np.zeros((4, 2))).usual == 0


def test_contours_of_a_slope_lie_where_it_has_that_height():
    heights = np.tile(np.arange(20.0), (20, 1))
    segments = contour(heights, 7.5, (0.0, 20.0, 0.0, 20.0))
    np.testing.assert_allclose(segments[:, [0, 2]], 8)  # cells have their heights at their middles
    assert len(segments) == 19 and set(segments[:, [1, 3]].ravel()) == set(np.arange(20) + 0.5)


def test_density_contours_hold_their_shares_of_the_points():
    z = np.random.default_rng(0).normal(size=(4000, 2))
    plane = make_plane(z, "dimensions", (0, 1), ())
    values = density(plane)
    assert values.sum() == pytest.approx(1, abs=0.02)
    left, _, _, top = plane.extent
    step = (plane.extent[1] - left) / len(values)
    j, i = ((z - (left, top)) / (step, -step)).astype(int).T
    for share, level in zip((0.25, 0.5, 0.75, 0.95), levels(values), strict=True):
        assert (values[i, j] >= level).mean() == pytest.approx(share, abs=0.03)
    assert (levels(np.zeros((3, 3))) == 0).all()


def test_colours_are_classes_or_a_scale_and_what_is_missing_is_grey():
    size = np.r_[np.nan, np.arange(39)]
    own = planar(kind=["b", "a", None, "a"] * 10, size=size)
    kinds, legend = by_attribute(own, "kind")
    assert legend["classes"] == ["a", "b"] and kinds[:4].tolist() == [1, 0, MISSING, 0]
    assert table_of(legend)[kinds][[2, 1]].tolist() == [list(rgb(NEUTRAL)), list(rgb(PALETTE[0]))]
    sizes, legend = by_attribute(own, "size")
    assert sizes[[0, 1, 39]].tolist() == [MISSING, 0, 254] and (legend["low"], legend["high"]) == (0, 38)
    assert table_of(legend)[sizes[1]].tolist() == list(rgb(legend["scale"][0]))
    nothing, legend = by_attribute(own, "none")
    assert (nothing == MISSING).all() and not legend["name"]
    assert set(written(nothing, legend)) == {NEUTRAL.lower()}


def test_classes_beyond_what_a_byte_holds_are_called_other():
    every = [f"{i:03}" for i in range(300)]
    numbers, legend = by_attribute(planar(300, kind=every), "kind")
    assert numbers.tolist() == [*range(254), *[254] * 46] and len(legend["classes"]) == 255
    assert legend["classes"][:254] == every[:254] and legend["classes"][254] == "other (46 classes)"
    numbers, legend = by_attribute(planar(255, kind=every[:255]), "kind")
    assert legend["classes"] == every[:255] and numbers.tolist() == [*range(255)]


def test_values_are_coloured_within_limits_and_one_value_has_a_colour_too():
    numbers, legend = by_value(np.array([-5.0, 0, 5, 99, np.nan]), "error", 0.0, 10.0)
    assert numbers.tolist() == [0, 0, 127, 254, MISSING] and (legend["low"], legend["high"]) == (0, 10)
    assert by_value(np.ones(3), "error")[0].tolist() == [0, 0, 0]
    assert "scale" not in by_value(np.full(2, np.nan), "error")[1]


def test_pictures_are_portraits_of_themselves():
    x = np.linspace(0, 1, 2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    grey = Portraits(Stimuli.from_array(x))
    assert grey.kind == "picture"
    shown = grey(x + 0.001)
    assert shown.shape == (2, 3, 4, 4) and (shown[..., 3] == 255).all()
    np.testing.assert_array_equal(shown[..., 0], np.round(255 * np.clip(x + 0.001, 0, 1)))
    colour = np.random.default_rng(0).random((2, 3, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(Portraits(Stimuli.from_array(colour))(colour)[..., :3], np.round(255 * colour))


def test_planar_stimuli_are_dots_among_the_others_up_is_up():
    own = planar()
    portraits = Portraits(own)
    low, high, outside = portraits(np.array([[0, 0], [1, 1], [9, 9]], np.float32))
    places = [np.argwhere((picture == STRONG).all(axis=-1)).mean(axis=0) for picture in (low, high)]
    # The margin is a tenth on each side of a set that is 1 wide: 1.2 in all.
    np.testing.assert_allclose(places[0], [(SIDE - 1) * 11 / 12, (SIDE - 1) / 12], atol=0.6)
    np.testing.assert_allclose(places[1], [(SIDE - 1) / 12, (SIDE - 1) * 11 / 12], atol=0.6)
    assert (outside[0, -1] == STRONG).all()  # at the edge, where it is nearest


def test_other_stimuli_are_lines_of_their_numbers():
    x = np.tile(np.linspace(0, 1, 30, dtype=np.float32), (3, 1))
    portraits = Portraits(Stimuli.from_array(x, scaling="common"))
    assert portraits.kind == "profile"
    drawn = portraits(x[:1])[0, ..., 3] > 0
    rows = [np.flatnonzero(drawn[:, column]).mean() for column in (10, 60, 110)]
    assert rows[0] > rows[1] > rows[2]


def test_decoded_stimuli_that_are_no_numbers_are_an_error():
    x = np.array([[np.nan, 0], [1, 1]], np.float32)
    with pytest.raises(ValueError, match=r"codec must decode to finite numbers, got 1 of 2 stimuli that are not"):
        Portraits(planar())(x)


def test_thumbnails_come_in_sheets_of_small_pictures():
    x = np.random.default_rng(0).random((SHEET + 3, 100, 60)).astype(np.float32)
    own = Stimuli.from_array(x)
    portraits = Portraits(own)
    first, second = (thumbnails(portraits, own, sheet) for sheet in (0, 1))
    assert first.shape == (SHEET, 34, 20, 4) and second.shape == (3, 34, 20, 4)
    np.testing.assert_array_equal(second, portraits(own.x[SHEET:])[:, ::3, ::3])


@pytest.mark.parametrize(
    ("shape", "side", "step"),
    [((128, 128, 3), 56, 2), ((128, 100), 64, 1), ((100, 128), 63, 2), ((32, 32), 56, 1), ((128, 128), 0.2, 128)],
)
def test_pictures_for_a_small_place_have_at_most_twice_its_pixels(shape: tuple[int, ...], side: float, step: int):
    x = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    portraits = Portraits(Stimuli.from_array(x))
    small = portraits.small(x, side)
    np.testing.assert_array_equal(small, portraits(x)[:, ::step, ::step])
    assert max(small.shape[1:3]) <= max(2 * side, 1) and small.flags.c_contiguous


def test_small_drawings_keep_their_lines():
    own = planar()
    np.testing.assert_array_equal(Portraits(own).small(own.x[:2], 10), Portraits(own)(own.x[:2])[:, ::2, ::2])


def test_a_set_is_coded_once_and_checked():
    own = planar()
    made = coded(Same(), own)
    assert coded(made, None) is made and made.names == ()
    np.testing.assert_allclose(made.z, own.x)
    assert made.rows("selection", (5, 3, 5)) == (3, 5)
    assert made.rows("anchors", (5, 3, 5), ordered=True) == (5, 3)
    with pytest.raises(ValueError, match=r"anchors must name rows of the 40 stimuli, got -1 to 3"):
        made.rows("anchors", (-1, 3))
    with pytest.raises(ValueError, match=r"stimuli must be given with a codec, got None"):
        coded(Same(), None)
    with pytest.raises(ValueError, match=r"codec must give 40 codes of at least 2 dimensions, got shape \(40, 1\)"):
        coded(Same(), Stimuli.from_array(own.x[:, :1]))
    assert coded(made, own) is made and coded(made, planar()) is made
    with pytest.raises(ValueError, match=r"stimuli must be the 40 of the coded set, or left out, got 39 others"):
        coded(made, planar(39))
    with pytest.raises(ValueError, match=r"stimuli must be at least 3, got 2"):
        coded(Same(), planar(2))


def test_codes_that_are_not_finite_are_refused():
    class Broken(Same):
        def encode(self, x: np.ndarray) -> np.ndarray:
            return np.where(np.arange(len(x))[:, None] == 3, np.nan, x)

    with pytest.raises(ValueError, match=r"codec must give finite codes, got 1 of 40 that are not"):
        coded(Broken(), planar())


def test_of_a_pack_as_many_are_shown_as_a_page_can_bear(tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any):
    monkeypatch.setattr("gaia_explore.explorers.sets.MOST_PACKED", 7)
    folder = tmp_path_factory.mktemp("pictures")
    from PIL import Image

    for i in range(12):
        Image.fromarray(np.full((8, 8), 20 * i, np.uint8)).save(folder / f"{i:02}.png")
    pack = ge.stimuli.pack(folder, 8, folder / "pack", progress=False)
    shown = coded(Same(), pack).stimuli
    assert len(shown) == 7 < MOST_PACKED
    levels_shown = np.round(255 * shown.x[:, 0, 0].reshape(7, -1)[:, 0] / 20)
    assert levels_shown.tolist() == [0, 1, 3, 5, 7, 9, 11]


def test_a_still_shows_every_leaf_and_nothing_where_there_is_no_content():
    layers = tuple(
        (kind, kind) for kind in ("fog", "cells", "segments", "selection", "points", "lines", "tiles", "handles")
    )
    layout = row(
        column(
            bar(Leaf(kind="choice", name="colour", label="Colour"), Leaf(kind="checks", name="layers", label="Show")),
            Leaf(kind="chart", name="map", label="Map", options={"size": (200, 100), "layers": layers}),
        ),
        column(
            Leaf(kind="pictures", name="strip", options={"size": 20}),
            Leaf(kind="slider", name="strength", label="Strength"),
            Leaf(kind="number", name="n", label="Number"),
            Leaf(kind="button", name="go", label="Go"),
            Leaf(kind="text", name="words"),
            Leaf(kind="table", name="table"),
        ),
    )
    assert draw(layout, {}).shape == (29, 29, 3)
    red = np.full((1, 4, 4, 4), (255, 0, 0, 255), np.uint8)
    numbers, legend = by_value(np.array([1.0, 2.0]), "size")
    two = np.array([[20, 20], [180, 80]], np.float32)
    contents = {
        "colour": Content(plain={"value": "label"}),
        "layers": Content(plain={"chosen": []}),
        "map": Content(plain={"extent": (0, 200, 0, 100), "axes": ("x", "")}),
        "map.points": Content(plain={"legend": legend}, arrays={"xy": two, "numbers": numbers}),
        "strip": Content(plain={"captions": ["one"], "borders": ["#00ff00"], "chosen": 0}, arrays={"rgba": red}),
        "strength": Content(plain={"value": 0.5, "low": -1, "high": 1, "note": "also: beard"}),
        "n": Content(plain={"value": 3}),
        "words": Content(plain={"text": "far away"}),
        "table": Content(plain={"columns": ["", "all"], "rows": [["size", "3"]]}),
    }
    whole = draw(layout, contents)
    assert (whole == (255, 0, 0)).all(axis=-1).sum() == 400 and (whole == (0, 255, 0)).all(axis=-1).any()
    blank = draw(layout, {name: content for name, content in contents.items() if name != "strip"})
    assert not (blank == (255, 0, 0)).all(axis=-1).any()
    more = {
        "map.fog": Content(plain={"what": "error"}, arrays={"values": np.array([[0, 1], [np.nan, 2]], np.float32)}),
        "map.cells": Content(
            plain={"legend": legend},
            arrays={"xy": np.array([[100, 40, 110, 40, 110, 50, 100, 50]] * 2, np.float32), "numbers": numbers},
        ),
        "map.segments": Content(plain={"style": "faint"}, arrays={"xy": np.array([[5, 5, 5, 60]], np.float32)}),
        "map.selection": Content(arrays={"rows": np.array([1], np.uint32)}),
        "map.lines": Content(plain={"style": "bold", "closed": True}, arrays={"xy": two}),
        "map.tiles": Content(plain={"size": 10, "borders": [""]}, arrays={"xy": two[:1] + 40, "rgba": red}),
        "map.handles": Content(plain={"labels": ["", "1"]}, arrays={"xy": two}),
    }
    for name, content in more.items():
        changed = draw(layout, contents | {name: content})
        assert (changed[:180] != whole[:180]).any(), name
    empty = Content(plain={"what": "error"}, arrays={"values": np.full((2, 2), np.nan, np.float32)})
    assert draw(layout, contents | {"map.fog": empty}).shape[2] == 3


def test_many_points_are_small_crosses_in_their_colours_cut_at_the_charts_sides():
    numbers, legend = by_value(np.array([1.0, 2.0]), "")
    chart = Leaf(kind="chart", name="map", label="", options={"size": (40, 30), "layers": (("points", "points"),)})

    def drawn(*places: tuple[float, float]) -> np.ndarray:
        far = np.full((5000, 2), 1e6)
        arrays = {
            "xy": np.concatenate([far, places]).astype(np.float32),
            "numbers": np.concatenate([np.zeros(5000, np.uint8), numbers]),
        }
        contents = {
            "map": Content(plain={"extent": (0, 40, 0, 30), "axes": ("", "")}),
            "map.points": Content(plain={"legend": legend | {"name": ""}}, arrays=arrays),
        }
        return draw(row(chart), contents)

    def places(picture: np.ndarray, number: int) -> list[list[int]]:
        return np.argwhere((picture == table_of(legend)[number]).all(axis=-1)).tolist()

    apart = drawn((10, 20), (30, 10))
    first, second = (places(apart, number) for number in numbers.tolist())
    assert np.subtract(first, first[2]).tolist() == [[-1, 0], [0, -1], [0, 0], [0, 1], [1, 0]]
    assert np.subtract(second, first).tolist() == [[10, 20]] * 5
    assert places(drawn((50, 20), (10, 20)), numbers[1]) == first
    assert not places(drawn((50, 20), (10, 20)), numbers[0])
