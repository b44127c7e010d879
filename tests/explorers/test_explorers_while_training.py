"""Exploring a model in one thread while it is trained on in another, as in a kernel whose cell is busy."""

import threading
from typing import Any

import numpy as np
import pytest
import torch

import gaia_explore as ge
from gaia_explore.explorers import LatentExplorer

pytestmark = pytest.mark.slow

CONFIG = ge.GAIAConfig(network=ge.networks.FullyConnected(hidden_units=32, hidden_layers=2))


def trained(**options: Any) -> ge.Run:
    return ge.train(CONFIG, ge.stimuli.moons(n=256), steps=150, batch_size=32, seed=3, progress=False, **options)


def test_exploring_neither_waits_for_a_training_nor_changes_it():
    alone = trained()
    stimuli = ge.stimuli.moons(n=256)
    explorer = LatentExplorer(trained().codec, stimuli)
    answered: list[bool] = []
    busy = threading.Event()
    over = threading.Event()

    def explore():
        rng = np.random.default_rng(0)
        while not over.is_set():
            at = rng.normal(size=2).tolist()
            explorer.answer({"type": "event", "name": "map", "what": "move", "value": {"handle": 0, "at": at}})
            explorer.answer({"type": "late", "name": "map.realism"})
            answered.append(busy.is_set())

    seen: list[np.ndarray] = []

    def watch(run: ge.Run):
        busy.set()
        # The model as it is now is opened and looked at while it trains on.
        seen.append(LatentExplorer(run.codec, stimuli).frame.stimulus)

    thread = threading.Thread(target=explore)
    thread.start()
    try:
        explored = trained(watch=watch, watch_every=10)
    finally:
        over.set()
        thread.join()
    # It answers while the training goes on, not only between two trainings.
    assert sum(answered) > 10 and len(seen) == 15
    assert explored.tensors.keys() == alone.tensors.keys()
    for name, tensor in alone.tensors.items():
        assert torch.equal(explored.tensors[name], tensor), name


def test_what_is_explored_stays_as_it_was_while_its_model_is_trained_on():
    codec, stimuli = trained().codec, ge.stimuli.moons(n=256)
    explorer = LatentExplorer(codec, stimuli)
    rng = np.random.default_rng(0)
    places = rng.normal(size=(20, 2)).tolist()

    def decoded() -> np.ndarray:
        found = []
        for at in places:
            explorer.answer({"type": "event", "name": "map", "what": "move", "value": {"handle": 0, "at": at}})
            found.append(explorer.frame.stimulus)
        return np.stack(found)

    before, picture = decoded(), explorer.picture()
    first, over = threading.Event(), threading.Event()

    def train_on():
        optimiser = torch.optim.SGD(codec.model.parameters(), lr=1e-3)
        codec.model.requires_grad_(True).train()
        while not over.is_set():
            optimiser.zero_grad()
            codec.model.decode(torch.randn(32, 2)).square().sum().backward()
            optimiser.step()
            first.set()

    thread = threading.Thread(target=train_on)
    thread.start()
    try:
        assert first.wait(60)
        for _ in range(3):
            np.testing.assert_array_equal(decoded(), before)
        np.testing.assert_array_equal(explorer.picture(), picture)
    finally:
        over.set()
        thread.join()
    assert not np.allclose(codec.decode(explorer.z[:20]), explorer._set.codec.decode(explorer.z[:20]))
    assert codec.model.training
