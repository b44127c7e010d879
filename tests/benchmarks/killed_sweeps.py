"""The proof that sweeps keep their promises: 24 small trainings here, on a Dask cluster, and killed ten times.

    python tests/benchmarks/killed_sweeps.py --out runs/killed --kills 10

Prints what was seen and ends with status 1 where a table differs, or a run that had finished was touched again.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
GRID = ["-g", "model=ae,vae,gaia", "-g", "stimuli=circles,moons,blobs,aniso", "--seeds", "2"]
SMALL = ["-p", "steps=1200", "-p", "n=512"]  # with one checkpoint on the way
RUNS = 24


def sweep(out: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Start the sweep of this proof in a process of its own."""
    command = [sys.executable, "-m", "gaia_explore", "sweep", "notebooks/2-train.ipynb", *GRID, *SMALL, "--jobs", "2"]
    return subprocess.Popen([*command, "--out", str(out), *options], cwd=ROOT)


def collected(out: Path) -> tuple[bytes, bytes]:
    """The bytes of the sweep's two tables."""
    subprocess.run([sys.executable, "-m", "gaia_explore", "collect", str(out)], cwd=ROOT, check=True)
    return (out / "table.csv").read_bytes(), (out / "table.parquet").read_bytes()


def finished(out: Path) -> dict[str, str]:
    """What the record of each finished run says, by its folder."""
    return {path.parent.name: path.read_text() for path in out.glob("*/run.json")}


@contextmanager
def cluster() -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A Dask scheduler and two workers, each a process of its own that can be killed."""
    module = [sys.executable, "-m"]
    address = "tcp://127.0.0.1:8799"
    started = [subprocess.Popen([*module, "distributed.cli.dask_scheduler", "--port", "8799", "--no-dashboard"])]
    time.sleep(5)
    worker = [*module, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    started += [subprocess.Popen(worker) for _ in range(2)]
    try:
        yield address, started[1:]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def on_cluster(out: Path, rng: random.Random):
    """Sweep on two workers, of which the second is killed, with its nanny, while it works."""
    with cluster() as (address, processes):
        sweeping = sweep(out, "--scheduler", address)
        while len(finished(out)) < RUNS // 4:
            time.sleep(0.5)
        time.sleep(rng.uniform(0, 10))
        lost = psutil.Process(processes[1].pid)
        for process in [lost, *lost.children(recursive=True)]:
            # The kernel is left to find out by itself that it was orphaned.
            if "ipykernel_launcher" not in " ".join(process.cmdline()):
                process.kill()
        print(f"killed a worker after {len(finished(out))} runs", flush=True)
        assert sweeping.wait() == 0


def killed(out: Path, kills: int, rng: random.Random) -> bool:
    """Sweep, killed at random moments; whether each run that had finished was left alone."""
    seen: dict[str, str] = {}
    for kill in range(kills):
        sweeping = sweep(out)
        enough = len(seen) + rng.randint(0, 3)
        while sweeping.poll() is None and len(finished(out)) < enough:
            time.sleep(0.5)
        time.sleep(rng.uniform(0, 40))
        if sweeping.poll() is not None:
            print(f"the sweep had ended before kill {kill + 1}", flush=True)
            break
        os.kill(sweeping.pid, signal.SIGKILL)
        sweeping.wait()
        now = finished(out)
        begun = sorted(path.name for path in (out / "unfinished").glob("*=*")) if (out / "unfinished").is_dir() else []
        print(f"kill {kill + 1}: {len(now)} runs finished, {len(begun)} begun", flush=True)
        if any(now.get(name) != record for name, record in seen.items()):
            return False
        seen = now
    assert sweep(out).wait() == 0
    now = finished(out)
    return all(now[name] == record for name, record in seen.items())


def main() -> int:
    """All three sweeps, and what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/killed"))
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    out, rng = arguments.out.resolve(), random.Random(arguments.seed)
    seconds = {}
    started = time.monotonic()
    assert sweep(out / "here").wait() == 0
    seconds["here"] = time.monotonic() - started
    started = time.monotonic()
    on_cluster(out / "cluster", rng)
    seconds["cluster"] = time.monotonic() - started
    started = time.monotonic()
    untouched = killed(out / "killed", arguments.kills, rng)
    seconds["killed"] = time.monotonic() - started
    here, there, again = (collected(out / name) for name in ("here", "cluster", "killed"))
    result = {
        "rows": here[0].count(b"\n") - 1,
        "cluster equal": there == here,
        "killed equal": again == here,
        "finished runs untouched": untouched,
        "seconds": {name: round(value) for name, value in seconds.items()},
    }
    print(json.dumps(result, indent=2))
    return int(not (there == here and again == here and untouched))


if __name__ == "__main__":
    sys.exit(main())
