"""One thread for every library, here and in the processes that tests start; Hypothesis without deadlines."""

import importlib.metadata
import math
import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# Read when torch, NumPy and Numba are imported, which is after this file. Numba would set OpenMP's count for torch too.
os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"

# Machines that run tests are shared: how long an example takes says nothing about the code.
settings.register_profile(
    "gaia_explore", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gaia_explore")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure no coverage in what slow tests start, kernels most of all: it would take half as long again."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("slow") is not None and item.get_closest_marker("traced") is None:
            patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        return (yield)


@pytest.fixture(autouse=True)
def blocks_end_with_their_steps(monkeypatch: pytest.MonkeyPatch):
    """On slow machines, too, which would end a block early, and see a wish to stop at another step."""
    monkeypatch.setattr("gaia_explore.training.loop.MOST_SECONDS", math.inf)


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch):
    """The package as where it is only on the path: no installer has left anything about it."""
    distribution = importlib.metadata.distribution

    def found(name: str) -> importlib.metadata.Distribution:
        if name == "gaia-explore":
            raise importlib.metadata.PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(importlib.metadata, "distribution", found)
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("gaia-explore")
