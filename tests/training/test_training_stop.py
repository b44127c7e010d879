"""Stopping: Ctrl-C and the notebook's button, without a front end."""

import os
import signal
import sys
import threading
from types import SimpleNamespace
from typing import Any

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


class Asker:
    """Somebody who may stop a training; notes what it answered."""

    def __init__(self):
        # Empty until the training runs: whether it is a stopper is looked at as well.
        self.reasons: list[Any] = []

    @property
    def stop_reason(self) -> Any:
        reason = self.reasons.pop(0) if self.reasons else None
        return 1 / 0 if reason == "fail" else reason


def test_a_stopper_is_looked_at_until_it_gives_a_reason():
    asker = Asker()
    with StopRequest(button=False, stopper=asker) as stop:
        asker.reasons = [None, None, "enough seen", "too late"]
        assert [stop.asked() for _ in range(5)] == [False, False, True, True, True]
        assert (stop.reason, asker.reasons) == ("enough seen", ["too late"])


class Hearer(Asker):
    """A stopper that wants to hear of beginnings and ends."""

    def __init__(self, error: Exception | None = None):
        super().__init__()
        self.heard: list[str] = []
        self.error = error

    def _hear(self, word: str):
        self.heard.append(word)
        if self.error is not None:
            raise self.error

    def training_begins(self):
        self._hear("begins")

    def training_ends(self):
        self._hear("ends")


def test_a_stopper_hears_of_the_beginning_and_the_end_even_of_a_training_that_raises():
    hearer = Hearer()
    with pytest.raises(LookupError, match="no data"), StopRequest(button=False, stopper=hearer):
        assert hearer.heard == ["begins"]
        raise LookupError("no data")
    assert hearer.heard == ["begins", "ends"]


def test_a_stopper_that_fails_to_hear_hides_no_error_of_the_training():
    hearer = Hearer(OSError("deaf"))
    with (
        pytest.warns(UserWarning) as warned,
        pytest.raises(LookupError, match="no data"),
        StopRequest(button=False, stopper=hearer),
    ):
        raise LookupError("no data")
    told = [f"training_{word} of the stopper failed: OSError('deaf')" for word in ("begins", "ends")]
    assert [str(warning.message) for warning in warned] == told and hearer.heard == ["begins", "ends"]


def test_without_a_stopper_an_interrupt_is_what_asks():
    with StopRequest(button=False) as stop:
        assert not stop.asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked()


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("fail", "ZeroDivisionError('division by zero')"),
        (True, "TypeError('stop_reason must be text or None, got True')"),
    ],
)
def test_a_stopper_that_fails_is_told_once_and_left_alone(reason: object, told: str):
    asker = Asker()
    with StopRequest(button=False, stopper=asker) as stop:
        asker.reasons = [None, reason, "too late"]
        assert not stop.asked()
        with pytest.warns(UserWarning) as warned:
            assert not stop.asked()
        assert not stop.asked()
    assert [str(warning.message) for warning in warned] == [f"stop_reason failed and is not looked at again: {told}"]
    assert asker.reasons == ["too late"]
