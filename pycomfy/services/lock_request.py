"""Say what to lock: the caller's request goes before pycomfy.toml, which goes before the defaults."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from pycomfy.adapters.metadata.detect import find_workflow
from pycomfy.adapters.versions.lookup import find_workflow_file
from pycomfy.core.lockfile.config import Config, config_fingerprint, load_config, parse_config
from pycomfy.core.lockfile.git_url import parse_git_url, split_revision
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.package_indexes import ACCELERATOR
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.lockfile.toml import render_document
from pycomfy.core.lockfile.workflow_folder import WorkflowFolder
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE, SECTIONS
from pycomfy.core.lockfile.workflow_sections import explain_unknown_sections, merge_section
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.core.validation import explain_error
from pycomfy.core.workflow.parse import extract_workflow
from pycomfy.errors import BadConfig, BadInput, NotFound, Placeholder, suggest, suggest_retry
from pycomfy.services.workflow_folder import find_in_folder, find_lock_file, read_workflow_folder
from pycomfy.services.workspace import Workspace

MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class LockRequest:
    """What to lock. `workflow` is a file (JSON, or a picture with the workflow in it), or a folder that stands for one
    workflow (see `find_in_folder`).

    `packs` (name -> URL or URL@REVISION) and `nodes` (name -> commit; also of "ComfyUI") add to or replace what
    pycomfy.toml says; `prefer` are packs to choose where several may be meant, before those of pycomfy.toml. With
    `update`, only that part of the lock is renewed: packs by name, or what `update_policy.PARTS` lists. `output` is the
    lock's file, by default the one that the workflow has in its folder (see `core.lockfile.workflow_folder`).
    `requirements` and `overrides` are added to those of
    pycomfy.toml.
    """

    workflow: Path
    name: str | None = None
    config: Path | None = None
    packs: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    as_of: datetime | None = None
    platforms: tuple[PlatformName, ...] = ()
    accelerator: str | None = None
    prefer: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    output: Path | None = None
    requirements: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()

    @cached_property
    def folder(self) -> WorkflowFolder:
        """What is beside the workflow."""
        return read_workflow_folder(self.workflow if self.workflow.is_dir() else self.workflow.parent)

    @cached_property
    def file(self) -> Path:
        """The file of the workflow. Raises `BadInput` if a folder has several."""
        return find_in_folder(self.workflow, self.folder) if self.workflow.is_dir() else self.workflow

    @cached_property
    def lock_file(self) -> Path:
        """The file of the lock. Raises `BadInput` as `find_lock_file`."""
        return self.output or find_lock_file(self.file, self.folder)

    @property
    def config_file(self) -> Path:
        """The file of the configuration; it need not exist."""
        return self.config or self.file.parent / CONFIG_FILE

    @property
    def is_main(self) -> bool:
        """Whether the name at the top of the configuration is this workflow's: it is that of the folder's one."""
        return self.file.name == self.folder.main or self.config_file.parent != self.file.parent


def read_bounded(file: Path, kind: str) -> bytes:
    """Return the bytes of a file that the user named; `kind` says what it should be. Raises `NotFound`, `BadInput`."""
    with _open(file, kind) as data:
        if os.fstat(data.fileno()).st_size > MAX_BYTES:
            raise BadInput(f"the {kind} is larger than {MAX_BYTES >> 20} MiB", where=str(file), fix="give another file")
        return data.read()


def read_lock(file: Path) -> Lock:
    """Return the lock in a file that the user named. Raises `NotFound`, `BadInput`, `BadLock`."""
    return parse_lock(read_bounded(file, "lock").decode(errors="replace"), path=str(file))


def read_workflow_json(file: Path) -> bytes:
    """Return the JSON of a workflow's file: its bytes, or what ComfyUI saved in a picture, sound or video, without what
    another program wraps around it. Raises `NotFound`, `BadInput`, `BadWorkflow`."""
    with _open(file, "workflow") as data:
        return extract_workflow(find_workflow(data, where=str(file)), where=str(file))


def read_requested_workflow(workspace: Workspace, request: LockRequest) -> bytes:
    """Return the JSON of the workflow of a request. Raises as `read_workflow_json`; the name of a workflow in place of
    its file is explained."""
    try:
        return read_workflow_json(request.file)
    except NotFound:
        name = str(request.workflow)
        file, built = find_workflow_file(name), name in workspace.versions.names()
        if file is None and not built:
            raise
        fixes = [suggest("retry", "its file", workflow=file)] if file is not None else []
        if built:
            fixes.append(suggest("checkout", "then again with DIR", reference=name, to=Placeholder("DIR")))
        raise NotFound(f'"{name}" is the name of a workflow, not its file', where=name, fix=fixes) from None


@contextlib.contextmanager
def _open(file: Path, kind: str) -> Iterator[BinaryIO]:
    """Open a regular file only: a pipe or a device may never end, and a lock would be written beside it."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise BadInput(f"the {kind} is not a file", where=str(file), fix="give a file, or the folder with it")
        with file.open("rb") as data:
            yield data
    except FileNotFoundError as e:
        raise NotFound(f"no such {kind}", where=str(file), fix="give a file, or the folder with it") from e
    except OSError as e:
        raise BadInput(f"the {kind} cannot be read: {e.strerror}", where=str(file), fix="make it readable") from e


def read_config(request: LockRequest) -> tuple[Path, Config]:
    """Return the folder that relative paths are relative to, and pycomfy.toml with the request's additions. Raises
    `NotFound`, `BadInput`, `BadConfig`."""
    path = request.config_file
    config = _parse_config(request, _read_config_text(request) or "")
    base = path.parent
    changes: dict[str, object] = {"packs": _add_packs(request, config, base)}
    if COMFYUI.lower() in {name.lower() for name in request.nodes}:
        commit = next(c for name, c in request.nodes.items() if name.lower() == COMFYUI.lower())
        changes["comfyui"] = _with_revision(COMFYUI, config.comfyui, commit)
    changes["prefer"] = (*request.prefer, *config.prefer)
    changes["requirements"] = (*config.requirements, *request.requirements)
    changes["overrides"] = (*config.overrides, *request.overrides)
    if request.as_of is not None:
        changes["as_of"] = request.as_of.astimezone(UTC).replace(microsecond=0)
    if request.accelerator is not None:
        if not ACCELERATOR.fullmatch(request.accelerator):
            raise BadConfig(
                f"unknown accelerator {request.accelerator!r}",
                where="the requested accelerator",
                fix="give cpu, cu128 (CUDA 12.8), rocm6.4, or another name that PyTorch has for its builds",
            )
        changes["accelerator"] = request.accelerator
    if request.platforms:
        changes["platforms"] = tuple(dict.fromkeys(request.platforms))
    return base, config.model_copy(update=changes)


def read_config_fingerprint(request: LockRequest) -> str:
    """Return the fingerprint of what pycomfy.toml says for a workflow; without one, that of an empty one."""
    return config_fingerprint(_parse_config(request, _read_config_text(request) or ""))


def read_own_config(request: LockRequest) -> bytes | None:
    """Return pycomfy.toml, without what it says of other workflows than this one; None without one."""
    text = _read_config_text(request)
    if text is not None and SECTIONS in (data := load_config(text, str(request.config_file))):
        text = render_document(merge_section(data, request.file.name, main=lambda: request.is_main))
    return None if text is None else text.encode()


def list_unknown_sections(request: LockRequest) -> list[str]:
    """Return a remark for each table of pycomfy.toml about a workflow that is not there."""
    sections = load_config(_read_config_text(request) or "", str(request.config_file)).get(SECTIONS, {})
    return explain_unknown_sections(sections, [request.file.name, *request.folder.files])


def _parse_config(request: LockRequest, text: str) -> Config:
    return parse_config(text, str(request.config_file), request.file.name, main=lambda: request.is_main)


def _read_config_text(request: LockRequest) -> str | None:
    """Return the text of pycomfy.toml; None without one, which is an error where the caller named it."""
    path = request.config_file
    if request.config is None and not path.exists():
        return None
    return _decode(read_bounded(path, "configuration"), path)


def _decode(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise BadConfig("not UTF-8", where=str(path), fix="save it as UTF-8") from e


def _add_packs(request: LockRequest, config: Config, base: Path) -> dict[str, SourceSpec]:
    packs: dict[str, SourceSpec] = dict(config.packs)
    for name, text in request.packs.items():
        # A path in a request is relative to the working directory, one in pycomfy.toml to that file.
        url, revision = (text, None) if Path(text).exists() else split_revision(text)
        address = parse_git_url(url, where=f"the requested node pack {name}")
        if address.local and not url.startswith("file://"):
            url = os.path.relpath(url, base)
        value = {"git": url, "rev": revision}
        try:
            packs.update(Config.model_validate({"packs": {name: value}}).packs)
        except ValidationError as e:
            raise BadConfig(
                "; ".join(dict.fromkeys(map(explain_error, e.errors(include_url=False)))),
                where=f"the requested node pack {name}",
                fix=suggest_retry("lock", pack=Placeholder("NAME=URL[@REVISION]")),
            ) from e
    for name, commit in request.nodes.items():
        if name in packs:
            packs[name] = _with_revision(name, packs[name], commit)
        elif name.lower() != COMFYUI.lower():
            fix = suggest_retry("lock", "adds it", pack=Placeholder(f"{name}=URL"))
            raise BadConfig(f"there is no node pack {name}", where="pycomfy.toml", fix=fix)
    return packs


def _with_revision(name: str, spec: SourceSpec, commit: str) -> SourceSpec:
    pinned = spec.at_revision(commit.lower())
    if pinned is None:
        raise BadConfig(f"{name} does not come from git", where="pycomfy.toml", fix="change its source there")
    if not re.fullmatch(r"[0-9a-fA-F]{7,40}", commit):
        raise BadConfig(
            f"{commit!r} is not a commit",
            where=f"the requested commit of {name}",
            fix="give its hash; a branch or tag goes into pycomfy.toml: rev = …",
        )
    return pinned
