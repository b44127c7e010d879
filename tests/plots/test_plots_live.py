"""A training seen while it runs: one output, replaced, small, and none where nothing can be shown."""

import json
from typing import Any

import numpy as np
import pytest

import gaia_explore as ge
from gaia_explore import plots
from gaia_explore.plots.live import LivePanel

CONFIG = ge.GAIAConfig(latent_dim=2, network=ge.networks.FullyConnected(hidden_units=8, hidden_layers=1))
STIMULI = ge.Stimuli.from_array(np.random.default_rng(0).random((32, 4, 4)), title="noise")


class Screen:
    """What a notebook shows: outputs, each with the last figure in it."""

    def __init__(self):
        self.outputs = []

    def display(self, bundle, *, raw, display_id):
        assert raw and display_id
        self.outputs.append([bundle])
        return Output(self.outputs[-1])


class Output:
    """As JupyterLab's: what draws a figure stays, and draws no other, until it has to show something else."""

    def __init__(self, shown):
        self._shown = shown

    def update(self, bundle, *, raw):
        assert raw
        if bundle.keys() != self._shown[0].keys():
            self._shown[:] = [bundle]


def train(watch, config=CONFIG, stimuli=STIMULI, **options):
    options = {"steps": 6, "watch_every": 2, "batch_size": 8, "progress": False} | options
    return ge.train(config, stimuli, watch=watch, **options)


def title_of(bundle):
    return bundle["application/vnd.plotly.v1+json"]["layout"]["title"]["text"]


def test_one_output_is_replaced_as_the_training_goes_on():
    screen = Screen()
    panel = LivePanel(STIMULI.x[:5], screen.display)
    train(panel)
    ((bundle,),) = screen.outputs
    # Broken where a figure of five pictures is too narrow for it.
    assert title_of(bundle).replace("<br>", " ") == "GAIA after 6 of 6 steps"
    assert panel.figure.layout.title.text == title_of(bundle)


def test_a_training_that_begins_anew_has_an_output_of_its_own():
    screen = Screen()
    panel = LivePanel(STIMULI.x[:5], screen.display)
    train(panel)
    train(panel, steps=4)
    assert [title_of(bundle).replace("<br>", " ") for (bundle,) in screen.outputs] == [
        "GAIA after 6 of 6 steps",
        "GAIA after 4 of 4 steps",
    ]


@pytest.mark.parametrize("config", [CONFIG, ge.AEConfig(latent_dim=2, network=CONFIG.network)], ids=["GAIA", "AE"])
def test_the_losses_stand_below_the_pictures_and_a_trace_a_term(config):
    panel = plots.live_panel(STIMULI, n=4)
    run = train(panel, config)
    drawn: Any = panel.figure.data
    losses = {trace.name for trace in drawn if trace.type == "scatter" and trace.yaxis == "y2"}
    assert len(losses - {None}) == len([name for name in run.history if not name.startswith(("pace_", "w_"))])
    layout = panel.figure.layout
    assert layout.yaxis2.domain[1] < layout.yaxis.domain[0]
    assert layout.width <= 840


@pytest.mark.parametrize("n", [2, 4, 16])
def test_the_legend_has_room_between_pictures_and_losses_however_narrow_they_are(n):
    panel = plots.live_panel(STIMULI, n=n)
    train(panel)
    layout: Any = panel.figure.layout
    height = layout.height - layout.margin.t - layout.margin.b
    between = (layout.yaxis.domain[0] - layout.yaxis2.domain[1]) * height
    names = ["L_x", "L_i", "L_D", "L_G", "pixel error", "structure loss"]
    wide = layout.width - layout.margin.l - layout.margin.r
    assert between >= 20 * sum(40 + 6 * len(name) for name in names) / wide
    assert layout.legend.y <= layout.yaxis.domain[0] and layout.legend.yanchor == "top"


def test_nothing_is_shown_where_there_is_no_notebook_but_the_last_figure_is_kept(capsys):
    panel = plots.live_panel(STIMULI, n=4, seed=1)
    assert not panel.figure.data
    train(panel)
    assert panel.figure.data[0].type == "image"
    assert capsys.readouterr().out == ""


def test_an_update_is_small_however_large_the_pictures_are():
    screen = Screen()
    x = np.random.default_rng(0).random((16, 64, 64, 3), dtype=np.float32)
    panel = LivePanel(x[:10], screen.display)
    train(panel, stimuli=ge.Stimuli.from_array(x, title="noise"), steps=10, watch_every=10)
    # Noise is the worst case: of drawn faces a panel takes about half of it.
    assert len(json.dumps(screen.outputs[0][0])) < 400_000


@pytest.mark.parametrize(
    ("stimuli", "options", "message"),
    [
        (STIMULI, {"n": 1}, "n must be between 2 and 16, got 1"),
        (STIMULI, {"n": 17}, "n must be between 2 and 16, got 17"),
        (
            ge.stimuli.planar("moons", n=10),
            {},
            "stimuli must hold pictures, (n, h, w) or (n, h, w, 1 or 3), got shape (1, 2)",
        ),
    ],
)
def test_what_cannot_be_watched_is_named(stimuli, options, message):
    with pytest.raises(ValueError) as error:
        plots.live_panel(stimuli, **options)
    assert str(error.value) == message
