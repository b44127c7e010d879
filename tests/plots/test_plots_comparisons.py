import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaia_explore import plots as plots_room
from gaia_explore import scores
from gaia_explore.plots.panels import axes as axes_of_panel

# To Plotly's annotations, traces and axes have no attributes.
plots: Any = plots_room
axes: Any = axes_of_panel

MODELS = ["AE", "VAE", "GAIA α=0", "GAIA α=1"]


def curves(models=("AE", "GAIA α=1"), **columns):
    t = np.linspace(0, 1, 5)
    return pd.concat(
        [
            pd.DataFrame({"model": model, "t": t[::-1], "share": 0.9 - 0.1 * i - 0.4 * (t * (1 - t))[::-1]} | columns)
            for i, model in enumerate(models)
        ]
    )


def sweep(sets=("moons",), seeds=3):
    """One AE, a VAE whose β is out of order, and a GAIA by default, in two other settings, and as published."""
    settings = [
        ("AE", "default", 0.004, 0.6),
        ("VAE", "β = 0.1", 0.04, 0.95),
        ("VAE", "β = 1/128", 0.018, 0.9),
        ("VAE", "β = 0.001", 0.01, 0.7),
        ("GAIA", "default", 0.012, 0.97),
        ("GAIA", "c = 0.5", 0.013, 0.91),
        ("GAIA", "c = 0.05", 0.011, 0.93),
        ("GAIA", "published", 0.03, 0.5),
    ]
    return pd.DataFrame(
        [
            (name, model, setting, seed, support + 0.01 * (seed - 1), error * (1 + 0.1 * (seed - 1)))
            for name in sets
            for model, setting, error, support in settings
            for seed in range(seeds)
        ],
        columns=["stimuli", "model", "setting", "seed", "on_support", "pixel_error"],
    )


def table(models=MODELS, n_seeds=3, **columns):
    rng = np.random.default_rng(0)
    rows = [
        {"model": model, "stimuli": name, "seed": seed, "r": 0.1 * i, "kl_reconstructions": rng.normal() - i}
        | {score: value[i] + 0.01 * rng.normal() for score, value in columns.items()}
        for i, model in enumerate(models)
        for name in ("moons", "circles")
        for seed in range(n_seeds)
    ]
    return scores.table_one(pd.DataFrame(rows))


def cells(styler):
    """The table as a browser would read it, its cells as HTML."""
    html = styler.to_html()
    headings = re.findall(r'<th id="\S+" class="col_heading[^>]*>(.*?)</th>', html, re.DOTALL)
    names = re.findall(r'<th id="\S+" class="row_heading[^>]*>(.*?)</th>', html, re.DOTALL)
    values = re.findall(r"<td[^>]*>(.*?)</td>", html, re.DOTALL)
    return pd.DataFrame(np.reshape(values, (len(names), len(headings))), index=names, columns=headings)


# Support over t


def test_curve_of_each_model_runs_from_start_to_end():
    figure = plots.support_over_t(curves())
    assert [trace.name for trace in figure.data] == ["AE", "GAIA α=1"]
    for i, trace in enumerate(figure.data):
        assert trace.x.tolist() == [0, 0.25, 0.5, 0.75, 1]
        assert np.allclose(trace.y, 0.9 - 0.1 * i - 0.4 * trace.x * (1 - trace.x))
        assert trace.line.color == plots.MODEL_COLOURS[trace.name]


def test_support_is_in_percent_and_t_says_where_it_starts():
    figure = plots.support_over_t(curves(), title="Mine")
    across, up = axes(figure, 1, 1)
    assert across.title.text == "t (0 = start, 1 = end)"
    assert (up.title.text, up.tickformat) == ("interpolations on support (%)", ".0%")
    assert figure.layout.title.text == "Mine"
    assert figure.layout.template == plots.TEMPLATE


def test_band_runs_along_high_and_back_along_low():
    figure = plots.support_over_t(curves(models=["AE"], low=0.1, high=np.linspace(0.8, 0.9, 5)))
    band, line = figure.data
    assert band.x.tolist() == [0, 0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25, 0]
    assert np.allclose(band.y, [0.9, 0.875, 0.85, 0.825, 0.8, *[0.1] * 5])
    assert band.fill == "toself" and not band.showlegend
    assert band.legendgroup == line.legendgroup
    assert band.fillcolor == line.line.color
    assert "bands: low to high" in figure.layout.title.subtitle.text
    assert "bands" not in plots.support_over_t(curves()).layout.title.subtitle.text


def test_no_band_lies_over_a_line():
    figure = plots.support_over_t(curves(MODELS, low=0.1, high=0.9))
    assert [trace.fill for trace in figure.data] == ["toself"] * 4 + [None] * 4
    assert [trace.legendgroup for trace in figure.data] == MODELS * 2


# Frontier


def test_marks_are_means_and_whiskers_one_standard_error():
    figure = plots.frontier(sweep())
    ae = figure.data[0]
    assert (ae.name, ae.mode) == ("AE", "markers")
    assert np.allclose([ae.x, ae.y], [[0.004], [0.6]])
    # Three seeds whose standard deviations are 10 % and .01.
    assert np.allclose(ae.error_x.array, 0.0004 / np.sqrt(3))
    assert np.allclose(ae.error_y.array, 0.01 / np.sqrt(3))
    assert "means over 3 seeds; whiskers: ± one standard error; " in figure.layout.title.subtitle.text


def test_single_seeds_have_no_whiskers():
    figure = plots.frontier(sweep(seeds=1))
    assert np.isnan(figure.data[0].error_x.array).all() and np.isnan(figure.data[0].error_y.array).all()
    assert "means over single seeds; large" in figure.layout.title.subtitle.text


def test_unequal_numbers_of_seeds_are_told():
    scores_of_some = sweep().query("seed == 0 or model == 'AE'")
    assert "means over 1 to 3 seeds; whiskers" in plots.frontier(scores_of_some).layout.title.subtitle.text


def test_sweep_is_joined_in_the_order_of_its_numbers():
    vae = plots.frontier(sweep()).data[1]
    assert vae.mode == "lines+markers+text"
    assert list(vae.customdata) == ["β = 0.001", "β = 1/128", "β = 0.1"]
    assert np.allclose(vae.x, [0.01, 0.018, 0.04])
    assert vae.line.color == plots.MODEL_COLOURS["VAE"]
    assert "%{customdata}" in vae.hovertemplate


def test_ends_of_a_sweep_are_labelled_away_from_its_line():
    _, vae, gaia, *_ = plots.frontier(sweep()).data
    assert list(vae.text) == ["β = 0.001", "", "β = 0.1"]
    assert (vae.textposition[0], vae.textposition[-1]) == ("bottom left", "top right")
    assert list(gaia.text) == ["c = 0.05", "c = 0.5"]
    assert list(gaia.textposition) == ["top left", "bottom right"]


@settings(max_examples=20)
@given(st.permutations([1e-4, 0.03, 0.5, 2.0, 10.0, 250.0]))
def test_numbers_order_settings_however_they_are_written(values):
    rows = [("s", "VAE", f"layers 3, β = {value}", 0, 0.5, 0.1) for value in values]
    columns = ["stimuli", "model", "setting", "seed", "on_support", "pixel_error"]
    (trace,) = plots.frontier(pd.DataFrame(rows, columns=columns)).data
    assert list(trace.customdata) == [f"layers 3, β = {value}" for value in sorted(values)]


def test_settings_without_a_number_stand_alone():
    figure = plots.frontier(sweep())
    assert [trace.name for trace in figure.data] == ["AE", "VAE", "GAIA", "GAIA", "GAIA, published"]
    _, _, line, default, published = figure.data
    assert list(default.customdata) == ["default"]
    assert (published.mode, list(published.customdata)) == ("markers", ["published"])
    assert published.marker.symbol != line.marker.symbol
    assert published.line.color == line.line.color == plots.MODEL_COLOURS["GAIA"]


def test_defaults_are_large_and_filled():
    *_, line, default, published = plots.frontier(sweep()).data
    assert default.marker.color == [plots.MODEL_COLOURS["GAIA"]]
    assert set(line.marker.color) == set(published.marker.color) == {"white"}
    assert default.marker.size[0] > max(line.marker.size)


def test_column_tells_which_settings_are_defaults():
    scored = sweep()
    figure = plots.frontier(scored.assign(default=scored["setting"] == "β = 1/128"))
    vae, ae = figure.data[1], figure.data[0]
    assert list(vae.marker.color) == ["white", plots.MODEL_COLOURS["VAE"], "white"]
    assert vae.marker.size[1] > vae.marker.size[0]
    assert (ae.name, list(ae.marker.color)) == ("AE, default", ["white"])
    assert "defaults" not in plots.frontier(scored.assign(default=False)).layout.title.subtitle.text


def test_sets_have_facets_in_rows_of_three_and_the_legend_is_shown_once():
    figure = plots.frontier(sweep(sets=["moons", "circles", "blobs", "varied"]))
    assert [note.text for note in figure.layout.annotations] == ["moons", "circles", "blobs", "varied"]
    assert [trace.name for trace in figure.data if trace.showlegend] == ["AE", "VAE", "GAIA", "GAIA, published"]
    assert len(figure.data) == 20
    assert len(list(figure.select_xaxes())) == 4
    assert axes(figure, 2, 1)[1].title.text == "interpolations on support (%)"
    assert {axes(figure, 1, column)[0].type for column in (1, 2, 3)} == {"log"}
    assert figure.layout.template == plots.TEMPLATE


def test_lowest_panel_of_each_column_names_its_axis():
    figure = plots.frontier(sweep(sets=["moons", "circles", "blobs", "varied"]))
    named = [axis.title.text == "pixel error (scaled, log scale)" for axis in figure.select_xaxes()]
    assert named == [False, True, True, True]


def test_all_sets_have_the_same_axes():
    scored = sweep(sets=["moons", "circles"])
    scored.loc[scored["stimuli"] == "circles", "pixel_error"] *= 10
    left, right = (axes(plots.frontier(scored), 1, column) for column in (1, 2))
    assert left[0].range == right[0].range
    assert right[1].matches == "y"
    low, high = left[0].range
    assert 10**low < scored["pixel_error"].min() and scored["pixel_error"].max() < 10**high


def test_legend_is_above_the_titles_of_the_facets():
    for sets in (["moons"], ["moons", "circles", "blobs", "varied"]):
        figure = plots.frontier(sweep(sets=sets))
        assert 1 < figure.layout.legend.y < 1.1
        assert figure.layout.legend.yanchor == "bottom"


# Table 1


def test_cell_holds_mean_interval_intercept_and_the_papers_number():
    summed = table()
    row = summed.set_index(["model", "score"]).loc[("GAIA α=0", "kl_reconstructions")]
    cell = cells(plots.table_one(summed)).loc["GAIA α=0", "KL, reconstructions (nats)"]
    half = (row["high"] - row["low"]) / 2
    mean, interval, intercept, paper = re.findall(r"[−\d.]+(?=$|<| ±)", cell)
    assert float(mean.replace("−", "-")) == pytest.approx(row["mean"], abs=0.006)
    assert float(interval) == pytest.approx(half, abs=0.006)
    assert float(intercept.replace("−", "-")) == pytest.approx(row["intercept"], abs=0.006)
    assert paper == "−0.36"
    assert "intercept\xa0−" in cell and "paper\xa0−0.36" in cell
    assert "opacity: .65; font-size: 85%" in cell


def test_table_has_models_in_rows_and_named_scores_in_columns():
    read = cells(plots.table_one(table()))
    assert list(read.index) == MODELS
    assert list(read.columns) == ["r(d<sub>x</sub>, d<sub>z</sub>)", "KL, reconstructions (nats)"]


@pytest.mark.parametrize(
    ("score", "values", "best"),
    [
        ("r", [0.5, 0.9, 0.1, 0.2], ["VAE"]),
        ("kl_interpolations", [0.5, 0.9, 0.1, 0.2], ["GAIA α=0"]),
        ("pixel_error", [0.5, 0.9, 0.1, 0.2], ["GAIA α=0"]),
        ("on_support", [0.5, 0.9, 0.9, 0.2], ["VAE", "GAIA α=0"]),
        ("mood", [0.5, 0.9, 0.1, 0.2], []),
    ],
)
def test_best_of_a_column_is_bold(score, values, best):
    frame = pd.DataFrame(
        {"model": MODELS, "score": score, "intercept": 0.0, "mean": values, "low": 0.0, "high": 0.0, "n_seeds": 3}
    )
    column = cells(plots.table_one(frame)).iloc[:, 0]
    assert [model for model in MODELS if "<b>" in column[model]] == best


def test_single_seed_has_no_interval():
    html = plots.table_one(table(n_seeds=1)).to_html()
    assert "±" not in re.sub(r"<caption>.*</caption>", "", html)
    assert "over 1 seed," in html
    assert "over 3 seeds," in plots.table_one(table()).to_html()


def test_models_and_scores_that_the_paper_lacks_stand_alone():
    read = cells(plots.table_one(table(models=["AE", "ACAI <b>"], on_support=[0.7, 0.8])))
    assert "paper" in read.loc["AE"].iloc[0]
    assert "paper" not in read.loc["AE", "share on support"]
    assert not read.loc["ACAI &lt;b&gt;"].str.contains("paper").any()


def test_another_papers_numbers_can_be_given():
    other = pd.DataFrame({"r": [0.125]}, index=["AE"])
    read = cells(plots.table_one(table(), other))
    assert read.loc["AE"].str.contains("paper\xa00.125").tolist() == [True, False]


def test_digits_fit_the_size_of_a_column():
    frame = pd.DataFrame(
        [("AE", score, 0.0, mean, mean, mean, 3) for score, mean in (("a", 3567.123), ("b", 0.0123456), ("c", 0.0))],
        columns=["model", "score", "intercept", "mean", "low", "high", "n_seeds"],
    )
    read = cells(plots.table_one(frame)).loc["AE"]
    assert [cell.split(" ")[0] for cell in read] == ["3567", "0.0123", "0"]


# Errors


@pytest.mark.parametrize(
    ("draw", "frame", "message"),
    [
        (
            plots.support_over_t,
            curves().drop(columns="share"),
            r"^curves must have rows and the columns model, t, share, missing \['share'\]$",
        ),
        (
            plots.support_over_t,
            curves().iloc[:0],
            r"^curves must have rows and the columns model, t, share, missing \[\]$",
        ),
        (
            plots.frontier,
            sweep().drop(columns=["seed", "model"]),
            r"^scores must have rows and the columns stimuli, .*, pixel_error, missing \['model', 'seed'\]$",
        ),
        (plots.table_one, table().drop(columns="low"), r"^table must have rows and the columns .*, missing \['low'\]$"),
        (
            plots.frontier,
            sweep().assign(pixel_error=0.0),
            "^pixel_error must be above 0 on a logarithmic axis, got 0.0$",
        ),
        (
            plots.frontier,
            sweep().assign(pixel_error=np.nan),
            "^pixel_error must be above 0 on a logarithmic axis, got nan$",
        ),
    ],
)
def test_bad_tables_are_named(draw, frame, message):
    with pytest.raises(ValueError, match=message):
        draw(frame)
