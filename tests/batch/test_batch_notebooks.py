"""Notebooks executed with parameters: each of ours, and small ones that show the rules."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import papermill
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

import gaia_explore as ge
from gaia_explore import batch
from gaia_explore.batch.kernels import OwnKernel
from gaia_explore.batch.notebooks import FIGURE, WIDGET

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb") if path.stem != "0-start")


def notebook(path: Path, *sources: str) -> Path:
    cells = [new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_notebook_runs_quickly_and_offline(name: str, tmp_path: Path):
    parameters: dict[str, Any] = {"quick": True, "out_dir": str(tmp_path / "out")}
    page = batch.execute(NOTEBOOKS / f"{name}.ipynb", tmp_path / "executed", parameters).read_text()
    assert "Traceback" not in page
    # Figures are alive; explorers, which want a kernel, left their pictures.
    assert page.count("Plotly.newPlot") >= 1 or page.count("data:image/png") >= 5
    assert 'src="http' not in page and "widget-view" not in page
    executed = tmp_path / "executed" / f"{name}.ipynb"
    assert executed.stat().st_size < 1_000_000
    assert list((tmp_path / "out").glob("*.html"))


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """A folder as CelebA's, of 700 drawn faces."""
    faces = ge.stimuli.faces(16).subset(range(700))
    folder = tmp_path / "CelebA"
    (folder / "img_align_celeba").mkdir(parents=True)
    binary = ["Male", "Young", "Eyeglasses", "Smiling", "Beard", "Wearing_Hat"]
    lines = [str(len(faces)), " ".join(binary)]
    for i, values in enumerate(2 * faces.attributes[binary].to_numpy().astype(int) - 1, start=1):
        picture = Image.fromarray((255 * faces.x[i - 1]).astype(np.uint8)).resize((178, 218))
        picture.save(folder / "img_align_celeba" / f"{i:06d}.jpg")
        lines.append(f"{i:06d}.jpg " + " ".join(f"{value:2d}" for value in values))
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_the_notebooks_of_faces_take_a_folder_as_celebas(celeba: Path, tmp_path: Path):
    runs = tmp_path / "runs"
    parameters = {"folder": str(celeba), "quick": True}
    trained = {"out_dir": str(runs), "held_out_share": 0.1, "mirror": True, "shift": 0.05}
    batch.execute(NOTEBOOKS / "4-faces-train.ipynb", tmp_path, parameters | trained)
    assert len(ge.stimuli.open_pack(runs / "pictures-16")) == 700
    description = ge.load(runs / "GAIA").description
    assert description["about"]["n"] == 630
    assert description["augmentation"] == ge.Augmentation(mirror=True, shift=0.05).to_dict()
    out = tmp_path / "attributes"
    attributes = {"runs_dir": str(runs), "out_dir": str(out), "circle": ""}
    batch.execute(NOTEBOOKS / "5-attributes.ipynb", tmp_path, parameters | attributes)
    assert ge.AttributeVectors.load(out / "vectors.npz").names == (
        "Male",
        "Young",
        "Eyeglasses",
        "Smiling",
        "Beard",
        "Wearing_Hat",
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_that_a_notebook_does_not_declare_is_an_error_before_anything_runs(name: str, tmp_path: Path):
    message = rf"parameters must be declared by {name}.ipynb \(.*quick\), got \['stepz'\]"
    with pytest.raises(ValueError, match=message):
        batch.execute(NOTEBOOKS / f"{name}.ipynb", tmp_path / "out", {"stepz": 3, "quick": True})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", NAMES)
def test_papermill_reads_a_type_and_a_comment_for_every_parameter(name: str):
    declared = papermill.inspect_notebook(str(NOTEBOOKS / f"{name}.ipynb"))
    assert "quick" in declared and "out_dir" in declared
    for parameter in declared.values():
        assert parameter["inferred_type_name"] in ("bool", "float", "int", "str"), parameter
        assert parameter["help"], parameter


@pytest.mark.slow
def test_an_executed_notebook_has_its_values_and_lies_beside_its_page(tmp_path: Path, capfd: pytest.CaptureFixture):
    path = notebook(
        tmp_path / "square.ipynb",
        "a: int = 2  # to be squared",
        "from pathlib import Path",
        "a * a, Path().resolve().name",
    )
    page = batch.execute(path, tmp_path / "out", {"a": 7})
    assert page == tmp_path / "out" / "square.html"
    assert f"(49, '{tmp_path.name}')" in page.read_text()
    assert (tmp_path / "out" / "square.ipynb").is_file()
    assert "WARNING" not in capfd.readouterr().err  # what a kernel has to say about its connections


@pytest.mark.slow
def test_a_cell_that_fails_raises_and_the_copy_shows_how_far_it_came(tmp_path: Path):
    path = notebook(tmp_path / "fails.ipynb", "a: int = 2  # any", "a / 0", "'never'")
    with pytest.raises(papermill.PapermillExecutionError, match="ZeroDivisionError"):
        batch.execute(path, tmp_path / "out")
    assert "ZeroDivisionError" in (tmp_path / "out" / "fails.ipynb").read_text()


@pytest.fixture(params=["JUPYTER_DATA_DIR", "JUPYTER_PATH"])
def planted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An interpreter that is none, in a kernel called python3 that somebody installed before the environment's own."""
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    monkeypatch.setenv(request.param, str(tmp_path / "jupyter"))
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    wrong = tmp_path / "other-python"
    spec.write_text(json.dumps({"argv": [str(wrong), "{connection_file}"], "display_name": "3", "language": "python"}))
    return wrong


def test_the_kernel_is_of_this_environment_whatever_kernel_is_installed_by_its_name(planted: Path):
    specs = [made(kernel_name="python3").kernel_spec for made in (AsyncKernelManager, OwnKernel)]
    assert [spec.argv[0] for spec in specs if spec] == [str(planted), sys.executable]


@pytest.mark.slow
@pytest.mark.parametrize("planted", ["JUPYTER_PATH"], indirect=True)
def test_a_notebook_runs_in_this_environment_whatever_kernel_is_installed(planted: Path, tmp_path: Path):
    path = notebook(tmp_path / "where.ipynb", "a: int = 2  # any", "import sys", "sys.executable")
    assert f"<pre>'{sys.executable}'</pre>" in batch.execute(path, tmp_path / "out").read_text()


def test_a_notebook_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=f"notebook must be a file, got {tmp_path / 'none.ipynb'}"):
        batch.execute(tmp_path / "none.ipynb", tmp_path)


def test_a_page_has_its_figures_alive_with_one_script_and_no_widgets():
    figure = {FIGURE: {"data": [{"type": "scatter", "y": [1, 2]}], "layout": {}}}
    widget = {WIDGET: {"model_id": "x"}, "text/plain": "a slider that is gone"}
    cells = [
        new_code_cell("figure", outputs=[new_output("display_data", figure)]),
        new_code_cell("figure", outputs=[new_output("display_data", figure), new_output("display_data", widget)]),
        new_code_cell("print()", outputs=[new_output("stream", text="told"), new_output("display_data", {})]),
    ]
    page = batch.to_html(new_notebook(cells=cells))
    assert page.count("Plotly.newPlot(") == 2
    assert page.count("plotly.js v") == 1
    assert "a slider that is gone" not in page and "told" in page


@pytest.mark.slow
def test_a_kernel_draws_figures_as_data_and_leaves_this_process_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PLOTLY_RENDERER", "svg")
    path = notebook(tmp_path / "n.ipynb", "a: int = 2  # any", "import os\nos.environ['PLOTLY_RENDERER']")
    before = Path.cwd()
    page = batch.execute(path, tmp_path / "out")
    assert "plotly_mimetype" in page.read_text()
    assert os.environ["PLOTLY_RENDERER"] == "svg" and Path.cwd() == before


def test_a_parameter_of_another_type_is_an_error_before_anything_runs(tmp_path: Path):
    path = notebook(tmp_path / "n.ipynb", "a: int = 2  # any")
    with pytest.raises(TypeError, match=r"a must be an int \(a: int = 2  # any\), got '7'\nn.ipynb declares:"):
        batch.execute(path, tmp_path / "out", {"a": "7"})
    assert not (tmp_path / "out").exists()
