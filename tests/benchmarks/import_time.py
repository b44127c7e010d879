"""Seconds of `import gaia_explore`, against an interpreter that imports nothing: whole processes, interleaved."""

import subprocess
import sys
import time

import numpy as np


def seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main():
    pairs = np.array([(seconds("pass"), seconds("import gaia_explore")) for _ in range(15)])
    empty, imported = np.median(pairs, axis=0)
    print(f"interpreter {empty:.3f} s, with gaia_explore {imported:.3f} s: the import costs {imported - empty:.3f} s")


if __name__ == "__main__":
    main()
