"""`api`: describe the API of a version, and write programs that call it, without starting anything."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.core.interface.examples import Example, Language, write_example
from pycomfy.core.interface.model import parse_interface
from pycomfy.core.versions.snapshot import INTERFACE, LOCK, PROMPT, WORKFLOW
from pycomfy.errors import BadInput, Placeholder, suggest
from pycomfy.services.workspace import Workspace

_FILES = (PROMPT, WORKFLOW, INTERFACE, LOCK)
"""What the gateway reads of a project."""

_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]/_~%-]{1,500}")


def describe_api(workspace: Workspace, reference: str) -> dict[str, Any]:
    """Return the OpenAPI document of a version: the one that its gateway serves, if this pycomfy built it. Raises
    `NotFound`, and `BadInput` for a version without an interface."""
    label, files = _read(workspace, reference)
    from pycomfy.gateway.api.app import make_app
    from pycomfy.gateway.places import Places
    from pycomfy.gateway.project import read_project

    with scratch_folder() as folder:
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        project = read_project(replace(Places(), project=folder))
    try:
        document: dict[str, Any] = make_app(project).openapi()
    except ValueError as e:
        raise BadInput(f"the interface makes no sense: {e}", where=label, fix="build the workflow again") from e
    return document


def write_api_example(workspace: Workspace, reference: str, language: Language, url: str) -> str:
    """Return a program that calls a version which is served at `url`. Raises as `describe_api`, and `BadInput` for what
    is no address."""
    if not _URL.fullmatch(url):
        raise BadInput(f'"{url}" is not an address', where="url", fix="write http://HOST:PORT")
    label, files = _read(workspace, reference)
    interface = parse_interface(files[INTERFACE].decode(errors="replace"), where=f"{INTERFACE} of {label}")
    return write_example(language, Example(label, interface, url.rstrip("/")))


def _read(workspace: Workspace, reference: str) -> tuple[str, dict[str, bytes]]:
    version = workspace.versions.find(reference)
    files = workspace.versions.read_some([version.commit], _FILES)[version.commit]
    if INTERFACE not in files:
        note = "then build that folder, which verifies it"
        fix = suggest("checkout", note, reference=version.label, to=Placeholder("DIR"))
        raise BadInput(f"the inputs of {version.label} are unknown: it was not verified", where=version.label, fix=fix)
    return version.label, files


def render_document(document: dict[str, Any]) -> str:
    """Return the document as JSON, for people too."""
    return json.dumps(document, ensure_ascii=False, indent=2)
