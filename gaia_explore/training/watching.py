"""Showing a training to somebody while it runs, at no risk to it."""

import warnings
from collections.abc import Callable
from typing import Any, final

from torch import Tensor


@final
class Watch:
    """Calls somebody back every so many steps, until the first error.

    Parameters
    ----------
    callback
        Gets a training's tensors (copies on the CPU) and their description; None where nobody watches.
    every
        Steps between two calls.
    """

    def __init__(self, callback: Callable[[dict[str, Tensor], dict[str, Any]], object] | None, every: int):
        self._callback = callback
        self._every = every

    def ends(self, step: int) -> set[int]:
        """After which step the next call is due, in a set that is empty where nobody watches."""
        return set() if self._callback is None else {step // self._every * self._every + self._every}

    def show(self, step: int, result: Callable[[], tuple[dict[str, Tensor], dict[str, Any]]]):
        """Call back with what ``result`` gives; an error costs the callback its next calls, and not the training."""
        if self._callback is None:
            return
        try:
            self._callback(*result())
        except Exception as error:
            self._callback = None
            # Six frames up is who called train.
            warnings.warn(f"watch failed at step {step} and is not called again: {error!r}", stacklevel=6)
