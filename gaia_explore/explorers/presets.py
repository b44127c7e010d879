"""Named settings of attribute sliders, in a file that any editor with those attributes can read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from gaia_explore.training import write_atomically


@final
@dataclass(frozen=True, kw_only=True)
class Preset:
    """Standard deviations of attributes (those not named are at 0), locked attributes, and the method of vectors."""

    strengths: Mapping[str, float] = field(default_factory=dict)
    locked: tuple[str, ...] = ()
    method: str = "OLS"

    @property
    def title(self) -> str:
        """What it does, in words."""
        told = ", ".join(f"{name} {value:+.3g}" for name, value in self.strengths.items()).replace("-", "−")
        return told or "unedited"


@final
class Presets:
    """The presets in a file, which need not be there yet.

    Parameters
    ----------
    path
        A JSON file. Reading it executes nothing.

    Raises
    ------
    ValueError
        If the file is none of presets; the message names it.
    """

    def __init__(self, path: Path):
        self._path = path
        self._known = self._read()

    @property
    def all(self) -> dict[str, Preset]:
        """The presets by name, oldest first."""
        return dict(self._known)

    def _read(self) -> dict[str, Preset]:
        if not self._path.is_file():
            return {}
        try:
            saved = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(name): _preset(values) for name, values in saved.items()}
        except (AttributeError, TypeError, ValueError, KeyError) as error:
            raise ValueError(f"{self._path} holds no presets, or is damaged: {error}") from error

    def __getitem__(self, name: str) -> Preset:
        if name not in self._known:
            raise ValueError(f"preset must be one of {', '.join(self._known) or 'none yet'}, got {name!r}")
        return self._known[name]

    def save(self, name: str, preset: Preset) -> str:
        """Write a preset into the file, under its title where the name is empty; returns the name."""
        name = name or preset.title
        # Another editor may have written meanwhile.
        self._known = {**self._read(), name: preset}
        text = json.dumps({name: asdict(preset) for name, preset in self._known.items()}, ensure_ascii=False, indent=1)
        write_atomically(self._path, text.encode())
        return name


def _preset(values: dict[str, Any]) -> Preset:
    strengths = {str(name): float(value) for name, value in values["strengths"].items()}
    return Preset(strengths=strengths, locked=tuple(map(str, values["locked"])), method=str(values["method"]))
