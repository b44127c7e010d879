"""Figures as web pages."""

from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from gaia_explore.training import write_atomically


def write_html(figure: go.Figure, path: str | Path, *, script: str = "inside"):
    """Write a figure as a page that works without network or kernel.

    Parameters
    ----------
    path
        Its folder is made where it is missing; a page that is there already is replaced.
    script
        "inside": Plotly's script (5 MB) is part of the page, which can be sent alone. "beside": it lies in the same
        folder as ``plotly.min.js``, for all pages there.
    """
    if script not in ("inside", "beside"):
        raise ValueError(f"script must be 'inside' or 'beside', got {script!r}")
    path = Path(path)
    if script == "beside":
        write_atomically(path.with_name("plotly.min.js"), get_plotlyjs().encode())
    page = figure.to_html(include_plotlyjs=True if script == "inside" else "directory")
    write_atomically(path, page.encode())
