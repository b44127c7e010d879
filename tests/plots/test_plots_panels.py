from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaia_explore.plots.panels import (
    PAGE_WIDTH,
    check_planar,
    drawn_rows,
    each_panel,
    log_axis,
    log_ticks,
    model_grid,
    panel_grid,
    sets_and_models,
    square,
    wrapped,
)
from gaia_explore.plots.panels import axes as axes_of_panel
from gaia_explore.stimuli import Stimuli

# To Plotly's annotations, traces and axes have no attributes.
axes: Any = axes_of_panel


def grid(rows=2, columns=3, title="title", subtitle="subtitle"):
    return panel_grid(
        rows,
        columns,
        panel=(100, 80),
        gap=(10, 20),
        margin={"l": 50, "r": 30, "t": 60, "b": 40},
        title=title,
        subtitle=subtitle,
    )


def test_panels_and_gaps_have_the_pixels_that_were_asked_for():
    figure = grid()
    margin = figure.layout.margin
    width, height = figure.layout.width - margin.l - margin.r, figure.layout.height - margin.t - margin.b
    assert (width, height) == (320, 180)
    assert (margin.l, margin.r, margin.b) == (50, 30, 40)
    for row in (1, 2):
        for column in (1, 2, 3):
            across, up = axes(figure, row, column)
            assert np.allclose(np.array(across.domain) * width, np.array([0, 100]) + (column - 1) * 110)
            assert np.allclose(np.array(up.domain) * height, np.array([0, 80]) + (2 - row) * 100)
    assert (figure.layout.title.text, figure.layout.title.subtitle.text) == ("title", "subtitle")


def test_room_above_the_panels_grows_with_the_lines_of_the_titles():
    long = "one two three four five six " * 3
    tops = [
        grid(title=title, subtitle=subtitle).layout.margin.t
        for title, subtitle in [("title", ""), ("title", "subtitle"), ("title", long), (long, long)]
    ]
    assert 60 < tops[0] < tops[1] < tops[2] < tops[3]
    heading = grid(title=long, subtitle=long).layout.title
    assert heading.text.replace("<br>", " ") == heading.subtitle.text.replace("<br>", " ") == long.strip()
    # Plotly's buttons lie over the right end of the title's first line, but not over the subtitle.
    assert heading.text.count("<br>") > heading.subtitle.text.count("<br>") > 0


@given(st.text("ab ", max_size=60), st.integers(1, 400), st.integers(8, 20))
def test_wrapped_text_keeps_its_words_and_fits(text, width, size):
    lines = wrapped(text, width, size).split("<br>")
    assert " ".join(lines).split() == text.split()
    assert all(len(line) <= max(2 * width // size, 8) or " " not in line for line in lines)


def test_line_breaks_of_a_text_are_kept():
    assert wrapped("one<br>two three four", 80, 16) == "one<br>two three<br>four"


@given(st.integers(1, 12), st.sampled_from([(), ("codes", "decoded")]))
def test_grid_of_models_fits_the_page_and_its_panels_are_square(n_models, kinds):
    models = [f"model {i}" for i in range(n_models)]
    figure = model_grid(["moons"], models, kinds, right=104, title="title", subtitle="subtitle")
    margin, rows = figure.layout.margin, max(len(kinds), 1)
    width, height = figure.layout.width - margin.l - margin.r, figure.layout.height - margin.t - margin.b
    if n_models < 10:
        assert figure.layout.width <= PAGE_WIDTH
    side = (width - 10 * (n_models - 1)) / n_models
    assert 60 <= side <= 250
    assert height == rows * side + 10 * (rows - 1)


def test_rows_of_a_grid_of_models_are_named_by_set_and_kind():
    figure = model_grid(["moons", "blobs"], ["AE"], ("codes", "decoded"), right=16, title="", subtitle="")
    titles = [axes(figure, row, 1)[1].title.text for row in (1, 2, 3, 4)]
    assert titles == [f"<b>{name}</b><br>{kind}" for name in ("moons", "blobs") for kind in ("codes", "decoded")]
    figure = model_grid(["moons", "blobs"], ["AE"], right=16, title="", subtitle="")
    assert [axes(figure, row, 1)[1].title.text for row in (1, 2)] == ["<b>moons</b>", "<b>blobs</b>"]


def test_long_names_of_models_are_broken_into_lines():
    names = ["GAIA α=1 as it was published in the paper", "AE"]
    figure = model_grid(["moons"], names * 3, right=16, title="", subtitle="")
    assert figure.layout.annotations[0].text.count("<br>") >= 2
    assert figure.layout.margin.t > model_grid(["moons"], ["AE"] * 6, right=16, title="", subtitle="").layout.margin.t


class Same:
    """A codec whose codes are the stimuli."""

    def encode(self, x):
        return x

    def decode(self, z):
        return z


def test_each_panel_is_drawn_from_its_codec_and_its_stimuli():
    panels = {("cloud", model): (Same(), Stimuli.from_array(np.eye(n, 2))) for model, n in (("AE", 2), ("VAE", 3))}
    drawn = each_panel(panels, lambda codec, stimuli: len(codec.encode(stimuli.x)))
    assert drawn == {("cloud", "AE"): 2, ("cloud", "VAE"): 3}


def test_panel_that_cannot_be_drawn_is_named():
    panels = {("cloud", "VAE"): (Same(), Stimuli.from_array(np.eye(3)))}
    with pytest.raises(ValueError, match=r"^panel \('cloud', 'VAE'\): stimuli must have 2 dimensions"):
        each_panel(panels, lambda _, stimuli: check_planar(stimuli))


def test_square_holds_every_point_with_one_scale_for_both_axes():
    points = np.array([[-3.0, 0.0], [5.0, 1.0]])
    figure = grid()
    square(figure, 2, 2, points[:1], points[1:])
    across, up = axes(figure, 2, 2)
    assert across.range[0] < -3 and across.range[1] > 5
    assert np.mean(across.range) == pytest.approx(1)
    assert np.mean(up.range) == pytest.approx(0.5)
    assert np.ptp(up.range) == pytest.approx(np.ptp(across.range))
    assert (up.scaleanchor, up.scaleratio) == (up.anchor, 1)


def test_square_around_a_single_point_has_a_size():
    figure = grid()
    square(figure, 1, 1, np.array([[2.0, 3.0]]))
    assert axes(figure, 1, 1)[0].range == (1.5, 2.5)


@given(st.floats(-8, 8), st.floats(0.4, 12), st.integers(2, 12))
def test_logarithmic_ticks_are_round_written_out_few_and_within_their_limits(low, span, n_ticks):
    ticks = log_ticks(low, low + span, n_ticks)
    values = np.array(ticks["tickvals"])
    assert 1 <= len(values) <= n_ticks
    assert low <= values.min() and values.max() <= low + span
    assert (np.diff(values) > 0).all()
    assert np.allclose([float(text) for text in ticks["ticktext"]], 10**values, rtol=1e-9)


def test_logarithmic_axis_ignores_what_it_cannot_show():
    axis: Any = go.layout.YAxis()
    log_axis(axis, np.array([np.nan, -1.0, 0.0, 0.01, 100.0, np.inf]))
    low, high = axis.range
    assert axis.type == "log"
    assert -2.5 < low < -2 and 2 < high < 2.5
    assert axis.tickvals == (0.01, 0.1, 1, 10, 100)


def test_logarithmic_axis_of_one_value_has_a_length():
    axis: Any = go.layout.YAxis()
    log_axis(axis, np.array([10.0, 10.0]))
    assert axis.range == pytest.approx((0.8, 1.2))


def test_logarithmic_axis_of_values_that_hardly_differ_has_a_tick():
    axis: Any = go.layout.YAxis()
    log_axis(axis, np.array([0.11, 0.1101]))
    assert np.ptp(axis.range) == pytest.approx(0.4)
    assert len(axis.tickvals) >= 1


def test_logarithmic_axis_without_positive_values_is_left_to_plotly():
    axis: Any = go.layout.YAxis()
    log_axis(axis, np.array([-1.0, np.nan]))
    assert axis.type == "log"
    assert axis.range is None


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 9))
def test_drawn_rows_are_different_rows_and_as_many_as_there_can_be(n, n_points, seed):
    rows = drawn_rows(n, n_points, seed)
    assert len(set(rows.tolist())) == len(rows) == min(n, n_points)
    assert set(rows.tolist()) <= set(range(n))
    assert np.array_equal(rows, drawn_rows(n, n_points, seed))


def test_sets_and_models_keep_their_order():
    panels = {(title, model): 0 for title in ("moons", "circles") for model in ("VAE", "AE")}
    assert sets_and_models(panels) == (["moons", "circles"], ["VAE", "AE"])


def test_incomplete_grids_are_refused():
    with pytest.raises(ValueError, match=r"^panels must hold at least 1 \(stimuli, model\), got none$"):
        sets_and_models({})
    panels = {("moons", "AE"): 0, ("moons", "VAE"): 0, ("blobs", "AE"): 0}
    message = r"^panels must hold every model for every set of stimuli, missing \[\('blobs', 'VAE'\)\]$"
    with pytest.raises(ValueError, match=message):
        sets_and_models(panels)


def test_no_points_at_all_cannot_be_asked_for():
    with pytest.raises(ValueError, match=r"^n_points must be at least 1, got 0$"):
        drawn_rows(10, 0, 0)
