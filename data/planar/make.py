"""Make this folder anew from the runs of a study: ``python data/planar/make.py runs/study``.

It takes the scores of every run and the four default models of the moons (seed 0), and draws the README's picture, for
which kaleido (the extra ``images``) needs a Chromium or Chrome.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from gaia_explore import plots, study

HERE = Path(__file__).parent


def main(runs: Path, out: Path = HERE):
    scores = study.collect(runs)
    scores.round(6).to_csv(out / "table1.csv", index=False)
    for (model, setting), config in study.MODELS.items():
        cell = study.Cell(model=model, setting=setting, config=config, stimuli="moons", seed=0, steps=0, n=0)
        # The run's file holds the history, too.
        needless = shutil.ignore_patterns("history.csv")
        shutil.copytree(runs / cell.folder, out / cell.folder, ignore=needless, dirs_exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "figure2.png"
        plots.warp_grid(study.panels(runs), n=30).write_image(picture, scale=1.5)
        # 256 colours are enough for lines and points, and a third of the bytes.
        Image.open(picture).convert("RGB").quantize(256).save(out / "figure2.png", optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, help="folder of the study's runs")
    parser.add_argument("out", type=Path, nargs="?", default=HERE, help="folder to write to (default: this one)")
    arguments = parser.parse_args()
    main(arguments.runs, arguments.out)
