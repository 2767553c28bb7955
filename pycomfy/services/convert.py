"""`convert`: workflows become prompts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.metadata.load import name_of, read_workflow
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.core.prompt.convert import Prompt, convert
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.text_expansion import Moment, expand_texts
from pycomfy.errors import BadInput, PycomfyError, raise_all


@dataclass(frozen=True)
class Target:
    """The server to convert for: where its `/object_info` is. With a `seed`, texts are expanded as on queueing."""

    object_info: str
    seed: int | None = None


def convert_one(source: str, target: Target) -> Prompt:
    """The prompt for the workflow at `source` (a path, a URL, `-`)."""
    return _convert(source, Definitions(read_definitions(target.object_info)), target.seed)


def _convert(source: str, definitions: Definitions, seed: int | None) -> Prompt:
    workflow = read_workflow(source)
    prompt = convert(workflow, definitions)
    if seed is None:
        return prompt
    return expand_texts(prompt, workflow, definitions, Moment(seed, datetime.now().astimezone()))


def convert_many(sources: Sequence[str], target: Target, folder: Path) -> list[Path]:
    """Write one `NAME.json` each into `folder`, all or none. Raises every problem of every workflow at once."""
    definitions = Definitions(read_definitions(target.object_info))
    prompts: dict[str, Prompt] = {}
    problems: list[PycomfyError] = []
    for source in sources:
        name = name_of(source)
        if name in prompts:
            problems.append(BadInput(f"two workflows are called {name}", where=source, fix="rename one of the files"))
            continue
        try:
            prompts[name] = _convert(source, definitions, target.seed)
        except PycomfyError as e:
            problems.append(e)
    raise_all(problems)
    paths = []
    for name, prompt in prompts.items():
        write_file(folder / f"{name}.json", render_prompt(prompt))
        paths.append(folder / f"{name}.json")
    return paths


def render_prompt(prompt: Prompt) -> str:
    """The prompt as JSON for a file or a terminal, newline at the end."""
    return json.dumps(prompt, indent=2, ensure_ascii=False) + "\n"
