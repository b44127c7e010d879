"""Drawn faces: attributes as planted, pictures that show them, and files that are whole or are refused."""

import importlib
import itertools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from gaia_explore.stimuli import Stimuli, drawn_faces, faces

FOLDER = Path(__file__).parents[2] / "data/faces"
ATTRIBUTES = ["Male", "Young", "Eyeglasses", "Smiling", "Beard", "Wearing_Hat"]


def binary(part: Stimuli) -> np.ndarray:
    """The six attributes, 0 or 1, one row a face."""
    return part.attributes.filter(items=ATTRIBUTES).to_numpy()


@pytest.fixture(scope="module")
def train() -> Stimuli:
    return faces(size=32)


@pytest.fixture(scope="module")
def balanced() -> Stimuli:
    return faces(part="balanced")


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the files of its own, which is the one that is read."""
    for name in ("balanced.xz", "faces.json", "train.xz"):
        shutil.copy(FOLDER / name, tmp_path)
    monkeypatch.setattr(drawn_faces, "_FOLDERS", (tmp_path / "in a wheel", tmp_path))
    return tmp_path


def test_parts_are_pictures_in_colour_with_the_attributes_first(train: Stimuli, balanced: Stimuli) -> None:
    assert (len(train), train.shape, train.title) == (10_000, (32, 32, 3), "drawn faces")
    assert (len(balanced), balanced.shape, balanced.title) == (1_000, (64, 64, 3), "drawn faces, balanced")
    for part in (train, balanced):
        assert list(part.attributes)[: len(ATTRIBUTES)] == ATTRIBUTES
        assert binary(part).dtype == np.int64
        assert set(binary(part).ravel()) == {0, 1}
        assert not part.x.flags.writeable


def test_scaler_leads_to_the_bytes_of_a_picture(balanced: Stimuli) -> None:
    np.testing.assert_allclose(balanced.unscale(balanced.x[:2]), 255 * balanced.x[:2].astype(np.float64))


def test_young_and_old_stand_to_each_other_as_in_celeba(train: Stimuli) -> None:
    male, young = binary(train).T[:2].astype(bool)
    assert (male & young).sum() / (male & ~young).sum() == pytest.approx(0.28, abs=0.001)
    assert (~male & young).sum() / (~male & ~young).sum() == pytest.approx(8.49, abs=0.01)


def test_no_combination_of_two_attributes_is_rare_in_training(train: Stimuli) -> None:
    for pair in itertools.combinations(binary(train).T, 2):
        counts = np.unique(np.stack(pair), axis=1, return_counts=True)[1]
        assert len(counts) == 4
        assert counts.min() > 400


def test_balanced_part_has_every_combination_as_often_as_any_other(balanced: Stimuli) -> None:
    table = binary(balanced)
    counts = np.unique(table, axis=0, return_counts=True)[1]
    assert len(counts) == 64
    assert set(counts) == {15, 16}
    assert set(table.sum(axis=0)) == {500}
    assert np.abs(np.corrcoef(table.T) - np.eye(6)).max() < 0.01


def test_parameters_of_the_drawing_depend_on_nothing(train: Stimuli) -> None:
    correlation = np.corrcoef(train.attributes.to_numpy().T)
    np.fill_diagonal(correlation, 0)
    # Four standard errors.
    assert np.abs(correlation[len(ATTRIBUTES) :]).max() < 0.04


def test_no_two_faces_are_the_same(train: Stimuli) -> None:
    held_out = faces(size=32, part="balanced")
    assert len({picture.tobytes() for part in (train, held_out) for picture in part.x}) == 11_000


def test_the_face_is_cropped_tight_on_a_plain_light_ground(train: Stimuli) -> None:
    # Hair hangs down at the sides and the neck leaves at the bottom; beside the ears of a short-haired man is ground.
    men = train.x[train.attributes["Male"] == 1]
    np.testing.assert_allclose(np.median(men[:, 26:28, [0, 31]], axis=(0, 1, 2)), 240 / 255, atol=0.01)
    assert (np.abs(men - 240 / 255).max(axis=-1) < 0.02).mean() < 0.35


@pytest.mark.parametrize("size", [32, 16])
def test_smaller_pictures_average_areas_as_pillow_does(balanced: Stimuli, size: int) -> None:
    small = faces(size=size, part="balanced")
    assert small.shape == (size, size, 3)
    pd.testing.assert_frame_equal(small.attributes, balanced.attributes)
    for channel in range(3):
        picture = Image.fromarray(balanced.x[7, :, :, channel])
        oracle = np.asarray(picture.resize((size, size), Image.Resampling.BOX))
        np.testing.assert_allclose(small.x[7, :, :, channel], oracle, atol=1e-6)


def test_pixels_that_do_not_divide_are_cut(balanced: Stimuli) -> None:
    # Pillow counts a pixel in or out. Cut into 3 x 3, each pixel lies in one of 48 across.
    cut = balanced.x[:20].repeat(3, axis=1).repeat(3, axis=2)
    oracle = cut.reshape(20, 48, 4, 48, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(faces(size=48, part="balanced").x[:20], oracle, atol=1e-6)


def test_halving_is_the_mean_of_two_by_two_pixels(balanced: Stimuli) -> None:
    blocks = balanced.x.reshape(-1, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(faces(size=32, part="balanced").x, blocks, atol=1e-6)


def test_opening_needs_neither_torch_nor_pillow_nor_scikit_learn() -> None:
    code = "import sys; from gaia_explore.stimuli import faces; faces(16, 'balanced'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert "numpy" in done.stdout.split()
    assert not {"torch", "PIL", "sklearn"}.intersection(done.stdout.split())


def test_folder_is_small_and_carries_its_licence() -> None:
    shipped = [path for path in FOLDER.rglob("*") if path.is_file() and "node_modules" not in path.parts]
    assert sum(path.stat().st_size for path in shipped) < 5_000_000
    assert "Apache License" in (FOLDER / "LICENSE").read_text(encoding="utf-8")
    assert "modified" in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("part", [pytest.param("train", marks=pytest.mark.slow), "balanced"])
def test_script_draws_these_very_faces(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER / "make")
    monkeypatch.delitem(sys.modules, "sample", raising=False)
    sample = importlib.import_module("sample")
    draw, n, seed = {"train": (sample.confounded, 10_000, 0), "balanced": (sample.balanced, 1_000, 1)}[part]
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = sample.vary(draw(n, rng), rng)
    pd.testing.assert_frame_equal(drawn.table, faces(size=16, part=part).attributes)
    first = drawn.drawings[0]["face"]
    assert (first["glasses"]["id"] != "none") == drawn.table["Eyeglasses"][0]


def test_files_in_a_wheel_go_before_those_in_a_checkout(copied: Path) -> None:
    wheel = copied / "in a wheel"
    wheel.mkdir()
    for name in ("balanced.xz", "faces.json"):
        shutil.move(copied / name, wheel)
    assert len(faces(size=16, part="balanced")) == 1_000


@pytest.mark.parametrize("name", ["faces.json", "train.xz"])
def test_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(FileNotFoundError) as error:
        faces()
    assert str(error.value) == f"{copied / name} is missing: the drawn faces come with the package; install it anew"


@pytest.mark.parametrize("damage", ["a byte", "the end", "the digest"])
def test_damaged_file_is_named(copied: Path, damage: str) -> None:
    file = copied / "balanced.xz"
    content = bytearray(file.read_bytes())
    if damage == "a byte":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif damage == "the end":
        file.write_bytes(content[:-100])
    else:
        manifest = json.loads((copied / "faces.json").read_text(encoding="utf-8"))
        manifest["parts"]["balanced"]["sha256"] = "0" * 64
        (copied / "faces.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ValueError) as error:
        faces(part="balanced")
    assert str(error.value) == f"{file} is damaged: its SHA-256 is not the one in faces.json; install anew"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 63}, "size must be one of 64, 48, 32, 16, got 63"),
        ({"part": "test"}, "part must be one of train, balanced, got 'test'"),
    ],
)
def test_what_there_is_not_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        faces(**options)
    assert str(error.value) == message


@pytest.fixture(scope="module")
def promised() -> pd.DataFrame:
    """The folder's table of what was measured, a row an attribute: two cosines and a percentage."""
    rows = re.findall(
        r"^\| (\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) % \|$",
        (FOLDER / "README.md").read_text(encoding="utf-8").replace("*", ""),
        flags=re.MULTILINE,
    )
    table = pd.DataFrame(rows, columns=["attribute", "means", "ols", "probe"]).set_index("attribute").astype(float)
    assert list(table.index) == ATTRIBUTES
    return table


@pytest.mark.slow
def test_a_linear_probe_sees_every_attribute_in_small_pictures(promised: pd.DataFrame) -> None:
    small = faces(size=32, part="balanced")
    probe = make_pipeline(PCA(100, random_state=0), LogisticRegression(max_iter=2000))
    for name in ATTRIBUTES:
        right = cross_val_score(probe, small.x.reshape(1000, -1), small.attributes[name], cv=5).mean()
        assert 100 * right == pytest.approx(promised.loc[name, "probe"], abs=1), name


@pytest.mark.slow
def test_least_squares_find_what_young_looks_like_where_means_find_women(
    train: Stimuli, promised: pd.DataFrame
) -> None:
    held_out = faces(size=32, part="balanced")
    pca = PCA(64, svd_solver="randomized", random_state=0).fit(train.x.reshape(len(train), -1))
    z, z_held_out = (pca.transform(part.x.reshape(len(part), -1)) for part in (train, held_out))
    table = binary(train)
    ols = np.linalg.lstsq(np.column_stack([np.ones(len(z)), table]), z)[0][1:]
    means = np.array([z[has == 1].mean(axis=0) - z[has == 0].mean(axis=0) for has in table.T])
    known = binary(held_out).T
    truth = np.array([z_held_out[has == 1].mean(axis=0) - z_held_out[has == 0].mean(axis=0) for has in known])
    for vectors, column in ((means, "means"), (ols, "ols")):
        found = [cosine(vector, true) for vector, true in zip(vectors, truth, strict=True)]
        np.testing.assert_allclose(found, promised[column], atol=0.02)
    confounded = [cosine(vectors[1], vectors[0]) for vectors in (means, ols, truth)]
    np.testing.assert_allclose(confounded, [-0.975, -0.483, -0.544], atol=0.02)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
