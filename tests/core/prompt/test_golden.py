"""What the real frontend made of the official templates, compared with ours.

Run only when pointed at a folder: `PYCOMFY_GOLDENS=DIR pytest tests/core/prompt/test_golden.py`. DIR holds
`object_info.json` and one folder per set of goldens, each with `golden.json` (name -> prompt) and the workflows
(`NAME.json`, in subfolders too) it was made from.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.workflow.parse import parse_workflow
from tests.support.prompt_comparison import comparable, without_ids

ROOT = os.environ.get("PYCOMFY_GOLDENS")
SETS = sorted(p.parent for p in Path(ROOT).glob("*/golden.json")) if ROOT else []

pytestmark = pytest.mark.skipif(not SETS, reason="PYCOMFY_GOLDENS names no folder with goldens")


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
