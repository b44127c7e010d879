"""Exports: that a folder holds the stimuli, says where each is from, and can be made anew from that."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from gaia_explore import __version__, exports
from gaia_explore.exports import export_continuum, load_continuum, reproduce_export
from gaia_explore.latent import ModelCodec, codec_of
from gaia_explore.models import AEConfig, GAIAConfig
from gaia_explore.networks import Convolutional, FullyConnected
from gaia_explore.paths import Continuum, continuum
from gaia_explore.stimuli import Stimuli

RNG = np.random.default_rng(0)


def gaia(shape: tuple[int, ...], **changes: Any) -> ModelCodec:
    network = Convolutional(filters=(2, 3), hidden_units=8) if len(shape) == 3 else FullyConnected(hidden_units=8)
    config = GAIAConfig(**({"network": network, "latent_dim": 3} | changes))
    model = config.build(shape, torch.Generator().manual_seed(0))
    return codec_of(model.requires_grad_(False).eval(), shape)


def walked(codec: ModelCodec, n_steps: int = 7) -> Continuum:
    z = RNG.normal(size=(40, codec.latent_dim)).astype(np.float32)
    return continuum(codec, z[:3], z, n_steps=n_steps, kind="neighbours", spacing="perceptual")


def planar(n: int = 30) -> Stimuli:
    return Stimuli.from_array(RNG.normal(size=(n, 2)) * [3, 40] + 100, names=("F1", "F2"), title="vowels")


def numbers(table: Path, names: list[str]) -> np.ndarray:
    """Columns of a table as Python reads numbers: exactly."""
    frame = pd.read_csv(table, dtype=str)
    return np.array([[float(cell) for cell in frame[name]] for name in names]).T


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("animation", ["gif", "mp4", "none"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_become_pngs_an_animation_and_a_table_the_same_bytes_each_time(
    animation: str, channels: int, tmp_path: Path
):
    codec = gaia((16, 16, channels))
    walk = walked(codec)
    made = [
        export_continuum(walk, tmp_path / name, codec=codec, anchors=("ann", "bob", "eve"), animation=animation)
        for name in ("one", "two")
    ]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(path.name for path in made[0]) == sorted(contents(tmp_path / "one"))
    assert made[0][-1].name == "stimuli.csv"
    pngs = [f"step-{step:03}.png" for step in range(7)]
    moving = [] if animation == "none" else [f"morph.{animation}"]
    assert sorted(contents(tmp_path / "one")) == sorted([*pngs, *moving, "stimuli.csv", "stimuli.json"])
    for name, stimulus in zip(pngs, walk.stimuli, strict=True):
        with Image.open(tmp_path / "one" / name) as file:
            assert file.mode == ("L" if channels == 1 else "RGB")
            found = np.asarray(file).reshape(16, 16, channels)
        np.testing.assert_array_equal(found, np.round(255 * stimulus.clip(0, 1)).astype(np.uint8))


def test_the_table_says_where_each_stimulus_is_from_with_codes_to_the_last_bit(tmp_path: Path):
    codec = gaia((16, 16, 1))
    walk = walked(codec)
    export_continuum(walk, tmp_path, codec=codec, anchors=(12, "bob", 7), seed=5, animation="none")
    table = pd.read_csv(tmp_path / "stimuli.csv", index_col="step")
    assert list(table.columns) == [
        *("file", "leg", "t", "anchor", "z1", "z2", "z3"),
        *("realism", "step_latent", "step_pixels", "step_perceptual", "model", "seed"),
    ]
    codes = numbers(tmp_path / "stimuli.csv", ["z1", "z2", "z3"])
    np.testing.assert_array_equal(codes.astype(np.float32), walk.codes)
    np.testing.assert_array_equal(numbers(tmp_path / "stimuli.csv", ["realism", "t"]).T, [walk.realism, walk.t])
    assert table["file"].tolist() == [f"step-{step:03}.png" for step in range(7)]
    named = pd.read_csv(tmp_path / "stimuli.csv", dtype=str, keep_default_na=False)["anchor"].tolist()
    assert [named[step] for step in walk.anchors] == ["12", "bob", "7"] and named.count("") == 4
    assert set(table["model"]) == {codec.fingerprint} and set(table["seed"]) == {5}
    about = json.loads((tmp_path / "stimuli.json").read_text())
    assert about["model"] == codec.fingerprint and about["anchors"] == [12, "bob", 7]
    assert (about["kind"], about["spacing"], about["n_steps"], about["seed"]) == ("neighbours", "perceptual", 7, 5)
    assert about["version"] == __version__ and about["realism_by"] == "discriminator"


@pytest.mark.usefixtures("not_installed")
def test_an_export_tells_the_package_s_version_where_it_is_only_on_the_path(tmp_path: Path):
    codec = gaia((2,))
    export_continuum(walked(codec), tmp_path, codec=codec, animation="none")
    assert json.loads((tmp_path / "stimuli.json").read_text())["version"] == __version__


@pytest.mark.parametrize("shape", [(16, 16, 3), (2,)])
def test_a_continuum_that_is_loaded_is_the_one_that_was_written(shape: tuple[int, ...], tmp_path: Path):
    codec = gaia(shape)
    walk = walked(codec)
    export_continuum(walk, tmp_path, codec=codec, animation="none")
    loaded = load_continuum(tmp_path, codec)
    for name in Continuum.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(walk, name))
    assert loaded.codes.dtype == loaded.stimuli.dtype == np.float32


@pytest.mark.parametrize("shape", [(16, 16, 3), (16, 16), (2,)])
def test_an_export_is_made_anew_byte_for_byte_from_its_table_and_the_model(shape: tuple[int, ...], tmp_path: Path):
    codec = gaia(shape)
    stimuli = planar() if shape == (2,) else None
    changes: dict[str, Any] = {"anchors": ("å", 2, "c"), "seed": 3, "animation": "mp4", "frames_per_second": 7.5}
    export_continuum(walked(codec), tmp_path / "old", codec=codec, stimuli=stimuli, scale=2, **changes)
    old = contents(tmp_path / "old")
    for name in old.keys() - {"stimuli.csv", "stimuli.json"}:  # nothing else is needed
        (tmp_path / "old" / name).unlink()
    reproduce_export(tmp_path / "old", codec, tmp_path / "new")
    assert contents(tmp_path / "new") == old


def test_flat_stimuli_are_an_array_and_columns_in_their_own_units(tmp_path: Path):
    stimuli, codec = planar(), gaia((2,), latent_dim=2)
    z = codec.encode(stimuli.x)
    walk = continuum(codec, z[:2], z)
    export_continuum(walk, tmp_path, codec=codec, stimuli=stimuli, anchors=(0, 1))
    assert sorted(contents(tmp_path)) == ["stimuli.csv", "stimuli.json", "stimuli.npy"]
    array = np.load(tmp_path / "stimuli.npy", allow_pickle=False)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, walk.stimuli)
    assert set(pd.read_csv(tmp_path / "stimuli.csv")["file"]) == {"stimuli.npy"}
    np.testing.assert_array_equal(numbers(tmp_path / "stimuli.csv", ["F1", "F2"]), stimuli.unscale(walk.stimuli))
    about = json.loads((tmp_path / "stimuli.json").read_text())["stimuli"]
    assert about["title"] == "vowels" and about["fingerprint"] == stimuli.fingerprint


def test_dimensions_called_as_columns_are_told_from_them_and_no_codes(tmp_path: Path):
    codec = gaia((2,), latent_dim=2)
    stimuli = Stimuli.from_array(RNG.normal(size=(9, 2)), names=("z1", "z3"))
    walk = continuum(codec, RNG.normal(size=(2, 2)), RNG.normal(size=(9, 2)))
    export_continuum(walk, tmp_path, codec=codec, stimuli=stimuli)
    assert list(pd.read_csv(tmp_path / "stimuli.csv").columns[-2:]) == ["z1 (stimulus)", "z3"]
    np.testing.assert_array_equal(load_continuum(tmp_path, codec).codes, walk.codes)


def test_stimuli_of_no_table_and_no_pictures_are_scaled_numbers_or_only_an_array(tmp_path: Path):
    for shape in ((2,), (exports.MOST_COLUMNS + 1,), (4, 5, 2)):
        codec = gaia((2,)) if shape == (2,) else codec_of(AEConfig().build(shape, torch.Generator()).eval(), shape)
        z = RNG.normal(size=(5, codec.latent_dim))
        walk = continuum(codec, z[:2], z)
        export_continuum(walk, tmp_path, codec=codec.snapshot())
        np.testing.assert_array_equal(np.load(tmp_path / "stimuli.npy"), walk.stimuli)
        columns = list(pd.read_csv(tmp_path / "stimuli.csv").columns)
        assert ("x1" in columns) == (shape == (2,))
        if shape == (2,):
            found = numbers(tmp_path / "stimuli.csv", ["x1", "x2"]).astype(np.float32)
            np.testing.assert_array_equal(found, walk.stimuli)


def test_a_shorter_export_leaves_nothing_of_a_longer_one_and_all_that_is_not_its_own(tmp_path: Path):
    codec = gaia((16, 16, 1))
    export_continuum(walked(codec, 12), tmp_path / "a", codec=codec)
    (tmp_path / "a/notes.txt").write_text("mine")
    (tmp_path / "a/step-by-step.png").write_text("mine")
    short = walked(codec, 5)
    export_continuum(short, tmp_path / "a", codec=codec, animation="mp4")
    export_continuum(short, tmp_path / "b", codec=codec, animation="mp4")
    mine = {"notes.txt": b"mine", "step-by-step.png": b"mine"}
    assert contents(tmp_path / "a") == contents(tmp_path / "b") | mine


def test_files_that_are_no_exports_are_not_overwritten(tmp_path: Path):
    (tmp_path / "stimuli.csv").write_text("mine")
    codec = gaia((16, 16, 1))
    message = f"folder must hold no file with an export's name but an export's, got {tmp_path / 'stimuli.csv'}"
    with pytest.raises(FileExistsError, match=re.escape(message)):
        export_continuum(walked(codec), tmp_path, codec=codec)
    assert contents(tmp_path) == {"stimuli.csv": b"mine"}
    (tmp_path / "stimuli.csv").unlink()
    (tmp_path / "stimuli.json").write_text('{"mine": 1}')
    with pytest.raises(ValueError, match=r"stimuli\.json is not an export of gaia_explore in the format"):
        export_continuum(walked(codec), tmp_path, codec=codec)
    assert contents(tmp_path) == {"stimuli.json": b'{"mine": 1}'}


@pytest.mark.parametrize("failing", range(9))
def test_a_folder_that_is_half_written_is_not_taken_for_an_export_and_can_be_written_again(
    failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    codec = gaia((16, 16, 1))
    walk = walked(codec)
    export_continuum(walked(codec, 12), tmp_path / "a", codec=codec)
    written = []

    def full(path: Path, content: bytes):
        if len(written) == failing:
            raise OSError("disk full")
        written.append(path)
        path.write_bytes(content)

    with monkeypatch.context() as patched:
        patched.setattr(exports, "write_atomically", full)
        with pytest.raises(OSError, match="disk full"):
            export_continuum(walk, tmp_path / "a", codec=codec)
    assert not (tmp_path / "a/stimuli.csv").exists()
    with pytest.raises(FileNotFoundError, match=r"no complete export at .*a: it has no stimuli\.csv"):
        load_continuum(tmp_path / "a", codec)
    export_continuum(walk, tmp_path / "a", codec=codec)
    export_continuum(walk, tmp_path / "b", codec=codec)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_an_export_that_cannot_be_made_leaves_the_earlier_one_as_it_was(tmp_path: Path):
    codec = gaia((16, 16, 1))
    export_continuum(walked(codec), tmp_path, codec=codec)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="frames_per_second must be above 0 and at most 50 for a GIF, got 60"):
        export_continuum(walked(codec, 4), tmp_path, codec=codec, frames_per_second=60)
    assert contents(tmp_path) == before


def test_a_continuum_is_exported_by_the_model_that_decoded_it_alone(tmp_path: Path):
    codec = gaia((2,))
    walk, snapshot = walked(codec), codec.snapshot()
    for p in codec.model.parameters():
        p.add_(0.1)
    with pytest.raises(ValueError, match="codec must be what decoded the continuum; it decodes other stimuli"):
        export_continuum(walk, tmp_path, codec=codec)
    assert not contents(tmp_path)
    export_continuum(walk, tmp_path, codec=snapshot)
    message = f"codec must be the model that {tmp_path} is of, {snapshot.fingerprint!r}, got {codec.fingerprint!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        load_continuum(tmp_path, codec)


class Doubling:
    """A codec of no fingerprint."""

    def __init__(self, *shape: int):
        self.shape = shape

    def encode(self, x: np.ndarray, /) -> np.ndarray:
        return x.reshape(len(x), -1) / 2

    def decode(self, z: np.ndarray, /) -> np.ndarray:
        return 2 * z.reshape(-1, *self.shape)


def test_any_codec_will_do_but_one_of_other_stimuli_is_told(tmp_path: Path):
    z = RNG.normal(size=(5, 6))
    walk = continuum(Doubling(6), z[:2], z)
    export_continuum(walk, tmp_path, codec=Doubling(6))
    assert json.loads((tmp_path / "stimuli.json").read_text())["model"] == ""
    np.testing.assert_array_equal(load_continuum(tmp_path, Doubling(6)).stimuli, walk.stimuli)
    shape = f"codec must decode stimuli of {tmp_path / 'stimuli.json'}'s shape, (6,), got (2, 3)"
    with pytest.raises(ValueError, match=re.escape(shape)):
        load_continuum(tmp_path, Doubling(2, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"animation": "avi"}, "animation must be one of gif, mp4, none, got 'avi'"),
        ({"anchors": ("a",)}, "anchors must be none or 3 here, got 1"),
        (
            {"stimuli": Stimuli.from_array(RNG.normal(size=(4, 3)))},
            "stimuli must have the shape of the continuum's, (2,), got (3,)",
        ),
    ],
)
def test_what_makes_no_export_is_named(changes: dict[str, Any], message: str, tmp_path: Path):
    codec = gaia((2,))
    with pytest.raises(ValueError, match=re.escape(message)):
        export_continuum(walked(codec), tmp_path, codec=codec, **changes)


@pytest.fixture
def exported(tmp_path: Path) -> tuple[Path, ModelCodec]:
    codec = gaia((2,))
    export_continuum(walked(codec), tmp_path / "x", codec=codec)
    return tmp_path / "x", codec


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("stimuli.json", "{", "", r"stimuli\.json is not JSON: "),
        ("stimuli.json", "continuum/1", "continuum/9", r"is not an export of gaia_explore in the format"),
        ("stimuli.json", '_dim": 3', '_dim": "3"', r"must have a field 'latent_dim' of type int, got '3'"),
        ("stimuli.json", '"seed"', '"sead"', r"must have a field 'seed' of type int, got None"),
        (
            "stimuli.json",
            '"type": "gif"',
            '"type": "x/../../gif"',
            r"stimuli\.json: animation must be one of gif, mp4, none, got .*x/\.\./\.\./gif",
        ),
        ("stimuli.json", '"n_steps": 7', '"n_steps": 8', r"csv must have 8 rows, as stimuli\.json says, got 7"),
        ("stimuli.csv", ",z2,", ",y2,", r"csv must have the columns of an export, got none called 'z2'"),
        ("stimuli.csv", "npy,0,", "npy,nought,", r"stimuli\.csv is not the table of an export: .*'nought'"),
        ("stimuli.csv", "npy,1,2.0,", "npy,1,3.0,", r"csv must rise in its column t from 0 over every whole number"),
        ("stimuli.csv", "\n1,stimuli.npy", "\n1\n2,stimuli.npy", r"stimuli\.csv is not the table of an export: "),
    ],
)
def test_damaged_files_are_named(
    file: str, old: str, new: str, message: str, exported: tuple[Path, ModelCodec], tmp_path: Path
):
    folder, codec = exported
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        reproduce_export(folder, codec, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_without_an_export_is_named(exported: tuple[Path, ModelCodec], tmp_path: Path):
    folder, codec = exported
    with pytest.raises(FileNotFoundError, match=r"no export at .*nowhere: it has no stimuli\.json"):
        load_continuum(tmp_path / "nowhere", codec)
    shutil.copytree(folder, tmp_path / "half", ignore=shutil.ignore_patterns("*.csv"))
    with pytest.raises(FileNotFoundError, match=r"no complete export at .*half: it has no stimuli\.csv"):
        load_continuum(tmp_path / "half", codec)
