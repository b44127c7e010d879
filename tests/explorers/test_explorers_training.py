"""The TrainingView without a page: what it draws, says and stops, here and in a folder, at no risk to the training."""

import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import gaia_explore as ge
from gaia_explore.explorers import surfaces
from gaia_explore.explorers.explorer import GUARD
from gaia_explore.explorers.training_frames import Pace, called, duration, extent, how_far, latest, lines
from gaia_explore.explorers.training_view import TrainingView
from gaia_explore.plots import drawn_history
from gaia_explore.plots.template import PALETTE

MOONS = ge.stimuli.moons(n=120)


def train(view: Any, **options: Any) -> ge.Run:
    kept = {"steps": 60, "batch_size": 8, "progress": False, "watch_every": 20, "held_out": MOONS, "evaluate_every": 10}
    return ge.train(ge.GAIAConfig(), MOONS, watch=view, **(kept | options))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list:
    messages: list[dict] = []
    monkeypatch.setattr(surfaces.Surface, "send", lambda self, content, buffers=None: messages.append(content))
    return messages


@pytest.mark.slow
def test_watching_changes_no_result_with_a_page_and_events_too(sent: list):
    view = TrainingView(MOONS)
    assert view.widget is not None
    done = threading.Event()

    def look():
        while not done.is_set():
            view.answer({"type": "event", "name": "smooth", "what": "set", "value": 1 + len(sent) % 5})
            view.answer({"type": "open"})
            time.sleep(0.005)

    looking = threading.Thread(target=look)
    looking.start()
    watched = train(view)
    done.set()
    looking.join()
    alone = train(None)
    assert set(watched.tensors) == set(alone.tensors)
    for name, tensor in alone.tensors.items():
        np.testing.assert_array_equal(watched.tensors[name].numpy(), tensor.numpy(), err_msg=name)
    assert sent


def test_a_view_shows_its_training_as_it_goes_on(sent: list):
    view = TrainingView(MOONS, n=3)
    assert "Waits for a training" in view.contents()["words"].plain["text"] and set(view.contents()) == {
        "words",
        "smooth",
        "axis",
    }
    assert view.picture().ndim == 3
    assert view.widget is not None
    view.answer({"type": "open"})
    run = train(view)
    frames = [{part["name"] for part in message["parts"]} for message in sent if message["type"] == "frame"]
    assert sum("losses.mean" in parts for parts in frames) == 3  # after 20, 40 and 60 steps
    contents = view.contents()
    assert contents["words"].plain["text"] == "GAIA on moons: step 60 of 60. Complete. Healthy: 60 of 60 steps."
    cloud = contents["plane.points"]
    reconstructed = run.codec.decode(run.codec.encode(view._x))
    assert len(view._x) == 120 and cloud.plain["legend"]["classes"][1] == "reconstructions"
    np.testing.assert_allclose(cloud.arrays["xy"][cloud.arrays["numbers"] == 1], reconstructed, rtol=1e-6)
    np.testing.assert_allclose(contents["held_out.looks"].arrays["xy"][:, 0], [10, 20, 30, 40, 50, 60])
    errors = run.history["held_out_error"].dropna()
    np.testing.assert_allclose(contents["held_out.line"].arrays["xy"][:, 1], errors, rtol=1e-6)
    assert {"paces.healthy", "paces.mean", "losses.raw", "terms", "now"} <= set(contents)
    table = dict(contents["now"].plain["rows"])
    assert table["L_x: the discriminator's error on data"] == f"{run.history['L_x'].iloc[-50:].mean():.4g}"
    assert view.picture().shape[1] > 900 and view.stop_reason is None


def test_what_is_drawn_can_be_chosen():
    view = TrainingView(MOONS)
    run = train(view)

    def heights() -> np.ndarray:
        return view.contents()["losses.mean"].arrays["xy"][:60, 1]

    means = drawn_history(run.history)["mean"][:60]
    np.testing.assert_allclose(heights(), np.log10(means), rtol=1e-4)
    assert view.contents()["losses"].plain["log"]
    reply = view.answer({"type": "event", "name": "axis", "what": "set", "value": "linear"})
    np.testing.assert_allclose(heights(), means, rtol=1e-5)
    assert "paces.mean" not in reply.parts
    assert not view.contents()["losses"].plain["log"] and view.contents()["losses"].plain["axes"][1] == "loss"
    view.change(smooth=1)
    np.testing.assert_allclose(heights(), run.history["L_x"], rtol=1e-5)
    assert "losses.raw" not in view.contents()
    shown = view.contents()["terms"].plain
    assert shown["options"] == shown["chosen"] == [called(term) for term in run.history]
    before = view.contents()["losses.mean"].plain["legend"]
    kept = [name for name in shown["chosen"] if name not in ("L_x", "pace of the discriminator")]
    view.answer({"type": "event", "name": "terms", "what": "set", "value": kept})
    assert view.state.hidden == ("L_x", "pace_discriminator")
    after = view.contents()["losses.mean"].plain["legend"]
    assert after["classes"] == before["classes"][1:] and after["palette"] == before["palette"][1:]  # colours stay
    assert "paces.healthy" not in view.contents() and len(view.contents()["now"].plain["rows"]) == len(kept)
    view.change(hidden=("odd", *view.state.hidden))
    view.answer({"type": "event", "name": "terms", "what": "set", "value": []})
    assert view.state.hidden[0] == "odd" and not len(view.contents()["losses.mean"].arrays["xy"])
    view.undo(2)
    assert view.state.hidden == ("L_x", "pace_discriminator")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axis": "round"}, r"axis must be one of logarithmic, linear, got 'round'"),
        ({"smooth": 0}, r"smooth must be at least 1 step, got 0"),
    ],
)
def test_a_state_that_cannot_be_is_named(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        TrainingView(MOONS).change(**changes)


def test_too_few_or_too_many_stimuli_are_refused():
    for n in (1, 17):
        with pytest.raises(ValueError, match=rf"n must be between 2 and 16, got {n}"):
            TrainingView(MOONS, n=n)


def test_the_stop_button_ends_this_training_and_not_the_next():
    view = TrainingView(MOONS)
    press = {"type": "event", "name": "stop", "what": "press"}
    with pytest.raises(ValueError, match=r"a training must run to be stopped, got none: pass this view to train"):
        view.answer(press)

    class Pressing:
        @property
        def stop_reason(self) -> str | None:
            reason = view.stop_reason
            if view._looks == 7:
                view.answer(press)
                assert "Stopping" in view.contents()["words"].plain["text"]
            return reason

        def training_begins(self):
            view.training_begins()

        def __call__(self, run: ge.Run):
            view(run)

    stopped = train(Pressing())
    assert stopped.health.status == "stopped" and int(stopped.description["step"]) <= 8
    assert stopped.health.reason.startswith("the Stop button was pressed at step")
    assert view.contents()["words"].plain["text"].endswith(f"Stopped: {stopped.health.reason}.")
    assert view.stop_reason is None
    assert train(view).health.status == "healthy"


def test_a_wish_to_stop_ends_with_a_training_that_broke_off():
    view = TrainingView(MOONS)
    press = {"type": "event", "name": "stop", "what": "press"}

    class Breaking:
        """The view, whose Stop is pressed in the step that breaks the training off."""

        training_begins, training_ends, __call__ = view.training_begins, view.training_ends, view.__call__

        @property
        def stop_reason(self) -> str | None:
            # However quickly it goes, its pace is known when it breaks off.
            view._due = 0.0
            if view._looks == 30:
                assert view._pace.steps_per_second > 0
                view.answer(press)
                raise KeyboardInterrupt
            return view.stop_reason

    with pytest.raises(KeyboardInterrupt):
        train(Breaking())
    words = view.contents()["words"].plain["text"]
    assert words == "GAIA on moons: step 20 of 60. Healthy. The training broke off: the cell that trained says why."
    with pytest.raises(ValueError, match=r"a training must run to be stopped, got none: pass this view to train"):
        view.answer(press)
    assert view.stop_reason is None
    # A wish of the last moment, or one that no end took back, is none of the next training.
    view._wish = "the Stop button was pressed"
    assert train(view).health.status == "healthy"
    assert view.contents()["words"].plain["text"] == "GAIA on moons: step 60 of 60. Complete. Healthy: 60 of 60 steps."


def test_an_error_in_the_view_is_shown_and_leaves_the_training():
    view = TrainingView(ge.Stimuli.from_array(np.random.default_rng(0).random((30, 3))))
    with pytest.warns(UserWarning, match=r"watch failed at step 20 and is not called again"):
        run = train(view)
    assert run.health.status == "healthy"
    view._renew(view._advance)
    assert "ValueError: x must have shape (n, 2), got (10, 3)" in view.contents()["words"].plain["text"]


def test_a_training_does_not_wait_for_another_explorers_work():
    view = TrainingView(MOONS)
    held, free = threading.Event(), threading.Event()

    def work():
        with GUARD:
            held.set()
            free.wait(60)

    other = threading.Thread(target=work)
    other.start()
    held.wait(60)
    seen = []

    class Freeing:
        def __call__(self, run: ge.Run):
            if int(run.description["step"]) == 60:
                free.set()
            view(run)
            seen.append(view._seen)

    train(Freeing())
    other.join()
    assert seen[:2] == [None, None] and seen[2].step == 60


def test_how_far_a_training_is_is_told_every_second(monkeypatch: pytest.MonkeyPatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    view = TrainingView(MOONS)
    for _ in range(160):
        clock[0] += 0.125
        assert view.stop_reason is None
    assert view.contents()["words"].plain["text"] == "A training runs; its first numbers are still to come."
    seen = train(None)
    tensors, description = dict(seen.tensors), {**seen.description, "step": 40, "steps": 640}
    view(ge.Run(tensors, description))
    for _ in range(16):
        clock[0] += 0.125
        _ = view.stop_reason
    words = view.contents()["words"].plain["text"]
    assert words == "GAIA on moons: step 49 of 640 · 8 steps a second · 1 min 14 s left. Healthy."


def test_a_run_of_another_process_is_followed_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gaia_explore.explorers.training_view.EVERY", 0.01)
    folder = tmp_path / "run"
    view = TrainingView(MOONS, folder)
    assert view.contents()["words"].plain["text"] == f"Waits for a run in {folder}."
    with pytest.raises(FileNotFoundError, match=r"folder must be a run's"):
        view.stop()
    heard = []

    def until_seen(run: ge.Run):
        patience = time.monotonic() + 30
        while time.monotonic() < patience and "step" not in view.contents()["words"].plain["text"]:
            time.sleep(0.01)
        heard.append(view.contents()["words"].plain["text"])
        if len(heard) == 2:
            view.answer({"type": "event", "name": "stop", "what": "press"})

    run = train(until_seen, out=folder, steps=1000, checkpoint_every=10)
    assert run.health.reason == f"asked by another process at step {run.description['step']} of 1000"
    assert heard[0].startswith("GAIA on moons: step ")
    patience = time.monotonic() + 30
    while any(str(folder) in thread.name for thread in threading.enumerate()) and time.monotonic() < patience:
        time.sleep(0.01)
    assert view.contents()["words"].plain["text"].endswith(f"Stopped: {run.health.reason}.")
    assert "Stopping" not in view.contents()["words"].plain["text"]
    assert set(view.contents()) > {"losses.mean", "plane.points"}


def test_a_folder_that_cannot_be_read_is_told_and_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gaia_explore.explorers.training_view.EVERY", 0.01)
    view = TrainingView(MOONS, tmp_path)
    (tmp_path / "run.safetensors").write_bytes(b"nothing")
    patience = time.monotonic() + 30
    while "Error" not in view.contents()["words"].plain["text"] and time.monotonic() < patience:
        time.sleep(0.01)
    assert "run.safetensors" in view.contents()["words"].plain["text"]
    view.close()
    while any(str(tmp_path) in thread.name for thread in threading.enumerate()) and time.monotonic() < patience:
        time.sleep(0.01)
    assert not any(str(tmp_path) in thread.name for thread in threading.enumerate())


def test_a_finished_run_is_shown_at_once_and_exported(tmp_path: Path):
    run = train(None, out=tmp_path / "run")
    view = TrainingView(MOONS, tmp_path / "run", out=tmp_path / "out")
    assert "Complete." in repr(view) and not any("follow" in thread.name for thread in threading.enumerate())
    folder = view.export()
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "history.csv", index_col="step"), run.history, check_dtype=False, check_index_type=False
    )


def test_pictures_stand_in_rows_with_their_names(tmp_path: Path):
    x = np.random.default_rng(0).random((12, 4, 4))
    faces = ge.Stimuli.from_array(x)
    view = TrainingView(faces, n=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = ge.train(ge.AEConfig(), faces, steps=3, batch_size=4, progress=False, watch=view)
    panel = view.contents()["panel"]
    assert panel.plain["rows"] == [
        "X, stimuli",
        "G(X), reconstructions",
        "G(z_i), interpolations",
        "mean of the two, in pixels",
    ]
    assert panel.arrays["rgba"].shape == (20, 4, 4, 4)
    decoded = run.codec.decode(run.codec.encode(view._x))
    expected = np.round(255 * np.clip(decoded, 0, 1))
    np.testing.assert_array_equal(panel.arrays["rgba"][5:10, ..., 0], expected)
    assert "paces" not in view.contents() and "held_out" not in view.contents()
    assert view.picture().shape[1] > 900


def diverged(run: ge.Run) -> ge.Run:
    """The run, before its end, with weights that are no numbers."""
    tensors = {name: tensor.clone() for name, tensor in run.tensors.items()}
    for name, tensor in tensors.items():
        if name.endswith("/weights"):
            tensor[:] = torch.nan
    return ge.Run(tensors, {**run.description, "step": 2, "steps": 3})


@pytest.mark.parametrize("shape", [(2,), (4, 4), (5,)])
def test_a_model_that_diverged_is_shown_by_its_losses_and_blank_pictures(
    shape: tuple[int, ...], sent: list, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gaia_explore.explorers.training_view.EVERY", 0.0)
    stimuli = ge.Stimuli.from_array(np.random.default_rng(0).random((12, *shape)))
    run = ge.train(ge.AEConfig(), stimuli, steps=3, batch_size=4, progress=False)
    view = TrainingView(stimuli, n=5)
    assert view.widget is not None
    view._newest = view._look(diverged(run))
    assert view.stop_reason is None
    (message,) = [message for message in sent if message["parts"]]
    assert message["type"] == "frame"
    assert {"losses.mean", "now", "plane.points" if shape == (2,) else "panel"} <= {
        part["name"] for part in message["parts"]
    }
    contents = view.contents()
    if shape == (2,):
        points = contents["plane.points"].arrays
        np.testing.assert_array_equal(points["xy"], view._x.astype(np.float32))
        assert not points["numbers"].any()
    else:
        rgba = contents["panel"].arrays["rgba"]
        assert rgba[:5].any(axis=(1, 2, 3)).all() and not rgba[5:15].any()
    assert view.picture().ndim == 3


def test_what_cannot_be_shown_is_told_to_the_page_and_not_to_the_training(sent: list, monkeypatch: pytest.MonkeyPatch):
    view = TrainingView(MOONS)
    seen = train(None)
    monkeypatch.setattr("gaia_explore.explorers.training_view.clouds", lambda panel: 1 / 0)
    view(seen)  # without a page there is nobody to tell
    assert view.widget is not None
    view(seen)
    assert [message["type"] for message in sent] == ["error"]
    assert sent[0]["text"] == "ZeroDivisionError: division by zero"


def test_pace_is_that_of_the_last_half_minute():
    pace = Pace(30.0)
    assert np.isnan(pace.steps_per_second)
    for second in range(100):
        pace.note(10 * min(second, 50) + 100 * max(second - 50, 0), float(second))
    assert pace.steps_per_second == pytest.approx(100)
    pace.note(0, 100.0)
    assert np.isnan(pace.steps_per_second)


def test_words_of_how_far_and_how_long():
    assert how_far(1500, 6000, 300.0) == "step 1,500 of 6,000 · 300 steps a second · 15 s left"
    assert how_far(6000, 6000, 300.0) == "step 6,000 of 6,000" == how_far(6000, 6000, np.nan)
    assert [duration(s) for s in (0.4, 59.6, 61.0, 7325.0)] == ["0 s", "1 min 0 s", "1 min 1 s", "2 h 2 min"]


def test_extents_show_all_heights_and_one_height_too():
    left, right, bottom, top = extent(10, np.array([1.0, np.nan, 3.0]))
    assert (left, right) == (0, 10) and bottom < 1 and top > 3
    assert extent(0, np.array([np.nan]))[:2] == (0, 1)
    assert extent(5, np.array([2.0]))[2] < 2 < extent(5, np.array([2.0]))[3]
    assert extent(5, np.array([2.0, 3.0]), floor=0.0)[2] < 0


def test_lines_break_where_a_loss_has_no_logarithm_and_keep_their_colours():
    history = pd.DataFrame({"L_x": [1.0, 0.1, 0.01], "L_D": [-1.0, 1.0, 10.0]}, index=pd.RangeIndex(1, 4, name="step"))
    drawn = drawn_history(history)
    content = lines(drawn.loc[drawn["term"] == "L_D"], "mean", colours=["L_x", "L_D"], name="mean", log=True)
    np.testing.assert_allclose(content.arrays["xy"], [[1, np.nan], [2, 0], [3, 1]], atol=1e-7)
    assert content.plain["legend"]["palette"] == [PALETTE[1]]
    assert content.plain["legend"]["classes"] == ["L_D (where positive)"]
    both = lines(drawn, "value", colours=["L_x", "L_D"], name="", log=False)
    assert both.arrays["starts"].tolist() == [0, 3] and both.plain["style"] == "faint"


def test_the_latest_values_are_means_of_the_last_steps():
    history = pd.DataFrame({"mine": [1.0, 2.0, 4.0], "held_out_error": [9.0, np.nan, np.nan], "kl": [np.nan] * 3})
    assert latest(history, 2) == [
        ["mine", "3"],
        ["held-out error: on stimuli that the model was not trained on", "9"],
        ["KL: divergence of the codes from the prior, in nats", "none yet"],
    ]
