"""One thread for every library, here and in the processes that tests start; Hypothesis without deadlines."""

import os

from hypothesis import HealthCheck, settings

# Read when torch, NumPy and Numba are imported, which is after this file. Numba would set OpenMP's count for torch too.
os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"

# Machines that run tests are shared: how long an example takes says nothing about the code.
settings.register_profile(
    "gaia_explore", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("gaia_explore")
