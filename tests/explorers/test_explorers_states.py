"""States as JSON, and their history."""

from dataclasses import dataclass

import pytest

from gaia_explore.explorers.states import MOST_STATES, History, State, from_json, to_json


@dataclass(frozen=True, kw_only=True)
class Place(State):
    at: tuple[float, ...] = (0.0, 0.0)
    name: str = "start"


def test_a_state_is_the_same_after_json():
    place = Place(at=(0.1, -2.5), name="Kürbis")
    assert to_json(place) == '{"at": [0.1, -2.5], "name": "Kürbis"}'
    assert from_json(Place, to_json(place)) == place


def test_a_state_of_another_model_or_of_other_stimuli_is_refused():
    place, of = Place(name="here"), {"model": "a" * 64, "stimuli": "b" * 64}
    text = to_json(place, of)
    assert from_json(Place, text, of) == from_json(Place, text) == from_json(Place, to_json(place), of) == place
    message = r"a state must be of model c{12}…, got one of model a{12}…; without its \"of\" it is taken for any"
    with pytest.raises(ValueError, match=message):
        from_json(Place, text, of | {"model": "c" * 64})
    with pytest.raises(ValueError, match=r"a state must be of stimuli d{12}…, got one of stimuli b{12}…"):
        from_json(Place, text, of | {"stimuli": "d" * 64})


def test_json_that_is_no_state_is_named():
    with pytest.raises(ValueError, match=r"a Place must have fields among at, name, got colour, size"):
        from_json(Place, '{"size": 1, "colour": 2}')
    with pytest.raises(ValueError, match=r"a state must be a JSON object, got '\[1, 2\]'"):
        from_json(Place, "[1, 2]")


def test_undo_and_redo_walk_the_states_and_stop_at_the_ends():
    history = History(Place())
    history.enter(Place(name="a"))
    history.enter(Place(name="b"))
    names = []
    for step in (history.undo, history.undo, history.undo, history.redo, history.redo, history.redo):
        step()
        names.append(history.state.name)
    assert names == ["a", "start", "start", "a", "b", "b"]


def test_a_new_state_forgets_what_was_undone_and_the_same_state_is_no_step():
    history = History(Place())
    history.enter(Place(name="a"))
    history.undo()
    history.enter(Place(name="b"))
    history.enter(Place(name="b"))
    history.redo()
    assert history.state.name == "b"
    history.undo()
    assert history.state.name == "start"


def test_a_whole_gesture_is_one_step():
    history = History(Place())
    for gesture, name in (("1", "a"), ("1", "b"), ("2", "c"), ("2", "d"), ("", "e")):
        history.enter(Place(name=name), gesture)
    names = []
    for _ in range(4):
        names.append(history.state.name)
        history.undo()
    assert names == ["e", "d", "b", "start"]


def test_a_gesture_that_begins_with_nothing_takes_no_earlier_step_with_it():
    history = History(Place())
    history.enter(Place(name="a"))
    for name in ("a", "b", "c"):
        history.enter(Place(name=name), "1")
    history.undo()
    assert history.state.name == "a"


def test_a_gesture_does_not_go_on_after_an_undo():
    history = History(Place())
    history.enter(Place(name="a"), "1")
    history.undo()
    history.enter(Place(name="b"), "1")
    history.undo()
    assert history.state.name == "start"


def test_only_the_newest_steps_are_kept():
    history = History(Place())
    for number in range(MOST_STATES + 5):
        history.enter(Place(name=str(number)))
    for _ in range(2 * MOST_STATES):
        history.undo()
    assert history.state.name == "5"
