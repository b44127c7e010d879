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
    if smooth < 1:
        raise ValueError(f"smooth must be at least 1, got {smooth}")
    if n_points < 2:
        raise ValueError(f"n_points must be at least 2, got {n_points}")
    smooth = min(smooth, max(1, len(run_history) // 10))
    panels = _panels(run_history.set_index("step") if "step" in run_history else run_history)
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
    for row, (axis_title, terms) in enumerate(panels.items(), 1):
        _, axis = axes(figure, row, 1)
        axis.update(title_text=axis_title)
        drawn = [
            _traces(column, colour, smooth, n_points, positive=axis_title == LOSSES)
            for (_, column), colour in zip(terms.items(), cycle(PALETTE), strict=False)
        ]
        for traces in drawn:
            figure.add_traces(traces, row, 1)
        if axis_title == LOSSES:
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
    """The terms of each panel that has any, by the title of its axis."""
    if terms.empty:
        raise ValueError(f"run_history must have at least 1 step and 1 term, got {len(terms)} and {terms.shape[1]}")
    odd = [str(name) for name, column in terms.items() if not is_numeric_dtype(column.dtype)]
    if odd:
        raise ValueError(f"run_history must hold numbers, got others in {', '.join(odd)}")
    kinds = {"pace_": "pace (× learning rate)", "w_": "balance (weight)"}
    axis_titles = [
        next((title for start, title in kinds.items() if str(name).startswith(start)), LOSSES) for name in terms.columns
    ]
    panels = {title: terms.loc[:, [title == own for own in axis_titles]] for title in (LOSSES, *kinds.values())}
    return {title: panel for title, panel in panels.items() if panel.shape[1]}


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


def _traces(column: pd.Series, colour: str, smooth: int, n_points: int, *, positive: bool) -> list[go.Scatter]:
    """One term: its running mean over the faint raw values, or points where it is known at few steps only."""
    name = str(column.name)
    text, meaning = TERMS.get(name, (name.replace("_", " "), ""))
    tip = f"step %{{x}}: %{{y:.4g}}{meaning and f'<br>{meaning}'}<extra>{text}</extra>"
    look = {"name": text, "legendgroup": name, "hovertemplate": tip}
    values = column.to_numpy(np.float32)
    steps = column.index.to_numpy()
    if name == "held_out_error":
        known = ~np.isnan(values)
        marker = {"color": INK, "size": 5}
        return [go.Scatter(x=steps[known], y=values[known], mode="markers", marker=marker, **look)]
    mean = np.asarray(column.rolling(smooth, min_periods=1, center=True).mean(), np.float32)
    if positive and (values <= 0).any():
        look["name"] += " (where positive)"
        values, mean = (np.where(y > 0, y, np.nan) for y in (values, mean))
    kept = np.unique(np.linspace(0, len(values) - 1, min(len(values), n_points)).round().astype(int))
    line = {"color": colour, "width": 1.8}
    lines = [go.Scatter(x=steps[kept], y=mean[kept], mode="lines", line=line, **look)]
    if smooth > 1:
        faint = {"line": {"color": colour, "width": 1}, "opacity": 0.22, "showlegend": False, "hoverinfo": "skip"}
        lines.insert(0, go.Scatter(x=steps[kept], y=values[kept], mode="lines", legendgroup=name, **faint))
    return lines
