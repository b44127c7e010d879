"""Checkpoints: what is written is read, nothing is torn, nothing foreign is taken."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gaia_explore.training import read_checkpoint, write_atomically, write_checkpoint

TENSORS = {"weights": torch.arange(6.0).reshape(2, 3), "bytes": torch.tensor([1, 255], dtype=torch.uint8)}


def test_what_was_written_is_read(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "run.safetensors"
    write_checkpoint(path, TENSORS, {"step": 3, "α": [1.5, None]})
    tensors, description = read_checkpoint(path)
    assert description == {"step": 3, "α": [1.5, None]}
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_equal_content_gives_equal_bytes(tmp_path: Path):
    write_checkpoint(tmp_path / "a", TENSORS, {"b": 1, "a": 2})
    write_checkpoint(tmp_path / "b", TENSORS, {"a": 2, "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "run"
    write_atomically(path, b"old")

    def power_cut(*_):
        raise OSError("power cut")

    monkeypatch.setattr("gaia_explore.training.checkpoint.os.fsync", power_cut)
    with pytest.raises(OSError, match="power cut"):
        write_atomically(path, b"new and longer")
    assert path.read_bytes() == b"old"


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=f"no run at {tmp_path / 'nothing'}"):
        read_checkpoint(tmp_path / "nothing")


def test_a_damaged_file_is_named(tmp_path: Path):
    path = tmp_path / "run"
    write_checkpoint(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=f"{path} is not a safetensors file, or is damaged"):
        read_checkpoint(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path):
    save_file(TENSORS, tmp_path / "foreign")
    with pytest.raises(ValueError, match=r"is not a run of gaia_explore in the format 'gaia_explore/1'"):
        read_checkpoint(tmp_path / "foreign")
