"""A step as one CUDA graph, replayed: the host starts one thing a step instead of some hundred kernels."""

import logging
from collections.abc import Callable, Sequence
from typing import final

import torch

WARM_UP = 3
"""Steps that are taken as usual before one is captured: libraries set themselves up in the first ones."""

LOG = logging.getLogger("gaia_explore")

Step = Callable[[], None]


@final
class Captured:
    """A step that is captured after a few times, and replayed from then on.

    Where a step cannot be captured, a line in the log says so, and steps go on as usual.

    Parameters
    ----------
    step
        What to do: all that changes from one time to the next lies in tensors that stay where they are, and in the
        generators; it waits for nothing that the device computes.
    device
        Steps are captured on CUDA only.
    generators
        What the step draws from.
    forget
        What to do about a step that was begun, and that could not be captured.
    why_not
        Why it cannot be captured, in words; empty where nothing is known against it.
    """

    def __init__(
        self,
        step: Step,
        device: torch.device,
        generators: Sequence[torch.Generator] = (),
        *,
        forget: Step = lambda: None,
        why_not: str = "",
    ):
        self._step = self._next = step
        self._generators = generators
        self._forget = forget
        if device.type == "cuda":
            if why_not:
                _not_captured(why_not)
            else:
                self._taken = 0
                self._stream = torch.cuda.Stream(device)
                self._next = self._warm_up

    def __call__(self):
        """Take a step."""
        self._next()

    def _warm_up(self):
        """A step as usual, on the stream that is captured later: autograd remembers streams."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._step()
        torch.cuda.current_stream().wait_stream(self._stream)
        self._taken += 1
        if self._taken == WARM_UP:
            try:
                self._next = record(self._step, self._stream, self._generators)
            except RuntimeError as error:
                self._forget()
                self._next = self._step
                _not_captured(str(error).strip().splitlines()[0])


def record(step: Step, stream: torch.cuda.Stream, generators: Sequence[torch.Generator]) -> Step:
    """Capture a step, without taking it, and return what takes it."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    torch.cuda.synchronize()
    # What other threads ask of the GPU meanwhile, such as whether a minibatch has been copied, is none of its business.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        step()
    return graph.replay


def _not_captured(why: str):
    LOG.warning("training steps are not captured as a CUDA graph, and take longer: %s", why)
