"""What models make of pictures: every picture stands in its place, and numbers are those of the pictures."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaia_explore import plots as plots_room

# To a type checker, Plotly's layouts have no attributes.
plots: Any = plots_room

SHAPE = (4, 4)


class Dimming:
    """A codec whose codes are the pixels, and which decodes them darker."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def encode(self, x):
        return x.reshape(len(x), -1)

    def decode(self, z):
        return self.factor * z.reshape(len(z), *SHAPE)


class Judging(Dimming):
    def realism(self, x):
        return np.abs(x - self.reproduce(x)).mean((1, 2))

    def reproduce(self, x):
        return x / 2


def greys(*levels):
    """Pictures of one grey each, from 0 to 100."""
    return np.tile(np.array(levels, np.float32)[:, None, None] / 100, (1, *SHAPE))


def shown(figure):
    """The greys of each block, a row a row of pictures, from 0 to 100; white paper is left out."""
    blocks = []
    for number, trace in enumerate(figure.data):
        if trace.type == "image":
            sheet = np.array(Image.open(io.BytesIO(base64.b64decode(trace.source.split(",")[1]))))[..., 0]
            points = next(t for t in figure.data[number + 1 :] if t.type == "scatter" and t.mode == "markers")
            x = ((np.unique(points.x) - trace.x0) / trace.dx).astype(int)
            y = ((np.unique(points.y) - trace.y0) / trace.dy).astype(int)
            blocks.append((sheet[np.ix_(y, x)] / 2.55).round().astype(int).tolist())
    return blocks


def texts(figure):
    return [note.text for note in figure.layout.annotations if note.text]


def curves(figure):
    return [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines+markers"]


def test_a_morph_stands_between_its_originals_a_row_a_model():
    figure = plots.morphs({"AE": Dimming(0.5), "GAIA": Dimming()}, greys(0, 80), greys(40, 0), n_steps=3)
    assert shown(figure) == [
        [[0], [0]],
        [[0, 10, 20], [0, 20, 40]],
        [[40], [40]],
        [[80], [80]],
        [[40, 20, 0], [80, 40, 0]],
        [[0], [0]],
    ]
    assert texts(figure) == ["original", "AE", "GAIA", "t = 0", "0.5", "1", "original", "AE", "GAIA"]
    assert not curves(figure)
    assert figure.layout.width <= 840


def test_one_model_needs_no_name():
    figure = plots.morphs(Dimming(), greys(0), greys(40))
    assert len(shown(figure)[1][0]) == 10
    assert texts(figure)[0] == "original"
    assert not figure.layout.title.subtitle.text


def test_a_line_below_each_morph_tells_its_realism_to_one_judge():
    codecs = {"AE": Dimming(0.5), "GAIA": Dimming()}
    figure = plots.morphs(codecs, greys(0), greys(80), n_steps=3, judge=Judging())
    np.testing.assert_allclose([line.customdata for line in curves(figure)], [[0, 0.1, 0.2], [0, 0.2, 0.4]], atol=1e-7)
    half, whole = (np.array(line.y[0]) - line.y for line in curves(figure))
    np.testing.assert_allclose(2 * half, whole)
    assert "realism" in figure.layout.title.subtitle.text
    # Below its own row of pictures, above the next.
    first, second = (line.y for line in curves(figure))
    assert max(first) < min(second) < figure.layout.yaxis.range[0]


def test_reconstructions_stand_beside_their_originals_with_their_pixel_errors():
    figure = plots.reconstructions({"AE": Dimming(0.5), "GAIA": Dimming()}, greys(20, 60))
    assert shown(figure) == [[[20, 10, 20], [60, 30, 60]]]
    assert texts(figure) == ["original", "AE<br>0.200", "GAIA<br>0.000"]
    assert "2 stimuli" in figure.layout.title.subtitle.text


def test_bytes_are_drawn_as_what_they_are_scaled_to():
    half = np.full((2, *SHAPE), 128, np.uint8)

    class OfBytes(Dimming):
        def encode(self, x):
            return super().encode(x / 255 if x.dtype == np.uint8 else x)

    figure = plots.reconstructions(OfBytes(0.5), half)
    assert shown(figure) == [[[50, 25], [50, 25]]]
    assert "original" in texts(figure) and "decoded<br>0.251" in texts(figure)


def test_a_judge_that_has_died_draws_no_line():
    class Dead(Judging):
        def realism(self, x):
            return np.full(len(x), np.nan)

    figure = plots.morphs(Dimming(), greys(10), greys(90), n_steps=3, judge=Dead())
    (line,) = [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines+markers"]
    assert np.isnan(np.asarray(line.y, float)).all()


def test_many_reconstructions_stand_in_groups_side_by_side_and_what_is_left_is_white():
    figure = plots.reconstructions(Dimming(0.5), greys(*range(0, 26, 2)))
    first, second, third = shown(figure)
    assert [row[0] for row in first] == [0, 2, 4, 6, 8]
    assert [row[0] for row in second] == [10, 12, 14, 16, 18]
    assert [row[0] for row in third] == [20, 22, 24, 100, 100]
    assert figure.layout.width <= 840


def test_a_training_panel_has_seven_rows_where_there_is_a_discriminator():
    figure = plots.training_panel(Judging(0.5), greys(80, 40, 0))
    assert shown(figure) == [
        [[80, 40, 0], [40, 20, 0], [20, 10, 0], [40, 20, 0], [30, 10, 20], [15, 5, 10], [60, 20, 40]],
    ]
    assert [text.split("<br>")[1] for text in texts(figure)] == [
        "stimuli",
        "stimuli, by D",
        "reconstructions, by D",
        "reconstructions",
        "interpolations",
        "interpolations, by D",
        "in pixels",
    ]
    assert "discriminator" in figure.layout.title.subtitle.text


def test_a_training_panel_of_other_models_has_the_rows_that_they_have():
    figure = plots.training_panel(Dimming(0.5), greys(80, 40))
    assert shown(figure) == [[[80, 40], [40, 20], [30, 30], [60, 60]]]
    assert "discriminator" not in figure.layout.title.subtitle.text


def test_a_training_panel_draws_large_pictures_coarser():
    x = np.zeros((2, *SHAPE), np.float32)
    x[:, 0, 0] = 1
    sheet = plots.training_panel(Dimming(), x, pixels=2).data[0]
    image = np.array(Image.open(io.BytesIO(base64.b64decode(sheet.source.split(",")[1]))))
    assert image[:2, :2, 0].tolist() == [[64, 0], [0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.morphs({}, greys(0), greys(1)), "codecs must hold at least 1 model, got none"),
        (
            lambda: plots.morphs(Dimming(), greys(0), greys(1, 2)),
            "x_start and x_end must have one shape, got (1, 4, 4) and (2, 4, 4)",
        ),
        (
            lambda: plots.morphs(Dimming(), np.zeros((1, 2)), np.zeros((1, 2))),
            "x_start must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape (1, 2)",
        ),
        (lambda: plots.morphs(Dimming(), greys(0), greys(1), n_steps=1), "n_steps must be at least 2, got 1"),
        (
            lambda: plots.reconstructions(Dimming(), np.zeros((3, 2))),
            "x must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape (3, 2)",
        ),
        (
            lambda: plots.training_panel(Dimming(), np.zeros((3, 2))),
            "x must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape (3, 2)",
        ),
        (lambda: plots.training_panel(Dimming(), greys(0), pixels=0), "pixels must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_drawn_is_named(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message
