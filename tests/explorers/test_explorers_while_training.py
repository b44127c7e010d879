"""Exploring a model in one thread while it is trained on in another, as in a kernel whose cell is busy."""

import threading
from typing import Any

import numpy as np
import torch

import gaia_explore as ge
from gaia_explore.explorers import LatentExplorer

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
        explored = trained(watch=watch, watch_every=50)
    finally:
        over.set()
        thread.join()
    assert sum(answered) > 3 and len(seen) == 3
    assert explored.tensors.keys() == alone.tensors.keys()
    for name, tensor in alone.tensors.items():
        assert torch.equal(explored.tensors[name], tensor), name
