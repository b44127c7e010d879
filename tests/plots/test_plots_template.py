import re

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio

from gaia_explore.plots import MODEL_COLOURS, TEMPLATE
from gaia_explore.plots.template import COLOUR_SCALE, PALETTE, model_colours
from gaia_explore.scores import PAPER_TABLE_ONE


def luminance(rgb):
    """Relative luminance as WCAG 2 defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.array(rgb) / 255]
    return np.array([0.2126, 0.7152, 0.0722]) @ linear


def test_colour_scale_grows_lighter_without_a_step_back_and_stays_off_white():
    scale = [luminance([float(part) for part in re.findall(r"[\d.]+", str(colour))]) for colour in COLOUR_SCALE]
    assert (np.diff(scale) > 0).all()
    assert scale[-1] < 0.6


def test_template_is_registered_and_the_default_is_left_alone():
    assert pio.templates["gaia"] == TEMPLATE
    assert pio.templates.default == "plotly"
    assert go.Figure(layout={"template": "gaia"}).layout.template.layout.plot_bgcolor == "white"


def test_every_model_of_the_paper_has_its_own_colour():
    colours = [MODEL_COLOURS[name] for name in PAPER_TABLE_ONE.index]
    assert len(set(colours)) == 4
    assert len(set(PALETTE)) == len(PALETTE) == 8


def test_unknown_models_take_colours_that_no_other_model_has():
    names = ["VAE", "ACAI", "GAIA", "BiGAN", "ACAI"]
    colours = model_colours(names)
    assert list(colours) == ["VAE", "GAIA", "ACAI", "BiGAN"]
    assert len(set(colours.values())) == 4
    assert colours["VAE"] == MODEL_COLOURS["VAE"]


def test_colours_repeat_when_there_are_more_models_than_colours():
    colours = model_colours([f"model {i}" for i in range(10)])
    assert colours["model 8"] == colours["model 0"] != colours["model 1"]
