"""Models beside each other: Table 1, the share on support along t, and the frontier between support and pixel error."""

import re
from collections.abc import Iterator
from fractions import Fraction
from html import escape
from math import ceil, floor, isnan, log10

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float
from pandas.io.formats.style import Styler

from gaia_explore.plots.panels import axes, legend_once, log_axis, panel_grid
from gaia_explore.plots.template import INK, model_colours
from gaia_explore.scores import PAPER_TABLE_ONE

SCORES = {
    "r": ("r(d<sub>x</sub>, d<sub>z</sub>)", "most"),
    "ll_interpolations": ("log‑likelihood, interpolations (nats)", "most"),
    "ll_reconstructions": ("log‑likelihood, reconstructions (nats)", "most"),
    "kl_interpolations": ("KL, interpolations (nats)", "least"),
    "kl_reconstructions": ("KL, reconstructions (nats)", "least"),
    "on_support": ("share on support", "most"),
    "pixel_error": ("pixel error", "least"),
}
"""What the columns of Table 1 are called, and which end of each is the best."""

SUPPORT = "on support: as near to a training stimulus as 99 % of held-out stimuli are"

CAPTION = (
    "Marginal mean over the sets of stimuli ± half its 95 % interval over {seeds}, best in bold. "
    "Below it our intercept and the paper's, whose estimators differ: compare their order, not their size."
)


def support_over_t(
    curves: pd.DataFrame, *, title: str = "Interpolations on the data's support, along the way"
) -> go.Figure:
    """Draw the share of interpolations on support from their start, t = 0, to their end, t = 1.

    Parameters
    ----------
    curves
        A row for each ``model`` and ``t`` with its ``share``, 0 to 1, as from
        :func:`~gaia_explore.scores.support_over_t`; ``low`` and ``high``, if there, are drawn as a band.
    """
    _require("curves", curves, ["model", "t", "share"])
    banded = {"low", "high"} <= set(curves.columns)
    figure = panel_grid(
        1,
        1,
        panel=(560, 340),
        gap=(0, 0),
        margin={"l": 76, "r": 130, "t": 18, "b": 60},
        title=title,
        subtitle=SUPPORT + ("; bands: low to high" if banded else ""),
    )
    colours = model_colours(curves["model"])
    by_model = {str(model): curve.sort_values("t") for model, curve in curves.groupby("model", sort=False)}
    # All bands first: none may lie over a line.
    for name, curve in by_model.items() if banded else ():
        t = curve["t"].to_numpy()
        figure.add_scatter(
            x=np.concatenate([t, t[::-1]]),
            y=np.concatenate([curve["high"].to_numpy(), curve["low"].to_numpy()[::-1]]),
            mode="lines",
            fill="toself",
            fillcolor=colours[name],
            opacity=0.1,
            line={"width": 0},
            legendgroup=name,
            showlegend=False,
            hoverinfo="skip",
        )
    for name, curve in by_model.items():
        figure.add_scatter(
            x=curve["t"].to_numpy(),
            y=curve["share"].to_numpy(),
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line={"color": colours[name], "width": 2.2},
            marker={"size": 5},
            hovertemplate=f"t = %{{x:.2f}}: %{{y:.1%}} on support<extra>{name}</extra>",
        )
    figure.update_xaxes(title_text="t (0 = start, 1 = end)", range=[-0.02, 1.02])
    figure.update_yaxes(title_text="interpolations on support (%)", tickformat=".0%")
    return figure


def frontier(
    scores: pd.DataFrame, *, highlight: str = "default", title: str = "Support against pixel error"
) -> go.Figure:
    """Draw the share of interpolations on support against pixel error: the best corner is at the top left.

    Parameters
    ----------
    scores
        A row for each ``stimuli``, ``model``, ``setting`` (a text such as "β = 0.03") and ``seed``, with its
        ``on_support``, 0 to 1, and ``pixel_error``, above 0. A point is the mean over seeds, its bars go from the
        least seed to the greatest. The settings of one model are joined in the order of their (last) numbers, or as
        they come if some have none.
    highlight
        The setting that is drawn as a star.
    """
    _require("scores", scores, ["stimuli", "model", "setting", "seed", "on_support", "pixel_error"])
    least = scores["pixel_error"].to_numpy().min()
    if not least > 0:
        raise ValueError(f"pixel_error must be above 0 on a logarithmic axis, got {least}")
    sets = list(scores["stimuli"].unique())
    columns = min(3, len(sets))
    rows = ceil(len(sets) / columns)
    panel, gap = ((560, 380), (330, 300), (240, 240))[columns - 1], (24, 72)
    figure = panel_grid(
        rows,
        columns,
        panel=panel,
        gap=gap,
        margin={"l": 76, "r": 24, "t": 72, "b": 64},
        title=title,
        subtitle="means over seeds, bars from the least seed to the greatest; up and to the left is better",
        subplot_titles=sets,
        shared_yaxes=True,
    )
    colours = model_colours(scores["model"])
    for i, (_, of_set) in enumerate(scores.groupby("stimuli", sort=False)):
        row, column = i // columns + 1, i % columns + 1
        for model, of_model in of_set.groupby("model", sort=False):
            for trace in _frontier_traces(of_model, str(model), colours[str(model)], highlight):
                figure.add_trace(trace, row, column)
        log_axis(axes(figure, row, column)[0], of_set["pixel_error"].to_numpy())
    figure.update_xaxes(title_text="pixel error (scaled, log scale)")
    figure.update_yaxes(tickformat=".0%")
    figure.update_yaxes(title_text="interpolations on support (%)", col=1)
    height = rows * panel[1] + (rows - 1) * gap[1]
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1 + 28 / height, "yanchor": "bottom"})
    legend_once(figure)
    return figure


def _frontier_traces(scores: pd.DataFrame, model: str, colour: str, highlight: str) -> Iterator[go.Scatter]:
    """One model in one set of stimuli: its settings joined, and the star."""
    settings = _in_order(scores["setting"].unique().tolist())
    summary = scores.groupby("setting")[["pixel_error", "on_support"]].agg(["mean", "min", "max"]).loc[settings]
    starred = summary[summary.index == highlight]
    star = {"symbol": "star", "size": 15, "line": {"color": INK, "width": 1}}
    looks = [(summary, model, {"size": 7}), (starred, f"{model}, {highlight}", star)]
    for points, name, marker in looks:
        if not len(points):
            continue
        x, y = points["pixel_error"], points["on_support"]
        yield go.Scatter(
            x=x["mean"],
            y=y["mean"],
            error_x={"array": x["max"] - x["mean"], "arrayminus": x["mean"] - x["min"], "width": 0, "thickness": 1},
            error_y={"array": y["max"] - y["mean"], "arrayminus": y["mean"] - y["min"], "width": 0, "thickness": 1},
            mode="lines+markers" if len(points) > 1 else "markers",
            name=name,
            text=points.index,
            line={"color": colour, "width": 1.5},
            marker=marker | {"color": colour},
            hovertemplate=(
                "%{text}<br>pixel error %{x:.4f} (scaled units)<br>%{y:.1%} of interpolations on support"
                f"<extra>{model}</extra>"
            ),
        )


def _in_order(settings: list[str]) -> list[str]:
    """Settings by their last number, 1/128 being one, if all of them have one; else as they are."""
    numbers = {setting: re.findall(r"\d+/[1-9]\d*|\d*\.?\d+(?:e[-+]?\d+)?", setting) for setting in settings}
    if not all(numbers.values()):
        return settings
    return sorted(settings, key=lambda setting: Fraction(numbers[setting][-1]))


def table_one(table: pd.DataFrame, paper: pd.DataFrame = PAPER_TABLE_ONE) -> Styler:
    """Lay out Table 1 beside the paper's, for a notebook; its ``to_html()`` serves elsewhere.

    Parameters
    ----------
    table
        A row for each model and score, as from :func:`~gaia_explore.scores.table_one`.
    paper
        The paper's intercepts: a row a model, a column a score. Models and scores that it lacks stand alone.

    Returns
    -------
    Styler
        Models in rows, scores in columns. A cell holds the marginal mean ± half its interval, our intercept, and the
        paper's.
    """
    _require("table", table, ["model", "score", "intercept", "mean", "low", "high", "n_seeds"])
    cells = {}
    for score, column in table.set_index("model").groupby("score", sort=False):
        title, best = SCORES.get(str(score), (escape(str(score)), "unknown"))
        means = column["mean"].to_numpy()
        extremes = {"most": means.max(), "least": means.min(), "unknown": np.nan}
        decimals = _decimals(means)
        published = paper[score].to_dict() if score in paper else {}
        cells[title] = {
            model: _cell(row, bool(row["mean"] == extremes[best]), decimals, published.get(model))
            for model, row in column.to_dict("index").items()
        }
    seeds = np.unique(table["n_seeds"])
    shown = pd.DataFrame(cells).style
    shown.format_index(escape="html")
    shown.set_caption(CAPTION.format(seeds=" or ".join(map(str, seeds)) + (" seed" if seeds.max() == 1 else " seeds")))
    cell = "text-align: left; padding: .4em .9em"
    return shown.set_table_styles(
        [
            {"selector": "caption", "props": "caption-side: bottom; text-align: left; max-width: 60em"},
            {"selector": "th", "props": f"{cell}; vertical-align: bottom; max-width: 9em"},
            {"selector": "th.row_heading", "props": "vertical-align: top; white-space: nowrap"},
            {"selector": "td", "props": f"{cell}; vertical-align: top; white-space: nowrap"},
        ]
    )


def _cell(row: dict, best: bool, decimals: int, paper: float | None) -> str:
    """Mean and interval in one line, and in muted ones under it the intercepts."""

    def number(value: float) -> str:
        return f"{value:z.{decimals}f}".replace("-", "−")

    mean, half = number(row["mean"]), (row["high"] - row["low"]) / 2
    interval = "" if isnan(half) else f" ± {number(half)}"
    muted = [f"intercept {number(row['intercept'])}"]
    if paper is not None:
        muted.append(f"paper {paper:g}".replace("-", "−"))
    small = "".join(f'<div style="opacity: .65; font-size: 85%">{line}</div>' for line in muted)
    return f"{f'<b>{mean}</b>' if best else mean}{interval}{small}"


def _decimals(means: Float[np.ndarray, " _"]) -> int:
    """As many as give a typical mean of a column three digits."""
    typical = float(np.median(np.abs(means)))
    return 0 if not typical else min(max(2 - floor(log10(typical)), 0), 5)


def _require(argument: str, frame: pd.DataFrame, columns: list[str]):
    missing = [column for column in columns if column not in frame.columns]
    if missing or frame.empty:
        raise ValueError(f"{argument} must have rows and the columns {', '.join(columns)}, missing {missing}")
