from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaia_explore import plots as plots_room
from gaia_explore.plots.panels import axes as axes_of_panel

# To Plotly's annotations, traces and axes have no attributes.
plots: Any = plots_room
axes: Any = axes_of_panel


GAIA_TERMS = ["L_x", "L_g", "L_i", "L_D", "L_G", "pixel_error", "w_D", "w_G", "pace_discriminator", "pace_generator"]


def terms(names, n=300, **columns):
    rng = np.random.default_rng(0)
    steps = pd.RangeIndex(1, n + 1, name="step")
    return pd.DataFrame({name: 0.2 + 0.1 * rng.random(n) for name in names} | columns, index=steps)


def bold(figure):
    return {trace.name: trace for trace in figure.data if trace.name}


def faint(figure):
    return {trace.legendgroup: trace for trace in figure.data if not trace.name}


def panel_titles(figure):
    return [axis.title.text for axis in figure.select_yaxes()]


def test_bold_line_is_the_running_mean_and_the_faint_one_is_raw():
    run_history = terms(["pixel_error"])
    figure = plots.history(run_history, smooth=5)
    raw = run_history["pixel_error"].to_numpy()
    mean = [raw[max(0, i - 2) : i + 3].mean() for i in range(300)]
    assert np.allclose(bold(figure)["pixel error"].y, mean, rtol=1e-5)
    assert np.allclose(faint(figure)["pixel_error"].y, raw, rtol=1e-5)
    assert faint(figure)["pixel_error"].opacity < 0.3
    assert np.array_equal(bold(figure)["pixel error"].x, np.arange(1, 301))


def test_without_smoothing_there_are_only_the_raw_values():
    run_history = terms(["pixel_error"])
    (line,) = plots.history(run_history, smooth=1).data
    assert np.allclose(line.y, run_history["pixel_error"], rtol=1e-5)


@pytest.mark.parametrize(("n", "window"), [(30, 3), (299, 29), (1000, 50)])
def test_mean_runs_over_no_more_than_a_tenth_of_the_run_and_says_over_how_many(n, window):
    run_history = terms(["pixel_error"], n)
    figure = plots.history(run_history)
    mean = run_history["pixel_error"].rolling(window, min_periods=1, center=True).mean()
    assert np.allclose(bold(figure)["pixel error"].y, mean, rtol=1e-5)
    assert figure.layout.title.subtitle.text == f"running means of {window} steps over the single steps"


def test_run_of_a_few_steps_is_drawn_as_it_is():
    figure = plots.history(terms(["pixel_error"], 19))
    assert len(figure.data) == 1
    assert not figure.layout.title.subtitle.text


def test_gaia_has_three_panels_that_share_their_steps():
    figure = plots.history(terms(GAIA_TERMS))
    assert panel_titles(figure) == ["loss (log scale)", "pace (× learning rate)", "balance (weight)"]
    assert [axes(figure, row, 1)[1].type for row in (1, 2, 3)] == ["log", None, None]
    assert {axes(figure, row, 1)[0].matches for row in (1, 2)} == {"x3"}
    assert [axes(figure, row, 1)[0].title.text for row in (1, 2, 3)] == [None, None, "step"]
    assert figure.layout.template == plots.TEMPLATE


def test_every_term_is_in_its_panel():
    drawn = bold(plots.history(terms(GAIA_TERMS)))
    panels = {name: trace.yaxis for name, trace in drawn.items()}
    assert panels["L<sub>x</sub>"] == panels["pixel error"] == "y"
    assert panels["discriminator"] == panels["generator"] == "y2"
    assert panels["w<sub>D</sub>"] == panels["w<sub>G</sub>"] == "y3"
    assert len(drawn) == len(GAIA_TERMS)


@pytest.mark.parametrize("names", [["pixel_error"], ["loss", "pixel_error", "kl"]], ids=["AE", "VAE"])
def test_panels_without_terms_are_left_out(names):
    figure = plots.history(terms(names))
    assert panel_titles(figure) == ["loss (log scale)"]
    assert axes(figure, 1, 1)[0].title.text == "step"
    assert not figure.layout.shapes


def test_paces_alone_have_no_logarithmic_axis():
    figure = plots.history(terms(["pace_discriminator"]))
    assert panel_titles(figure) == ["pace (× learning rate)"]
    assert axes(figure, 1, 1)[1].type is None


def test_healthy_band_is_shaded_and_explained():
    figure = plots.history(terms(GAIA_TERMS))
    (band,) = figure.layout.shapes
    assert (band.y0, band.y1, band.yref) == (0.40, 0.49, "y2")
    (note,) = figure.layout.annotations
    assert note.text == "healthy discriminator: 0.40–0.49"
    assert "Pinned at 0 or 1" in note.hovertext


def test_held_out_error_is_drawn_as_points_where_it_is_known():
    run_history = terms(["pixel_error"], held_out_error=np.where(np.arange(1, 301) % 100, np.nan, 0.07))
    points = bold(plots.history(run_history))["held-out error"]
    assert points.mode == "markers"
    assert points.x.tolist() == [100, 200, 300]
    assert np.allclose(points.y, 0.07)


def test_loss_that_is_not_always_positive_has_gaps_and_says_so():
    loss = np.where(np.arange(300) < 100, -1.0, 1.5)
    line = bold(plots.history(terms([], L_D=loss), smooth=3))["L<sub>D</sub> (where positive)"]
    assert np.array_equal(np.isnan(line.y), np.arange(300) < 100)


def test_axis_of_losses_is_as_long_as_the_means():
    loss = np.full(1000, 0.1)
    loss[500] = 1e-9
    low, high = axes(plots.history(terms([], 1000, L_x=loss)), 1, 1)[1].range
    assert -1.5 < low < -1 < high < -0.5


def test_dead_run_is_drawn_up_to_its_end():
    loss = np.where(np.arange(300) < 250, 0.5, np.nan)
    drawn = bold(plots.history(terms([], L_x=loss), smooth=1))["L<sub>x</sub>"]
    assert np.isnan(drawn.y[250:]).all() and not np.isnan(drawn.y[:250]).any()


def test_terms_say_in_words_what_they_are():
    drawn = bold(plots.history(terms([*GAIA_TERMS, "new_term"])))
    assert "the discriminator's error on data" in drawn["L<sub>x</sub>"].hovertemplate
    assert drawn["new term"].hovertemplate == "step %{x}: %{y:.4g}<extra>new term</extra>"


def test_each_panel_has_its_legend_beside_it():
    figure = plots.history(terms(GAIA_TERMS))
    assert {trace.yaxis: trace.legend for trace in figure.data} == {"y": "legend", "y2": "legend2", "y3": "legend3"}
    tops = [figure.layout[legend].y for legend in ("legend", "legend2", "legend3")]
    assert tops == [axes(figure, row, 1)[1].domain[1] for row in (1, 2, 3)]
    assert not any(trace.showlegend for trace in faint(figure).values())


@settings(max_examples=20)
@given(st.integers(1, 700), st.integers(2, 400))
def test_long_histories_are_thinned_and_keep_both_ends(n, n_points):
    figure = plots.history(terms(["pixel_error"], n), n_points=n_points)
    for trace in figure.data:
        assert len(trace.x) == min(n, n_points)
        assert (trace.x[0], trace.x[-1]) == (1, n)
        assert (np.diff(trace.x) > 0).all()


def test_history_read_from_its_file_serves_too(tmp_path):
    run_history = terms(["pixel_error"])
    run_history.to_csv(tmp_path / "history.csv")
    figure = plots.history(pd.read_csv(tmp_path / "history.csv"), title="From a file")
    assert list(bold(figure)) == ["pixel error"]
    assert figure.data[0].x[0] == 1
    assert figure.layout.title.text == "From a file"


@pytest.mark.parametrize(
    ("run_history", "options", "message"),
    [
        (terms(["loss"]), {"smooth": 0}, "^smooth must be at least 1, got 0$"),
        (terms(["loss"]), {"n_points": 1}, "^n_points must be at least 2, got 1$"),
        (terms(["loss"], 0), {}, "^run_history must have at least 1 step and 1 term, got 0 and 1$"),
        (terms([]), {}, "^run_history must have at least 1 step and 1 term, got 300 and 0$"),
        (
            terms(["loss"], mood=["good", "bad"] * 150),
            {},
            "^run_history must hold numbers, got others in mood$",
        ),
    ],
)
def test_bad_input_is_named(run_history, options, message):
    with pytest.raises(ValueError, match=message):
        plots.history(run_history, **options)


def test_what_is_drawn_is_a_row_a_term_and_step():
    run_history = terms(GAIA_TERMS, held_out_error=np.where(np.arange(1, 301) % 100, np.nan, 0.07))
    drawn = plots.drawn_history(run_history, smooth=5, n_points=4)
    assert list(drawn.columns) == ["panel", "term", "name", "step", "value", "mean"]
    assert dict(drawn.groupby("panel", sort=False)["term"].unique().map(list)) == {
        "loss": ["L_x", "L_g", "L_i", "L_D", "L_G", "pixel_error", "held_out_error"],
        "pace": ["pace_discriminator", "pace_generator"],
        "balance": ["w_D", "w_G"],
    }
    line = drawn[drawn["term"] == "L_x"]
    raw = run_history["L_x"].to_numpy()
    assert line["step"].tolist() == [1, 101, 200, 300]
    assert np.allclose(line["value"], raw[[0, 100, 199, 299]])
    assert np.allclose(line["mean"], [raw[:3].mean(), raw[98:103].mean(), raw[197:202].mean(), raw[297:].mean()])
    assert set(line["name"]) == {"L<sub>x</sub>"}
    points = drawn[drawn["term"] == "held_out_error"]
    assert points["step"].tolist() == [100, 200, 300]
    assert np.allclose(points["value"], 0.07) and points["mean"].isna().all()


@settings(max_examples=20)
@given(st.integers(1, 700), st.integers(2, 400), st.integers(1, 60))
def test_the_figure_draws_what_is_said_to_be_drawn(n, n_points, smooth):
    run_history = terms(GAIA_TERMS, n, L_D=np.linspace(-0.5, 1, n))
    drawn = plots.drawn_history(run_history, smooth=smooth, n_points=n_points)
    figure = plots.history(run_history, smooth=smooth, n_points=n_points)
    means = {trace.legendgroup: trace for trace in figure.data if trace.name}
    raw = faint(figure)
    for term, line in drawn.groupby("term"):
        assert means[term].name == line["name"].iloc[0]
        assert np.array_equal(means[term].x, line["step"])
        assert np.array_equal(means[term].y, line["mean"], equal_nan=True)
        if raw:
            assert np.array_equal(raw[term].y, line["value"], equal_nan=True)
    assert set(means) == set(drawn["term"])


def test_held_out_error_that_is_not_known_yet_is_not_forgotten():
    run_history = terms(["pixel_error"], held_out_error=np.full(300, np.nan))
    drawn = plots.drawn_history(run_history)
    assert drawn[drawn["term"] == "held_out_error"]["value"].isna().tolist() == [True]
    assert len(bold(plots.history(run_history))["held-out error"].x) == 0
