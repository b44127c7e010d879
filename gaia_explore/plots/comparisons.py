"""Models beside each other: Table 1, the share on support along t, and the frontier between support and pixel error."""

import re
from collections.abc import Iterator
from fractions import Fraction
from html import escape
from itertools import cycle
from math import ceil, floor, isnan, log10, nan
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jaxtyping import Float
from pandas.io.formats.style import Styler

from gaia_explore.plots.panels import PAGE_WIDTH, axes, legend_once, log_axis, panel_grid
from gaia_explore.plots.template import model_colours
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


def frontier(scores: pd.DataFrame, *, title: str = "Support against pixel error") -> go.Figure:
    """Draw the share of interpolations on support against pixel error: the best corner is at the top left.

    Parameters
    ----------
    scores
        A row for each ``stimuli``, ``model``, ``setting`` and ``seed``, with its ``on_support``, 0 to 1, and
        ``pixel_error``, above 0. A mark is the mean over seeds, its whiskers are one standard error long on either
        side; a single seed has none. Those settings of a model that hold a number, such as "β = 1/128", are its sweep:
        joined in the order of their last numbers, and the first and the last are named beside the line. Other settings
        stand alone. The mark of a default is large and filled: where the column ``default`` is true or, if there is
        none, the setting is "default".
    """
    _require("scores", scores, ["stimuli", "model", "setting", "seed", "on_support", "pixel_error"])
    least = scores["pixel_error"].to_numpy().min()
    if not least > 0:
        raise ValueError(f"pixel_error must be above 0 on a logarithmic axis, got {least}")
    marks = _over_seeds(scores)
    sets = list(scores["stimuli"].unique())
    figure, places = _frontier_grid(sets, title, _legend_of_marks(marks))
    colours = model_colours(scores["model"])
    # To the right of the last mark there is room for its label.
    shown = np.append(scores["pixel_error"], 2.5 * scores["pixel_error"].max())
    for place, (_, of_set) in zip(places, marks.groupby("stimuli", sort=False), strict=True):
        for trace in _frontier_traces(of_set, colours):
            figure.add_trace(trace, *place)
        log_axis(axes(figure, *place)[0], shown, n_ticks=12 if len(sets) == 1 else 4)
    legend_once(figure)
    return figure


def _frontier_grid(sets: list[str], title: str, subtitle: str) -> tuple[go.Figure, list[tuple[int, int]]]:
    """An empty figure in rows of three panels at most, and the place of each set's panel."""
    columns = min(3, len(sets))
    rows = ceil(len(sets) / columns)
    places = [divmod(i, columns) for i in range(len(sets))]
    panel, gap = ((740, 400), (340, 300), (218, 230))[columns - 1], (36, 52)
    figure = panel_grid(
        rows,
        columns,
        panel=panel,
        gap=gap,
        margin={"l": 76, "r": 24, "t": 72, "b": 64},
        title=title,
        subtitle=subtitle,
        subplot_titles=sets,
        specs=[[{} if (row, column) in places else None for column in range(columns)] for row in range(rows)],
        shared_yaxes="all",
    )
    small: dict[str, Any] = {"title_font_size": 13, "tickfont_size": 11} if columns > 1 else {}
    figure.update_xaxes(**small)
    figure.update_yaxes(tickformat=".0%", **small)
    figure.update_yaxes(title_text="interpolations on support (%)", col=1)
    for row, column in places[-columns:]:
        figure.update_xaxes(title_text="pixel error (scaled, log scale)", row=row + 1, col=column + 1)
    height = rows * panel[1] + (rows - 1) * gap[1]
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1 + 28 / height, "yanchor": "bottom"})
    return figure, [(row + 1, column + 1) for row, column in places]


def _over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """A row for each set, model and setting, as they come: means over seeds, and their standard errors."""
    if "default" not in scores:
        scores = scores.assign(default=scores["setting"] == "default")
    summary = scores.groupby(["stimuli", "model", "setting"], sort=False).agg(
        x=("pixel_error", "mean"),
        x_error=("pixel_error", "sem"),
        y=("on_support", "mean"),
        y_error=("on_support", "sem"),
        default=("default", "any"),
        n_seeds=("seed", "nunique"),
    )
    return summary.reset_index()


def _legend_of_marks(marks: pd.DataFrame) -> str:
    few, many = marks["n_seeds"].agg(["min", "max"]).tolist()
    parts = [
        "means over " + ("single seeds" if many == 1 else f"{many} seeds" if few == many else f"{few} to {many} seeds"),
        "whiskers: ± one standard error" if many > 1 else "",
        "large and filled: defaults" if np.any(marks["default"]) else "",
        "up and to the left is better",
    ]
    return "; ".join(filter(None, parts))


def _frontier_traces(marks: pd.DataFrame, colours: dict[str, str]) -> Iterator[go.Scatter]:
    """One set of stimuli: the sweep of each model, and its settings that stand alone."""
    for name, of_model in marks.groupby("model", sort=False):
        model, symbols = str(name), cycle(("diamond", "square", "triangle-up", "cross"))
        numbers = np.array([_last_number(setting) for setting in of_model["setting"]])
        sweep, alone = of_model.iloc[np.argsort(numbers)[: np.isfinite(numbers).sum()]], of_model[np.isnan(numbers)]
        if len(sweep):
            yield _marks(sweep, model, model, colours[model], "circle")
        for row, setting, default in zip(alone.index, alone["setting"], alone["default"], strict=True):
            shown, symbol = (model, "circle") if default else (f"{model}, {setting}", next(symbols))
            yield _marks(alone.loc[[row]], shown, model, colours[model], symbol)


def _marks(marks: pd.DataFrame, name: str, model: str, colour: str, symbol: str) -> go.Scatter:
    """One trace: marks with whiskers, joined if there are several, whose ends then have labels."""
    default, y = marks["default"].to_numpy(), marks["y"].to_numpy()
    joined = len(marks) > 1
    text, places = None, None
    if joined:
        settings, between = marks["setting"].to_list(), [""] * (len(marks) - 2)
        text = [settings[0], *between, settings[-1]]
        # Away from the line.
        first, last = ("bottom" if end <= beside else "top" for end, beside in (y[:2], y[:-3:-1]))
        places = [f"{first} left", *["middle center"] * len(between), f"{last} right"]
    whiskers = {"color": colour, "thickness": 1, "width": 0}
    return go.Scatter(
        x=marks["x"],
        y=marks["y"],
        error_x=whiskers | {"array": marks["x_error"]},
        error_y=whiskers | {"array": marks["y_error"]},
        mode="lines+markers+text" if joined else "markers",
        name=name,
        text=text,
        textposition=places,
        textfont={"size": 10, "color": colour},
        cliponaxis=False,
        customdata=marks["setting"],
        line={"color": colour, "width": 1.5},
        marker={
            "symbol": symbol,
            "size": np.where(default, 11, 7),
            "color": np.where(default, colour, "white"),
            "line": {"color": colour, "width": 1.5},
            "opacity": 1,
        },
        hoverlabel={"bgcolor": colour},
        hovertemplate=(
            "%{customdata}<br>pixel error %{x:.3g} (scaled units)<br>%{y:.1%} of interpolations on support"
            f"<extra>{model}</extra>"
        ),
    )


def _last_number(setting: str) -> float:
    """The last number in a setting, 1/128 being one; NaN if there is none."""
    numbers = re.findall(r"\d+/[1-9]\d*|\d*\.?\d+(?:e[-+]?\d+)?", setting)
    return float(Fraction(numbers[-1])) if numbers else nan


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
    cell = "text-align: left; padding: .5em .3em; font-size: 12px"
    return shown.set_table_styles(
        [
            # JupyterLab leaves 20 pixels free to the right of a table.
            {"selector": "", "props": f"max-width: {PAGE_WIDTH - 20}px"},
            {"selector": "caption", "props": "caption-side: bottom; text-align: left"},
            {"selector": "th", "props": f"{cell}; vertical-align: bottom; max-width: 9em"},
            {"selector": "th.row_heading", "props": "vertical-align: top; white-space: nowrap"},
            {"selector": "td", "props": f"{cell}; vertical-align: top"},
        ]
    )


def _cell(row: dict, best: bool, decimals: int, paper: float | None) -> str:
    """Mean and interval in one line, or two where the table has no room, and in muted ones under it the intercepts."""

    def number(value: float) -> str:
        return f"{value:z.{decimals}f}".replace("-", "−")

    mean, half = number(row["mean"]), (row["high"] - row["low"]) / 2
    # Spaces that do not break keep a number with its sign or its name.
    interval = "" if isnan(half) else f" ±\N{NO-BREAK SPACE}{number(half)}"
    muted = [f"intercept\N{NO-BREAK SPACE}{number(row['intercept'])}"]
    if paper is not None:
        muted.append(f"paper\N{NO-BREAK SPACE}{paper:g}".replace("-", "−"))
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
