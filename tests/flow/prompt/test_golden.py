"""What the real frontend made of the official templates, compared with ours.

Run only when pointed at a folder: `PYCOMFY_GOLDENS=DIR pytest tests/flow/prompt/test_golden.py`. DIR holds
`object_info.json` and one folder per set of goldens, each with `golden.json` (name -> prompt) and the workflows
(`NAME.json`, in subfolders too) it was made from.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pycomfy.flow.prompt.convert import try_convert
from pycomfy.flow.prompt.spec import Definitions
from pycomfy.flow.workflow.parse import parse_workflow

ROOT = os.environ.get("PYCOMFY_GOLDENS")
SETS = sorted(p.parent for p in Path(ROOT).glob("*/golden.json")) if ROOT else []

pytestmark = pytest.mark.skipif(not SETS, reason="PYCOMFY_GOLDENS names no folder with goldens")

FRONTEND_ONLY = ("audioUI", "refresh")


def comparable(prompt: dict[str, Any]) -> dict[str, Any]:
    """Classes and inputs. Titles are left out: the frontend translates those of nodes that have none of their own."""
    return {
        id_: (
            node["class_type"],
            {k: v for k, v in node["inputs"].items() if k not in FRONTEND_ONLY and not k.startswith("preview")},
        )
        for id_, node in prompt.items()
    }


def without_ids(prompt: dict[str, Any]) -> list[str]:
    """A prompt whose links name the class of their source: what is left to compare where the frontend gave nodes of a
    subgraph new ids."""

    def named(value: Any) -> Any:
        is_linked = isinstance(value, list) and len(value) == 2 and value[0] in prompt
        return ["link", prompt[value[0]]["class_type"], value[1]] if is_linked else value

    return sorted(
        json.dumps([class_, {k: named(v) for k, v in inputs.items()}], sort_keys=True)
        for class_, inputs in comparable(prompt).values()
    )


@pytest.mark.parametrize("folder", SETS, ids=lambda p: p.name)
def test_prompts_are_those_of_the_frontend(folder: Path) -> None:
    definitions = Definitions(json.loads((folder.parent / "object_info.json").read_bytes()))
    goldens = json.loads((folder / "golden.json").read_bytes())
    files = {p.stem: p for p in folder.rglob("*.json")}
    same, renumbered, different = 0, [], []
    for name, golden in goldens.items():
        prompt: Any = try_convert(parse_workflow(files[name].read_bytes(), where=name), definitions).prompt
        if comparable(prompt) == comparable(golden):
            same += 1
        elif without_ids(prompt) == without_ids(golden):
            renumbered.append(name)
        else:
            different.append(name)
    print(f"{folder.name}: {same} of {len(goldens)} identical, renumbered ids: {renumbered}, different: {different}")
    assert not different
