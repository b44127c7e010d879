"""Hashes that change with what counts, and with nothing else."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from gaia_explore import __version__
from gaia_explore.batch import provenance
from gaia_explore.batch.provenance import commit, notebook_hash, package_hash, versions


def test_the_hash_of_a_notebook_is_of_its_cells(tmp_path: Path, write: Callable[..., Path]):
    def hash_of(*sources: str, tag: str = "parameters") -> str:
        content = nbformat.read(write(tmp_path / "n.ipynb", *sources), as_version=4)
        content.cells[0].metadata["tags"] = [tag]
        return notebook_hash(content)

    assert hash_of("a = 1", "b") == hash_of("a = 1", "b")
    others = [hash_of("a = 1", "b"), hash_of("a = 1b"), hash_of("a = 1", "b", tag="x"), hash_of("a = 1", "", "b")]
    assert len(set(others)) == 4


def test_the_hash_of_the_package_is_of_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "chart.js").write_bytes(b"one\ntwo\n")
    (tmp_path / "__init__.py").write_text("one")
    before = package_hash()
    (tmp_path / "cache.pyc").write_text("any")
    (tmp_path / "static" / "chart.js").write_bytes(b"one\r\ntwo\r\n")
    assert package_hash() == before
    (tmp_path / "static" / "chart.js").write_bytes(b"one\nthree\n")
    assert package_hash() != before
    (tmp_path / "static" / "chart.js").write_bytes(b"one\ntwo\n")
    (tmp_path / "more.py").touch()
    assert package_hash() != before


def test_the_commit_is_told_with_whether_anything_differs_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path) is None
    person = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    (tmp_path / "file").write_text("one")
    for arguments in (["init", "-q"], ["add", "file"], [*person, "commit", "-qm", "One"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    found = commit(tmp_path)
    assert found is not None and len(found["hash"]) == 40 and found["clean"]
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == {"hash": found["hash"], "clean": False}
    monkeypatch.setenv("PATH", "")
    assert commit(tmp_path) is None


@pytest.mark.usefixtures("not_installed")
def test_versions_are_told_where_the_package_is_only_on_the_path():
    assert versions()["gaia-explore"] == __version__
