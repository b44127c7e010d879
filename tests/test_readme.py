"""The README's code runs as it stands there, its trainings shortened; its tables are those of the data that ship."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gaia_explore as ge

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
DIGITS = {"r": 3, "pixel_error": 4}
"""Decimals of a score, of the others 2; shares are in percent, with one."""


def test_the_readme_walks_and_explores():
    assert ["ge.train(" in block for block in BLOCKS] == [True, False]
    assert ["ge.explore(" in block for block in BLOCKS] == [False, True]


@pytest.mark.slow
def test_the_readmes_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCKS:
        exec(block.replace("steps=6000", "steps=20"), names)
    assert (tmp_path / "runs" / "moons-gaia" / "run.json").is_file() and len(names["morphs"]) == 10
    assert (tmp_path / "faces.html").stat().st_size < 500_000


def told(row: pd.Series) -> str:
    """A mean and half its interval, as the README writes them."""
    share = row["score"] == "on_support"
    mean, half = (100 if share else 1) * np.array([row["mean"], row["high"] - row["mean"]])
    digits = 1 if share else DIGITS.get(row["score"], 2)
    # No zero has a sign.
    return f"{mean:z.{digits}f} ± {half:.{digits}f}".replace("-", "−")


@pytest.mark.parametrize("setting", ["default", "published"])
def test_the_readmes_table_is_that_of_the_study_that_ships(setting: str):
    scores = pd.read_csv(ROOT / "data" / "planar" / "table1.csv").query("setting == @setting and seed < 3")
    table = ge.scores.table_one(scores.drop(columns=["setting", "n", "steps", "health"]))
    if setting == "published":
        said = " ".join(README[README.index("The published rule") :].split())
        for alpha in ("α=1", "α=0"):
            support, error = (told(r) for _, r in table.query(f"model == 'GAIA {alpha}'").tail(2).iterrows())
            assert said.index(f"{support} %") < said.index(error) < said.index(f"for {alpha}")
        return
    for model, rows in table.groupby("model"):
        (line,) = re.findall(rf"^\| {model} \| (.*) \|$", README, flags=re.MULTILINE)
        assert [cell.split(" (")[0] for cell in line.split(" | ")] == [told(row) for _, row in rows.iterrows()]
