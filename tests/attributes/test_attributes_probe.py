import numpy as np
import pandas as pd
import pytest

import gaia_explore as ge
from gaia_explore.attributes import fit_probe


def drawn(n=400, seed=0, noise=0.1):
    """Pictures of 6 × 6 pixels in 3 colours, where each attribute paints a place of its own; balanced attributes."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"hat": rng.random(n) < 0.5, "smile": rng.random(n) < 0.5, "width": rng.normal(5, 2, n)})
    x = 0.5 + noise * rng.normal(size=(n, 6, 6, 3))
    x[:, 0] += 0.3 * table["hat"].to_numpy()[:, None, None]
    x[:, 5, 2:4] += 0.3 * table["smile"].to_numpy()[:, None, None]
    x[:, 2:4] += 0.1 * (table["width"].to_numpy()[:, None, None, None] - 5)
    return x.astype(np.float32), table


def test_a_probe_reads_what_was_drawn_on_stimuli_that_it_has_not_seen():
    probe = fit_probe(*drawn())
    x, table = drawn(300, seed=1)
    readings = probe(x)
    assert readings.shape == (300, 3)
    for column, name in enumerate(["hat", "smile"]):
        assert np.mean((readings[:, column] > 0.5) == table[name]) > 0.95
        assert readings[:, column].min() >= 0
        assert readings[:, column].max() <= 1
    assert np.allclose(readings[:, 2], (table["width"] - 5) / 4, atol=0.2)


def test_what_it_reports_is_what_held_out_stimuli_show():
    probe = fit_probe(*drawn())
    assert probe.names == ("hat", "smile", "width")
    assert probe.binary.tolist() == [True, True, False]
    assert probe.report["kind"].tolist() == ["binary", "binary", "continuous"]
    assert probe.report["score"].to_numpy().min() > 0.95
    assert np.all(np.abs(probe.report["chance"].to_numpy()[:2] - 0.575) <= 0.075)
    assert probe.report.loc["width", "chance"] == 0
    assert repr(probe).startswith("Probe(hat ")


def test_it_reports_chance_where_there_is_nothing_to_read():
    x, table = drawn()
    shuffled = table.sample(frac=1, random_state=0).reset_index(drop=True)
    report = fit_probe(x, shuffled).report
    assert np.all(report["score"].to_numpy() < report["chance"].to_numpy() + 0.12)


def test_a_seed_gives_the_same_probe_again():
    x, table = drawn(100)
    first, second = (fit_probe(x, table, seed=3)(x) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.allclose(first, fit_probe(x, table, seed=4)(x))


def test_flat_stimuli_of_few_dimensions_serve():
    x, table = drawn(100)
    flat = x.mean(axis=(2, 3))
    assert fit_probe(flat, table)(flat).shape == (100, 3)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"n_components": 0}, "^n_components must be at least 1, got 0$"),
        ({}, {"held_out": 1.0}, "^held_out must lie between 0 and 1, got 1.0$"),
        (
            {"rare": [1, 1] + [0] * 98},
            {},
            "^attributes must have at least 5 stimuli of either kind for a probe to learn from, got [012] of 'rare'$",
        ),
        ({"bald": 0}, {}, "^attributes must vary, but bald never does here"),
    ],
)
def test_bad_input_is_named(change, options, message):
    x, table = drawn(100)
    with pytest.raises(ValueError, match=message):
        fit_probe(x, table.assign(**change), **options)


def test_tables_and_stimuli_must_fit():
    x, table = drawn(100)
    with pytest.raises(ValueError, match=r"^attributes must have one row a stimulus, 99 here, got 100$"):
        fit_probe(x[:99], table)
    probe = fit_probe(x, table)
    with pytest.raises(ValueError, match=r"^x must have shape \(n, 6, 6, 3\), got \(100, 6, 6, 1\)$"):
        probe(x[..., :1])


def test_the_package_offers_it_by_name():
    assert ge.fit_probe is fit_probe
