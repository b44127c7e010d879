from base64 import b64decode
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaia_explore import plots as plots_room
from gaia_explore.attributes import Entanglement

# To Plotly's annotations, traces and axes have no attributes.
plots: Any = plots_room

NAMES = ["Male", "Wearing_Hat", "fatness"]


def held(shift=0.0, names=NAMES):
    k = len(names)
    changes = np.random.default_rng(0).normal(0, 0.1, size=(60, k, k)) + 0.8 * np.eye(k) + shift
    return Entanglement(names=tuple(names), changes=changes, strength=1.0, n_resamples=50, seed=0)


def colours(n, k, size=(8, 6), channels=3):
    """Plain pictures, every one in a grey of its own."""
    greys = np.arange(n * k).reshape(n, k, 1, 1, 1) / 255
    return np.broadcast_to(greys, (n, k, *size, channels)).copy()


def drawn_pictures(figure):
    """Each mosaic, as a page shows it: a pixel a unit of the axes."""
    traces = [trace for trace in figure.data if trace.type == "image"]
    images = [Image.open(BytesIO(b64decode(trace.source.split(",")[1]))) for trace in traces]
    sizes = [(round(i.width * t.dx), round(i.height * t.dy)) for i, t in zip(images, traces, strict=True)]
    return [np.asarray(i.resize(size, Image.Resampling.NEAREST)) for i, size in zip(images, sizes, strict=True)]


def tops_of(figure):
    return [trace.y0 - trace.dy / 2 for trace in figure.data if trace.type == "image"]


def points_of(figure):
    return [trace for trace in figure.data if trace.type == "scatter"]


def texts(figure):
    return [annotation.text for annotation in figure.layout.annotations]


# Matrices


def test_matrices_stand_side_by_side_on_one_scale():
    means, ols = held(-0.2), held()
    figure = plots.entanglement_matrix({"difference of means": means, "OLS": ols})
    for trace, of in zip(figure.data, (means, ols), strict=True):
        assert np.array_equal(trace.z, of.matrix)
        assert list(trace.x) == list(trace.y) == NAMES
        assert np.array_equal(trace.customdata[..., 0], of.low)
        assert np.array_equal(trace.customdata[..., 1], of.high)
        assert trace.coloraxis == "coloraxis"
    assert [trace.xaxis for trace in figure.data] == ["x", "x2"]
    limit = max(np.abs(of.matrix.to_numpy()).max() for of in (means, ols))
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-limit, limit)
    assert figure.layout.width <= 840


def test_headings_tell_how_much_is_off_the_diagonal():
    ols = held()
    mean, low, high = ols.mean_off_diagonal
    (heading,) = texts(plots.entanglement_matrix({"OLS": ols}))
    assert heading.startswith("<b>OLS</b>")
    assert f"{mean:.2f} ({low:.2f}–{high:.2f})" in heading


def test_numbers_stand_in_cells_that_have_room():
    trace = plots.entanglement_matrix({"OLS": held()}).data[0]
    assert trace.texttemplate == "%{text}"
    assert trace.text[0][0] == f"{trace.z[0][0]:+.2f}"
    small = Entanglement(
        names=("a", "b"), changes=np.array([[[1.0, -0.001], [0.0, 1.0]]]), strength=1.0, n_resamples=1, seed=0
    )
    written = plots.entanglement_matrix({"OLS": small}).data[0].text
    assert np.asarray(written).tolist() == [["+1.00", "0"], ["0", "+1.00"]]
    many = held(names=[f"a{i}" for i in range(16)])
    figure = plots.entanglement_matrix({"means": many, "OLS": many})
    assert [trace.texttemplate for trace in figure.data] == [None, None]


def test_many_attributes_stand_one_below_the_other():
    many = held(names=[f"attribute_{i}" for i in range(40)])
    figure = plots.entanglement_matrix({"means": many, "OLS": many})
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    assert figure.layout.width <= 840


def test_matrices_must_be_of_the_same_attributes():
    with pytest.raises(ValueError, match=r"^matrices must hold at least 1 entanglement, got none$"):
        plots.entanglement_matrix({})
    message = r"^matrices must be of the same attributes, Male, Wearing_Hat, fatness, got others in \['OLS'\]$"
    with pytest.raises(ValueError, match=message):
        plots.entanglement_matrix({"means": held(), "OLS": held(names=["a", "b", "c"])})


# Pictures


def test_portraits_have_a_row_a_method_and_a_column_an_attribute():
    faces = colours(2, 3)
    figure = plots.portraits({"difference of means": faces[0], "OLS": faces[1]}, NAMES)
    assert texts(figure) == ["Male", "Wearing Hat", "fatness", "difference of means", "OLS"]
    (mosaic,) = drawn_pictures(figure)
    (points,), (top,) = points_of(figure), tops_of(figure)
    for i, (x, y) in enumerate(zip(points.x, points.y, strict=True)):
        assert mosaic[int(y - top), int(x)].tolist() == [i, i, i]
    assert list(points.text[:2]) == ["Male difference of means", "Wearing Hat difference of means"]
    assert points.text[3] == "Male OLS"
    assert np.diff(figure.layout.xaxis.range) == np.diff(figure.layout.xaxis.domain or (0, 1)) * (
        figure.layout.width - figure.layout.margin.l - figure.layout.margin.r
    )
    # As high to wide as the pictures, 8 to 6, and a pixel between them.
    assert np.diff(points.y[::3])[0] / np.diff(points.x[:2])[0] == pytest.approx(9 / 7)


def test_many_portraits_stand_in_bands_of_ten():
    figure = plots.portraits({"means": colours(1, 24)[0], "OLS": colours(1, 24)[0]}, [f"a_{i}" for i in range(24)])
    mosaics = drawn_pictures(figure)
    assert [len(trace.x) for trace in points_of(figure)] == [20, 20, 8]
    assert mosaics[0].shape == mosaics[1].shape
    assert mosaics[2][5, 5].tolist() == [20, 20, 20]
    tops = tops_of(figure)
    assert all(after >= before + len(mosaics[0]) for before, after in pairwise(tops))
    assert figure.layout.width <= 840
    assert figure.layout.yaxis.range[0] >= tops[2] + len(mosaics[2])


@pytest.mark.parametrize("k", [1, 5, 12, 14])
def test_edits_fit_the_width_whatever_they_are_called(k):
    names = ["original", *(f"+ Wearing_Necktie_{i}" for i in range(k - 1))]
    figure = plots.edits(colours(6, k), names)
    assert figure.layout.width <= 840
    assert texts(figure)[0] == "original"
    assert len(texts(figure)) == k + 6
    assert points_of(figure)[0].text[0] == "original"
    assert {a.textangle for a in figure.layout.annotations[:k]} == ({-45} if k > 5 else {None})


def test_pictures_are_clipped_and_grey_ones_drawn_grey():
    bright = np.array([1.5, -1.0, np.nan, 0.2]).reshape(1, 4, 1, 1, 1) * np.ones((1, 1, 4, 4, 1))
    (mosaic,) = drawn_pictures(plots.edits(bright, list("abcd")))
    assert mosaic[5, 5 :: mosaic.shape[1] // 4].tolist() == [[255] * 3, [0] * 3, [0] * 3, [51] * 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.portraits({}, NAMES), "^pictures must hold at least 1 row, got none$"),
        (
            lambda: plots.portraits({"a": colours(1, 3)[0], "b": colours(1, 2)[0]}, NAMES),
            r"^pictures must have one shape in every row, got \{'a': \(3, 8, 6, 3\), 'b': \(2, 8, 6, 3\)\}$",
        ),
        (lambda: plots.edits(colours(1, 3), ["a"]), "^names must be one a column, 3 here, got 1$"),
        (
            lambda: plots.edits(colours(1, 3, channels=2), NAMES),
            r"^pictures must have 1 or 3 channels, last, got shape \(1, 3, 8, 6, 2\)$",
        ),
        (lambda: plots.edits(colours(1, 3), NAMES, per_row=0), "^per_row must be at least 1, got 0$"),
    ],
)
def test_bad_pictures_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
