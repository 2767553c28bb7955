"""Read the inputs of a run, check them against the version's interface, and put them into its prompt."""

import contextlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pycomfy.adapters.containers.job_inputs import copy_input, read_input
from pycomfy.core.interface.cli_values import STREAM, find_source, read_value
from pycomfy.core.interface.json_schema import apply_arguments, check_arguments
from pycomfy.core.interface.model import FILE_TYPES, Interface, Parameter, parse_interface
from pycomfy.core.versions.reference import Reference
from pycomfy.core.versions.snapshot import INTERFACE, PROMPT, WORKFLOW
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadInput, BadWorkflow, ErrorGroup, Placeholder, PycomfyError, raise_all, suggest
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class Arguments:
    """`texts` are values by input as a user writes them, where `@file` is read; `file` is a JSON object of values, in
    which paths are relative to it; `-` is standard input. `values` are those of a program. `texts` override `values`,
    which override `file`."""

    texts: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None
    values: Mapping[str, object] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.texts or self.values) or self.file is not None


@dataclass(frozen=True)
class Filled:
    """A version's prompt with the arguments in it, their values, and its workflow, which ComfyUI embeds in outputs. Of
    values that are files, `files` has the absolute paths, None for standard input."""

    values: Mapping[str, object]
    files: Mapping[str, str | None]
    prompt: dict[str, Any]
    workflow: dict[str, Any] | None


def fill_prompt(workspace: Workspace, reference: Reference, arguments: Arguments, folder: Path) -> Filled:
    """Copy the files among `arguments` to `folder`, and put the values into the prompt of the version.

    Raises `BadInput` or `NotFound` for all arguments that are wrong, at once.
    """
    versions = workspace.versions
    version = versions.find(reference)
    files = versions.read_some([version.commit], (PROMPT, INTERFACE, WORKFLOW))[version.commit]
    if PROMPT not in files or INTERFACE not in files:
        note = "then build that folder, which verifies it"
        fix = suggest("checkout", note, reference=version.label, to=Placeholder("DIR"))
        raise BadInput(f"the inputs of {version.label} are unknown: it was not verified", where=version.label, fix=fix)
    interface = parse_interface(files[INTERFACE].decode(errors="replace"), where=f"{INTERFACE} of {version.label}")
    prompt = _parse_prompt(files[PROMPT], interface, f"{PROMPT} of {version.label}")
    reader = _Reader(interface, folder, version.label)
    values = reader.read(arguments)
    return Filled(
        values, reader.files, apply_arguments(prompt, interface, values), _parse_workflow(files.get(WORKFLOW))
    )


class _Reader:
    """Reads arguments one by one, and collects the problems to raise them together."""

    def __init__(self, interface: Interface, folder: Path, version: str) -> None:
        self._interface = interface
        self._known = {p.name: p for p in interface.parameters}
        self._folder = folder
        self._version = version
        self._values: dict[str, object] = {}
        self.files: dict[str, str | None] = {}
        self._problems: list[PycomfyError] = []
        self._streamed = ""

    def read(self, arguments: Arguments) -> dict[str, object]:
        """Return the values by input; for files, their names in the input folder."""
        if arguments.file is not None:
            with self._collecting():
                self._read_file(arguments.file, skip={*arguments.texts, *arguments.values})
        self._take(arguments.values, Path.cwd(), skip=arguments.texts)
        for name, text in arguments.texts.items():
            with self._collecting():
                self._values[name] = self._from_text(name, text)
        with self._collecting():
            check_arguments(self._interface, self._values, self._version)
        raise_all(self._problems)
        return self._values

    @contextlib.contextmanager
    def _collecting(self) -> Iterator[None]:
        try:
            yield
        except ErrorGroup as e:
            self._problems += e.problems
        except BadInput as e:
            self._problems.append(e)

    def _read_file(self, file: str, skip: Collection[str]) -> None:
        where = "the inputs file"
        raw = _parse_object(
            read_input(self._use_stream_once(file, where), where), "standard input" if file == STREAM else file
        )
        self._take(raw, Path() if file == STREAM else Path(file).parent, skip)

    def _take(self, values: Mapping[str, object], folder: Path, skip: Collection[str]) -> None:
        """Take values as they are; of files, the path relative to `folder`."""
        for name, value in values.items():
            if name in skip:
                continue
            parameter = self._known.get(name)
            if parameter is not None and parameter.type in FILE_TYPES and isinstance(value, str | Path):
                with self._collecting():
                    self._values[name] = self._copy(parameter, str(folder / value))
            else:
                self._values[name] = value

    def _from_text(self, name: str, text: str) -> object:
        parameter = self._known.get(name)
        if parameter is None:
            return text
        where = f"inputs.{name}"
        source = find_source(parameter, text)
        if source is None:
            return read_value(parameter, text[1:] if text.startswith("@@") else text)
        if parameter.type in FILE_TYPES:
            return self._copy(parameter, source)
        data = read_input(self._use_stream_once(source, where), where)
        try:
            read = data.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            raise BadInput(f"{source} is not text in UTF-8", where=where, fix="save it as UTF-8") from e
        # Editors end a file with a newline, which is not part of a number, a choice or a truth value.
        return read_value(parameter, read if parameter.type == "text" else read.strip())

    def _copy(self, parameter: Parameter, source: str) -> str:
        where = f"inputs.{parameter.name}"
        # ComfyUI lists 3D files of one folder only.
        folder = "3d" if parameter.type == "3d" else "."
        name = copy_input(self._use_stream_once(source, where), self._folder / folder, where)
        self.files[parameter.name] = None if source == STREAM else os.path.abspath(source)  # noqa: PTH100
        return Path(folder, name).as_posix()

    def _use_stream_once(self, source: str, where: str) -> str:
        """Return `source`. Raises `BadInput` where it is standard input for the second time."""
        if source == STREAM:
            if self._streamed:
                what = f"standard input is already used for {self._streamed}"
                raise BadInput(what, where=where, fix="give one of them as a file")
            self._streamed = where
        return source


def _parse_object(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = parse_json(data, where=where)
    except BadWorkflow as e:
        raise BadInput(e.what, where=where, fix=_FIX) from e
    if not isinstance(value, dict):
        raise BadInput("not a JSON object", where=where, fix=_FIX)
    return value


_FIX = 'write a JSON object, such as {"seed": 7}'


def _parse_prompt(data: bytes, interface: Interface, where: str) -> dict[str, Any]:
    """The prompt, if it has inputs where the interface says so: a version that was pulled may contain anything."""
    try:
        prompt = parse_json(data, where=where)
    except BadWorkflow as e:
        raise BadInput(e.what, where=where, fix="build the workflow again") from e
    nodes = prompt if isinstance(prompt, dict) else {}
    for node in {target.node for parameter in interface.parameters for target in parameter.targets}:
        if node in nodes and not (isinstance(nodes[node], dict) and isinstance(nodes[node].get("inputs"), dict)):
            raise BadInput(f"node {node} has no inputs", where=where, fix="build the workflow again")
    if not nodes:
        raise BadInput("not a prompt", where=where, fix="build the workflow again")
    return nodes


def _parse_workflow(data: bytes | None) -> dict[str, Any] | None:
    """The workflow as the image itself would send it along; None if it is not JSON."""
    try:
        value = json.loads(data or b"null")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
