"""Ways for a person to end a training cleanly, after the step that is running."""

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, final

_BUTTON = """
export default { render({ model, el }) {
  const button = document.createElement("button");
  button.textContent = "■ Stop training";
  button.title = "End after the step that is running; the run so far is kept";
  button.onclick = () => { model.send({ type: "stop" }); button.disabled = true; button.textContent = "Stopping …"; };
  // Or else the notebook takes Enter for itself, and "d d" deletes the cell.
  button.onkeydown = (event) => { if (event.key !== "Escape") event.stopPropagation(); };
  el.className = "gaia-explore-stop";
  el.append(button);
} };
"""

_STYLE = """
.gaia-explore-stop button {
  margin: 2px 0 4px;
  padding: 4px 12px;
  border: 1px solid var(--jp-border-color1, #bdbdbd);
  border-radius: 4px;
  background: var(--jp-layout-color1, #fff);
  color: var(--jp-ui-font-color1, #212121);
  font: var(--jp-ui-font-size1, 13px) var(--jp-ui-font-family, system-ui, sans-serif);
  cursor: pointer;
}
.gaia-explore-stop button:hover { background: var(--jp-layout-color2, #eee); }
.gaia-explore-stop button:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 2px; }
.gaia-explore-stop button:disabled { color: var(--jp-ui-font-color2, #616161); cursor: default; }
"""


@final
class StopRequest:
    """Listens for a wish to stop: Ctrl-C (a kernel's interrupt), and a Stop button where there is a notebook.

    A second Ctrl-C interrupts at once, as usual. Use as a context; ``reason`` is None until somebody asks.
    """

    def __init__(self, *, button: bool):
        self.reason: str | None = None
        self._wants_button = button and _in_notebook()
        self._display: Any = None
        self._previous: Any = None

    def __enter__(self) -> "StopRequest":
        # Signals can be handled in the main thread only; elsewhere Ctrl-C is not ours to take.
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._interrupted)
        if self._wants_button:
            self._show_button()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if self._display is not None:
            self._button.close()
            self._display.update({}, raw=True)

    def _interrupted(self, number: int, frame: FrameType | None):
        if self.reason is not None:
            raise KeyboardInterrupt
        self.reason = "interrupted by the user"

    def _show_button(self):
        import anywidget
        from IPython.display import display

        self._button = anywidget.AnyWidget(_esm=_BUTTON, _css=_STYLE)
        # JupyterLab has a second shell of the kernel answer widgets while a cell runs. ipykernel 7.4 overrules that: what
        # a widget says goes to the shell that last spoke to it, here the one that trains. Forgotten, it does not.
        vars(self._button.comm).pop("_reply_subshell_id", None)
        self._button.on_msg(self._clicked)
        self._display = display(self._button, display_id=True)

    def _clicked(self, widget: Any, message: Any, buffers: Any):
        if message["type"] == "stop":
            self.reason = "stopped by the user"


def _in_notebook() -> bool:
    """Whether a Jupyter kernel runs this (IPython is there already if so: nothing is imported to find out)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"
