"""One notebook executed with other values than its own, and any executed notebook as a page that works offline."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import plotly.graph_objects as go
from nbconvert import HTMLExporter

from gaia_explore.batch.kernels import execute_in_kernel
from gaia_explore.batch.parameters import Declarations
from gaia_explore.training import write_atomically

WIDGET = "application/vnd.jupyter.widget-view+json"
FIGURE = "application/vnd.plotly.v1+json"


def execute(notebook: str | Path, out: str | Path, parameters: Mapping[str, Any] | None = None) -> Path:
    """Execute a notebook with other parameters, in its own folder; keep it and its HTML, named as it is, in ``out``.

    Parameters
    ----------
    notebook
        With one cell tagged ``parameters``, whose names are all that ``parameters`` may set, to values of their types.
    out
        Folder for the executed copy. Where a cell fails, the copy up to there is in it, and the error is raised.
    parameters
        Values by name; relative paths among them are the notebook's, relative to its own folder.

    Returns
    -------
    The HTML page: it needs neither kernel nor network.
    """
    notebook, out = Path(notebook), Path(out)
    parameters = Declarations(notebook).check(parameters or {})
    out.mkdir(parents=True, exist_ok=True)
    executed = out / notebook.name
    copy = execute_in_kernel(notebook, executed, parameters, folder=notebook.parent.resolve())
    page = executed.with_suffix(".html")
    write_atomically(page, to_html(copy).encode())
    return page


def to_html(notebook: nbformat.NotebookNode) -> str:
    """An executed notebook as one page that works offline: figures alive, widgets (which need a kernel) left out."""
    script: bool | str = True
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # Explorers bring a picture of themselves along.
            if "image/png" in output.get("data", {}):
                output["data"].pop(WIDGET, None)
        # What a widget showed while it lived, and the empty place that a Stop button leaves.
        outputs = [o for o in cell.get("outputs", []) if WIDGET not in o.get("data", {}) and o.get("data") != {}]
        for output in outputs:
            figure = output.get("data", {}).pop(FIGURE, None)
            if figure is not None:
                html = go.Figure(figure["data"], figure["layout"]).to_html(full_html=False, include_plotlyjs=script)
                output["data"]["text/html"] = html
                script = False
        if "outputs" in cell:
            cell["outputs"] = outputs
    # Require.js serves widgets and MathJax formulas, neither of which a page has; both would be fetched from afar.
    exporter = HTMLExporter(embed_images=True, require_js_url="", mathjax_url="")
    page, _ = exporter.from_notebook_node(notebook)
    return page
