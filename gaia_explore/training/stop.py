"""Ways for a person to end a training cleanly, after the step that is running."""

import signal
import sys
import threading
import warnings
from types import FrameType, TracebackType
from typing import Any, Protocol, final, runtime_checkable


@runtime_checkable
class Stopper(Protocol):
    """Who watches a training and may end it, from another thread too: an explorer with a Stop button, for one.

    One that has methods ``training_begins()`` and ``training_ends()`` is told of both, of the end also where the
    training raises.
    """

    @property
    def stop_reason(self) -> str | None:
        """Why to stop, in words that go before "at step 6 of 20"; None to go on.

        It is looked at after every step, so it must be quick. Set it back to None before the next training, which
        would end after its first step.
        """
        ...


@final
class StopRequest:
    """Listens for a wish to stop: Ctrl-C (a kernel's interrupt), a Stop button where there is a notebook, a stopper.

    A second Ctrl-C interrupts at once, as usual. Use as a context; ``reason`` is None until somebody asks.
    """

    def __init__(self, *, button: bool, stopper: Stopper | None = None):
        self.reason: str | None = None
        self._stopper = stopper
        self._wants_button = button and in_notebook()
        self._display: Any = None
        self._previous: Any = None

    def __enter__(self) -> "StopRequest":
        # Signals can be handled in the main thread only; elsewhere Ctrl-C is not ours to take.
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._interrupted)
        if self._wants_button:
            self._show_button()
        self._tell("training_begins")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
        if self._display is not None:
            self._button.close()
            self._display.update({}, raw=True)
        self._tell("training_ends")

    def _tell(self, name: str):
        """Tell the stopper, if it wants to know. A stopper that fails ends no training, and hides no error of one."""
        try:
            told = getattr(self._stopper, name, None)
            if told is not None:
                told()
        except Exception as error:
            warnings.warn(f"{name} of the stopper failed: {error!r}", stacklevel=6)

    def asked(self) -> bool:
        """Whether to stop after this step. A stopper that fails is warned about, and not looked at again."""
        if self._stopper is not None and self.reason is None:
            try:
                reason = self._stopper.stop_reason
                if not isinstance(reason, str | None):
                    raise TypeError(f"stop_reason must be text or None, got {reason!r}")
                self.reason = reason
            except Exception as error:
                self._stopper = None
                # Seven frames up is who called train.
                warnings.warn(f"stop_reason failed and is not looked at again: {error!r}", stacklevel=7)
        return self.reason is not None

    def _interrupted(self, number: int, frame: FrameType | None):
        if self.reason is not None:
            raise KeyboardInterrupt
        self.reason = "interrupted by the user"

    def _show_button(self):
        from IPython.display import display
        from ipywidgets import Button

        told = "End after the step that is running; the run so far is kept"
        self._button = Button(description="Stop training", icon="stop", tooltip=told)
        # While a cell runs, JupyterLab has a second shell of the kernel answer widgets. But ipykernel 7.4 hands what a
        # widget says to the shell that last spoke to it, here the one that trains, unless it forgets which one did.
        vars(self._button.comm).pop("_reply_subshell_id", None)
        self._button.on_click(self._clicked)
        self._display = display(self._button, display_id=True)

    def _clicked(self, button: Any):
        button.disabled = True
        button.description = "Stopping …"
        # Last: the training thread takes the button away as soon as it sees this.
        self.reason = "the Stop button was pressed"


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this (IPython is there already if so: nothing is imported to find out)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"
