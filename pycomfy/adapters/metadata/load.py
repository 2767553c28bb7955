"""Read a workflow from wherever the user points: a file, a project folder, standard input, a URL."""

import io
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from pycomfy.adapters.io import download
from pycomfy.adapters.io.http_client import Refusal, without_login
from pycomfy.adapters.metadata.detect import find_workflow
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, BadWorkflow, NotFound

MAX_DOWNLOAD = 256 * 1024 * 1024


def is_url(source: str) -> bool:
    """Return whether a source is a web address."""
    return source.startswith(("http://", "https://"))


def read_workflow(source: str) -> Workflow:
    """Return the workflow at `source`: a path, a URL, or `-` for standard input. Raises as `read_workflow_bytes`."""
    return parse_workflow(read_workflow_bytes(source), where=where_of(source))


def read_workflow_bytes(source: str) -> bytes:
    """Return the JSON of the workflow at `source`, as it is in the file or inside a media file.

    Raises `NotFound`, `BadWorkflow`, `BadInput` (unreadable) or `NetworkError`.
    """
    if source == "-":
        return find_workflow(_bounded(sys.stdin.buffer), where="standard input")
    if is_url(source):
        return find_workflow(io.BytesIO(_download(source)), where=where_of(source))
    path = Path(source)
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return find_workflow(_bounded(file, source), where=source)
            return find_workflow(file, where=source)
    except FileNotFoundError as e:
        raise NotFound(f"there is no file {path}", where=str(Path.cwd()), fix="check the path") from e
    except OSError as e:
        raise BadInput(
            f"the file cannot be read: {e.strerror}", where=source, fix="check the path and its permissions"
        ) from e


def where_of(source: str) -> str:
    """Return a source for an error: a URL without its login."""
    return "standard input" if source == "-" else without_login(source) if is_url(source) else source


def name_of(source: str) -> str:
    """Return a workflow's name: the file's stem, or its folder's name if the file is called `workflow.json`."""
    if source == "-":
        return "workflow"
    path = Path(unquote(urlsplit(source).path)) if is_url(source) else Path(source).absolute()
    if not is_url(source) and path.is_dir():
        return path.name
    return path.parent.name or "workflow" if path.name == "workflow.json" else path.stem


def _bounded(stream: BinaryIO, where: str = "standard input") -> BinaryIO:
    """Read a pipe or a device, which may never end, into memory."""
    data = stream.read(MAX_DOWNLOAD + 1)
    if len(data) > MAX_DOWNLOAD:
        raise BadWorkflow(f"more than {MAX_DOWNLOAD >> 20} MiB", where=where, fix="give a workflow")
    return io.BytesIO(data)


def _download(url: str) -> bytes:
    try:
        return download.read(url, limit=MAX_DOWNLOAD, tries=1)
    except Refusal as e:
        if e.status == 404:
            raise NotFound("the server has no such file (404)", where=e.where, fix="check the URL") from e
        raise
