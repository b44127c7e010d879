from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import Delaunay

from gaia_explore import plots as plots_room
from gaia_explore.plots.panels import axes as axes_of_panel
from gaia_explore.plots.template import COLOUR_SCALE, NEUTRAL, PALETTE
from gaia_explore.stimuli import Stimuli

# To Plotly's annotations, traces and axes have no attributes.
plots: Any = plots_room
axes: Any = axes_of_panel


class LinearCodec:
    """x = z A."""

    def __init__(self, matrix=((2.0, 0.5), (-0.5, 1.0))):
        self.matrix = np.asarray(matrix)

    def encode(self, x):
        return x @ np.linalg.pinv(self.matrix)

    def decode(self, z):
        return z @ self.matrix


def plane(n=60, seed=0, title="cloud", **attributes):
    x = np.random.default_rng(seed).random((n, 2))
    return Stimuli.from_array(x, names=("volts", "seconds"), attributes=attributes or None, title=title)


def labelled(n=60, **options):
    return plane(n, label=np.arange(n) % 3, **options)


def solid(n=50):
    return Stimuli.from_array(np.random.default_rng(0).random((n, 3)))


def points(*traces):
    return np.concatenate([np.stack([trace.x, trace.y], axis=1) for trace in traces])


def in_panel(figure, number):
    axis = "x" if number == 1 else f"x{number}"
    return [trace for trace in figure.data if (trace.xaxis or "x") == axis]


def same_points(drawn, wanted):
    return np.allclose(*(sorted(xy.tolist()) for xy in (drawn, np.asarray(wanted))), atol=1e-6)


def test_each_class_has_its_colour_its_points_and_its_legend_entry():
    set_of_three = labelled()
    figure = plots.stimuli(set_of_three)
    assert [trace.name for trace in figure.data] == ["label 0", "label 1", "label 2"]
    assert [trace.marker.color for trace in figure.data] == list(PALETTE[:3])
    for label, trace in enumerate(figure.data):
        assert trace.showlegend
        assert same_points(points(trace), set_of_three.x[set_of_three.attributes["label"] == label])


def test_axes_carry_names_and_units_and_one_scale():
    figure = plots.stimuli(labelled(title="my cloud"))
    across, up = axes(figure, 1, 1)
    assert (across.title.text, up.title.text) == ("volts (scaled)", "seconds (scaled)")
    assert np.ptp(across.range) == pytest.approx(np.ptp(up.range))
    assert figure.layout.title.text == "my cloud"
    assert figure.layout.title.subtitle.text == "60 of 60 stimuli"
    assert figure.layout.template == plots.TEMPLATE
    assert figure.data[0].hovertemplate == "volts %{x:.3g}<br>seconds %{y:.3g}<extra>label 0</extra>"
    assert plots.stimuli(labelled(), title="Mine").layout.title.text == "Mine"


def test_fewer_points_are_drawn_from_all_classes_and_keep_their_label():
    large = labelled(n=3000)
    figure = plots.stimuli(large, n_points=300)
    assert sum(len(trace.x) for trace in figure.data) == 300
    assert figure.layout.title.subtitle.text == "300 of 3,000 stimuli"
    of_second = {tuple(x) for x in large.x[large.attributes["label"] == 1].tolist()}
    assert {tuple(x) for x in points(figure.data[1]).tolist()} <= of_second
    assert len(plots.stimuli(large, n_points=300, seed=1).data[1].x) > 60


def test_many_numbers_have_a_colour_scale():
    position = np.linspace(5, 14, 60)
    set_of_numbers = plane(position=position)
    figure = plots.stimuli(set_of_numbers)
    (trace,) = figure.data
    assert trace.marker.showscale and not trace.showlegend
    assert [step[1] for step in trace.marker.colorscale] == list(COLOUR_SCALE)
    assert trace.marker.colorbar.title.text == "position"
    assert same_points(points(trace)[np.argsort(trace.marker.color)][:5], set_of_numbers.x[:5])
    assert "position %{marker.color:.3g}" in trace.hovertemplate


@pytest.mark.parametrize(
    ("values", "entries"),
    [
        ([True, False], ["kind False", "kind True"]),
        (["b", "a"], ["kind a", "kind b"]),
        ([1.5, 0.5], ["kind 0.5", "kind 1.5"]),
    ],
    ids=["booleans", "text", "few numbers"],
)
def test_few_different_values_are_classes(values, entries):
    figure = plots.stimuli(plane(kind=values * 30))
    assert [trace.name for trace in figure.data] == entries


@pytest.mark.parametrize(
    "values",
    [np.where(np.arange(60) % 2, np.nan, np.arange(60)), pd.array([None, 1] * 30, dtype="Int64"), ["a", None] * 30],
    ids=["numbers", "integers", "text"],
)
def test_what_is_missing_is_grey(values):
    set_with_gaps = plane(kind=values)
    known, missing = plots.stimuli(set_with_gaps).data
    assert missing.name == "kind missing"
    assert missing.marker.color == NEUTRAL
    assert same_points(points(missing), set_with_gaps.x[pd.isna(values)])
    assert same_points(points(known), set_with_gaps.x[~pd.isna(values)])


def test_integers_with_gaps_among_many_have_a_colour_scale():
    known, missing = plots.stimuli(plane(kind=pd.array([None, *range(59)], dtype="Int64"))).data
    assert np.array_equal(np.sort(known.marker.color), np.arange(59))
    assert len(missing.x) == 1


def test_numbers_that_are_all_missing_among_the_drawn_have_no_colour_scale():
    sparse = plane(n=1000, position=[*range(10), *[np.nan] * 990])
    (trace,) = plots.stimuli(sparse, n_points=2).data
    assert trace.marker.color == NEUTRAL


def test_more_classes_than_colours_differ_by_symbol():
    names = [f"class {i:02}" for i in range(20)]
    figure = plots.stimuli(plane(kind=names * 3))
    looks = {(trace.marker.color, trace.marker.symbol) for trace in figure.data}
    assert len(looks) == 20
    assert figure.data[8].marker.color == figure.data[0].marker.color


def test_attribute_is_chosen_by_name_or_found():
    both = plane(size=np.linspace(0, 1, 60), label=np.arange(60) % 2)
    assert [trace.name for trace in plots.stimuli(both).data] == ["label 0", "label 1"]
    assert plots.stimuli(both, attribute="size").data[0].marker.colorbar.title.text == "size"
    assert plots.stimuli(plane(size=np.linspace(0, 1, 60))).data[0].marker.colorbar.title.text == "size"


@pytest.mark.parametrize(("given", "attribute"), [(plane(), "auto"), (labelled(), "none")], ids=["lacking", "unwanted"])
def test_without_attribute_all_is_grey_and_there_is_no_legend(given, attribute):
    (trace,) = plots.stimuli(given, attribute=attribute).data
    assert trace.marker.color == NEUTRAL
    assert not trace.showlegend
    assert same_points(points(trace), given.x)


def test_codes_and_reconstructions_are_what_the_codec_says():
    codec, given = LinearCodec(), labelled()
    figure = plots.codes_and_decodings(codec, given)
    assert [note.text for note in figure.layout.annotations] == ["latent codes", "reconstructions", "interpolations"]
    of_first = given.x[given.attributes["label"] == 0]
    assert same_points(points(in_panel(figure, 1)[0]), codec.encode(of_first))
    assert same_points(points(in_panel(figure, 2)[0]), of_first)
    assert in_panel(figure, 1)[0].marker.color == in_panel(figure, 2)[0].marker.color == PALETTE[0]


def test_interpolations_lie_between_the_data_in_grey():
    given = labelled()
    (trace,) = in_panel(plots.codes_and_decodings(LinearCodec(), given), 3)
    assert trace.marker.color == NEUTRAL
    drawn = points(trace)
    assert len(drawn) == 60
    assert (Delaunay(given.x).find_simplex(drawn) >= 0).all()
    assert not {tuple(x) for x in drawn.tolist()} & {tuple(x) for x in given.x.tolist()}


def test_interpolations_of_two_stimuli_lie_on_the_line_between_them_and_not_at_its_ends():
    given = plane(n=2)
    for seed in range(5):
        (trace,) = in_panel(plots.codes_and_decodings(LinearCodec(), given, seed=seed), 3)
        from_start = points(trace) - given.x[0]
        t = from_start @ (given.x[1] - given.x[0]) / np.square(given.x[1] - given.x[0]).sum()
        assert np.allclose(from_start, t[:, None] * (given.x[1] - given.x[0]), atol=1e-6)
        assert ((t > 0) & (t < 1)).all()


def test_same_seed_draws_the_same_and_another_seed_another():
    given = labelled(n=400)
    first, again, other = (
        points(*plots.codes_and_decodings(LinearCodec(), given, n_points=50, seed=seed).data) for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_codes_are_called_z_and_decoded_panels_share_their_scale():
    figure = plots.codes_and_decodings(LinearCodec(), labelled())
    titles = [tuple(axis.title.text for axis in axes(figure, 1, column)) for column in (1, 2, 3)]
    assert titles == [("z1", "z2"), *[("volts (scaled)", "seconds (scaled)")] * 2]
    assert axes(figure, 1, 2)[0].range == axes(figure, 1, 3)[0].range != axes(figure, 1, 1)[0].range
    assert [trace.name for trace in figure.data if trace.showlegend] == ["label 0", "label 1", "label 2"]


def test_colour_bar_is_shown_once():
    figure = plots.codes_and_decodings(LinearCodec(), plane(position=np.arange(60)))
    assert [trace.marker.showscale for trace in figure.data] == [True, False, None]


def test_grid_has_models_in_columns_and_three_rows_a_set():
    codecs = {"AE": LinearCodec(), "VAE": LinearCodec(np.diag([3.0, 0.2]))}
    sets = {"left": labelled(seed=1), "right": labelled(seed=2)}
    panels = {(name, model): (codec, x) for name, x in sets.items() for model, codec in codecs.items()}
    figure = plots.codes_grid(panels)
    assert [note.text for note in figure.layout.annotations] == ["AE", "VAE"]
    titles = [axes(figure, row, 1)[1].title.text for row in range(1, 7)]
    assert titles[0] == "<b>left</b><br>latent codes"
    assert titles[5] == "<b>right</b><br>interpolations"
    for block, x in enumerate(sets.values()):
        for column, codec in enumerate(codecs.values(), 1):
            assert same_points(points(*in_panel(figure, 6 * block + column)), codec.encode(x.x))
            assert same_points(points(*in_panel(figure, 6 * block + 2 + column)), x.x)


def test_grid_has_one_legend_light_panels_and_no_webgl():
    panels = {("cloud", model): (LinearCodec(), labelled(n=2000)) for model in ("AE", "VAE")}
    figure = plots.codes_grid(panels)
    assert [trace.name for trace in figure.data if trace.showlegend] == ["label 0", "label 1", "label 2"]
    assert {trace.legendgroup for trace in figure.data if trace.name == "label 1"} == {"label 1"}
    assert {trace.type for trace in figure.data} == {"scatter"}
    assert all(len(points(*in_panel(figure, number))) == 300 for number in range(1, 7))


def test_decoded_panels_of_a_set_have_one_scale_in_a_grid():
    panels = {("cloud", f"model {i}"): (LinearCodec(np.eye(2) * (i + 1)), labelled()) for i in range(2)}
    figure = plots.codes_grid(panels)
    decoded = {axes(figure, row, column)[0].range for row in (2, 3) for column in (1, 2)}
    assert len(decoded) == 1
    assert axes(figure, 1, 1)[0].range != axes(figure, 1, 2)[0].range


def test_numbers_have_no_colour_bar_in_a_grid():
    figure = plots.codes_grid({("cloud", "AE"): (LinearCodec(), plane(position=np.arange(60)))})
    assert not any(trace.marker.showscale for trace in figure.data)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"^attribute must be among label, none, got 'colour'$"):
        plots.stimuli(labelled(), attribute="colour")
    with pytest.raises(ValueError, match=r"^stimuli must have 2 dimensions to be drawn in a plane, got shape \(3,\)$"):
        plots.stimuli(solid())
    with pytest.raises(ValueError, match=r"^n_points must be at least 2 for interpolations, got 1$"):
        plots.codes_and_decodings(LinearCodec(), labelled(), n_points=1)
    message = r"^codec must have 2 latent dimensions to be drawn in a plane, got shape \(3,\)$"
    with pytest.raises(ValueError, match=message):
        plots.codes_and_decodings(LinearCodec(np.ones((3, 2))), labelled())
    with pytest.raises(ValueError, match=r"^panel \('solid', 'AE'\): stimuli must have 2 dimensions"):
        plots.codes_grid({("solid", "AE"): (LinearCodec(), solid())})
