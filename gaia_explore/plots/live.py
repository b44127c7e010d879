"""A training seen while it runs: its panel of pictures and its losses, in one output that is replaced."""

import re
from collections.abc import Callable
from typing import Any, Protocol, final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
from jaxtyping import Float

from gaia_explore.plots.histories import LOSSES, history
from gaia_explore.plots.models import training_panel
from gaia_explore.plots.mosaics import as_pictures
from gaia_explore.plots.panels import drawn_rows
from gaia_explore.runs import Run
from gaia_explore.stimuli import Stimuli
from gaia_explore.stimuli.scaling import to_unit

PIXELS = 32
"""Pixels across and down that pictures have at most, so that an update stays small."""

STEPS = 300
"""Steps of the history that are drawn at most."""

ROOM = 210
"""Height of the losses, in pixels, with their axis and without their legend."""


class Output(Protocol):
    """An output of a notebook that can be replaced."""

    def update(self, bundle: dict[str, Any], /, *, raw: bool) -> object:
        """Show this in its place."""
        ...


@final
class LivePanel:
    """Shows a run to whoever watches its training; pass it to ``train`` as ``watch`` (:func:`live_panel` makes one).

    Parameters
    ----------
    x
        The pictures of the panel, in [0, 1].
    display
        IPython's ``display`` or what does the same; None where nothing can be shown.
    """

    def __init__(self, x: Float[np.ndarray, "n *x"], display: Callable[..., Output] | None):
        self._x = x
        self._display = display
        self._output: Output | None = None
        self._step = 0
        self.figure = go.Figure()
        """What was shown last."""

    def __call__(self, run: Run):
        """Draw the run as it is now in place of what was shown; a run that begins anew has an output of its own."""
        step = int(run.description["step"])
        title = f"{run.config.name} after {step:,} of {run.description['steps']:,} steps"
        panel = training_panel(run.codec, self._x, pixels=PIXELS, title=title)
        self.figure = _with_losses(panel, run.history)
        anew, self._step = step < self._step, step
        if self._display is None:
            return
        # As JupyterLab, papermill and editors take a figure; Plotly's own way of showing itself appends an output
        # each time, and writes each figure twice.
        bundle = pio.renderers["plotly_mimetype"].to_mimebundle(self.figure.to_dict())
        if self._output is None or anew:
            self._output = self._display(bundle, raw=True, display_id=True)
        else:
            # JupyterLab draws a figure anew only where something else has stood in between.
            self._output.update({"text/plain": title}, raw=True)
            self._output.update(bundle, raw=True)


def live_panel(stimuli: Stimuli, n: int = 10, seed: int = 0) -> LivePanel:
    """What to watch a training with: ``train(…, watch=ge.plots.live_panel(stimuli))``.

    In a notebook it shows the training panel of a few stimuli and the losses, and replaces them as the training goes
    on. Everywhere else it shows nothing; ``figure`` is the last one in any case.

    Parameters
    ----------
    stimuli
        Pictures. Those of more than 32 pixels are drawn coarser, so that a notebook stays small.
    n, seed
        How many of them the panel shows, drawn at random, at most 16.

    Raises
    ------
    ValueError
        If the stimuli are no pictures, or n is out of range.
    """
    if not 2 <= n <= 16:
        raise ValueError(f"n must be between 2 and 16, got {n}")
    rows = np.sort(drawn_rows(len(stimuli), n, seed))
    as_pictures(stimuli.x[:1], "stimuli")
    return LivePanel(to_unit(stimuli.x[rows]), _notebook_display())


def _with_losses(figure: go.Figure, run_history: pd.DataFrame) -> go.Figure:
    """A figure with the run's losses below it."""
    losses: Any = history(run_history, n_points=STEPS, title="")
    old, margin = figure.layout, figure.layout.margin.to_plotly_json()
    drawn = old.height - margin["t"] - margin["b"]
    # A name in the legend has about 7 pixels a letter, and 50 for its line.
    names = [re.sub("<[^>]+>", "", trace.name) for trace in losses.data if trace.name and trace.showlegend is not False]
    lines = -(-sum(50 + 7 * len(name) for name in names) // (old.width - margin["l"] - margin["r"]))
    legend = 26 + 28 * lines
    room = ROOM + legend
    whole = drawn + room
    # The losses are the first panel of a history, where there are others.
    for trace in losses.data:
        if trace.yaxis in (None, "y") and losses.layout.yaxis.title.text == LOSSES:
            figure.add_trace(trace.update(xaxis="x2", yaxis="y2", legend="legend"))
    figure.update_layout(
        height=old.height + room,
        yaxis_domain=[room / whole, 1],
        yaxis2=losses.layout.yaxis.to_plotly_json() | {"domain": [52 / whole, (room - legend) / whole], "anchor": "x2"},
        xaxis2={"domain": [0, 1], "anchor": "y2", "title": {"text": "step"}},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": (room - 8) / whole, "yanchor": "top"},
    )
    return figure


def _notebook_display() -> Callable[..., Output] | None:
    """IPython's way of showing things where a kernel shows them, none in a console or a script."""
    import IPython.display
    from IPython.core.getipython import get_ipython

    display: Any = IPython.display.display
    return display if hasattr(get_ipython(), "kernel") else None
