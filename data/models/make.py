"""Put the models of `4-faces-train` into this folder: ``python data/models/make.py runs/faces``.

They were trained by ``gaia-explore run notebooks/4-faces-train.ipynb -p steps=10000``, and are kept without what only a
continued training needs.
"""

import argparse
from pathlib import Path

import gaia_explore as ge

HERE = Path(__file__).parent


def main(runs: Path, out: Path = HERE):
    for name in ("AE", "GAIA"):
        ge.load(runs / name).save(out / name, resumable=False, best=False)
        # It is in the run's one file, too.
        (out / name / "history.csv").unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="folder with the runs AE and GAIA")
    main(parser.parse_args().runs)
