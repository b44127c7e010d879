"""The look that all figures share: one Plotly template, and colours for models, labels and magnification."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import plotly.graph_objects as go
import plotly.io as pio
from plotly.colors import sample_colorscale

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6E6E6E", "#B8A600")
"""Colours that people with any kind of colour vision tell apart.

Source: Okabe & Ito 2008, its black made a grey, its yellow darker so that thin lines show on white.
"""

MODEL_COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "AE": "#E69F00",
        "VAE": "#009E73",
        "GAIA α=0": "#56B4E9",
        "GAIA α=1": "#0072B2",
        "GAIA": "#0072B2",
    }
)
"""The same model has the same colour in every figure. A GAIA whose α is not said is one with α = 1."""

NEUTRAL = "#7A7A7A"
"""What belongs to no label: data behind a mesh, interpolations, stimuli whose attribute is missing."""

INK = "#262626"

COLOUR_SCALE = sample_colorscale("Plasma", [0.86 * i / 15 for i in range(16)])
"""Perceptually uniform, dark to light; Plasma without its yellow end, which a white page swallows."""

TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "Open Sans, Helvetica, Arial, sans-serif", "size": 13, "color": INK},
        "title": {
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "pad": {"t": 14},
            "font": {"size": 17},
            "subtitle": {"font": {"size": 12}},
        },
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": PALETTE,
        "hoverlabel": {"align": "left"},
        "hovermode": "closest",
        "legend": {"itemsizing": "constant"},
        # Nothing is done with selected points, the wheel and zooming do more, and a figure belongs to its author.
        "modebar": {"remove": ["select", "lasso", "zoomIn", "zoomOut", "autoScale", "sendChartToCloud"]},
        "margin": {"l": 64, "r": 24, "t": 72, "b": 56},
        "width": 720,
        "height": 440,
        **{
            axis: {
                "showgrid": True,
                "gridcolor": "#ECECEC",
                "zeroline": False,
                "showline": True,
                "mirror": True,
                "linecolor": "#BDBDBD",
                "ticks": "outside",
                "ticklen": 4,
                "tickcolor": "#BDBDBD",
                "automargin": True,
                "title": {"standoff": 8},
            }
            for axis in ("xaxis", "yaxis")
        },
    }
)
pio.templates["gaia"] = TEMPLATE


def model_colours(models: Iterable[str]) -> dict[str, str]:
    """A colour for each model: its own in :data:`MODEL_COLOURS`, else the next of the palette that none of them has."""
    names = list(dict.fromkeys(models))
    taken = {MODEL_COLOURS[name] for name in names if name in MODEL_COLOURS}
    free = [colour for colour in PALETTE if colour not in taken] or list(PALETTE)
    others = [name for name in names if name not in MODEL_COLOURS]
    return {
        **{name: MODEL_COLOURS[name] for name in names if name in MODEL_COLOURS},
        **{name: free[i % len(free)] for i, name in enumerate(others)},
    }
