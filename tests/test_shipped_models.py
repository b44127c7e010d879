"""The models that ship with the project: small, loadable, of the faces that ship with them, and good enough to show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gaia_explore as ge

MODELS = Path(__file__).parents[1] / "data/models"


@pytest.mark.parametrize("name", ["AE", "GAIA"])
def test_a_model_is_small_and_says_where_it_is_from(name: str):
    files = list((MODELS / name).iterdir())
    assert sorted(path.name for path in files) == ["run.json", "run.safetensors"]
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    run = ge.load(MODELS / name)
    assert run.config.name == name and str(run.health) == "healthy: 10000 of 10000 steps"
    train, _ = ge.stimuli.faces(32).split(0.95, seed=0, stratify="none")
    assert run.description["about"]["fingerprint"] == train.fingerprint


@pytest.mark.slow
def test_young_comes_nearer_to_the_truth_by_ols_and_reconstructions_are_exact():
    confounded, balanced = ge.stimuli.faces(32), ge.stimuli.faces(32, part="balanced")
    codec = ge.load(MODELS / "GAIA").codec
    z, z_balanced = codec.encode(confounded.x), codec.encode(balanced.x)
    table = ge.attributes.agreement(
        z, confounded.attributes, z_balanced, balanced.attributes, n_resamples=20, progress=False
    )
    young = dict(zip(table.columns, table.to_numpy()[list(table.index).index("Young")], strict=True))
    assert young["OLS", "cosine"] >= 0.9
    assert young["OLS − means", "low"] > 0.03
    assert ge.scores.pixel_error(balanced.x, codec.decode(z_balanced)) < 0.055

    six = list(confounded.attributes.columns[:6])
    probe = ge.fit_probe(codec.decode(z_balanced), balanced.attributes.reindex(columns=six))
    held = {
        method: ge.entanglement(
            codec, z_balanced, ge.attribute_vectors(z, confounded.attributes.reindex(columns=six), method=method), probe
        )
        for method in ("ols", "means")
    }
    ratio: dict[str, Any] = held["ols"].relative_to(held["means"]).to_dict()
    assert ratio["high"] <= 0.5


@pytest.mark.slow
def test_gaias_interpolations_lie_nearer_to_faces_than_the_aes():
    train, held_out = ge.stimuli.faces(32).split(0.95, seed=0, stratify="none")
    x = np.concatenate([held_out.x, ge.stimuli.faces(32, part="balanced").x])
    nearest: dict[str, Any] = {}
    for name in ("AE", "GAIA"):
        table = ge.scores.pictures(ge.load(MODELS / name).codec, train.x[:4000], x)
        values = dict(zip(zip(table["shown"], table["score"], strict=True), table["value"], strict=True))
        nearest[name] = values["interpolations", "nearest_ratio"]
    assert nearest["GAIA"] < nearest["AE"] - 0.04
