import os
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys, torch
from gaia_explore.training.memory import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(3)
def work():
    parts = [torch.ones(1 << 18) for _ in range(16)]  # 16 MiB, in blocks that glibc's heap serves
    del parts
for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    # Whether glibc hands memory back by itself depends on what else lies on its heap; here it always does.
    surroundings = os.environ | {"MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0"}
    command = [sys.executable, "-c", COUNT_FAULTS, how]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=surroundings)
    if done.returncode == 3:
        pytest.skip("this C library cannot be told to keep memory")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_memory_is_used_again_without_asking_the_system():
    assert faults("keep") < faults("default") / 10


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    from gaia_explore.training.memory import keep_freed_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
