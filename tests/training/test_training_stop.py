"""Stopping: Ctrl-C and the notebook's button, without a front end."""

import os
import signal
import sys
import threading
from types import SimpleNamespace

import IPython.display
import pytest

from gaia_explore.training.stop import StopRequest


class ZMQInteractiveShell:
    """Stands in for a kernel's shell, which is recognised by name."""


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A pretended kernel; the list collects what is displayed and how the display changes."""
    shown: list[object] = []

    def display(widget: object, display_id: bool) -> SimpleNamespace:
        shown.append(widget)
        return SimpleNamespace(update=lambda data, raw: shown.append(data))

    monkeypatch.setattr(IPython, "get_ipython", ZMQInteractiveShell)
    monkeypatch.setattr(IPython.display, "display", display)
    return shown


def test_the_first_interrupt_is_a_wish_and_the_second_one_interrupts():
    with StopRequest(button=False) as stop:
        assert stop.reason is None
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reason == "interrupted by the user"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(5)


def test_the_previous_handler_is_back_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest(button=False):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_in_another_thread_interrupts_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    handlers: list[object] = []

    def work():
        with StopRequest(button=False):
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [before]


def test_outside_a_notebook_no_button_is_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with StopRequest(button=True) as stop:
        assert stop.reason is None


def test_a_click_on_the_button_is_a_wish_and_the_button_goes_with_the_training(notebook: list):
    with StopRequest(button=True) as stop:
        (button,) = notebook
        assert stop.reason is None
        button.click()
        assert stop.reason == "the Stop button was pressed"
        assert (button.disabled, button.description) == (True, "Stopping …")
    assert notebook[1] == {}
    assert button.comm is None


def test_no_button_without_progress(notebook: list):
    with StopRequest(button=False):
        assert notebook == []
