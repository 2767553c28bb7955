"""`import` of another tool's file: it becomes a folder that `lock` takes, with a workflow and a pycomfy.toml."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pycomfy.adapters.bundle.comfy_pack import is_zip, read_cpack
from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.core.interchange.comfy_pack import SNAPSHOT, parse_cpack
from pycomfy.core.interchange.comfyui_manager import moment_of_name
from pycomfy.core.interchange.document import parse_document
from pycomfy.core.interchange.model import TITLES, EnvironmentSpec, Format
from pycomfy.core.interchange.registry import find_format, parse_environment
from pycomfy.core.interchange.to_config import render_config
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.errors import BadInput, BadWorkflow, PycomfyError
from pycomfy.services.lock_request import read_bounded

CONFIG, WORKFLOW = "pycomfy.toml", "workflow.json"
_BUNDLE = b"\x28\xb5\x2f\xfd"  # Zstandard's


@dataclass(frozen=True)
class ImportRequest:
    """What to import. `to` is the folder to make, by default called like the file, here; `format_` what the file is, if
    it cannot be told by itself; `workflow` a workflow for a file that has none, or instead of its own."""

    file: Path
    to: Path | None = None
    format_: Format | None = None
    workflow: Path | None = None
    name: str | None = None

    @property
    def folder(self) -> Path:
        if self.to is not None:
            return self.to
        stem = re.sub(r"(\.cpack)?\.[A-Za-z]+$", "", self.file.name).lstrip(".-")
        return Path(stem or "imported")


@dataclass(frozen=True)
class ImportedFolder:
    """`notes` are remarks for the user: all that is not carried over. `workflow` says whether there is one; `packs`,
    `packages`, `models` and `inputs` count what is in pycomfy.toml; `files` are input files, below the folder."""

    folder: Path
    format_: Format
    notes: tuple[str, ...]
    workflow: bool
    counts: Mapping[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def is_bundle(file: Path) -> bool:
    """Whether the file is one of pycomfy's own. Raises `NotFound`, `BadInput`."""
    return _head(file).startswith(_BUNDLE)


def import_foreign(request: ImportRequest) -> ImportedFolder:
    """Make the folder. Raises `BadInput` for a file that cannot be read, or a folder that is there; then nothing is
    left."""
    folder = request.folder
    with translate_disk_full(folder):
        if folder.exists() or folder.is_symlink():
            raise BadInput("there is something already", where=str(folder), fix="name a new folder: --to DIR")
    with new_folder(folder) as place:
        format_, recipe, files = _read(request, place)
        recipe, workflow = _with_workflow(request, recipe)
        recipe = replace(
            recipe, name=request.name or recipe.name, made_at=recipe.made_at or moment_of_name(request.file.name)
        )
        written = render_config(recipe, f"{TITLES[format_]}, {request.file.name}")
        config = parse_config(written.text, where=str(folder / CONFIG))
        (place / CONFIG).write_text(written.text)
        if workflow is not None:
            (place / WORKFLOW).write_bytes(workflow)
    return ImportedFolder(
        folder,
        format_,
        written.notes,
        workflow is not None,
        {
            "packs": len(config.packs),
            "packages": len(config.overrides),
            "models": len(config.models),
            "inputs": len(config.inputs),
        },
        files,
    )


def _head(file: Path) -> bytes:
    if not file.is_file():
        read_bounded(file, "file")  # says what is wrong with it
    with translate_disk_full(file), file.open("rb") as stream:
        return stream.read(4)


def _read(request: ImportRequest, place: Path) -> tuple[Format, EnvironmentSpec, tuple[str, ...]]:
    """The recipe; input files are put into `place`."""
    file = request.file
    if not is_zip(_head(file)):
        format_, recipe = parse_environment(read_bounded(file, "file"), str(file), request.format_)
        return format_, recipe, ()
    if request.format_ not in (None, "cpack", "cpack-0.3"):
        raise BadInput(f"it is a zip, not {TITLES[request.format_]}", where=str(file), fix="leave --format out")
    unpacked = read_cpack(file, place)
    recipe = parse_cpack(unpacked.texts, str(file))
    remarks = recipe.remarks
    if unpacked.others:
        remarks += (f"not read: {', '.join(shown(name) for name in unpacked.others[:20])}",)
    old = find_format(parse_document(unpacked.texts[SNAPSHOT], str(file))) == "cpack-0.3"
    return "cpack-0.3" if old else "cpack", replace(recipe, remarks=remarks), unpacked.inputs


def _with_workflow(request: ImportRequest, recipe: EnvironmentSpec) -> tuple[EnvironmentSpec, bytes | None]:
    """The workflow, the user's before that of the file, and the editor's before the one in API format."""
    if request.workflow is not None:
        data = read_bounded(request.workflow, "workflow")
        parse_workflow(data, where=str(request.workflow))
        return recipe, data
    problems: list[PycomfyError] = []
    for found in (recipe.workflow, recipe.prompt):
        try:
            if found is not None:
                parse_workflow(found, where=f"the workflow in {request.file}")
                remarks = tuple(f"the workflow of the editor is left out: {p.what}" for p in problems)
                return replace(recipe, remarks=(*recipe.remarks, *remarks)), found
        except BadWorkflow as e:
            problems.append(e)
    if problems:
        raise problems[0]
    return recipe, None
