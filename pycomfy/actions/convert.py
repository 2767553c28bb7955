"""`convert`: workflows become prompts."""

import json
from collections.abc import Sequence
from pathlib import Path

from pycomfy.errors import BadInput, PycomfyError, raise_all
from pycomfy.flow.prompt.convert import Prompt, convert
from pycomfy.flow.prompt.spec import Definitions
from pycomfy.outside.definitions import read_definitions
from pycomfy.outside.files import write_file
from pycomfy.outside.media.read import name_of, read_workflow


def convert_one(source: str, object_info: str) -> Prompt:
    """The prompt for the workflow at `source` (a path, a URL, `-`), for the server that `object_info` describes."""
    return convert(read_workflow(source), Definitions(read_definitions(object_info)))


def convert_many(sources: Sequence[str], object_info: str, folder: Path) -> list[Path]:
    """Write one `NAME.json` each into `folder`, all or none. Raises every problem of every workflow at once."""
    definitions = Definitions(read_definitions(object_info))
    prompts: dict[str, Prompt] = {}
    problems: list[PycomfyError] = []
    for source in sources:
        name = name_of(source)
        if name in prompts:
            problems.append(BadInput(f"two workflows are called {name}", where=source, fix="rename one of the files"))
            continue
        try:
            prompts[name] = convert(read_workflow(source), definitions)
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
