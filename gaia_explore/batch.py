"""Notebooks × parameters through papermill: a notebook executed with other values is a run of the study."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

import nbformat
import papermill
import plotly.graph_objects as go
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbconvert import HTMLExporter
from traitlets import default

from gaia_explore.training import write_atomically

WIDGET = "application/vnd.jupyter.widget-view+json"
FIGURE = "application/vnd.plotly.v1+json"


@final
class OwnKernel(AsyncKernelManager):
    """A kernel of the very Python that asks for it, whatever else is installed under the name ``python3``."""

    @default("kernel_spec_manager")
    def _no_installed_kernels(self) -> KernelSpecManager:
        # Where it finds none installed, ipykernel's own is taken, which starts sys.executable.
        return KernelSpecManager(kernel_dirs=[])


def execute(notebook: str | Path, out: str | Path, parameters: Mapping[str, Any] | None = None) -> Path:
    """Execute a notebook with other parameters, in its own folder; keep it and its HTML, named as it is, in ``out``.

    Parameters
    ----------
    notebook
        With one cell tagged ``parameters``, whose names are all that ``parameters`` may set.
    out
        Folder for the executed copy. Where a cell fails, the copy up to there is in it, and the error is raised.
    parameters
        Values by name; relative paths among them are the notebook's, relative to its own folder.

    Returns
    -------
    The HTML page: it needs neither kernel nor network.
    """
    notebook, out = Path(notebook), Path(out)
    if not notebook.is_file():
        raise FileNotFoundError(f"notebook must be a file, got {notebook}")
    parameters = dict(parameters or {})
    declared = list(papermill.inspect_notebook(str(notebook)))
    unknown = [name for name in parameters if name not in declared]
    if unknown:
        raise ValueError(f"parameters must be declared by {notebook.name} ({', '.join(declared)}), got {unknown}")
    out.mkdir(parents=True, exist_ok=True)
    executed = out / notebook.name
    with _renderer("plotly_mimetype"):
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=parameters,
            cwd=str(notebook.parent),
            kernel_name="python3",
            kernel_manager_class=OwnKernel,
            store_widget_state=False,
            # Its warning about connections of one machine is no news to who runs a notebook.
            extra_arguments=["--log-level=ERROR"],
        )
    page = executed.with_suffix(".html")
    write_atomically(page, to_html(nbformat.read(executed, as_version=4)).encode())
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


@contextmanager
def _renderer(name: str) -> Iterator[None]:
    """Plotly's renderer in kernels started inside: the figure's data alone, without 5 MB of script in each notebook."""
    before = os.environ.get("PLOTLY_RENDERER")
    os.environ["PLOTLY_RENDERER"] = name
    try:
        yield
    finally:
        del os.environ["PLOTLY_RENDERER"]
        if before is not None:
            os.environ["PLOTLY_RENDERER"] = before
