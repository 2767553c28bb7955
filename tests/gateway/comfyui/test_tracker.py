"""Messages of ComfyUI, and of those that claim to be."""

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.gateway.comfyui.tracker import Tracker, join_progress

GRAPH = {
    "1": {"class_type": "Load", "inputs": {}, "_meta": {"title": "My loader"}},
    "2": {"class_type": "KSampler", "inputs": {}},
    "3": {"class_type": "SaveImageWebsocket", "inputs": {}},
}


def tell(tracker: Tracker, kind: str, **data: Any) -> None:
    tracker.take(json.dumps({"type": kind, "data": {"prompt_id": tracker.prompt_id, **data}}))


def test_progress_counts_cached_done_and_half_done_nodes() -> None:
    tracker = Tracker("p", GRAPH)
    assert (tracker.progress().value, tracker.progress().nodes_total) == (0.0, 3)
    tell(tracker, "execution_cached", nodes=["1"])
    tell(tracker, "executing", node="2")
    tell(tracker, "progress", node="2", value=5, max=10)
    now = tracker.progress()
    assert (now.nodes_done, now.current_node, now.current_node_class, now.step, now.steps) == (
        1,
        "2",
        "KSampler",
        5,
        10,
    )
    assert now.value == 0.5
    assert now.message == "KSampler 5/10"
    tell(tracker, "executing", node="3")
    assert tracker.progress().nodes_done == 2
    tell(tracker, "execution_success")
    assert tracker.ended
    assert tracker.progress().value == 1.0


def test_the_progress_of_parts_adds_up() -> None:
    graph = {**GRAPH, "4": {"class_type": "Unneeded", "inputs": {}}}
    one = Tracker("p", graph, ("2",), frozenset(("1", "2")))
    other = Tracker("p", graph, ("3",), frozenset(("1", "3")))
    tell(one, "execution_cached", nodes=["1", "3"])
    tell(other, "execution_cached", nodes=["1"])
    tell(one, "progress", node="2", value=5, max=10)
    now = join_progress((one, other))
    assert (now.nodes_done, now.nodes_total, now.value) == (1, 4, 1.5 / 4), "3 is not run by the one that has it"
    assert (now.current_node, now.step) == ("2", 5)
    tell(other, "executing", node="3")
    one.succeed()
    now = join_progress((one, other))
    assert (now.nodes_done, now.current_node) == (2, "3")
    other.succeed()
    assert join_progress((one, other)).value == 1.0, "with what is not needed"


def test_a_node_made_while_running_counts_as_its_maker() -> None:
    tracker = Tracker("p", GRAPH)
    tell(tracker, "executing", node="2.0.0.1")
    assert tracker.progress().current_node == "2"


def test_messages_of_another_prompt_change_nothing() -> None:
    tracker = Tracker("p", GRAPH)
    tell(tracker, "execution_success", prompt_id="other")
    tell(tracker, "executing", prompt_id="other", node="2")
    assert not tracker.ended
    assert tracker.progress().current_node is None


def test_an_end_without_an_id_may_be_that_of_the_prompt_before() -> None:
    tracker = Tracker("p", GRAPH)
    tracker.take('{"type": "execution_success", "data": {}}')
    tracker.take('{"type": "executing", "data": {"node": null}}')
    assert not tracker.ended


def test_what_a_node_returned_is_known_before_the_end() -> None:
    tracker = Tracker("p", GRAPH)
    tell(tracker, "executed", node="1.5", display_node="1", output={"text": ["hello"]})
    assert tracker.returned == {"1": {"text": ["hello"]}}


def test_an_image_is_a_preview_but_for_the_node_that_returns_it() -> None:
    tracker = Tracker("p", GRAPH)
    image = struct.pack(">II", 1, 1) + b"jpeg"
    tracker.take(image)
    assert tracker.preview is None, "of no node"
    tell(tracker, "executing", node="2")
    tracker.take(image)
    assert tracker.preview is not None
    assert (tracker.preview.node, tracker.preview.content_type, tracker.preview.data) == ("2", "image/jpeg", b"jpeg")
    tell(tracker, "executing", node="3")
    tracker.take(struct.pack(">II", 1, 2) + b"png")
    assert [(i.node, i.suffix, i.data) for i in tracker.sent] == [("3", ".png", b"png")]
    assert tracker.preview.node == "2"


def test_a_preview_with_metadata_names_its_node() -> None:
    tracker = Tracker("p", GRAPH)
    meta = json.dumps({"node_id": "2", "prompt_id": "p", "image_type": "image/jpeg"}).encode()
    tracker.take(struct.pack(">II", 4, len(meta)) + meta + b"jpeg")
    assert tracker.preview is not None
    assert (tracker.preview.node, tracker.preview.data) == ("2", b"jpeg")


def test_what_succeeded_is_whole_and_what_failed_is_not() -> None:
    done = Tracker("p", GRAPH)
    done.succeed()
    assert (done.progress().value, done.progress().nodes_done) == (1, len(GRAPH))
    failed = Tracker("p", GRAPH)
    failed.take(json.dumps({"type": "execution_error", "data": {"prompt_id": "p"}}))
    failed.take(json.dumps({"type": "executing", "data": {"node": None, "prompt_id": "p"}}))
    assert failed.ended
    assert failed.progress().nodes_done == 0


START: tuple[str, dict[str, Any]] = ("execution_start", {})
RAN: tuple[str, dict[str, Any]] = ("executed", {"node": "2", "display_node": "2", "output": {}})
SUCCESS: tuple[str, dict[str, Any]] = ("execution_success", {})
IDLE: tuple[str, dict[str, Any]] = ("status", {"status": {"exec_info": {"queue_remaining": 0}}})


def hear(*told: tuple[str, dict[str, Any]]) -> Tracker:
    tracker = Tracker("p", GRAPH)
    for kind, data in told:
        tell(tracker, kind, **data)
    return tracker


def test_it_is_over_once_comfyui_is_idle_after_all_of_it_was_told() -> None:
    assert hear(START, RAN, SUCCESS).tells_all
    assert not hear(START, IDLE, RAN, SUCCESS).is_idle, "the prompt before was over"
    assert hear(START, RAN, SUCCESS, IDLE).is_idle


@pytest.mark.parametrize(
    "told",
    [
        (RAN, SUCCESS),
        (START, ("executed", {"node": "2.0.0.1", "display_node": "2", "output": {}}), SUCCESS),
        (START, ("executed", {"node": "9", "output": {}}), SUCCESS),
        (START, RAN, RAN, SUCCESS),
        (START, ("execution_cached", {"nodes": ["1"]}), RAN, SUCCESS),
        (START, RAN, ("execution_error", {}), SUCCESS),
        (START, RAN, ("execution_error", {})),
        (START, RAN, ("executing", {"node": None})),
    ],
)
def test_where_the_history_may_say_more_messages_are_not_all(told: tuple[tuple[str, dict[str, Any]], ...]) -> None:
    tracker = hear(*told, IDLE)
    assert not tracker.tells_all
    assert not tracker.is_idle


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["1", "2", "p"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(
    ["execution_cached", "executing", "executed", "progress", "progress_state", "execution_success", "status", "x"]
)
names = st.sampled_from(
    ["prompt_id", "node", "display_node", "nodes", "value", "max", "output", "state", "display_node_id"]
)
messages = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40),
    anything.map(json.dumps),
    st.tuples(kinds, st.dictionaries(names, anything)).map(lambda m: json.dumps({"type": m[0], "data": m[1]})),
    st.tuples(st.integers(0, 5), st.integers(0, 50), st.binary(max_size=60)).map(
        lambda m: struct.pack(">II", m[0], m[1]) + m[2]
    ),
)


@given(st.lists(messages, max_size=20))
def test_a_message_of_any_shape_is_survived(told: list[str | bytes]) -> None:
    tracker = Tracker("p", GRAPH)
    for message in told:
        tracker.take(message)
        now = tracker.progress()
        assert 0 <= now.value <= 1
        assert 0 <= now.nodes_done <= now.nodes_total
