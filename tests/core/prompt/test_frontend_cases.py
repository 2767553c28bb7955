"""Workflows and definitions of our own, with the prompts that real frontends made of them in a browser.

`frontend_cases.json` says which frontend made which: 1.58.1, or 1.27.10 (group nodes, which later frontends rewrite).
The header of rgthree's Power Lora Loader is as the page sends it: the DevTools protocol, by which these were recorded,
shows it as an empty object.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from pycomfy.core.prompt.convert import convert
from pycomfy.core.workflow.parse import parse_workflow

FILE: dict[str, Any] = json.loads((Path(__file__).parent / "frontend_cases.json").read_bytes())


@pytest.mark.parametrize("name", FILE["cases"])
def test_our_prompt_is_the_frontend_s(name: str) -> None:
    case = FILE["cases"][name]
    prompt = convert(parse_workflow(json.dumps(case["workflow"]), where=name), FILE["object_info"])
    assert {i: {"class_type": n["class_type"], "inputs": n["inputs"]} for i, n in prompt.items()} == case["prompt"]
