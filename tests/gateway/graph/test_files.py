"""Names of files in a graph: whose they may be."""

from typing import Any

import pytest

from pycomfy.gateway.graph.policy import Policy, find_problems

REFERENCE = {"__type": "core/ASSET", "info": {"id": "x", "file_path": "../../x [output]"}}
OWN: dict[str, Any] = {
    "1": {"class_type": "Load", "inputs": {"image": "own/example.png [output]", "upload": "image"}},
    "2": {"class_type": "Save", "inputs": {"images": ["1", 0], "text": "a cat", "model": "sd/a.safetensors"}},
}
UPLOAD = [["offered.png", "sub/offered.png"], {"image_upload": True}]
NEW_UPLOAD = ["COMBO", {"options": ["offered.png", "sub/offered.png"], "video_upload": True}]
PLAIN_UPLOAD = ["STRING", {"file_upload": True}]
SAVE = {
    "input": {
        "required": {"text": ["STRING", {"multiline": True}], "model": [["sd/a.safetensors", "sd/b.safetensors"]]}
    },
    "output_node": True,
}

FOREIGN = [
    "ComfyUI_00001_.png [output]",
    "x.png [temp]",
    "x.png[input]",
    "../output/ComfyUI_00001_.png",
    "..",
    "sub/../../output/x.png",
    "..\\output\\x.png",
    "/data/assets/blobs/ab/abcd",
    "C:\\x.png",
    "\\\\host\\x.png",
]


def reasons(inputs: dict[str, Any], policy: Policy = "fixed", image: Any = UPLOAD, *, known: bool = True) -> list[str]:
    types = {"Load": {"input": {"required": {"image": image}}}, "Save": SAVE} if known else None
    graph = {node: {**entry, "inputs": {**entry["inputs"], **inputs}} for node, entry in OWN.items()}
    graph = {
        node: {**entry, "inputs": {name: v for name, v in entry["inputs"].items() if name in OWN[node]["inputs"]}}
        for node, entry in graph.items()
    }
    return [problem.reason for problem in find_problems(graph, policy=policy, own=OWN, node_types=types)]


@pytest.mark.parametrize("value", FOREIGN)
@pytest.mark.parametrize("policy", ["fixed", "nodes"])
def test_files_of_others_are_refused_for_every_kind_of_loader(value: str, policy: Policy) -> None:
    for image in (UPLOAD, NEW_UPLOAD, PLAIN_UPLOAD, None):
        assert reasons({"image": value}, policy, image) == ["file_not_allowed"]
    assert reasons({"image": value}, policy, known=False) == ["file_not_allowed"]
    assert reasons({"image": {"image": [value]}}, policy, ["LOAD_3D", {}]) == ["file_not_allowed"]
    assert reasons({"image": value}, "any") == []


@pytest.mark.parametrize("policy", ["fixed", "nodes"])
@pytest.mark.parametrize(
    "value", ["own/example.png [output]", "offered.png", "sub/offered.png", "plain name.png", REFERENCE, [REFERENCE], 7]
)
def test_what_is_offered_brought_or_the_workflows_own_is_taken(value: Any, policy: Policy) -> None:
    assert reasons({"image": value}, policy) == []
    assert reasons({"image": value}, policy, NEW_UPLOAD) == []


def test_a_name_in_a_subfolder_is_taken_only_where_it_is_offered() -> None:
    assert reasons({"image": "other/x.png"}) == ["file_not_allowed"]
    assert reasons({"model": "sd/b.safetensors"}) == []
    assert reasons({"model": "sd/../c.safetensors"}) == ["file_not_allowed"]


@pytest.mark.parametrize("text", ["a [cat]", "and/or", "/imagine a cat", "../x", "a\n[output]", "C: the language"])
def test_a_prompt_may_say_what_it_likes(text: str) -> None:
    assert reasons({"text": text}) == []
