"""Messages between page and kernel, the explorer's end of them, and its picture; no page is open."""

import base64
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaia_explore.explorers import surfaces
from gaia_explore.explorers.explorer import GUARD, Explorer, snapshot
from gaia_explore.explorers.parts import Content, Leaf, Part, column, now
from gaia_explore.explorers.states import State
from gaia_explore.explorers.surfaces import Reply, Surface, script


@dataclass(frozen=True, kw_only=True)
class Count(State):
    number: int = 0
    rows: tuple[int, ...] = ()


class Counter(Explorer[Count]):
    """Shows a number, refuses 13, and fails to show 99."""

    def __init__(self):
        leaves = column(Leaf(kind="text", name="told"), Leaf(kind="table", name="rows"))
        super().__init__(Count(), leaves, "out")

    def _parts(self, state: Count) -> dict[str, Part]:
        rows = Content(plain={"columns": ["row"], "rows": [[str(row)] for row in state.rows]})
        return {
            "told": Part(key=state.number, make=lambda: self._told(state)),
            "rows": Part(key=state.rows, make=lambda: rows),
        }

    def _told(self, state: Count) -> Content:
        if state.number == 99:
            raise RuntimeError("too many")
        return Content(plain={"text": str(state.number)}, arrays={"number": np.array([state.number])})

    def _checked(self, state: Count, before: Count | None = None) -> Count:
        if state.number == 13:
            raise ValueError("number must bring luck, got 13")
        return state

    def _event(self, state: Count, name: str, what: str, value: Any) -> Count:
        if what == "select":
            return replace(state, rows=tuple(value))
        return super()._event(state, name, what, value)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[dict[str, Any], list[bytes]]]:
    """What any surface sends."""
    messages: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(Surface, "send", lambda self, content, buffers: messages.append((content, buffers)))
    return messages


def ask(explorer: Counter, buffers: tuple[bytes, ...] = (), **request: Any):
    """Tell the widget what a page would."""
    explorer.widget._handle_custom_msg({"view": "me", "seq": 7, **request}, list(buffers))


def told(sent: list) -> list[str]:
    """The text of each message, if it has one."""
    return [part["plain"]["text"] for message, _ in sent for part in message["parts"] if part["name"] == "told"]


def set_to(counter: Counter, number: int, **more: Any):
    ask(counter, type="event", name="number", what="set", value=number, **more)


def test_arrays_travel_as_buffers_and_are_described():
    content = Content(plain={"size": 2}, arrays={"a": np.arange(6, dtype=np.uint32).reshape(2, 3)[:, ::2]}, more=True)
    message, buffers = Reply(type="frame", plain={"late": []}, parts={"map.points": content}).message("me", 3, 1.5)
    described = [{"name": "a", "dtype": "uint32", "shape": [2, 2]}]
    part = {"name": "map.points", "plain": {"size": 2}, "more": True, "arrays": described}
    plain = {"type": "frame", "view": "me", "seq": 3, "milliseconds": 1.5, "late": []}
    assert message == plain | {"parts": [part]}
    assert np.frombuffer(buffers[0], np.uint32).tolist() == [0, 2, 3, 5]


def test_an_answer_says_how_long_the_work_took(sent: list, monkeypatch: pytest.MonkeyPatch):
    times = iter([5.0, 5.25])
    monkeypatch.setattr(surfaces, "perf_counter", lambda: next(times))
    ask(Counter(), type="open")
    assert [message["milliseconds"] for message, _ in sent] == [250.0]


def test_a_request_is_answered_with_its_view_and_number_and_what_changed(sent: list):
    counter = Counter()
    ask(counter, type="open")
    set_to(counter, 4)
    set_to(counter, 4)
    assert [(m["view"], m["seq"], [part["name"] for part in m["parts"]]) for m, _ in sent] == [
        ("me", 7, ["told", "rows"]),
        ("me", 7, ["told"]),
        ("me", 7, []),
    ]
    assert sent[0][0]["layout"]["children"][0] == {"kind": "text", "name": "told", "label": ""}
    assert counter.state == Count(number=4) and told(sent) == ["0", "4"]


def test_row_numbers_come_as_a_buffer(sent: list):
    counter = Counter()
    ask(counter, (np.array([3, 1], "<u4").tobytes(),), type="event", name="rows", what="select")
    assert counter.state.rows == (3, 1)


def test_a_drag_is_one_step_and_several_steps_are_taken_back_at_once(sent: list):
    counter = Counter()
    set_to(counter, 1)
    for number in (2, 3, 4):
        set_to(counter, number, gesture="drag")
    numbers = []
    for request, steps in (("undo", 1), ("redo", 1), ("undo", 2), ("redo", 9), ("reset", 1), ("undo", 1)):
        ask(counter, type=request, steps=steps)
        numbers.append(counter.state.number)
    assert numbers == [1, 4, 0, 4, 0, 4]


def test_an_error_is_told_to_the_page_and_leaves_the_state(sent: list):
    counter = Counter()
    set_to(counter, 13)
    set_to(counter, 99)
    ask(counter, type="event", name="colour", what="set", value=1)
    ask(counter, type="dance")
    ask(counter, type="thumbnails", sheet=0)
    assert [message["text"] for message, _ in sent] == [
        "ValueError: number must bring luck, got 13",
        "RuntimeError: too many",
        "ValueError: name must be a leaf of Counter that can set, got 'colour'",
        "ValueError: type must be a request that Counter knows, got 'dance'",
        "ValueError: Counter has no thumbnails",
    ]
    assert {(message["type"], message["seq"]) for message, _ in sent} == {("error", 7)}
    assert counter.state == Count()
    counter.undo()  # nothing was entered
    assert counter.state == Count()


def test_an_answer_that_cannot_be_sent_is_told_too(sent: list, monkeypatch: pytest.MonkeyPatch):
    counter = Counter()
    monkeypatch.setattr(Reply, "message", lambda self, *_: ({}, []) if self.type == "error" else 1 / 0)
    ask(counter, type="open")
    assert sent == [({}, [])]


def test_what_changes_outside_the_state_is_told_to_every_page_and_only_that(sent: list):
    class Clock(Counter):
        time = 0

        def _parts(self, state: Count) -> dict[str, Part]:
            return super()._parts(state) | {"time": now(text=str(self.time))}

        def pass_time(self, hours: int, **options: bool) -> bool:
            return self._renew(lambda: setattr(self, "time", self.time + hours), **options)

    clock = Clock()
    assert clock.pass_time(1) and sent == []  # nobody is there to be told
    assert clock.widget.comm is not None
    clock.pass_time(0)
    assert sent == []  # nothing is other than before
    clock.pass_time(1)
    ((message, _),) = sent
    assert (message["type"], message["view"], message["seq"]) == ("frame", "", 0)
    assert [(part["name"], part["plain"]) for part in message["parts"]] == [("time", {"text": "2"})]
    with ThreadPoolExecutor() as pool, GUARD:
        assert not pool.submit(clock.pass_time, 1, wait=False).result()
    assert clock.time == 2 and clock.pass_time(1, wait=False) and clock.state == Count()


def test_the_state_is_set_from_python_and_every_page_is_told(sent: list):
    counter = Counter()
    counter.state = Count(number=1)  # nobody is there to be told
    assert sent == [] and counter.widget.comm is not None
    counter.change(number=2)
    counter.undo()
    counter.redo()
    counter.reset()
    assert told(sent) == ["2", "1", "2", "0"]
    assert {(message["view"], message["seq"]) for message, _ in sent} == {("", 0)}
    for number, error in ((13, ValueError), (99, RuntimeError)):
        with pytest.raises(error):
            counter.state = Count(number=number)
    assert counter.state == Count() and len(sent) == 4


def test_who_listens_hears_of_every_change_and_of_no_failure():
    counter, heard = Counter(), []
    counter.watch(lambda before, after: heard.append((before.number, after.number)))
    counter.change(number=2)
    counter.change(number=2)
    with pytest.raises(RuntimeError):
        counter.change(number=99)
    counter.undo()
    counter.answer({"type": "event", "name": "number", "what": "set", "value": 5})
    assert heard == [(0, 2), (2, 0), (0, 5)]


def test_a_listener_that_fails_is_told_of_after_the_page_has_what_changed(sent: list):
    counter, heard = Counter(), []

    def fail(before: Count, after: Count):
        raise ZeroDivisionError("division by zero")

    counter.watch(fail)
    counter.watch(lambda before, after: heard.append(after.number))
    set_to(counter, 4)
    assert told(sent) == ["4"] and heard == [4] and counter.state.number == 4
    assert [(message["type"], message.get("text")) for message, _ in sent] == [
        ("frame", None),
        ("error", "ZeroDivisionError: division by zero"),
    ]
    with pytest.raises(ZeroDivisionError):
        counter.change(number=5)
    assert heard == [4, 5]


def test_what_a_listener_changes_is_told_last(sent: list):
    counter = Counter()
    counter.watch(lambda before, after: counter.change(number=7) if after.number == 4 else None)
    set_to(counter, 4)
    assert told(sent) == ["4", "7"] and counter.state.number == 7


def test_what_a_thread_changes_meanwhile_is_not_lost():
    counter = Counter()
    inside, go_on = threading.Event(), threading.Event()

    def hold(before: Count, after: Count):
        inside.set()
        go_on.wait(5)

    counter.watch(hold)
    one = threading.Thread(target=lambda: counter.change(number=4))
    two = threading.Thread(target=lambda: counter.change(rows=(1,)))
    one.start()
    inside.wait(5)
    two.start()
    go_on.set()
    one.join()
    two.join()
    assert counter.state == Count(number=4, rows=(1,))


def test_a_leaf_that_was_moved_to_where_it_cannot_be_comes_back(sent: list):
    counter = Counter()
    ask(counter, type="event", name="told", what="press")
    assert sent[-1][0]["type"] == "error" and told(sent) == ["0"]
    ask(counter, type="event", name="rows", what="select", value=[])
    assert [part["name"] for part in sent[-1][0]["parts"]] == ["rows"]  # nothing has changed


def test_a_part_that_is_gone_since_it_was_asked_for_is_no_error(sent: list):
    counter = Counter()
    ask(counter, type="late", name="map.realism")
    assert sent[0][0]["type"] == "frame" and sent[0][0]["parts"] == []


def test_what_is_followed_in_a_row_is_one_step():
    counter = Counter()
    counter.change(number=1)
    for number in range(2, 300):
        counter.follow(number=number)
    assert counter.state.number == 299
    counter.undo()
    assert counter.state.number == 1
    counter.follow(number=13)
    assert counter.state.number == 1  # it cannot be, and stops nobody


def test_a_state_can_be_kept_as_json():
    counter = Counter()
    counter.state_json = '{"number": 5, "rows": [1, 2]}'
    assert counter.state == Count(number=5, rows=(1, 2))
    assert counter.state_json == '{"number": 5, "rows": [1, 2]}'
    with pytest.raises(ValueError, match=r"a Count must have fields among number, rows, got size"):
        counter.change(size=3)


def test_an_export_has_the_state_and_the_picture(tmp_path: Path):
    counter = Counter()
    counter.change(number=5, rows=(7,))
    assert counter.export(tmp_path) == tmp_path
    assert (tmp_path / "state.json").read_text() == counter.state_json
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "explorer.png")), counter.picture())


def test_requests_from_two_threads_take_turns(sent: list):
    counter = Counter()
    steps: list[tuple[int, int]] = []
    counter.watch(lambda before, after: steps.append((before.number, after.number)))
    threads = [threading.Thread(target=set_to, args=(counter, number)) for number in range(20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each begins where another ended.
    assert [before for before, _ in steps[1:]] == [after for _, after in steps[:-1]] and len(steps) == 20


def test_the_answers_of_a_busy_cell_may_come_from_the_kernels_second_shell():
    counter = Counter()
    comm = counter.widget.comm
    assert comm is not None and "_reply_subshell_id" not in vars(comm)
    for _ in range(2):
        vars(comm)["_reply_subshell_id"] = "busy"
        counter.change(number=counter.state.number + 1)
        assert "_reply_subshell_id" not in vars(comm)


def test_where_there_is_no_page_a_cell_has_the_picture():
    counter = Counter()
    counter.change(number=200)
    data, _ = counter._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == counter.widget.model_id
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))))
    np.testing.assert_array_equal(shown, counter.picture())


def test_a_codec_that_can_be_trained_is_copied_and_others_are_shared():
    class Plain:
        def encode(self, x: np.ndarray) -> np.ndarray:
            return x

        decode = encode

    class Trained(Plain):
        def snapshot(self) -> Plain:
            return Plain()

    plain = Plain()
    assert snapshot(plain) is plain
    assert type(snapshot(Trained())) is Plain


def test_the_script_of_all_explorers_is_small():
    assert len(script().encode()) < 42_000
