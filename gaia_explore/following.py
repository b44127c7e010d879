"""Following a run that another process trains: its history as it grows, its codec as of the last checkpoint."""

from pathlib import Path
from typing import Any, final

from gaia_explore.runs import FILE, Run
from gaia_explore.training import PROGRESS, read_checkpoint

SHOWN = ("history", "/weights", "/average", "/best")
"""How the names of the tensors end that somebody who looks has a use for: all but the optimisers and the generator."""

Stamp = tuple[int, int, int]
Content = tuple[dict[str, Any], dict[str, Any]]


@final
class Follower:
    """Looks at a run's folder while a training, in any process, writes to it.

    Parameters
    ----------
    folder
        The training's ``out`` or ``resume``; it need not be there yet.
    """

    def __init__(self, folder: str | Path):
        self._folder = Path(folder)
        self._read: dict[str, tuple[Stamp, Content]] = {}

    def look(self) -> Run | None:
        """The run as it is now, if there is one and it has changed since the last look; otherwise None.

        Its history and its health are at most a few seconds old. Its codec is that of the last checkpoint, after
        ``run.weights_step`` steps; before the first one there is none. It has no optimisers: ``load`` gives the run
        that can be resumed.

        Raises
        ------
        ValueError
            Where a file of the run is damaged or is not one of ours; the message names it.
        """
        before = self._stamps()
        # In this order: a training takes its progress down after it has written its last checkpoint.
        progress, kept = self._content(PROGRESS), self._content(FILE)
        if self._stamps() == before:
            return None
        # What was kept last is also how a training ended.
        if progress is None or (kept is not None and kept[1]["step"] >= progress[1]["step"]):
            return None if kept is None else Run(*kept)
        weights, weights_step = ({}, None) if kept is None else (kept[0], kept[1]["step"])
        return Run(weights | progress[0], progress[1] | {"weights_step": weights_step})

    def _stamps(self) -> dict[str, Stamp]:
        return {name: stamp for name, (stamp, _) in self._read.items()}

    def _content(self, name: str) -> Content | None:
        """What a file holds, read again only where it was replaced; None where there is no such file."""
        path = self._folder / name
        try:
            status = path.stat()
            # Files are replaced whole, so that a new one is another one on the disk too.
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if name not in self._read or self._read[name][0] != stamp:
                tensors, description = read_checkpoint(path)
                shown = {name: tensor for name, tensor in tensors.items() if name.endswith(SHOWN)}
                self._read[name] = stamp, (shown, description)
        except FileNotFoundError:
            self._read.pop(name, None)
            return None
        return self._read[name][1]
