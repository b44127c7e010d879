"""What maps of codes have in common: their contents, the anchors that are picked in them, and their export."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from gaia_explore.explorers.colours import by_attribute
from gaia_explore.explorers.latent_frames import Frame, comparison, decoded_mean
from gaia_explore.explorers.parts import Content, Leaf
from gaia_explore.explorers.planes import Plane
from gaia_explore.explorers.sets import CodedStimuli
from gaia_explore.stimuli import Stimuli
from gaia_explore.training import write_atomically

LAYING_OUT = "UMAP lays out {:,} codes: seconds to half a minute. Until then, the old map."


def leaf(label: str, *behind: tuple[str, str], over: tuple[tuple[str, str], ...] = ()) -> Leaf:
    """The chart of a map, with layers behind the codes and over them."""
    own = (("selection", "selection"), ("points", "points"))
    options = {
        "size": (460, 460),
        "layers": (*behind, *own, *over, ("path", "lines"), ("handles", "handles")),
        "tools": ("cursor", "box", "lasso", "anchor"),
        "thumbnails": True,
    }
    return Leaf(kind="chart", name="map", label=label, options=options)


def chart(stimuli: Stimuli, plane: Plane) -> Content:
    """The chart itself."""
    label = f"{len(stimuli):,} latent codes of {stimuli.title}"
    return Content(plain={"extent": plane.extent, "axes": plane.axes, "label": label, "sheets": len(stimuli)})


def points(stimuli: Stimuli, plane: Plane, colour: str) -> Content:
    """The codes, coloured by an attribute."""
    numbers, legend = by_attribute(stimuli, colour)
    places = plane.points.astype(np.float32)
    return Content(plain={"legend": legend, "word": "stimulus"}, arrays={"xy": places, "numbers": numbers})


def selected(rows: tuple[int, ...]) -> Content:
    """The points that are selected."""
    return Content(arrays={"rows": np.array(rows, np.uint32)})


def handles(plane: Plane, cursor: tuple[float, ...], anchors: tuple[int, ...]) -> Content:
    """The cursor, and the anchors with their numbers."""
    places = np.concatenate([[cursor], plane.points[list(anchors)]]).astype(np.float32)
    labels = ["", *(str(i + 1) for i in range(len(anchors)))]
    return Content(plain={"labels": labels, "moves": 0}, arrays={"xy": places})


def path(plane: Plane, rows: Sequence[int]) -> Content:
    """A line from stimulus to stimulus."""
    return Content(plain={"style": "bold"}, arrays={"xy": plane.points[list(rows)].astype(np.float32)})


def portrait(own: CodedStimuli, stimulus: Shaped[np.ndarray, "*x"], caption: str) -> Content:
    """One stimulus as a picture."""
    return Content(plain={"captions": [caption]}, arrays={"rgba": own.portraits(stimulus[None])})


def mean(own: CodedStimuli, selection: tuple[int, ...]) -> Content:
    """The decoded mean of a selection's codes."""
    return portrait(own, decoded_mean(own.codec, own.z, selection), f"mean of {len(selection):,} selected")


def table(stimuli: Stimuli, selection: tuple[int, ...]) -> Content:
    """The ten attributes in which a selection differs most from all stimuli."""
    compared = comparison(stimuli.attributes, selection)
    ranked = compared.iloc[np.argsort(-compared["difference"].abs().fillna(0).to_numpy(), kind="stable")[:10]]
    cells = [
        [str(name), f"{own:.3g}", f"{every:.3g}", "–" if np.isnan(sd) else f"{sd:+.2f}"]
        for name, own, every, sd in ranked.itertuples()
    ]
    return Content(plain={"columns": ["", "selected", "all", "difference, SD"], "rows": cells})


def picked(anchors: tuple[int, ...], value: Mapping[str, Any], nearest: int) -> tuple[int, ...]:
    """The anchors after a stimulus (the nearest to the cursor, if none is said) is picked, perhaps for a place."""
    row = int(value.get("row", -1))
    row = nearest if row < 0 else row
    others = [anchor for anchor in anchors if anchor != row]
    if "place" not in value:
        return tuple(others if row in anchors else [*others, row])
    place = int(value["place"])
    if row in anchors:
        return anchors
    return (*anchors[:place], row, *anchors[place + 1 :])


def export(own: CodedStimuli, folder: Path, at: Frame, selection: tuple[int, ...]):
    """The code at the cursor, and the selection with its attributes and codes, as tables; both decoded.

    ``cursor.csv``, ``selection.csv``; ``cursor.png`` and ``mean.png`` where stimuli are pictures, else ``cursor.npy``
    and ``mean.npy``. Those of a selection that an earlier export wrote are removed where nothing is selected.
    """
    names = [f"z{i + 1}" for i in range(own.z.shape[1])]
    about = pd.DataFrame([at.code], columns=names).assign(nearest=at.nearest, distance=at.distance)
    written = about.assign(**{at.realism[0]: at.realism[1]}).to_csv(index=False)
    write_atomically(folder / "cursor.csv", written.encode())
    own.write(folder, "cursor", at.stimulus)
    if selection:
        rows = list(selection)
        codes = pd.DataFrame(own.z[rows], columns=names, index=pd.Index(rows, name="stimulus"))
        attributes = own.stimuli.attributes.iloc[rows].set_axis(codes.index)
        write_atomically(folder / "selection.csv", pd.concat([attributes, codes], axis=1).to_csv().encode())
        own.write(folder, "mean", decoded_mean(own.codec, own.z, selection))
    else:
        for name in ("selection.csv", "mean.png", "mean.npy"):
            (folder / name).unlink(missing_ok=True)
