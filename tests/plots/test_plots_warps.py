import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from plotly.colors import sample_colorscale

from gaia_explore import plots as plots_room
from gaia_explore.geometry import Mesh, hull_mesh
from gaia_explore.plots.panels import axes as axes_of_panel
from gaia_explore.plots.template import NEUTRAL, PALETTE
from gaia_explore.stimuli import Stimuli

# To Plotly's annotations, traces and axes have no attributes.
plots: Any = plots_room
axes: Any = axes_of_panel

SHEAR = np.array([[2.0, 0.5], [-0.5, 1.0]])


class LinearCodec:
    """x = z A, with no word on its magnification."""

    def __init__(self, matrix=SHEAR):
        self.matrix = np.asarray(matrix)

    def encode(self, x):
        return x @ np.linalg.pinv(self.matrix)

    def decode(self, z):
        return z @ self.matrix


class MagnifyingCodec(LinearCodec):
    """A linear codec that magnifies by its determinant, or by what it is told to say."""

    def __init__(self, matrix=SHEAR, factor=np.nan):
        super().__init__(matrix)
        self.factor = abs(np.linalg.det(self.matrix)) if np.isnan(factor) else factor

    def magnification(self, z):
        return np.full(len(z), self.factor)


class OneByOneCodec(LinearCodec):
    """Cannot measure no codes at all, as a model cannot."""

    def magnification(self, z):
        return np.concatenate([np.ones(1) for _ in z])


class PolarCodec:
    """Takes a code for a radius and an angle; its magnification is the radius."""

    def encode(self, x):
        return np.stack([np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 1], x[:, 0])], axis=1)

    def decode(self, z):
        return z[:, :1] * np.stack([np.cos(z[:, 1]), np.sin(z[:, 1])], axis=1)

    def magnification(self, z):
        return z[:, 0]


def plane(n=200, title="cloud", seed=0):
    """Stimuli with unequal units: volts from 10 to 20, and seconds from −1 to 1."""
    x = np.random.default_rng(seed).random((n, 2))
    x[:2] = [[0, 0], [1, 1]]
    return Stimuli.from_array(x * [10, 2] + [10, -1], names=("volts", "seconds"), title=title)


def solid(n=50):
    return Stimuli.from_array(np.random.default_rng(0).random((n, 3)))


def traces(figure, name, axis="x"):
    return [trace for trace in figure.data if trace.name == name and (trace.xaxis or "x") == axis]


def edges_of(trace):
    """The ends of every edge that a trace draws, from its strokes."""
    points = np.stack([trace.x, trace.y], axis=1)
    steps = np.stack([points[:-1], points[1:]], axis=1)
    return steps[~np.isnan(steps).any(axis=(1, 2))]


def counted(edges):
    return Counter(tuple(sorted(map(tuple, edge))) for edge in np.round(edges, 6).tolist())


def colour_share(colour, scale):
    """Where on the colour scale a colour is, 0 to 1."""
    shares = np.linspace(0, 1, 2001)
    candidates, wanted = (
        np.array([[float(part) for part in re.findall(r"[\d.]+", str(text))] for text in texts])
        for texts in (sample_colorscale([list(step) for step in scale], shares.tolist()), [colour])
    )
    return shares[np.abs(candidates - wanted).sum(axis=1).argmin()]


def ring_mesh():
    return hull_mesh(np.array([[0.1, 0.0], [1.0, 0.0], [0.1, 1.5], [1.0, 1.5]]), 20)


def test_every_edge_is_drawn_once_where_the_decoder_puts_it():
    codec, stimuli = LinearCodec(), plane()
    mesh = hull_mesh(codec.encode(stimuli.x), 15)
    (drawn,) = traces(plots.warp(codec, mesh, stimuli), "mesh")
    assert counted(edges_of(drawn)) == counted(codec.decode(mesh.vertices)[mesh.edges])
    assert set(counted(edges_of(drawn)).values()) == {1}


def test_strokes_are_joined_so_that_the_figure_is_small():
    mesh = hull_mesh(plane().x, 30)
    (drawn,) = traces(plots.warp(LinearCodec(), mesh), "mesh")
    assert len(drawn.x) < 1.2 * len(mesh.edges)


def test_coloured_edges_too_are_drawn_once():
    codec, mesh = PolarCodec(), ring_mesh()
    levels = traces(plots.warp(codec, mesh), "mesh")
    assert len(levels) > 5
    edges = np.concatenate([edges_of(trace) for trace in levels])
    assert counted(edges) == counted(codec.decode(mesh.vertices)[mesh.edges])


def test_colours_tell_the_logarithm_of_the_magnification():
    figure = plots.warp(PolarCodec(), ring_mesh())
    axis = figure.layout.coloraxis
    for trace in traces(figure, "mesh"):
        # The radius of the codec is its magnification, and that of an edge the mean of its ends.
        radii = np.hypot(*np.moveaxis(edges_of(trace), -1, 0)).mean(axis=1)
        shares = np.clip((np.log10(radii) - axis.cmin) / (axis.cmax - axis.cmin), 0, 1)
        assert np.abs(shares - colour_share(trace.line.color, axis.colorscale)).max() < 1 / 16
        (told,) = re.findall(r"about ([\d.e-]+)<", trace.hovertemplate)
        assert np.abs(np.log10(radii / float(told))).max() < 0.1


def test_colour_bar_is_in_magnification_and_says_its_unit():
    colour_bar = plots.warp(PolarCodec(), ring_mesh()).layout.coloraxis.colorbar
    assert colour_bar.title.text == "magnification<br>(area in X<br>per area in Z)"
    assert np.allclose(10 ** np.array(colour_bar.tickvals), [float(text) for text in colour_bar.ticktext])


def test_linear_codec_has_the_middle_colour_everywhere():
    figure = plots.warp(MagnifyingCodec(), hull_mesh(plane().x, 10))
    axis = figure.layout.coloraxis
    assert np.mean([axis.cmin, axis.cmax]) == pytest.approx(np.log10(2.25))
    (drawn,) = traces(figure, "mesh")
    assert colour_share(drawn.line.color, axis.colorscale) == pytest.approx(0.5, abs=0.04)


def test_dead_decoder_is_drawn_as_the_least_magnification():
    axis = plots.warp(MagnifyingCodec(factor=0), hull_mesh(plane().x, 10)).layout.coloraxis
    assert np.mean([axis.cmin, axis.cmax]) == pytest.approx(-6)


@pytest.mark.parametrize(
    ("codec", "options"), [(LinearCodec(), {}), (PolarCodec(), {"magnification": False})], ids=["unknown", "unwanted"]
)
def test_mesh_without_magnification_has_one_colour_and_no_colour_bar(codec, options):
    figure = plots.warp(codec, ring_mesh(), **options)
    (drawn,) = traces(figure, "mesh")
    assert drawn.line.color == PALETTE[0]
    assert figure.layout.coloraxis.colorscale is None
    assert {trace.name for trace in figure.data} == {"data", "mesh", "convex hull"}


def test_mesh_on_a_plane_of_a_larger_latent_space_has_one_colour():
    codec = MagnifyingCodec(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), factor=1)
    mesh = hull_mesh(np.random.default_rng(0).random((30, 3)), 8)
    (drawn,) = traces(plots.warp(codec, mesh), "mesh")
    assert counted(edges_of(drawn)) == counted(codec.decode(mesh.vertices)[mesh.edges])


def test_codes_near_a_line_have_a_mesh_without_edges_which_is_drawn():
    t = np.linspace(0, 1, 50)
    # Three grid positions lie in this hull, no two of them next to each other.
    needle = np.stack([t, t + 1e-3 * np.sin(40 * t)], axis=1)
    mesh = hull_mesh(needle, n=3)
    assert len(mesh.vertices) and not len(mesh.edges)
    figure = plots.warp(OneByOneCodec(), mesh)
    assert not any(trace.marker.showscale for trace in figure.data)
    assert [trace.name for trace in figure.data][-1] == "convex hull"


def test_outline_of_the_hull_is_closed():
    (outline,) = traces(plots.warp(PolarCodec(), ring_mesh()), "convex hull")
    assert (outline.x[0], outline.y[0]) == (outline.x[-1], outline.y[-1])
    assert np.hypot(outline.x, outline.y).max() == pytest.approx(1)


def test_data_lie_behind_the_mesh_in_grey():
    stimuli = plane(n=120)
    figure = plots.warp(LinearCodec(), hull_mesh(stimuli.x, 8), stimuli)
    data = figure.data[0]
    assert data.marker.color == NEUTRAL
    drawn = np.stack([data.x, data.y], axis=1)
    assert sorted(drawn.tolist()) == sorted(stimuli.x.tolist())
    assert len(plots.warp(LinearCodec(), hull_mesh(stimuli.x, 8), stimuli, n_points=50).data[0].x) == 50


def test_scaled_axes_say_so_and_have_one_scale():
    stimuli = plane()
    figure = plots.warp(LinearCodec(), hull_mesh(stimuli.x, 8), stimuli)
    across, up = axes(figure, 1, 1)
    assert (across.title.text, up.title.text) == ("volts (scaled)", "seconds (scaled)")
    assert (up.scaleanchor, up.scaleratio) == ("x", 1)
    assert figure.layout.title.text == "cloud: the latent mesh, decoded"
    assert figure.layout.template == plots.TEMPLATE
    assert "volts" in figure.data[0].hovertemplate


def test_original_units_keep_the_shape_of_the_picture():
    stimuli, codec = plane(), LinearCodec()
    mesh = hull_mesh(codec.encode(stimuli.x), 8)
    figure = plots.warp(codec, mesh, stimuli, units="original")
    across, up = axes(figure, 1, 1)
    assert (across.title.text, up.title.text) == ("volts (original)", "seconds (original)")
    assert up.scaleratio == pytest.approx(10 / 2, rel=1e-2)
    assert np.ptp(up.range) * up.scaleratio == pytest.approx(np.ptp(across.range))
    assert np.mean(across.range) == pytest.approx(15, abs=0.1)
    assert np.mean(up.range) == pytest.approx(0, abs=0.1)
    (drawn,) = traces(figure, "mesh")
    assert counted(edges_of(drawn)) == counted(stimuli.unscale(codec.decode(mesh.vertices))[mesh.edges])
    (outline,) = traces(figure, "convex hull")
    assert (outline.y.min(), outline.y.max()) == pytest.approx((-1, 1), abs=0.02)


def test_title_can_be_given():
    assert plots.warp(PolarCodec(), ring_mesh(), title="Mine").layout.title.text == "Mine"
    assert plots.warp(PolarCodec(), ring_mesh()).layout.title.text == "The latent mesh, decoded"


def test_grid_has_sets_in_rows_and_models_in_columns():
    codecs = {"AE": LinearCodec(), "VAE": LinearCodec(np.diag([3.0, 0.2]))}
    sets = {"left": plane(seed=1), "right": plane(seed=2), "third": plane(seed=3)}
    panels = {(name, model): (codec, x) for name, x in sets.items() for model, codec in codecs.items()}
    figure = plots.warp_grid(panels, n=9)
    assert [note.text for note in figure.layout.annotations] == ["AE", "VAE"]
    assert [axes(figure, row, 1)[1].title.text for row in (1, 2, 3)] == ["<b>left</b>", "<b>right</b>", "<b>third</b>"]
    for i, (codec, stimuli) in enumerate(panels.values()):
        (drawn,) = traces(figure, "mesh", "x" if i == 0 else f"x{i + 1}")
        mesh = hull_mesh(codec.encode(stimuli.x), 9)
        assert counted(edges_of(drawn)) == counted(codec.decode(mesh.vertices)[mesh.edges])


def test_panels_of_a_row_have_one_scale():
    panels = {("cloud", "AE"): (LinearCodec(), plane()), ("cloud", "VAE"): (PolarCodec(), plane())}
    figure = plots.warp_grid(panels, n=9)
    assert axes(figure, 1, 1)[0].range == axes(figure, 1, 2)[0].range
    assert axes(figure, 1, 1)[1].range == axes(figure, 1, 2)[1].range


def test_grid_colours_are_relative_to_the_median_of_each_panel():
    small, large = (MagnifyingCodec(np.eye(2) * scale) for scale in (0.1, 10))
    panels = {("cloud", "small"): (small, plane()), ("cloud", "large"): (large, plane())}
    relative, absolute = plots.warp_grid(panels, n=9), plots.warp_grid(panels, n=9, relative=False)
    assert len({trace.line.color for trace in traces(relative, "mesh") + traces(relative, "mesh", "x2")}) == 1
    assert len({trace.line.color for trace in traces(absolute, "mesh") + traces(absolute, "mesh", "x2")}) == 2
    assert relative.layout.coloraxis.colorbar.title.text == "magnification<br>over its median<br>in the panel"
    assert absolute.layout.coloraxis.colorbar.title.text == "magnification<br>(area in X<br>per area in Z)"
    assert "about 1 × the median" in traces(relative, "mesh")[0].hovertemplate


def test_codec_without_magnification_has_one_colour_beside_others():
    panels = {("cloud", "AE"): (LinearCodec(), plane()), ("cloud", "VAE"): (PolarCodec(), plane())}
    figure = plots.warp_grid(panels, n=9)
    assert traces(figure, "mesh")[0].line.color == PALETTE[0]
    assert len(traces(figure, "mesh", "x2")) > 3


def test_colour_bar_is_no_higher_than_the_panels():
    figure = plots.warp_grid({("cloud", f"VAE {i}"): (PolarCodec(), plane()) for i in range(4)}, n=9)
    margin = figure.layout.margin
    bar = figure.layout.coloraxis.colorbar
    assert bar.len <= figure.layout.height - margin.t - margin.b
    # Its title takes about 64 pixels, a tick's label 16.
    assert len(bar.tickvals) * 16 <= bar.len - 64


def test_grids_use_no_webgl_and_few_points():
    figure = plots.warp_grid({("cloud", model): (PolarCodec(), plane(n=2000)) for model in ("AE", "VAE")}, n=9)
    assert {trace.type for trace in figure.data} == {"scatter"}
    assert max(len(trace.x) for trace in figure.data if trace.mode == "markers") == 500


def two_vertices(p):
    points = np.arange(4.0 * p).reshape(4, p)
    return Mesh(vertices=points, edges=np.array([[0, 1]]), cells=np.zeros((0, 4), int), outline=points)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (LinearCodec(np.ones((2, 3))), two_vertices(2)),
            "^codec must decode to 2 dimensions to be drawn in a plane, got 3$",
        ),
        (
            (LinearCodec(), two_vertices(2), solid()),
            r"^stimuli must have 2 dimensions to be drawn in a plane, got shape \(3,\)$",
        ),
        ((MagnifyingCodec(factor=np.inf), two_vertices(2)), "^codec must have a finite magnification, got 1 others$"),
    ],
)
def test_what_is_no_plane_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.warp(*arguments)


def test_units_are_checked():
    with pytest.raises(ValueError, match=r"^units must be 'scaled' without stimuli, got 'original'$"):
        plots.warp(LinearCodec(), two_vertices(2), units="original")
    with pytest.raises(ValueError, match=r"^units must be 'scaled' or 'original', got 'metres'$"):
        plots.warp(LinearCodec(), two_vertices(2), plane(), units="metres")


def test_panel_that_cannot_be_drawn_is_named():
    line = LinearCodec(np.array([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match=r"^panel \('cloud', 'AE'\): z must span two dimensions, but its projection"):
        plots.warp_grid({("cloud", "AE"): (line, plane())})
    with pytest.raises(ValueError, match=r"^panel \('solid', 'AE'\): stimuli must have 2 dimensions"):
        plots.warp_grid({("solid", "AE"): (LinearCodec(), solid())})
