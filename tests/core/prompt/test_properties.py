"""What must hold for every graph."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.core.interface.build import make_interface
from pycomfy.core.interface.validate import find_problems
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.prompt.links import is_link
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import PycomfyError
from tests.support.graphs import OBJECT_INFO, definition
from tests.support.properties import examples

TYPES = [*OBJECT_INFO, "Reroute", "PrimitiveNode", "SetNode", "GetNode", "Note", "Unknown", "sg-0", "sg-1"]
SLOTS = ["IMAGE", "LATENT", "MODEL", "COND", "MASK", "*", "IMAGE,MASK"]
NAMES = ["image", "images", "latent", "model", "positive", "texter", "first", "second", "mask", "width", "radius", ""]
VALUES = st.none() | st.integers(-5, 5) | st.text(max_size=3) | st.lists(st.integers(), max_size=2) | st.booleans()


@st.composite
def graphs(draw: st.DrawFn, hosts: bool) -> dict[str, Any]:
    count = draw(st.integers(1, 7))
    types = TYPES if hosts else [t for t in TYPES if not t.startswith("sg-")]
    ids = [*range(count), -10, -20]
    links = [
        [
            i,
            draw(st.sampled_from(ids)),
            draw(st.integers(0, 2)),
            draw(st.sampled_from(ids)),
            0,
            draw(st.sampled_from(SLOTS)),
        ]
        for i in range(draw(st.integers(0, 12)))
    ]
    nodes = [
        {
            "id": id_,
            "type": draw(st.sampled_from(types)),
            "mode": draw(st.sampled_from([0, 0, 2, 4])),
            "inputs": [
                {"name": name, "type": draw(st.sampled_from(SLOTS)), "link": draw(st.integers(0, 12))}
                for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
            ],
            "outputs": [{"name": "o", "type": draw(st.sampled_from(SLOTS))}] * draw(st.integers(0, 2)),
            "widgets_values": draw(st.lists(VALUES, max_size=4) | st.dictionaries(st.sampled_from(NAMES), VALUES)),
        }
        for id_ in range(count)
    ]
    return {"nodes": nodes, "links": links}


@st.composite
def workflows(draw: st.DrawFn) -> dict[str, Any]:
    slots = st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(NAMES),
                "type": st.sampled_from(SLOTS),
                "linkIds": st.lists(st.integers(0, 12), max_size=2),
            }
        ),
        max_size=3,
    )
    definitions = [
        {**draw(graphs(hosts=i == 0)), "id": f"sg-{i}", "name": "S", "inputs": draw(slots), "outputs": draw(slots)}
        for i in range(2)
    ]
    # The first may hold the second; it never holds itself, which is an error of its own.
    for node in definitions[0]["nodes"]:
        if node["type"] == "sg-0":
            node["type"] = "sg-1"
    return {**draw(graphs(hosts=True)), "definitions": {"subgraphs": definitions}}


@given(workflows())
def test_links_of_a_prompt_lead_to_nodes_that_run(value: dict[str, Any]) -> None:
    workflow = parse_workflow(json.dumps(value), where="x")
    conversion = try_convert(workflow, OBJECT_INFO)
    off = {n.id for n in collect_requirements(workflow, OBJECT_INFO).nodes if n.state != "runs" and ":" not in n.id}
    for id_, node in conversion.prompt.items():
        assert id_ not in off
        assert node["class_type"] in {*OBJECT_INFO, "Unknown"}
        for link in node["inputs"].values():
            if is_link(link) and isinstance(link, list):
                assert link[0] in conversion.prompt


@settings(max_examples=examples(50))
@given(workflows())
def test_everything_made_of_a_prompt_works_or_is_an_error_of_ours(value: dict[str, Any]) -> None:
    workflow = parse_workflow(json.dumps(value), where="x")
    definitions = Definitions(OBJECT_INFO)
    prompt = try_convert(workflow, definitions).prompt
    for problem in find_problems(prompt, definitions):
        assert isinstance(problem, PycomfyError)
        assert problem.where and problem.fix
    interface = make_interface(prompt, workflow, definitions)
    names = [p.name for p in interface.parameters]
    assert len(set(names)) == len(names)


@settings(max_examples=examples(50))
@given(
    st.dictionaries(
        st.sampled_from(["Load", "Blank", "Save"]),
        st.recursive(VALUES, lambda i: st.lists(i, max_size=3) | st.dictionaries(st.text(max_size=3), i, max_size=3)),
    ),
    workflows(),
)
def test_malformed_definitions_are_survived(info: Any, value: dict[str, Any]) -> None:
    try_convert(parse_workflow(json.dumps(value), where="x"), {**info, "Blur": definition({"image": 3, "": []})})
