"""Figures fit a notebook's page: JupyterLab shows 848 pixels before there is a scroll bar."""

import re

import numpy as np
import pandas as pd
import pytest

from gaia_explore import geometry, plots, scores
from gaia_explore.stimuli import PLANAR_SETS, Stimuli

WIDEST = 840
MODELS = ["AE", "VAE", "GAIA α=0", "GAIA α=1"]


class Same:
    """A codec whose codes are the stimuli."""

    def encode(self, x):
        return x

    def decode(self, z):
        return z

    def magnification(self, z):
        return np.exp(5 * z[:, 0])


STIMULI = Stimuli.from_array(
    np.random.default_rng(0).random((40, 2)), attributes={"label": np.arange(40) % 3}, title="cloud"
)


def grid_of(n_sets, n_models):
    return {(f"set {i}", f"model {j}"): (Same(), STIMULI) for i in range(n_sets) for j in range(n_models)}


def study(n_sets):
    """A study as large as the planar one: two sweeps of 5 settings, defaults and what was published, 3 seeds each."""
    settings = [
        ("AE", "default"),
        *[("VAE", f"β = 1/{n}") for n in (2048, 512, 128, 32, 8)],
        *[("GAIA α=1", f"c = {c}") for c in (0.05, 0.1, 0.25, 0.5, 1)],
        *[(f"GAIA α={alpha}", "published") for alpha in (0, 1)],
    ]
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            (name, model, setting, seed, rng.uniform(0.5, 1), rng.uniform(0.001, 0.1))
            for name in list(PLANAR_SETS)[:n_sets]
            for model, setting in settings
            for seed in range(3)
        ],
        columns=["stimuli", "model", "setting", "seed", "on_support", "pixel_error"],
    )


def gaia_history():
    terms = ["L_x", "pixel_error", "w_D", "pace_discriminator"]
    return pd.DataFrame(1.0, index=pd.RangeIndex(1, 101, name="step"), columns=pd.Index(terms))


def curves():
    return pd.DataFrame(
        [(m, t, 0.5, 0.4, 0.6) for m in MODELS for t in (0, 1)], columns=[*"mt", "share", "low", "high"]
    )


FIGURES = {
    "stimuli": lambda: plots.stimuli(STIMULI),
    "warp": lambda: plots.warp(Same(), geometry.hull_mesh(STIMULI.x, 6), STIMULI),
    "codes_and_decodings": lambda: plots.codes_and_decodings(Same(), STIMULI),
    "history": lambda: plots.history(gaia_history()),
    "support_over_t": lambda: plots.support_over_t(curves().rename(columns={"m": "model"})),
    **{
        f"{name}, {rows} × {columns}": lambda draw=draw, rows=rows, columns=columns: draw(grid_of(rows, columns))
        for name, draw in {"warp_grid": lambda p: plots.warp_grid(p, n=6), "codes_grid": plots.codes_grid}.items()
        for rows, columns in [(1, 1), (1, 2), (2, 2), (5, 4), (1, 8)]
    },
    **{f"frontier, {n}": lambda n=n: plots.frontier(study(n)) for n in (1, 2, 3, 5)},
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_and_their_titles_fit_the_page(name):
    layout = FIGURES[name]().layout
    assert layout.width <= WIDEST
    # A letter is about half as wide as high; Plotly's buttons lie over the last 160 pixels of the title's first line.
    for text, size, end in ((layout.title.text, 17, 160), (layout.title.subtitle.text, 12, 0)):
        for line in (text or "").split("<br>"):
            assert layout.margin.l + 0.5 * size * len(line) <= layout.width - end


def test_table_one_can_shrink_to_the_page():
    rng = np.random.default_rng(0)
    names = [*scores.PAPER_TABLE_ONE.columns, "on_support", "pixel_error"]
    rows = [
        {"model": model, "stimuli": stimuli, "seed": seed} | {name: -rng.uniform(0.001, 0.1) for name in names}
        for model in MODELS
        for stimuli in ("moons", "circles")
        for seed in range(3)
    ]
    html = plots.table_one(scores.table_one(pd.DataFrame(rows))).to_html()
    assert "max-width: 820px" in html  # JupyterLab leaves 20 pixels free to its right
    assert html.count("nowrap") == 1  # the models' names
    # What does not break is no longer than "intercept −0.0360": eight such columns had 773 pixels at 12 pixels
    # a letter in DejaVu Sans, a wide font, in Chromium.
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t", html, re.DOTALL)
    assert len(cells) == 5 * 8
    assert max(len(word) for cell in cells for word in re.split("[ \n]", re.sub("<[^>]+>", " ", cell))) <= 17
