"""What each notebook says of itself before it runs, where a wrong parameter ends it, and how one leads to the next."""

import importlib.util
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nbformat.v4 import new_markdown_cell, new_notebook
from papermill.cli import papermill
from PIL import Image

from gaia_explore import batch, study
from gaia_explore.models import AEConfig, GAIAConfig
from gaia_explore.networks import FullyConnected

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
START = "0-start"
WALK = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb") if path.stem != START)
LINK = re.compile(r"\]\(([^)]+)\)")


def cells_of(name: str) -> list[dict[str, Any]]:
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def executed(name: str, **parameters: Any) -> tuple[dict[str, Any], str, Exception | None]:
    """What a notebook's names stand for in the end, the cell that it ends in with these parameters, and its error."""
    names: dict[str, Any] = {}
    cell: dict[str, Any] = {}
    for cell in cells_of(name):
        if cell["cell_type"] == "code":
            try:
                exec(source(cell), names)
            except Exception as error:
                return names, cell["id"], error
            # As papermill does it.
            if "parameters" in cell["metadata"].get("tags", []):
                names |= parameters
    return names, cell["id"], None


OF_FACES = (
    "Male, Young, Eyeglasses, Smiling, Beard, Wearing_Hat, Fatness, Ear_Size, Eye_Size, Eye_Angle, Eyebrow_Angle, "
    "Nose_Size, Mouth_Size, Turn, Nod"
)
SETS = "circles, moons, blobs, aniso, varied, s_curve, swiss_roll"
A_TABLE = {"source": "../data/planar/table1.csv", "attributes": "model,setting,stimuli,n,steps,health"}
ROWS = len((NOTEBOOKS.parent / "data" / "planar" / "table1.csv").read_text().splitlines()) - 1
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("1-stimuli", {"stimuli": "moon"}, "cell-04", f"name must be one of {SETS}, got 'moon'"),
    ("2-train", {"model": "GAN"}, "cell-02", "model must be one of AE, VAE, GAIA, got 'GAN'"),
    ("2-train", {"batch_size": 0}, "cell-06", "batch_size must be at least 1, got 0"),
    ("3-planar-study", {"runs_dir": "none"}, "cell-02", "out must hold runs of the study (*/scores.json), got none"),
    ("3-planar-study", {"seeds": 2, "seed": 2}, "cell-02", "seed must be below seeds, 2, got 2"),
    (
        "4-faces-train",
        {"network": "deep"},
        "cell-02",
        "network must be one of convolutional, style-content, got 'deep'",
    ),
    ("4-faces-train", {"folder": "none"}, "cell-04", "path must be a folder, got none"),
    ("5-attributes", {"runs_dir": "none"}, "cell-02", "no run at none/AE/run.safetensors"),
    (
        "5-attributes",
        {"focus": "Yung"},
        "cell-02",
        f"attributes, focus and circle must be among {OF_FACES}, got Yung",
    ),
    ("6-explore", {"planar": "moon"}, "cell-02", "no run at ../data/planar/moon-AE-default-seed0/run.safetensors"),
    ("7-your-own-data", {"anchors": "1,two"}, "cell-02", "anchors must be row numbers by commas, got '1,two'"),
    ("7-your-own-data", {"source": "none"}, "cell-06", "path must be a folder, got none"),
    ("7-your-own-data", {**A_TABLE, "anchors": "1, 300"}, "cell-07", f"anchors must be rows below {ROWS}, got 300"),
    (
        "7-your-own-data",
        {**A_TABLE, "edit": "modle"},
        "cell-07",
        "edit must be an attribute (model, setting, stimuli, n, steps, health), got 'modle'",
    ),
]


def test_each_notebook_is_tried_with_a_wrong_parameter():
    assert {name for name, *_ in WRONG} == set(WALK)


@pytest.mark.parametrize(("name", "wrong", "cell", "message"), WRONG)
def test_a_wrong_parameter_ends_a_notebook_where_it_is_used_with_an_error_of_ours(
    name: str,
    wrong: dict[str, Any],
    cell: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(NOTEBOOKS)
    _, at, error = executed(name, **{"quick": True, "out_dir": str(tmp_path), **wrong})
    assert (at, str(error)) == (cell, message)
    assert isinstance(error, ValueError | FileNotFoundError)


@pytest.mark.slow
def test_the_planar_study_trains_what_it_draws_where_it_is_given_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small = FullyConnected(hidden_units=4, hidden_layers=1)
    models = {("AE", "default"): AEConfig(network=small), ("GAIA α=1", "default"): GAIAConfig(network=small)}
    monkeypatch.setattr(study, "MODELS", models)
    monkeypatch.chdir(NOTEBOOKS)
    names, _, error = executed("3-planar-study", seeds=1, quick=True, device="cpu", out_dir=str(tmp_path))
    assert error is None
    scores = study.collect(tmp_path / "quick-runs")
    assert names["scores"].equals(scores) and len(scores) == 2 * 5
    assert {model for _, model in names["panels"]} == {"AE", "GAIA α=1"} and len(names["panels"]) == 10
    assert (tmp_path / "figure2.html").is_file() and (tmp_path / "table1_summary.csv").is_file()


@pytest.mark.parametrize(("name", "folder"), [("2-train", "../runs/moons-gaia"), ("4-faces-train", "../runs/faces")])
def test_a_first_try_has_a_folder_beside_that_of_the_whole_run_unless_one_is_given(name: str, folder: str):
    first, second = [source(cell) for cell in cells_of(name) if cell["cell_type"] == "code"][:2]
    for quick in (True, False):
        for given, used in (("", folder + "-quick" * quick), ("mine", "mine")):
            names: dict[str, Any] = {}
            exec(first, names)
            exec(second, names := names | {"quick": quick, "out_dir": given})
            assert names["out_dir"] == used


@pytest.mark.parametrize("name", WALK)
def test_papermill_helps_with_every_parameter_in_whole_sentences(name: str):
    done = CliRunner().invoke(papermill, ["--help-notebook", str(NOTEBOOKS / f"{name}.ipynb")])
    assert done.exit_code == 0 and "Unable to parse" not in done.output
    told = " ".join(done.output.split())
    (declared,) = (source(cell) for cell in cells_of(name) if cell["metadata"].get("tags") == ["parameters"])
    for line in declared.splitlines():
        match = re.fullmatch(r"(\w+): (bool|float|int|str) = (\S+)  # (\S.*)", line)
        assert match, line
        parameter, type_, value, comment = match.groups()
        assert f"{parameter}: {type_} (default {value}) {comment}" in told
        # Beside the widest names that papermill leaves room for, on a line of 102 letters.
        assert len(comment) <= 68


@pytest.mark.parametrize("name", [START, *WALK])
def test_links_of_a_notebook_lead_to_files(name: str):
    text = "\n".join(source(cell) for cell in cells_of(name) if cell["cell_type"] == "markdown")
    links = [*LINK.findall(text), *re.findall(r'(?:href|src)="([^"]+)"', text)]
    assert [link for link in links if not link.startswith("https://") and not (NOTEBOOKS / link).is_file()] == []


@pytest.mark.parametrize(("name", "following"), list(pairwise([*WALK, START])))
def test_each_notebook_ends_by_pointing_to_the_next(name: str, following: str):
    last = cells_of(name)[-1]
    assert last["cell_type"] == "markdown" and source(last).startswith("Next: ")
    assert f"{following}.ipynb" in LINK.findall(source(last))


def test_the_start_page_only_leads_to_the_others_each_with_a_small_picture():
    cells = cells_of(START)
    assert {cell["cell_type"] for cell in cells} == {"markdown"}
    text = "\n".join(map(source, cells))
    assert re.findall(r'<a href="(.+?).ipynb"><img src="thumbnails/(.+?).webp"', text) == [
        (name, name) for name in WALK
    ]
    for name in WALK:
        path = NOTEBOOKS / "thumbnails" / f"{name}.webp"
        assert path.stat().st_size <= make.MOST_BYTES
        with Image.open(path) as picture:
            assert (picture.format, picture.size) == ("WEBP", make.SIZE)
    assert {path.stem for path in (NOTEBOOKS / "thumbnails").iterdir()} == set(WALK) == set(make.CELLS)


def _load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("notebooks_make", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = _load(NOTEBOOKS / "make.py")


@pytest.mark.parametrize("quick", [True, False])
def test_the_docs_are_a_page_a_notebook_and_an_index_that_link_to_each_other(
    quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    executed: dict[str, dict[str, Any]] = {}

    def pretended(notebook: Path, out: Path, parameters: dict[str, Any]) -> Path:
        executed[notebook.stem] = parameters
        page = out / f"{notebook.stem}.html"
        cells = [new_markdown_cell(source(cells_of(notebook.stem)[-1]))]
        page.parent.mkdir(exist_ok=True)
        page.write_text(batch.to_html(new_notebook(cells=cells)), encoding="utf-8")
        return page

    monkeypatch.setattr(batch, "execute", pretended)
    make.docs(tmp_path / "docs", quick=quick)
    assert list(executed) == WALK
    assert {parameters["quick"] for parameters in executed.values()} == {quick}
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "docs").glob("*.html")}
    assert set(pages) == {"index", *WALK}
    for page in pages.values():
        links = re.findall(r'(?:href|src)="([^"#:]+)"', page)
        assert links and all((tmp_path / "docs" / link).is_file() for link in links)
