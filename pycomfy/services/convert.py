"""`convert`: make the prompts of workflows, as ComfyUI's editor would send them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.metadata.load import name_of, read_workflow
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.convert import convert as convert_workflow
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.text_expansion import Moment, expand_texts
from pycomfy.errors import BadInput, PycomfyError, raise_all
from pycomfy.services.results import Problem, Result
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class ConversionTarget:
    """The server to convert for: the file or address of its `/object_info`. With a `seed`, texts are expanded as the
    editor does when it queues a prompt."""

    object_info: str
    seed: int | None = None


class ConvertResult(Result):
    """The files that were written. `failed` are the sources that were not converted, `problems` why. `version` is that
    of this result's form, from before results had a `schema_version`."""

    version: Literal[1] = 1
    files: tuple[Path, ...]
    failed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def convert(workspace: Workspace, source: str, target: ConversionTarget) -> Prompt:
    """Return the prompt of the workflow at `source` (a path, a URL, `-`). Raises what reading and converting raise."""
    return _convert(workspace, source, Definitions(read_definitions(target.object_info)), target.seed)


def convert_files(
    workspace: Workspace, sources: Sequence[str], target: ConversionTarget, folder: Path
) -> ConvertResult:
    """Write one `NAME.json` for each workflow that can be converted into `folder`. Raises every problem of every
    workflow if none can."""
    definitions = Definitions(read_definitions(target.object_info))
    files: dict[str, Path] = {}
    failed: list[str] = []
    problems: list[PycomfyError] = []
    for source in sources:
        name = name_of(source)
        try:
            if name in files:
                raise BadInput(f"two workflows are called {name}", where=source, fix="rename one of the files")
            prompt = _convert(workspace, source, definitions, target.seed)
            write_file(folder / f"{name}.json", render_prompt(prompt))
            files[name] = folder / f"{name}.json"
        except PycomfyError as e:
            failed.append(source)
            problems += flatten_errors(e)
    if not files:
        raise_all(problems)
    return ConvertResult(files=tuple(files.values()), failed=tuple(failed), problems=tuple(problems))


def render_prompt(prompt: Prompt) -> str:
    """Return the prompt as indented JSON with a newline at the end."""
    return json.dumps(prompt, indent=2, ensure_ascii=False) + "\n"


def _convert(workspace: Workspace, source: str, definitions: Definitions, seed: int | None) -> Prompt:
    workflow = read_workflow(source)
    prompt = convert_workflow(workflow, definitions, operation.report)
    if seed is None:
        return prompt
    # The editor fills in dates in the user's time zone.
    return expand_texts(prompt, workflow, definitions, Moment(seed, workspace.clock().astimezone()))
