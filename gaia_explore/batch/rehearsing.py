"""What notebooks would train, found by executing them up to there, and trained at once: in a process of its own.

A rehearsal is neither seen nor heard, and whatever it does to modules and random numbers ends with the process.
"""

import inspect
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, final

import nbformat
import papermill
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config as Settings

from gaia_explore.batch.folders import Place
from gaia_explore.models import Config
from gaia_explore.runs import train, train_many
from gaia_explore.runs.training import rehearsed
from gaia_explore.stimuli import PackedStimuli, Stimuli

OWN = ("config", "stimuli", "seed", "held_out", "out", "resume", "progress")
"""Arguments of a training that members need not share."""


@final
class _AskedError(BaseException):
    """A notebook wants to train; no Exception, which it might catch. Its only argument is the call's."""


@final
@dataclass(frozen=True, kw_only=True)
class Asked:
    """A run's training: what its notebook called :func:`train` with, in which of its code cells."""

    place: Place
    cell: int
    call: Mapping[str, Any]

    def fits(self) -> bool:
        """Whether the training is the run's own, and one that gains from company."""
        config, resume, many = self.call.get("config"), self.call.get("resume"), _arguments(train_many)
        if not isinstance(config, Config) or not config.network.stackable or self.call["out"] is not None:
            return False
        shown = isinstance(self.call["stimuli"], Stimuli | PackedStimuli)
        looked_at = isinstance(self.call["held_out"], Stimuli | PackedStimuli | None)
        alone = {name: default for name, default in _arguments(train).items() if name not in (*many, *OWN)}
        as_usual = all(self.call[name] == default for name, default in alone.items())
        if not (shown and looked_at and as_usual and isinstance(resume, str | Path)):
            return False
        return Path(resume).resolve() == self.place.unfinished.resolve()

    def kind(self) -> list[Any]:
        """What those share that are trained at once."""
        stimuli, held_out = self.call["stimuli"], self.call["held_out"]
        shared = {name: self.call[name] for name in _arguments(train) if name in _arguments(train_many)}
        others = {name: value for name, value in shared.items() if name not in OWN}
        return [type(stimuli), stimuli.shape, held_out is None, self.call["config"].program(), others]


def main(text: str):
    """Do what the JSON of :mod:`together` says, and end with whoever holds the other end of the standard input."""
    told = json.loads(text)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    places = {run["name"]: Place(out=Path(told["out"]), name=run["name"]) for run in told["runs"]}
    asked: list[Asked] = []
    same: dict[Any, Any] = {}
    home = Path.cwd()
    with _silence():
        for run in told["runs"]:
            # Wherever the one before went.
            os.chdir(home)
            found = rehearse(told["notebook"], run["parameters"], places[run["name"]])
            if found is not None and found.fits():
                asked.append(sharing(found, same))
    groups = [members for members in groups_of(asked) if len(members) > 1]
    cells = {member.place.name: member.cell for members in groups for member in members}
    for name, place in places.items():
        _note(place, status="running" if name in cells else "waiting", cell=cells.get(name, 0))
    sys.exit(not all([trained(members) for members in groups]))


def rehearse(notebook: str, parameters: Mapping[str, Any], place: Place) -> Asked | None:
    """Execute a notebook up to its first training; None where there is none, or a cell fails before it."""
    shell = InteractiveShell.instance(config=Settings({"HistoryManager": {"enabled": False}}))
    shell.reset()
    content = nbformat.reads(notebook, as_version=4)
    quiet = {"kernel_name": "python3", "prepare_only": True, "progress_bar": False}
    injected = papermill.execute_notebook(content, None, dict(parameters), **quiet)
    code = [cell.source for cell in injected.cells if cell.cell_type == "code" and cell.source.strip()]
    token = rehearsed.set(_ask)
    try:
        for i, source in enumerate(code, start=1):
            done = shell.run_cell(source, silent=True)
            error = done.error_before_exec or done.error_in_exec
            if isinstance(error, _AskedError):
                return Asked(place=place, cell=i, call=error.args[0])
            if error is not None:
                return None
    finally:
        rehearsed.reset(token)
    return None


def _ask(call: Mapping[str, Any]) -> NoReturn:
    raise _AskedError(call)


def groups_of(asked: Sequence[Asked]) -> list[list[Asked]]:
    """Trainings that are done at once, in the order of the first of each."""
    groups: list[tuple[list[Any], list[Asked]]] = []
    for one in asked:
        kind = one.kind()
        for known, members in groups:
            if known == kind:
                members.append(one)
                break
        else:
            groups.append((kind, [one]))
    return [members for _, members in groups]


def trained(members: Sequence[Asked]) -> bool:
    """Train members at once, each into its run's folder; False, with the reason as a traceback, where it fails."""
    calls = [member.call for member in members]
    *_, shared = members[0].kind()
    try:
        train_many(
            [call["config"] for call in calls],
            [call["stimuli"] for call in calls],
            [call["seed"] for call in calls],
            held_out=None if calls[0]["held_out"] is None else [call["held_out"] for call in calls],
            names=[member.place.name for member in members],
            resume=members[0].place.unfinished.parent,
            progress=False,
            **shared,
        )
    except Exception:
        # Each is then done alone, where what is wrong shows in the run that it belongs to.
        traceback.print_exc()
        return False
    finally:
        for member in members:
            _note(member.place, status="waiting")
    return True


def sharing(asked: Asked, same: dict[Any, Any]) -> Asked:
    """A training that shares its stimuli with those that have equal ones: they are kept in memory once."""
    call = dict(asked.call)
    for part in ("stimuli", "held_out"):
        stimuli = call[part]
        if stimuli is not None:
            key = stimuli.fingerprint, stimuli.title, tuple(stimuli.names), json.dumps(stimuli.scaler.to_dict())
            call[part] = same.setdefault(key, stimuli)
    return Asked(place=asked.place, cell=asked.cell, call=call)


def _arguments(function: Any) -> dict[str, Any]:
    """Names and defaults."""
    return {name: parameter.default for name, parameter in inspect.signature(function).parameters.items()}


def _note(place: Place, **changes: Any):
    """Write down how far a run is, for whoever looks."""
    place.note({**(place.attempt() or {}), **changes})


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing that is said is heard, and whoever asks gets no answer."""
    asked = sys.stdin
    with open(os.devnull, "r+", encoding="utf-8") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = asked


def _end_with_parent():
    """End this process when the other end of its standard input is closed: whoever held it has ended."""
    while os.read(0, 1):
        pass
    os._exit(1)
