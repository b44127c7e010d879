"""What takes seconds, done beside the page: no explorer waits for it."""

import threading
from collections.abc import Callable
from typing import final


@final
class Background:
    """Does one thing at a time in a thread of its own.

    Parameters
    ----------
    say
        Gets words for the page, "" when there is nothing more to say, and whether they tell of an error.
    """

    def __init__(self, say: Callable[[str, bool], None]):
        self._say = say
        self._words = ""
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, words: str, work: Callable[[], None]):
        """Say what is under way, and do it; raises where something else is."""
        if self.busy:
            raise ValueError(f"one thing at a time: {self._words}")
        self._words = words
        self._thread = threading.Thread(target=lambda: self._do(work), daemon=True)
        self._say(words, False)
        self._thread.start()

    def wait(self):
        """Wait until nothing is under way."""
        if self._thread is not None:
            self._thread.join()

    def _do(self, work: Callable[[], None]):
        try:
            work()
        except Exception as error:
            # A thread's error would end in a log that nobody reads.
            return self._say(f"{type(error).__name__}: {error}", True)
        self._say("", False)
