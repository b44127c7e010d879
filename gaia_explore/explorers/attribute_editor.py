"""The AttributeEditor: a slider an attribute, and what it does to a stimulus."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64, Shaped

from gaia_explore.attributes import AttributeVectors, attribute_vectors
from gaia_explore.explorers.attribute_frames import (
    METHODS,
    SAMPLE,
    CodeReader,
    EditorState,
    Reader,
    can_move,
    editable,
    edited,
    layout,
    moved_by,
    strengths_of,
    strips,
    told,
    walks,
)
from gaia_explore.explorers.maps import judged_by, realism_of
from gaia_explore.explorers.pages import Walk
from gaia_explore.explorers.parts import Content, Part, now
from gaia_explore.explorers.pictures import as_png
from gaia_explore.explorers.presets import Preset, Presets
from gaia_explore.explorers.set_explorer import SetExplorer
from gaia_explore.explorers.sets import CodedStimuli, coded
from gaia_explore.latent import Codec
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.stimuli.scaling import to_unit
from gaia_explore.training import write_atomically

MOST_SLIDERS = 8
"""Sliders, unless names ask for more."""

STEPS = 7
"""Pictures of a slider's sweep in the export."""


@final
class AttributeEditor(SetExplorer[EditorState]):
    """Edits a stimulus along attribute vectors, a slider each, and says what else an edit moves.

    Sliders count in standard deviations of their attribute over the stimuli, signed, from the stimulus as it is. For a
    binary attribute that p of the stimuli have, the whole way from absent to present is 1 / √(p (1 − p)) of them: 2
    where half of the stimuli do. A lock keeps an attribute where it is: all other sliders then move the code at right
    angles to its vector only.

    Keys, in a slider: arrows move it; z and y undo and redo, r resets, e exports.

    Parameters
    ----------
    codec
        Anything that encodes and decodes; its model is copied, so that training it on changes nothing here.
    stimuli
        The stimuli to edit. Of a pack, 5,000 evenly spaced.
    vectors
        From :func:`gaia_explore.attribute_vectors`; by default, of the codes of these stimuli on all their attributes
        at once, by OLS or, as a switch, by difference of means.
    names
        Attributes that have a slider; by default the first 8, binary ones first.
    strength_range
        Standard deviations that sliders go either way.
    probe
        Reads attributes off stimuli, as :func:`gaia_explore.fit_probe` makes one, to measure what an edit moves; by
        default, a regression on the codes of what is decoded.
    out
        Folder for exports, and for ``presets.json``.

    Raises
    ------
    KeyError
        If there is no vector of a name.
    ValueError
        If no attribute can be edited, the vectors are not of this codec, or the range is not above 0.
    """

    def __init__(
        self,
        codec: Codec | CodedStimuli,
        stimuli: Stimuli | PackedStimuli | None = None,
        vectors: AttributeVectors | None = None,
        *,
        names: tuple[str, ...] | list[str] = (),
        strength_range: float | int = 3.0,
        probe: Reader | None = None,
        out: str | Path = "explored",
    ):
        if not strength_range > 0:
            raise ValueError(f"strength_range must be above 0, got {strength_range}")
        self._set = coded(codec, stimuli)
        self._table = editable(self.stimuli)
        self._given, self._probe = vectors, probe
        self._vectors: dict[str, AttributeVectors] = {}
        self.methods = tuple(METHODS) if vectors is None else ("OLS" if vectors.method == "ols" else "means",)
        if vectors is None and self._table.empty:
            raise ValueError("stimuli must have an attribute that varies and is known of each, or vectors be given")
        first = self._of(self.methods[0])
        if first.vectors.shape[1] != self.z.shape[1]:
            dimensions = first.vectors.shape[1]
            raise ValueError(f"vectors must have the codec's {self.z.shape[1]} latent dimensions, got {dimensions}")
        binary_first = sorted(first, key=lambda name: not first.binary[first.row(name)])
        self.names = tuple(dict.fromkeys(names)) or tuple(binary_first[:MOST_SLIDERS])
        for name in self.names:
            first.row(name)
        self.strength_range = float(strength_range)
        self._presets = Presets(Path(out) / "presets.json")
        self._moved: dict[tuple, str] = {}
        self._mine: dict[tuple[float, ...], np.ndarray] = {}
        self._decoded = lru_cache(maxsize=2)(self._decode)
        state = EditorState(strengths=(0.0,) * len(self.names), method=self.methods[0])
        super().__init__(self._checked(state), layout(self.names), out)

    @property
    def vectors(self) -> AttributeVectors:
        """The vectors that are in use."""
        return self._of(self.state.method)

    @property
    def strengths(self) -> dict[str, float]:
        """Standard deviations that each slider is at."""
        return dict(zip(self.names, self.state.strengths, strict=True))

    @strengths.setter
    def strengths(self, strengths: Mapping[str, float | int]):
        unknown = [name for name in strengths if name not in self.names]
        if unknown:
            raise KeyError(f"strengths must be of {', '.join(self.names)}, got {', '.join(unknown)}")
        self.change(strengths=tuple(float(value) for value in (self.strengths | dict(strengths)).values()))

    @property
    def code(self) -> Float64[np.ndarray, " d"]:
        """The code of the edited stimulus."""
        return self._codes(self.state)[1]

    @property
    def edited(self) -> Shaped[np.ndarray, "*x"]:
        """The edited stimulus."""
        return self._set.decode(self.code[None])[0]

    @property
    def presets(self) -> dict[str, Preset]:
        """What was saved, by name."""
        return self._presets.all

    def edit_stimulus(self, x: Shaped[np.ndarray, "*x"]):
        """Edit a stimulus of your own, scaled as the others are; the codec encodes it. Sliders stay where they are."""
        x = np.asarray(x)
        if x.shape != self.stimuli.shape:
            raise ValueError(f"x must be one stimulus of shape {self.stimuli.shape}, got {x.shape}")
        code = np.asarray(self._set.codec.encode(x[None]), np.float64)[0]
        own = tuple(code.tolist())
        self._mine[own] = x
        self.change(own=own)

    def save_preset(self, name: str = ""):
        """Keep strengths, locks and method under a name, in ``presets.json``; by default the name tells the strengths.

        A preset of that name is replaced.
        """
        state = self.state
        self.change(preset=self._presets.save(name, self._preset(state)))

    def _of(self, method: str) -> AttributeVectors:
        if self._given is not None:
            return self._given
        if method not in self._vectors:
            self._vectors[method] = attribute_vectors(self.z, self._table, method=METHODS[method])
        return self._vectors[method]

    def _codes(self, state: EditorState) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, " d"]]:
        """The code as it was, and edited."""
        start = np.array(state.own) if state.own else self.z[state.stimulus]
        deviations = dict(zip(self.names, state.strengths, strict=True))
        return start, edited(start, self._of(state.method), deviations, state.locked)

    def _decode(self, state: EditorState) -> Shaped[np.ndarray, "2 *x"]:
        return self._set.decode(np.stack(self._codes(state)))

    def _parts(self, state: EditorState) -> dict[str, Part]:
        start = (state.stimulus, state.own)
        bent = (state.strengths, state.locked, state.method)
        parts = {
            "stimulus": now(value=state.stimulus, low=0, high=len(self.stimuli) - 1),
            "preset": now(options=["–", *self._presets.all], value=state.preset or "–"),
            "before": Part(key=start, make=lambda: self._unedited(state)),
            "after": Part(key=(start, bent), make=lambda: self._shown(state)),
            "realism": Part(key=(start, bent), make=lambda: self._judged(state)),
        }
        if len(self.methods) > 1:
            parts["method"] = now(options=list(self.methods), value=state.method)
        if state.anchors:
            parts["anchors"] = Part(key=(state.anchors, state.stimulus), make=lambda: self._anchors(state))
        for i, name in enumerate(self.names):
            parts[f"strength{i}"] = self._slider(state, name, state.strengths[i])
            if self._reader is not None:
                key = (name, state.locked, state.method)
                parts[f"strength{i}.note"] = Part(key=key, make=lambda key=key: self._note(*key), late=True)
        return parts

    def _event(self, state: EditorState, name: str, what: str, value: Any) -> EditorState:
        if name.startswith("strength") and what in ("set", "lock"):
            i = int(name.removeprefix("strength"))
            if what == "set":
                return replace(state, strengths=(*state.strengths[:i], float(value), *state.strengths[i + 1 :]))
            others = tuple(other for other in state.locked if other != self.names[i])
            return replace(state, locked=(*others, self.names[i]) if value else others)
        match name, what:
            case "zero", "press":
                return replace(state, strengths=(0.0,) * len(self.names))
            case "save", "press":
                return replace(state, preset=self._presets.save("", self._preset(state)))
            case "anchors", "click":
                return replace(state, stimulus=state.anchors[int(value)])
            case "preset", "set":
                return replace(state, preset="" if value == "–" else str(value))
        return super()._event(state, name, what, value)

    def _checked(self, state: EditorState, before: EditorState | None = None) -> EditorState:
        n, d, k = len(self.stimuli), self.z.shape[1], len(self.names)
        anchors = self._set.rows("anchors", state.anchors, ordered=True)
        if before is not None and state.stimulus == before.stimulus and set(anchors) - set(before.anchors):
            # What was picked in a linked explorer is edited.
            state = replace(state, stimulus=[row for row in anchors if row not in before.anchors][-1])
        if not 0 <= state.stimulus < n:
            raise ValueError(f"stimulus must be a row from 0 to {n - 1}, got {state.stimulus}")
        if before is not None and state.stimulus != before.stimulus and state.own == before.own:
            state = replace(state, own=())
        if state.own and (len(state.own) != d or not np.isfinite(state.own).all()):
            raise ValueError(f"own must be a code of {d} finite numbers, got {len(state.own)}")
        if len(state.strengths) != k or not (np.abs(state.strengths) <= self.strength_range).all():
            raise ValueError(
                f"strengths must be {k} numbers from −{self.strength_range:g} to {self.strength_range:g}, "
                f"got {', '.join(f'{value:g}' for value in state.strengths)}"
            )
        if state.method not in self.methods:
            raise ValueError(f"method must be one of {', '.join(self.methods)}, got {state.method!r}")
        unknown = [name for name in state.locked if name not in self.names]
        if unknown:
            raise ValueError(f"locked must be some of {', '.join(self.names)}, got {', '.join(unknown)}")
        locked = tuple(name for name in self.names if name in state.locked)
        strengths = tuple(map(float, state.strengths))
        state = replace(state, anchors=anchors, stimulus=int(state.stimulus), strengths=strengths, locked=locked)
        return self._after_preset(state, before)

    def _after_preset(self, state: EditorState, before: EditorState | None) -> EditorState:
        """The state that a newly chosen preset leads to; a state that is no more as its preset says has none."""
        if not state.preset:
            return state
        preset = self._presets[state.preset]
        chosen = before is None or state.preset != before.preset
        if chosen and (before is None or self._preset(state) == self._preset(before)):
            strengths = tuple(
                float(np.clip(preset.strengths.get(name, 0.0), -self.strength_range, self.strength_range))
                for name in self.names
            )
            locked = tuple(name for name in self.names if name in preset.locked)
            method = preset.method if preset.method in self.methods else state.method
            return replace(state, strengths=strengths, locked=locked, method=method)
        return state if preset == self._preset(state) else replace(state, preset="")

    def _preset(self, state: EditorState) -> Preset:
        moved = {name: s for name, s in zip(self.names, state.strengths, strict=True) if s}
        return Preset(strengths=moved, locked=state.locked, method=state.method)

    @cached_property
    def _reader(self) -> Reader | None:
        """What tells how far an attribute moved; nothing can where no attribute of the stimuli is known."""
        if self._probe is not None:
            return self._probe
        known = [name for name in self._table if name in tuple(self._of(self.methods[0]))]
        return CodeReader(self._set.codec, self.z, self._table.loc[:, known]) if known else None

    def _note(self, name: str, locked: tuple[str, ...], method: str) -> Content:
        key = (name, locked, method)
        if key not in self._moved:
            self._moved[key] = self._in_words(*key)
        return Content(plain={"text": self._moved[key]})

    def _in_words(self, name: str, locked: tuple[str, ...], method: str) -> str:
        if name in locked:
            return "locked: other sliders do not move the code along it"
        vectors, reader = self._of(method), self._reader
        if not can_move(vectors, name, locked):
            return f"cannot move without {', '.join(locked)}"
        assert reader is not None
        some = self.z[np.unique(np.linspace(0, len(self.z) - 1, SAMPLE).astype(int))]
        return told(moved_by(self._set.codec, some, vectors, name, locked, reader), name)

    def _slider(self, state: EditorState, name: str, value: float) -> Part:
        fixed = name in state.locked or not can_move(self._of(state.method), name, state.locked)
        return now(
            value=value,
            low=-self.strength_range,
            high=self.strength_range,
            step=self.strength_range / 60,
            shown=f"{value:+.2f} SD".replace("-", "−") if value else "0 SD",
            locked=name in state.locked,
            disabled=fixed,
        )

    def _unedited(self, state: EditorState) -> Content:
        start, _ = self._codes(state)
        decoded = self._set.decode(start[None])
        original = self._mine.get(state.own) if state.own else self._set.stimuli.x[state.stimulus]
        pictures = [decoded] if original is None else [to_unit(original[None]), decoded]
        captions = ["unedited"] if original is None else ["original", "unedited"]
        rgba = self._set.portraits(np.concatenate(pictures))
        return Content(plain={"captions": captions}, arrays={"rgba": rgba})

    def _shown(self, state: EditorState) -> Content:
        before, after = self._decoded(state)
        portraits = self._set.portraits
        rgba = np.concatenate([portraits(after[None]), portraits.difference(before, after)])
        return Content(plain={"captions": ["edited", "edited − unedited"]}, arrays={"rgba": rgba})

    def _judged(self, state: EditorState) -> Content:
        codes, decoded = np.stack(self._codes(state)), self._decoded(state)
        before, after = realism_of(self._set.codec, self._set.neighbours, codes, decoded)
        what = judged_by(self._set.codec).capitalize()
        change = np.abs(np.diff(decoded, axis=0)).max()
        times = f" ({after / before:.2g} times as much)" if before > 0 and change else ""
        text = f"{what}: {before:.3g} unedited, {after:.3g} edited{times}. Largest change of a number: {change:.2g}."
        if self._set.portraits.kind == "picture":
            text += " Vermilion: brighter, blue: darker."
        return Content(plain={"text": text, "live": True})

    def _anchors(self, state: EditorState) -> Content:
        rows = list(state.anchors)
        chosen = rows.index(state.stimulus) if state.stimulus in rows and not state.own else -1
        rgba = self._set.portraits(to_unit(self.stimuli.x[rows]))
        return Content(plain={"captions": [str(i) for i in rows], "chosen": chosen}, arrays={"rgba": rgba})

    def _walks(self, state: EditorState) -> tuple[Walk, ...]:
        vectors = self._of(state.method)
        free = [name not in state.locked and can_move(vectors, name, state.locked) for name in self.names]
        return walks(free, self.strength_range, smooth=self._set.portraits.kind == "picture")

    def sweeps(self) -> Float[np.ndarray, "k s *x"]:
        """Each slider from one end to the other in 7 steps, the others where they are: (sliders, 7, one stimulus).

        A slider that locks hold stays where it is.
        """
        state, vectors = self.state, self.vectors
        start, _ = self._codes(state)
        codes = []
        for name in self.names:
            free = name not in state.locked and can_move(vectors, name, state.locked)
            for amount in np.linspace(-self.strength_range, self.strength_range, STEPS):
                deviations = self.strengths | ({name: float(amount)} if free else {})
                codes.append(edited(start, vectors, deviations, state.locked))
        return self._set.decode(np.stack(codes)).reshape(len(self.names), STEPS, *self.stimuli.shape)

    def _export(self, folder: Path):
        """``strengths.csv``, ``code.csv``, and the stimulus ``unedited`` and ``edited`` (PNG, or NumPy's where it is no
        picture), ``difference.png``, and ``sweeps.png``: a row a slider of ``strengths.csv``, from end to end.
        """
        state = self.state
        vectors, codes = self.vectors, np.stack(self._codes(state))
        strengths = strengths_of(vectors, self.strengths)
        table = pd.DataFrame(
            {
                "strength_sd": state.strengths,
                "strength": list(strengths.values()),
                "locked": [name in state.locked for name in self.names],
                "method": state.method,
            },
            index=pd.Index(self.names, name="attribute"),
        )
        names = [f"z{i + 1}" for i in range(codes.shape[1])]
        about = pd.DataFrame(codes, columns=names, index=pd.Index(["unedited", "edited"], name="stimulus"))
        about.insert(0, judged_by(self._set.codec), realism_of(self._set.codec, self._set.neighbours, codes))
        about.insert(0, "row", -1 if state.own else state.stimulus)
        before, after = self._decoded(state)
        write_atomically(folder / "strengths.csv", table.to_csv().encode())
        write_atomically(folder / "code.csv", about.to_csv().encode())
        self._set.write(folder, "unedited", before)
        self._set.write(folder, "edited", after)
        write_atomically(folder / "difference.png", as_png(self._set.portraits.difference(before, after)[0]))
        write_atomically(folder / "sweeps.png", as_png(strips(self._set.portraits, self.sweeps())))

    def __repr__(self) -> str:
        n, d = self.z.shape
        return f"AttributeEditor({self.stimuli.title!r}, n={n}, latent_dim={d}, names={list(self.names)})"
