"""`convert`: make the prompts of workflows, as ComfyUI's editor would send them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pycomfy import operation
from pycomfy.adapters.containers.engine import StartableImage
from pycomfy.adapters.containers.node_definitions import read_cached
from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.concurrency import flatten_errors
from pycomfy.adapters.metadata.load import name_of, read_workflow_bytes, where_of
from pycomfy.adapters.metadata.object_info import read_definitions
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.prompt.convert import Prompt
from pycomfy.core.prompt.convert import convert as convert_workflow
from pycomfy.core.prompt.node_definitions import Definitions
from pycomfy.core.prompt.text_expansion import Moment, expand_texts
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, PycomfyError, raise_all
from pycomfy.services.editor import Editor, EditorWorkflow
from pycomfy.services.project import host_platform
from pycomfy.services.results import Problem, Result
from pycomfy.services.verification import ask_image, provide_recorded
from pycomfy.services.versions.lookup import find_image, layout_of
from pycomfy.services.versions.recorded_version import find_recorded_version
from pycomfy.services.workflow_folder import find_source
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class ConversionTarget:
    """The server to convert for: the file or address of its `/object_info`, or a version that was built, `NAME@N`; its
    editor makes the prompts where its lock has a browser. With a `seed`, texts are expanded as the editor does when it
    queues a prompt."""

    object_info: str | None = None
    version: str | None = None
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
    converted = _convert_all(workspace, {"": source}, target)[""]
    if isinstance(converted, PycomfyError):
        raise converted
    return converted


def convert_files(
    workspace: Workspace, sources: Sequence[str], target: ConversionTarget, folder: Path
) -> ConvertResult:
    """Write one `NAME.json` for each workflow that can be converted into `folder`. Raises every problem of every
    workflow if none can."""
    converted = _convert_all(workspace, {name_of(source): source for source in reversed(sources)}, target)
    files: dict[str, Path] = {}
    failed: list[str] = []
    problems: list[PycomfyError] = []
    for source in sources:
        name = name_of(source)
        prompt = converted[name]
        if name in files:
            prompt = BadInput(f"two workflows are called {name}", where=source, fix="rename one of the files")
        if isinstance(prompt, PycomfyError):
            failed.append(source)
            problems += flatten_errors(prompt)
        else:
            write_file(folder / f"{name}.json", render_prompt(prompt))
            files[name] = folder / f"{name}.json"
    if not files:
        raise_all(problems)
    return ConvertResult(files=tuple(files.values()), failed=tuple(failed), problems=tuple(problems))


def render_prompt(prompt: Prompt) -> str:
    """Return the prompt as indented JSON with a newline at the end."""
    return json.dumps(prompt, indent=2, ensure_ascii=False) + "\n"


def _convert_all(
    workspace: Workspace, sources: Mapping[str, str], target: ConversionTarget
) -> dict[str, Prompt | PycomfyError]:
    """The prompt of each workflow by name, or what is wrong with it. Raises what is wrong with the target."""
    server = _find_server(workspace, target)
    made: dict[str, Prompt | PycomfyError] = {}
    asked: dict[str, EditorWorkflow] = {}
    workflows: dict[str, Workflow] = {}
    for name, source in sources.items():
        try:
            data = read_workflow_bytes(find_source(source))
            workflow = workflows[name] = parse_workflow(data, where=where_of(source))
            by_editor = server.editor is not None and workflow.format != "api"
            ignore_lost = (lambda lost: None) if by_editor else None
            made[name] = prompt = convert_workflow(workflow, server.definitions, operation.report, ignore_lost)
            if by_editor:
                asked[name] = EditorWorkflow(workflow, data, prompt)
        except PycomfyError as e:
            made[name] = e
    if server.editor is not None and asked:
        answers = server.editor.make_prompts(list(asked.values()), server.definitions)
        made |= {name: answer for name, answer in zip(asked, answers, strict=True) if answer is not None}
    if target.seed is None:
        return made
    # The editor fills in dates in the user's time zone.
    moment = Moment(target.seed, workspace.clock().astimezone())
    return {
        name: prompt
        if isinstance(prompt, PycomfyError)
        else expand_texts(prompt, workflows[name], server.definitions, moment)
        for name, prompt in made.items()
    }


@dataclass(frozen=True)
class _Server:
    """What is converted for. Without an `editor` pycomfy's own conversion is the answer."""

    definitions: Definitions
    editor: Editor | None = None


def _find_server(workspace: Workspace, target: ConversionTarget) -> _Server:
    if target.version is None:
        if target.object_info is None:
            raise AssertionError("a target has one of both")
        return _Server(Definitions(read_definitions(target.object_info)))
    record = find_image(workspace, parse_reference(target.version))
    version = find_recorded_version(workspace, Reference(record.name, record.version))
    host, folder = host_platform(), "gateway/"
    gateway = {path.removeprefix(folder): data for path, data in version.files.items() if path.startswith(folder)}

    def image() -> StartableImage:
        return provide_recorded(workspace.engine, layout_of(record), record.name)

    environment = environment_fingerprint(version.lock, host, gateway)
    answer = read_cached(workspace.paths.cache, environment)
    if answer is None:
        answer = ask_image(workspace, workspace.engine, image(), environment)
    editor = Editor(workspace, version.lock, host, gateway, image)
    return _Server(Definitions(answer.types), editor if editor.is_pinned else None)
