"""The history of a run: losses, paces and balances over the steps."""

from itertools import cycle

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandas.api.types import is_numeric_dtype

from gaia_explore.plots.panels import axes, log_axis, panel_grid
from gaia_explore.plots.template import INK, PALETTE

HEALTHY_PACE = (0.40, 0.49)
"""Where the discriminator's pace stays while neither player wins, as seen in runs of the published method."""

HEALTHY = "#00775A"

LOSSES = "loss (log scale)"

TERMS = {
    "L_x": ("L<sub>x</sub>", "the discriminator's error on data"),
    "L_g": ("L<sub>g</sub>", "its error on reconstructions, against the data"),
    "L_i": ("L<sub>i</sub>", "its error on interpolations"),
    "L_D": ("L<sub>D</sub>", "the discriminator's loss"),
    "L_G": ("L<sub>G</sub>", "the generator's loss"),
    "structure_loss": ("structure loss", "disagreement of distances between codes and between stimuli"),
    "pixel_error": ("pixel error", "mean absolute difference of stimuli and reconstructions"),
    "loss": ("loss", "what the model minimises"),
    "kl": ("KL", "divergence of the codes from the prior, in nats"),
    "held_out_error": ("held-out error", "on stimuli that the model was not trained on"),
    "pace_discriminator": ("discriminator", "factor of its learning rate"),
    "pace_generator": ("generator", "factor of its learning rate"),
    "w_D": ("w<sub>D</sub>", "how much of the fakes' error the discriminator seeks"),
    "w_G": ("w<sub>G</sub>", "what interpolations count for the generator; reconstructions count the rest"),
}
"""What terms are called, and what they mean. A term that is not here goes by its own name."""


AXES = {"loss": LOSSES, "pace": "pace (× learning rate)", "balance": "balance (weight)"}
"""The title of each panel's axis, by the panel's name, from top to bottom."""


def drawn_history(run_history: pd.DataFrame, *, smooth: int = 50, n_points: int = 2000) -> pd.DataFrame:
    """What is drawn of a run's history: running means and single steps, thinned; for figures and other canvases.

    Parameters
    ----------
    run_history, smooth, n_points
        As of :func:`history`.

    Returns
    -------
    A row a term and step, the terms in the order of drawing:

    - ``panel``: ``"loss"`` (to be drawn on a logarithmic axis), ``"pace"`` or ``"balance"``;
    - ``term``: the column of ``run_history``; ``name``: what it is called, with HTML subscripts;
    - ``step``; ``value``: the step's own; ``mean``: the running mean around it, NaN for ``held_out_error``, which is
      known at few steps and has rows for these only. A loss is NaN where it is not positive, and its name says so.
    """
    if smooth < 1:
        raise ValueError(f"smooth must be at least 1, got {smooth}")
    if n_points < 2:
        raise ValueError(f"n_points must be at least 2, got {n_points}")
    smooth = _window(run_history, smooth)
    panels = _panels(run_history.set_index("step") if "step" in run_history else run_history)
    lines = [
        _line(column, smooth, n_points, positive=panel == "loss").assign(panel=panel, term=str(name))
        for panel, terms in panels.items()
        for name, column in terms.items()
    ]
    return pd.concat(lines, ignore_index=True).loc[:, ["panel", "term", "name", "step", "value", "mean"]]


def _window(run_history: pd.DataFrame, smooth: int) -> int:
    """Steps in the running mean: no more than a tenth of the run's."""
    return min(smooth, max(1, len(run_history) // 10))


def _line(column: pd.Series, smooth: int, n_points: int, *, positive: bool) -> pd.DataFrame:
    """One term: its name, and by step its value and its running mean."""
    name, _ = _words(str(column.name))
    values = column.to_numpy(np.float32)
    if column.name == "held_out_error":
        known = np.flatnonzero(~np.isnan(values))
        # A term that is not known yet has a row without a value, so that it is not forgotten.
        kept, mean = (known if len(known) else np.zeros(1, int)), np.full_like(values, np.nan)
    else:
        kept = np.unique(np.linspace(0, len(values) - 1, min(len(values), n_points)).round().astype(int))
        mean = np.asarray(column.rolling(smooth, min_periods=1, center=True).mean(), np.float32)
        if positive and (values <= 0).any():
            name += " (where positive)"
            values, mean = (np.where(y > 0, y, np.float32(np.nan)) for y in (values, mean))
    return pd.DataFrame({"name": name, "step": column.index[kept], "value": values[kept], "mean": mean[kept]})


def _words(term: str) -> tuple[str, str]:
    """What a term is called, and what it means."""
    return TERMS.get(term, (term.replace("_", " "), ""))


def history(
    run_history: pd.DataFrame, *, smooth: int = 50, n_points: int = 2000, title: str = "History of the run"
) -> go.Figure:
    """Draw a run's history: losses on a logarithmic axis, and below them paces and balances, where there are any.

    Parameters
    ----------
    run_history
        A row a step, a column a term, as in ``run.history``. Columns that begin with ``pace_`` are paces, those with
        ``w_`` balances; ``held_out_error`` is drawn as points, and every other column is a loss. A column ``step``
        serves as index.
    smooth
        Steps in the running mean that is drawn over the faint raw values, but no more than a tenth of the run's; 1
        for none. A loss that is not always positive has gaps on the logarithmic axis, and its name says so.
    n_points
        Longer histories are thinned to so many steps, after the mean is taken.
    """
    lines = drawn_history(run_history, smooth=smooth, n_points=n_points)
    smooth = _window(run_history, smooth)
    panels = lines["panel"].unique()
    figure = panel_grid(
        len(panels),
        1,
        panel=(560, 220 if len(panels) > 1 else 320),
        gap=(0, 26),
        margin={"l": 76, "r": 200, "t": 18, "b": 56},
        title=title,
        subtitle="" if smooth == 1 else f"running means of {smooth} steps over the single steps",
        shared_xaxes=True,
    )
    for row, panel in enumerate(panels, 1):
        _, axis = axes(figure, row, 1)
        axis.update(title_text=AXES[panel])
        own = lines.loc[lines["panel"] == panel]
        terms = {term: own.loc[own["term"] == term] for term in own["term"].unique()}
        drawn = [
            _traces(term, line, colour, faint=smooth > 1)
            for (term, line), colour in zip(terms.items(), cycle(PALETTE), strict=False)
        ]
        for traces in drawn:
            figure.add_traces(traces, row, 1)
        if panel == "loss":
            # As long as the means are: single steps may come close to zero.
            log_axis(axis, np.concatenate([np.asarray(traces[-1]["y"]) for traces in drawn]))
        if "pace_discriminator" in terms:
            _shade_healthy(figure, row)
        # A legend a panel, beside it.
        legend = f"legend{row}" if row > 1 else "legend"
        _, top = axis["domain"] or (0, 1)
        place = {"x": 1.02, "y": top, "yanchor": "top"}
        figure.update_traces(legend=legend, row=row, col=1)
        figure.update_layout({legend: place | {"tracegroupgap": 0, "itemsizing": "constant"}})
    figure.update_xaxes(title_text="step", row=len(panels))
    return figure


def _panels(terms: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The terms of each panel that has any, by the panel's name."""
    if terms.empty:
        raise ValueError(f"run_history must have at least 1 step and 1 term, got {len(terms)} and {terms.shape[1]}")
    odd = [str(name) for name, column in terms.items() if not is_numeric_dtype(column.dtype)]
    if odd:
        raise ValueError(f"run_history must hold numbers, got others in {', '.join(odd)}")
    kinds = {"pace_": "pace", "w_": "balance"}
    own = [next((kind for start, kind in kinds.items() if str(name).startswith(start)), "loss") for name in terms]
    panels = {panel: terms.loc[:, [panel == kind for kind in own]] for panel in AXES}
    return {panel: columns for panel, columns in panels.items() if columns.shape[1]}


def _shade_healthy(figure: go.Figure, row: int):
    """Show where the discriminator's pace is in a healthy run."""
    low, high = HEALTHY_PACE
    band = {"type": "rect", "x0": 0, "x1": 1, "y0": low, "y1": high, "fillcolor": HEALTHY, "line": {"width": 0}}
    figure.add_shape(xref="x domain", opacity=0.18, layer="below", row=row, col=1, **band)
    figure.add_annotation(
        text=f"healthy discriminator: {low:.2f}–{high:.2f}",
        hovertext="Where its pace stays while neither player wins. Pinned at 0 or 1, the run is dead.",
        xref="x domain",
        x=1,
        xanchor="right",
        y=low,
        yanchor="top",
        font={"size": 11, "color": HEALTHY},
        showarrow=False,
        row=row,
        col=1,
    )


def _traces(term: str, line: pd.DataFrame, colour: str, *, faint: bool) -> list[go.Scatter]:
    """One term: its running mean over the faint raw values, or points where it is known at few steps only."""
    text, meaning = _words(term)
    tip = f"step %{{x}}: %{{y:.4g}}{meaning and f'<br>{meaning}'}<extra>{text}</extra>"
    look = {"name": line["name"].iloc[0], "legendgroup": term, "hovertemplate": tip}
    steps, values, mean = (line[column].to_numpy() for column in ("step", "value", "mean"))
    if term == "held_out_error":
        known = ~np.isnan(values)
        marker = {"color": INK, "size": 5}
        return [go.Scatter(x=steps[known], y=values[known], mode="markers", marker=marker, **look)]
    lines = [go.Scatter(x=steps, y=mean, mode="lines", line={"color": colour, "width": 1.8}, **look)]
    if faint:
        pale = {"line": {"color": colour, "width": 1}, "opacity": 0.22, "showlegend": False, "hoverinfo": "skip"}
        lines.insert(0, go.Scatter(x=steps, y=values, mode="lines", legendgroup=term, **pale))
    return lines
