"""What holds for the project as a whole: what importing it costs, what a wheel carries, and what its papers promise."""

import importlib.metadata
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import gaia_explore

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
HEAVY = {"pandas", "plotly", "sklearn", "statsmodels", "torch", "umap"}


def run_python(*arguments: str) -> str:
    """Run a new interpreter in which warnings are errors, and return what it prints."""
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells_of(notebook: Path) -> list[dict[str, Any]]:
    return json.loads(notebook.read_text(encoding="utf-8"))["cells"]


def tags_of(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def test_importing_the_package_imports_no_heavy_library() -> None:
    imported = run_python("-c", "import gaia_explore, sys; print(*sys.modules)").split()
    assert "gaia_explore" in imported
    assert not HEAVY.intersection(imported)


def test_every_public_name_resolves_and_is_listed() -> None:
    # In a new interpreter, where no other test has imported a room by its own name.
    resolved = run_python("-c", "import gaia_explore as g; print(*(name for name in g.__all__ if hasattr(g, name)))")
    assert resolved.split() == gaia_explore.__all__
    assert set(gaia_explore.__all__) <= set(dir(gaia_explore))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    name = "no_such_name"
    with pytest.raises(AttributeError, match="module 'gaia_explore' has no attribute 'no_such_name'"):
        getattr(gaia_explore, name)


def test_the_version_is_the_same_everywhere() -> None:
    version = gaia_explore.__version__
    assert importlib.metadata.version("gaia-explore") == version
    headings = re.findall(r"^## .*$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert any(version in heading for heading in headings)


def test_the_wheel_carries_every_file_of_the_package(tmp_path: Path) -> None:
    run_python("-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    packed = {name for name in names if ".dist-info/" not in name}
    files = (path for path in (ROOT / "gaia_explore").rglob("*") if path.is_file() and path.suffix != ".pyc")
    faces = {f"gaia_explore/data/faces/{name}" for name in ("README.md", "balanced.xz", "faces.json", "train.xz")}
    assert "gaia_explore/py.typed" in packed
    assert packed == {path.relative_to(ROOT).as_posix() for path in files} | faces
    assert [name for name in names if name.endswith("licenses/data/faces/LICENSE")]


def test_contributing_fits_on_a_page() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 50


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 3


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
class TestNotebook:
    def test_is_numbered(self, notebook: Path) -> None:
        assert re.match(r"\d-", notebook.name)

    def test_carries_no_outputs_and_no_widget_state(self, notebook: Path) -> None:
        assert "widgets" not in json.loads(notebook.read_text(encoding="utf-8"))["metadata"]
        for cell in cells_of(notebook):
            assert not cell.get("outputs")
            assert cell.get("execution_count") is None

    def test_begins_its_code_with_the_one_parameters_cell(self, notebook: Path) -> None:
        code = [cell for cell in cells_of(notebook) if cell["cell_type"] == "code"]
        assert code or notebook.name == "0-start.ipynb"
        assert ["parameters" in tags_of(cell) for cell in code] == [True, *[False] * (len(code) - 1)][: len(code)]

    def test_has_no_line_of_code_that_needs_a_scroll_bar(self, notebook: Path) -> None:
        code = ["".join(cell["source"]) for cell in cells_of(notebook) if cell["cell_type"] == "code"]
        assert max((len(line) for source in code for line in source.splitlines()), default=0) <= 88

    def test_defines_no_functions_and_stays_short(self, notebook: Path) -> None:
        cells = cells_of(notebook)
        assert len(cells) <= 25
        for cell in cells:
            if cell["cell_type"] == "code":
                assert not re.search(r"^\s*(async\s+)?def\s", "".join(cell["source"]), flags=re.MULTILINE)
