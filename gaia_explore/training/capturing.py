"""A step as one CUDA graph, replayed: the host starts one thing a step instead of some hundred kernels."""

import logging
from collections.abc import Callable, Sequence
from typing import final

import torch

WARM_UP = 3
"""Steps that are taken as usual before one is captured: libraries set themselves up in the first ones."""
LEAD = 8
"""Steps that wait on the device: more than enough to keep it busy."""

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
        self._to_warm_up = 0
        if device.type == "cuda":
            if why_not:
                _not_captured(why_not)
            else:
                self._to_warm_up = WARM_UP
                self._stream = torch.cuda.Stream(device)

    def __call__(self):
        """Take a step."""
        if self._to_warm_up:
            self._warm_up()
        else:
            self._next()

    def _warm_up(self):
        """A step as usual, on the stream that is captured later: autograd remembers streams."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            self._step()
        torch.cuda.current_stream().wait_stream(self._stream)
        self._to_warm_up -= 1
        if not self._to_warm_up:
            try:
                self._next = record(self._step, self._stream, self._generators)
            except RuntimeError as error:
                self._forget()
                _not_captured(_cause(error))


@final
class Lead:
    """How far the host may be ahead of a GPU: a few steps, so that a wish to stop and the progress bar are not late.

    Parameters
    ----------
    device
        On a CPU a step has been taken when the next one is asked for.
    """

    def __init__(self, device: torch.device):
        # Blocking: who waits leaves its core to others.
        self._ended = [torch.cuda.Event(blocking=True) for _ in range(LEAD)] if device.type == "cuda" else []

    def keep(self, step: int):
        """Call after asking for a step: waits until the one that was asked for ``LEAD`` steps before has been taken."""
        if self._ended:
            ended = self._ended[step % LEAD]
            ended.synchronize()
            ended.record()


def record(step: Step, stream: torch.cuda.Stream, generators: Sequence[torch.Generator]) -> Step:
    """Capture a step, without taking it, and return what takes it."""
    graph = torch.cuda.CUDAGraph()
    before = [generator.clone_state() for generator in generators]
    if torch.__version__ < "2.14":
        # Later ones are heard of when they are first drawn from (pytorch#176753), and registering them warns.
        for generator in generators:
            graph.register_generator_state(generator)
    torch.cuda.synchronize()
    try:
        # What other threads ask of the GPU meanwhile, such as whether a minibatch has been copied, is none of its
        # business. And where a capture cannot be ended, PyTorch leaves its stream the current one.
        with (
            torch.cuda.stream(torch.cuda.current_stream()),
            torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"),
        ):
            step()
    except RuntimeError:
        # Before PyTorch 2.13 they would take themselves for captured, and draw no more.
        for generator, state in zip(generators, before, strict=True):
            generator.graphsafe_set_state(state)
        raise
    return graph.replay


def _cause(error: BaseException) -> str:
    """The first line of what went wrong first: that a capture cannot be ended is only what follows from it."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error).strip().splitlines()[0]


def _not_captured(why: str):
    LOG.warning("training steps are not captured as a CUDA graph, and take longer: %s", why)
