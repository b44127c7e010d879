"""What a run was made from: hashes of the notebook and of the package, the commit, the versions."""

import hashlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat

from gaia_explore.version import __version__

PACKAGES = ("torch", "numpy", "pandas", "scikit-learn", "papermill")
ROOT = Path(__file__).parents[1]
SOURCES = (".py", ".js")


def notebook_hash(notebook: nbformat.NotebookNode) -> str:
    """Of the cells' sources, kinds and tags: what a notebook does, without outputs and what else an editor keeps."""
    digest = hashlib.sha256()
    for cell in notebook.cells:
        for part in (cell.cell_type, " ".join(cell.metadata.get("tags", [])), cell.source):
            digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def package_hash() -> str:
    """Of the sources of the installed package, wherever it lies."""
    digest = hashlib.sha256()
    for path in sorted(path for path in ROOT.rglob("*") if path.suffix in SOURCES):
        digest.update(f"{path.relative_to(ROOT).as_posix()}:".encode())
        # Line ends are git's business, not a change.
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def commit(folder: Path) -> dict[str, Any] | None:
    """The git commit that a folder is at, and whether tracked files in its repository differ from it; None outside."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return {"hash": head, "clean": not _git(folder, "status", "--porcelain", "--untracked-files=no")}
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    """Of Python, of this package, and of those that results depend on."""
    own = {"python": platform.python_version(), "gaia-explore": __version__}
    return own | {package: version(package) for package in PACKAGES}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
