"""Figures as pictures in files, which a browser draws."""

import runpy
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

DATA = Path(__file__).parents[2] / "data" / "planar"


@pytest.mark.slow
@pytest.mark.browser
def test_the_planar_folder_can_be_made_anew_from_runs(tmp_path: Path):
    runs, out = tmp_path / "runs", tmp_path / "out"
    for folder in DATA.glob("moons-*"):
        shutil.copytree(folder, runs / folder.name)
        (runs / folder.name / "history.csv").touch()
    out.mkdir()
    runpy.run_path(str(DATA / "make.py"))["main"](runs, out)
    assert {path.name for path in out.iterdir()} == {path.name for path in runs.iterdir()} | {
        "table1.csv",
        "figure2.png",
    }
    for folder in DATA.glob("moons-*"):
        assert {path.name for path in (out / folder.name).iterdir()} == {path.name for path in folder.iterdir()}
    shipped = pd.read_csv(DATA / "table1.csv").query("stimuli == 'moons' and seed == 0 and setting == 'default'")
    made = pd.read_csv(out / "table1.csv")
    pd.testing.assert_frame_equal(made, shipped.reset_index(drop=True), atol=1e-5)
    picture = Image.open(out / "figure2.png").convert("RGB")
    assert picture.width > 1000
    assert len(picture.getcolors(1 << 24) or []) > 50  # drawn, not blank
