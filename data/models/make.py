"""Make this folder anew from the runs of `4-faces-train`: ``python data/models/make.py runs/faces``.

They were trained by ``gaia-explore run notebooks/4-faces-train.ipynb -p steps=10000``, and are kept without what only a
continued training needs. It scores them and draws their morphs, for which kaleido (the extra ``images``) needs a
Chromium or Chrome. Without a folder it scores and draws what is here.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import gaia_explore as ge

HERE = Path(__file__).parent
NAMES = ("AE", "GAIA")


def keep(runs: Path):
    for name in NAMES:
        ge.load(runs / name).save(HERE / name, resumable=False, best=False)
        # It is in the run's one file, too.
        (HERE / name / "history.csv").unlink()


def main():
    codecs = {name: ge.load(HERE / name).codec for name in NAMES}
    train, held_out = ge.stimuli.faces(32).split(0.95, seed=0, stratify="none")
    unseen = np.concatenate([held_out.x, ge.stimuli.faces(32, part="balanced").x])
    scores = {name: ge.scores.pictures(codec, train, unseen, judge=codecs["GAIA"]) for name, codec in codecs.items()}
    pd.concat(scores, names=["model", "row"]).droplevel("row").round(4).to_csv(HERE / "scores.csv")
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "morphs.png"
        ge.plots.morphs(codecs, held_out.x[:5], held_out.x[5:10], judge=codecs["GAIA"]).write_image(picture)
        # 256 colours are enough for drawn faces, and a third of the bytes.
        Image.open(picture).convert("RGB").quantize(256).save(HERE / "morphs.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="?", help="folder with the runs AE and GAIA")
    arguments = parser.parse_args()
    if arguments.runs:
        keep(arguments.runs)
    main()
