import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.gateway.outputs import Collector, guess_media_type
from pycomfy.gateway.places import Places
from tests.support.properties import ONE_FIXTURE, examples


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(data=tmp_path / "data", temp=tmp_path / "tmp")
    made.prepare()
    return made


def collect(places: Places, outputs: dict[str, Any]) -> list[dict[str, Any]]:
    return list(Collector(places, {"7": "Mine"}).collect(outputs))


def named(name: str, subfolder: str = "", kind: str = "output") -> dict[str, str]:
    return {"filename": name, "subfolder": subfolder, "type": kind}


def test_no_kind_of_output_is_lost(places: Places) -> None:
    for name in ("a.png", "b.gif", "c.mp4", "d.flac", "e.glb", "f.weird"):
        (places.output / name).write_bytes(name.encode())
    kinds = {"images": "a.png", "gifs": "b.gif", "video": "c.mp4", "audio": "d.flac", "3d": "e.glb", "new": "f.weird"}
    events = collect(places, {"7": {kind: [named(name)] for kind, name in kinds.items()}})
    assert [(e["kind"], e["path"], e["media_type"]) for e in events] == [
        ("images", "output/a.png", "image/png"),
        ("gifs", "output/b.gif", "image/gif"),
        ("video", "output/c.mp4", "video/mp4"),
        ("audio", "output/d.flac", "audio/flac"),
        ("3d", "output/e.glb", "model/gltf-binary"),
        ("new", "output/f.weird", "application/octet-stream"),
    ]
    assert all(e["title"] == "Mine" and e["size"] == len(e["file"]) for e in events)


def test_texts_and_large_values_become_files_and_small_values_stay(places: Places) -> None:
    events = collect(places, {"7": {"text": ["héllo", ""], "animated": [True], "big": [list(range(9999))], "n": None}})
    assert [(e["event"], e["kind"]) for e in events] == [("output", "text"), ("value", "animated"), ("output", "big")]
    assert (places.data / events[0]["path"]).read_text("utf-8") == "héllo"
    assert events[1]["value"] is True
    assert events[2]["media_type"] == "application/json"


def test_a_preview_is_kept_beyond_the_container(places: Places) -> None:
    (places.temp / "temp").mkdir()
    (places.temp / "temp" / "p.png").write_bytes(b"p")
    first, second = collect(places, {"7": {"images": [named("p.png", kind="temp")] * 2}})
    assert first["path"] == "results/7/p.png"
    assert second["path"] == "results/7/p-2.png"


def test_files_nobody_named_are_outputs_and_old_ones_are_not(places: Places) -> None:
    (places.output / "old.png").touch()
    collector = Collector(places, {})
    collector.begin()
    (places.output / "deep").mkdir()
    (places.output / "deep" / "new.txt").write_text("x")
    (places.output / "link").symlink_to("/etc/passwd")
    os.mkfifo(places.output / "fifo")
    (event,) = collector.collect({})
    assert (event["node"], event["path"], event["subfolder"]) == (None, "output/deep/new.txt", "deep")


@pytest.mark.parametrize(
    "value",
    [
        named("../../../etc/passwd"),
        named("/etc/passwd"),
        named("passwd", "/etc"),
        named("passwd", "../../../etc", "temp"),
        named("x\0y"),
        named("x" * 5000),
        named("\ud800"),
        named("link"),
        named("loop"),
        named("gone.png"),
        named(""),
    ],
)
def test_a_name_that_leads_elsewhere_is_told_but_never_followed(places: Places, value: dict[str, str]) -> None:
    (places.output / "link").symlink_to("/etc/passwd")
    (places.output / "loop").symlink_to("loop")
    (event,) = collect(places, {"7": {"images": [value]}})
    assert (event["event"], event["path"], event["file"]) == ("output", None, value["filename"])


@settings(suppress_health_check=ONE_FIXTURE, max_examples=examples(50))
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        ),
        max_size=3,
    )
)
def test_whatever_a_node_returns_is_collected(places: Places, returned: dict[str, Any]) -> None:
    for event in collect(places, {"7": returned, "x/../y": returned}):
        assert event["event"] in ("output", "value")
        if event.get("path"):
            assert (places.data / event["path"]).is_file()


def test_what_cannot_be_kept_is_told_and_takes_nothing_else_along(places: Places) -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    events = collect(places, {"7": {"deep": [deep], "text": ["kept"]}})
    assert [e["event"] for e in events] == ["error", "output"]
    assert (events[0]["type"], events[0]["node"]) == ("output-lost", "7")


def test_media_types_do_not_depend_on_the_machine() -> None:
    assert guess_media_type("A.WEBP") == "image/webp"
    assert guess_media_type("x.safetensors") == "application/octet-stream"
