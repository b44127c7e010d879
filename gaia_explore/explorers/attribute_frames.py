"""What the AttributeEditor shows, as arrays and plain values: edited codes, and what else an edit moves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64, Shaped, UInt8
from pandas.api.types import infer_dtype, is_numeric_dtype

from gaia_explore.attributes import AttributeVectors, edit
from gaia_explore.attributes.columns import read_columns
from gaia_explore.explorers.pages import Walk
from gaia_explore.explorers.parts import Box, Leaf, bar, column, row
from gaia_explore.explorers.pictures import Portraits
from gaia_explore.explorers.states import State
from gaia_explore.latent import Codec
from gaia_explore.stimuli import Stimuli

METHODS = {"OLS": "ols", "means": "means"}

LEAST = 0.1
"""Standard deviations that another attribute must move to be told of, for one of the edited attribute."""

SIDE = 150
"""Pixels of a picture along its longer side."""

SAMPLE = 64
"""Stimuli on which it is measured what an edit moves."""

MOST_CLASSES = 32
"""Of an attribute whose classes become attributes."""

NEVER = {"datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period", "interval", "complex"}
"""What an attribute cannot be, as pandas calls it."""

Reader = Callable[[np.ndarray], np.ndarray]


@final
@dataclass(frozen=True, kw_only=True)
class EditorState(State):
    """Where an AttributeEditor is.

    Attributes
    ----------
    stimulus
        Row of the stimulus that is edited.
    own
        Code of a stimulus of yours that is edited instead; empty for none.
    strengths
        How far to go along each attribute of a slider, in standard deviations of the attribute.
    locked
        Attributes along whose vectors no other slider moves the code.
    method
        How vectors were found: "OLS" or "means".
    preset
        The preset that strengths, locks and method are those of; "" for none.
    anchors
        Rows of stimuli to choose from. One that a linked explorer adds is edited at once.
    """

    stimulus: int = 0
    own: tuple[float, ...] = ()
    strengths: tuple[float, ...]
    locked: tuple[str, ...] = ()
    method: str = "OLS"
    preset: str = ""
    anchors: tuple[int, ...] = ()


def editable(stimuli: Stimuli) -> pd.DataFrame:
    """The attributes that can have vectors, binary ones first: those that are known of every stimulus, and vary.

    Numbers are taken as they are. Of classes, and of "label" where it has more than two, each but the first becomes an
    attribute, "name = class". What has more than :data:`MOST_CLASSES` of them names stimuli, as files do, and is left
    out; so are times and complex numbers.
    """
    table: dict[str, pd.Series] = {}
    for name, values in stimuli.attributes.items():
        values, name = values.infer_objects(), str(name)
        if values.nunique() < 2 or values.isna().any():
            continue
        if infer_dtype(values) in NEVER:
            continue
        if is_numeric_dtype(values.dtype) and (name != "label" or values.nunique() == 2):
            if np.isfinite(values.to_numpy(np.float64)).all():
                table[name] = values
        elif values.nunique() <= MOST_CLASSES:
            classes = values.astype("category").cat.categories
            table |= {f"{name} = {label}": (values == label).astype(np.int64) for label in classes[1:]}
    names = sorted(table, key=lambda name: table[name].nunique() > 2)
    return pd.DataFrame({name: table[name].to_numpy() for name in names})


def strengths_of(vectors: AttributeVectors, deviations: Mapping[str, float | int]) -> dict[str, float]:
    """Strengths, as :func:`gaia_explore.edit` counts them, of so many standard deviations of each attribute.

    A strength of 1 is the whole way from absent to present of a binary attribute. That is 1 / √(p (1 − p)) of its
    standard deviations, p being the share of stimuli that have it: 2 where half of them do, more where it is rare.
    """
    rows = {name: vectors.row(name) for name in deviations}
    return {
        name: float(amount * (vectors.sds[rows[name]] if vectors.binary[rows[name]] else 1))
        for name, amount in deviations.items()
    }


def edited(
    z: Shaped[np.ndarray, "*n d"],
    vectors: AttributeVectors,
    deviations: Mapping[str, float | int],
    locked: tuple[str, ...],
) -> Float[np.ndarray, "*n d"]:
    """Codes moved by so many standard deviations of each attribute.

    Locked attributes stay where their own strengths put them: of every other vector, only the part at right angles to
    theirs is applied.
    """
    strengths = {name: strength for name, strength in strengths_of(vectors, deviations).items() if strength}
    held = {name: strength for name, strength in strengths.items() if name in locked}
    others = {name: strength for name, strength in strengths.items() if name not in locked}
    return edit(edit(z, vectors, held), vectors, others, locked=locked)


def can_move(vectors: AttributeVectors, name: str, locked: tuple[str, ...]) -> bool:
    """Whether locks leave anything of an attribute's vector."""
    if name in locked:
        return True
    try:
        edit(np.zeros(vectors.vectors.shape[1]), vectors, {name: 1}, locked=locked)
    except ValueError:
        return False
    return True


@final
class CodeReader:
    """Reads attributes off stimuli: encodes them, and reads their codes by ridge regression.

    It works for every codec and needs no balanced stimuli as a probe does, but knows no more than the codes.

    Parameters
    ----------
    codec, z, attributes
        Codes by this codec and the attributes of their stimuli, to learn from.
    """

    def __init__(self, codec: Codec, z: Float64[np.ndarray, "n d"], attributes: pd.DataFrame):
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        columns = read_columns(attributes)
        scores = (columns.values - columns.values.mean(axis=0)) / (2 * columns.values.std(axis=0))
        self.names = columns.names
        self._codec = codec
        # A probe's units: shares of binary attributes, two standard deviations of others.
        targets = np.where(columns.binary, columns.values, scores)
        ridge = RidgeCV(alphas=np.logspace(-2, 4, 13), alpha_per_target=True)
        self._regression = make_pipeline(StandardScaler(), ridge).fit(z, targets)

    def __call__(self, x: Shaped[np.ndarray, "n *x"]) -> Float64[np.ndarray, "n k"]:
        codes = np.asarray(self._codec.encode(x), np.float64)
        return self._regression.predict(codes).reshape(len(x), len(self.names))


def moved_by(
    codec: Codec,
    z: Float64[np.ndarray, "n d"],
    vectors: AttributeVectors,
    name: str,
    locked: tuple[str, ...],
    read: Reader,
) -> dict[str, float]:
    """How much every attribute moves when one is raised by a standard deviation, in standard deviations of each.

    Codes are edited one deviation down and one up and decoded, and what counts is half the mean difference of what is
    read off the stimuli: entanglement, as :func:`gaia_explore.entanglement` measures it, with locks and in these units.

    Parameters
    ----------
    read
        A probe, or whatever else :func:`gaia_explore.entanglement` takes.
    """
    known = tuple(getattr(read, "names", vectors.names))
    down, up = (
        read(np.asarray(codec.decode(edited(z, vectors, {name: way}, locked).astype(np.float32)), np.float32))
        for way in (-1.0, 1.0)
    )
    if up.shape != (len(z), len(known)):
        raise ValueError(f"probe must read {(len(z), len(known))} values, got {up.shape}")
    names = [other for other in vectors if other in known]
    rows = [vectors.row(other) for other in names]
    change = ((up - down).mean(axis=0) / 2)[[known.index(other) for other in names]]
    deviations = change * np.where(vectors.binary[rows], 1 / vectors.sds[rows], 2)
    return dict(zip(names, deviations.tolist(), strict=True))


def told(moved: Mapping[str, float], name: str) -> str:
    """What a slider moves, in words: itself, and the two others that move most."""
    own = [name] if name in moved else []
    others = [other for other in moved if other != name and abs(moved[other]) >= LEAST]
    most = sorted(others, key=lambda other: -abs(moved[other]))[:2]
    parts = [f"{'itself' if other == name else other} {moved[other]:+.2f}" for other in [*own, *most]]
    return f"+1 SD moves {', '.join(parts) or 'nothing else'}".replace("-", "−")


def strips(portraits: Portraits, sweeps: Float[np.ndarray, "k s *x"]) -> UInt8[np.ndarray, "h w 4"]:
    """All sweeps as one picture, a row each."""
    k, s = sweeps.shape[:2]
    rgba = portraits(sweeps.reshape(k * s, *sweeps.shape[2:]))
    height, width = rgba.shape[1:3]
    return rgba.reshape(k, s, height, width, 4).swapaxes(1, 2).reshape(k * height, s * width, 4)


def layout(names: tuple[str, ...]) -> Box:
    """Pictures above, sliders below: in two columns where there are many."""
    sliders = [
        Leaf(kind="slider", name=f"strength{i}", label=name, options={"lockable": True}) for i, name in enumerate(names)
    ]
    half = len(sliders) if len(sliders) <= 4 else -(-len(sliders) // 2)
    columns = [column(*some) for some in (sliders[:half], sliders[half:]) if some]
    return column(
        bar(
            Leaf(kind="number", name="stimulus", label="Stimulus"),
            Leaf(kind="choice", name="method", label="Vectors"),
            Leaf(kind="choice", name="preset", label="Preset", options={"offline": False}),
            Leaf(kind="button", name="save", label="Save as preset"),
            Leaf(kind="button", name="zero", label="All to 0"),
        ),
        Leaf(kind="pictures", name="anchors", label="Anchor", options={"size": 48, "movable": True}),
        row(
            Leaf(kind="pictures", name="before", label="Before", options={"size": SIDE}),
            Leaf(kind="pictures", name="after", label="After", options={"size": SIDE}),
        ),
        Leaf(kind="text", name="realism", label="How realistic it is"),
        row(*columns),
    )


def walks(free: Sequence[bool], reach: float, *, smooth: bool) -> tuple[Walk, ...]:
    """From end to end of each slider that is free, with the others where they are."""
    # Every half deviation, of the usual reach; where pictures are not blended, as finely as sliders go.
    places = 13 if smooth else 121
    return tuple(
        Walk(
            leaf=f"strength{i}",
            what="set",
            low=(-reach,),
            high=(reach,),
            shape=(places,),
            parts=(f"strength{i}", "after", "realism"),
            smooth=smooth,
        )
        for i, own in enumerate(free)
        if own
    )
