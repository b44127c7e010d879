"""CPU seconds for 42 attribute vectors of 200,000 codes in 1,024 dimensions, against the matrix product that it takes.

The floor is one product Aᵀz in double precision, of codes that are in double precision already. The other contender is
NumPy's own least squares, with its standard errors still to come. Interleaved in one process; CPU time, of all
threads, since other processes may want the same cores.
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd

from gaia_explore.attributes import attribute_vectors


def seconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--d", type=int, default=1024)
    parser.add_argument("--k", type=int, default=42)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    n, d, k = arguments.n, arguments.d, arguments.k
    rng = np.random.default_rng(0)
    present = rng.random((n, k)) < rng.uniform(0.05, 0.5, k)
    attributes = pd.DataFrame(present, columns=[f"a{j}" for j in range(k)])
    z = rng.normal(size=(n, d)).astype(np.float32)
    z += present.astype(np.float32) @ rng.normal(size=(k, d)).astype(np.float32)
    exact, design = z.astype(np.float64), np.column_stack([np.ones(n), present]).astype(np.float64)
    contenders = {
        "attribute_vectors, ols": lambda: attribute_vectors(z, attributes),
        "attribute_vectors, means": lambda: attribute_vectors(z, attributes, method="means"),
        "floor: one product": lambda: design.T @ exact,
        "numpy.linalg.lstsq": lambda: np.linalg.lstsq(design, exact),
    }
    times = {name: [] for name in contenders}
    for _ in range(arguments.rounds):
        for name, call in contenders.items():
            times[name].append(seconds(call))
    for name, values in times.items():
        print(f"{name:26} {np.median(values):6.2f} s  ({min(values):.2f} to {max(values):.2f})")
    ratio = np.array(times["attribute_vectors, ols"]) / np.array(times["floor: one product"])
    print(f"{np.median(ratio):.2f} × the floor")
    tracemalloc.start()
    attribute_vectors(z, attributes)
    print(f"memory beyond the codes ({z.nbytes / 2**20:.0f} MiB): {tracemalloc.get_traced_memory()[1] / 2**20:.0f} MiB")
    close = np.linalg.lstsq(design, exact)[0][1:] - attribute_vectors(z, attributes).vectors
    print(f"largest difference from lstsq: {np.abs(close).max():.1e}")


if __name__ == "__main__":
    main()
