"""Contact sheets: every picture in its place, within the width of a page."""

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gaia_explore import plots as plots_room
from gaia_explore.stimuli import Stimuli

# To a type checker, Plotly's layouts have no attributes.
plots: Any = plots_room


def sheet_of(figure):
    """The one image of a figure, as an array of bytes."""
    (trace,) = figure.data
    return np.array(Image.open(io.BytesIO(base64.b64decode(trace.source.removeprefix("data:image/png;base64,")))))


def pictures(n, height=4, width=4, seed=0):
    return np.random.default_rng(seed).random((n, height, width, 3), dtype=np.float32)


def flat_greys(levels, **attributes):
    """Pictures of one grey each, no two alike, so that a sheet tells which stand where."""
    x = np.tile(np.asarray(levels, dtype=np.uint8)[:, None, None], (1, 4, 4))
    return Stimuli.from_array(x, attributes=attributes or None, title="greys")


def greys_shown(figure, rows, columns):
    """The grey of each place of the sheet."""
    sheet = sheet_of(figure)
    height, width = sheet.shape[0] // rows, sheet.shape[1] // columns
    return sheet[:: height if rows > 1 else len(sheet), :: width if columns > 1 else sheet.shape[1], 0]


def test_every_picture_stands_in_its_place_and_what_is_left_is_white():
    x = pictures(5)
    sheet = sheet_of(plots.contact_sheet(x, columns=3, side=40))
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 3
    white = np.full(sheet.shape, 255)
    for number, picture in enumerate(x):
        row, column = divmod(number, 3)
        place = np.s_[row * height : row * height + 4, column * width : column * width + 4]
        np.testing.assert_array_equal(sheet[place], np.round(255 * picture))
        white[place] = sheet[place]
    np.testing.assert_array_equal(sheet, white)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 1)], ids=["without channel", "one channel"])
def test_grey_pictures_are_drawn_grey(shape):
    x = np.linspace(0, 1, 60).reshape(shape)
    sheet = sheet_of(plots.contact_sheet(x, columns=3))
    np.testing.assert_array_equal(sheet[:4, :5], np.round(255 * x[0].reshape(4, 5, 1)).repeat(3, axis=2))


def test_what_lies_beyond_black_and_white_is_clipped():
    sheet = sheet_of(plots.contact_sheet(np.array([-0.5, 1.5]).reshape(2, 1, 1), columns=2))
    assert sheet[0, 0, 0] == 0
    assert sheet[0, sheet.shape[1] // 2, 0] == 255


@pytest.mark.parametrize("width", [2, 130])
@pytest.mark.parametrize(("n", "columns", "side"), [(1, 1, 400), (7, 5, 400), (40, 30, 8), (300, 300, 72)])
def test_a_sheet_is_never_wider_than_a_page(n, columns, side, width):
    assert plots.contact_sheet(np.zeros((n, 3, width)), columns=columns, side=side).layout.width <= 840


def test_a_small_picture_is_enlarged_by_the_whole_factor_that_its_side_allows():
    figure = plots.contact_sheet(pictures(4, 16, 16), columns=2, side=100)
    sheet = sheet_of(figure)
    plot_width = figure.layout.width - figure.layout.margin.l - figure.layout.margin.r
    assert plot_width / sheet.shape[1] == pytest.approx(6, rel=0.02)


def test_labels_stand_below_their_pictures_and_row_labels_beside_their_rows():
    figure = plots.contact_sheet(pictures(3), labels=["a", "b", "c"], row_labels=["up", "down"], columns=2, side=80)
    sheet = sheet_of(figure)
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 2
    places = {note.text: (note.x, note.y) for note in figure.layout.annotations}
    assert places == {"a": (2, 4), "b": (width + 2, 4), "c": (2, height + 4)}
    assert (figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals) == (("up", "down"), (2, height + 2))


def test_title_and_subtitle_are_shown():
    layout = plots.contact_sheet(pictures(9), title="Nine", subtitle="of many").layout
    assert (layout.title.text, layout.title.subtitle.text) == ("Nine", "of many")


def test_stimuli_that_are_pictures_have_a_row_a_class_and_blanks_where_one_has_fewer():
    levels = np.arange(12) * 10
    figure = plots.stimuli(flat_greys(levels, kind=["odd"] * 3 + ["even"] * 9))
    assert figure.layout.yaxis.ticktext == ("kind even", "kind odd")
    assert figure.layout.title.text == "greys"
    assert figure.layout.title.subtitle.text == "12 of 12 stimuli, by kind"
    shown = greys_shown(figure, 2, 9)
    assert sorted(shown[0]) == list(levels[3:])
    assert sorted(shown[1, :3]) == list(levels[:3])
    assert (shown[1, 3:] == 255).all()


def test_pictures_go_from_low_to_high_with_an_attribute_of_many_numbers():
    levels = np.random.default_rng(0).permutation(100) * 2
    figure = plots.stimuli(flat_greys(levels, size=levels / 10))
    shown = greys_shown(figure, 3, 10).ravel()
    assert (np.diff(shown.astype(int)) > 0).all()
    assert (shown[0], shown[-1]) == (0, 198)
    assert [float(note.text) for note in figure.layout.annotations] == pytest.approx(list(shown / 10))


def test_pictures_without_attribute_are_some_of_them_by_the_seed():
    stimuli = flat_greys(np.arange(200))
    first, again, other = (plots.stimuli(stimuli, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(sheet_of(first), sheet_of(again))
    assert not np.array_equal(sheet_of(first), sheet_of(other))
    assert first.layout.title.subtitle.text == "30 of 200 stimuli"
    assert plots.stimuli(stimuli, n_points=4, title="four").layout.title.subtitle.text == "4 of 200 stimuli"


def test_pictures_whose_attribute_is_missing_are_left_out():
    levels = np.arange(40)
    half = pd.Series(levels / 2).where(levels % 2 == 0)
    shown = greys_shown(plots.stimuli(flat_greys(levels, size=half)), 2, 10)
    assert sorted(shown.ravel()) == list(levels[::2])


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros((3, 2)), {}, "x must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape (3, 2)"),
        (np.zeros((3, 4, 4, 2)), {}, "x must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape (3, 4, 4, 2)"),
        (np.zeros((0, 4, 4)), {}, "x must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape (0, 4, 4)"),
        (np.full((1, 2, 2), np.nan), {}, "x must be finite, got NaN or infinite pixels"),
        (np.zeros((3, 4, 4)), {"columns": 0}, "columns must be at least 1, got 0"),
        (np.zeros((3, 4, 4)), {"side": 7}, "side must be at least 8, got 7"),
        (np.zeros((3, 4, 4)), {"labels": ["a"]}, "labels must be none or 3 here, got 1"),
        (np.zeros((3, 4, 4)), {"columns": 2, "row_labels": ["a"]}, "row_labels must be none or 2 here, got 1"),
    ],
)
def test_what_cannot_be_laid_out_is_named(x, options, message):
    with pytest.raises(ValueError) as error:
        plots.contact_sheet(x, **options)
    assert str(error.value) == message
