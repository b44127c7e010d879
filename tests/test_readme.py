"""The README's code runs as it stands there, its trainings shortened."""

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)


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
