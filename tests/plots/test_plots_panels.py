from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaia_explore.plots.panels import axes as axes_of_panel
from gaia_explore.plots.panels import drawn_rows, log_axis, log_ticks, panel_grid, sets_and_models, square

# To Plotly's annotations, traces and axes have no attributes.
axes: Any = axes_of_panel


def grid(rows=2, columns=3):
    return panel_grid(
        rows,
        columns,
        panel=(100, 80),
        gap=(10, 20),
        margin={"l": 50, "r": 30, "t": 60, "b": 40},
        title="title",
        subtitle="subtitle",
    )


def test_panels_and_gaps_have_the_pixels_that_were_asked_for():
    figure = grid()
    width, height = figure.layout.width - 80, figure.layout.height - 100
    for row in (1, 2):
        for column in (1, 2, 3):
            across, up = axes(figure, row, column)
            assert np.allclose(np.array(across.domain) * width, np.array([0, 100]) + (column - 1) * 110)
            assert np.allclose(np.array(up.domain) * height, np.array([0, 80]) + (2 - row) * 100)
    assert (figure.layout.title.text, figure.layout.title.subtitle.text) == ("title", "subtitle")


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


@given(st.floats(-8, 8), st.floats(0.4, 12))
def test_logarithmic_ticks_are_round_written_out_and_within_their_limits(low, span):
    ticks = log_ticks(low, low + span)
    values = np.array(ticks["tickvals"])
    assert 1 <= len(values) <= 15
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
