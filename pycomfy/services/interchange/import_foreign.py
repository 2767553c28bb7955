"""Import another tool's file: write a folder with a pycomfy.toml, and a workflow, that can be locked."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from pycomfy.adapters.interchange.zip_package import is_zip, read_zip
from pycomfy.adapters.io.atomic_files import new_folder, translate_disk_full
from pycomfy.core.interchange.document import describe_names
from pycomfy.core.interchange.format import Format
from pycomfy.core.interchange.model import EnvironmentSpec
from pycomfy.core.interchange.parse import list_zip_layouts, parse_environment, parse_members
from pycomfy.core.interchange.to_config import render_config
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE, WORKFLOW_FILE
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, BadWorkflow, Placeholder, PycomfyError, suggest
from pycomfy.services.lock_request import read_bounded
from pycomfy.services.results import Result


@dataclass(frozen=True)
class ForeignImportRequest:
    """What to import. `to` is the folder to make, by default named after the file, in the working folder. `format` is
    what the file is, None to recognise it. `workflow` is for a file that has none, or to be used instead of its own."""

    file: Path
    to: Path | None = None
    format: Format | None = None
    workflow: Path | None = None
    name: str | None = None

    @property
    def folder(self) -> Path:
        """The folder to make."""
        if self.to is not None:
            return self.to
        stem = re.sub(r"(\.cpack)?\.[A-Za-z]+$", "", self.file.name).lstrip(".-")
        return Path(stem or "imported")


class ForeignImport(Result):
    """The folder that was made of a file of that `format`. `workflow` says whether there is one in it; `packs`,
    `packages`, `models` and `inputs` count what pycomfy.toml has; `files` are input files, by their paths in the
    folder; `notes` list all that was left out."""

    folder: Path
    format: str
    workflow: bool
    packs: int
    packages: int
    models: int
    inputs: int
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def import_foreign(request: ForeignImportRequest) -> ForeignImport:
    """Make the folder; nothing is fetched. Raises `BadInput` for a file that cannot be read, or a folder that exists;
    then nothing is left of it."""
    folder = request.folder
    with translate_disk_full(folder):
        if folder.exists() or folder.is_symlink():
            raise BadInput("already exists", where=str(folder), fix=suggest("retry", to=Placeholder("DIR")))
    with new_folder(folder) as new:
        format_, environment, files = _read(request, new)
        environment, workflow = _choose_workflow(request, environment)
        environment = replace(environment, name=request.name or environment.name)
        rendered = render_config(environment, f"{format_.title}, {request.file.name}")
        config = parse_config(rendered.text, where=str(folder / CONFIG_FILE))
        (new / CONFIG_FILE).write_text(rendered.text)
        if workflow is not None:
            (new / WORKFLOW_FILE).write_bytes(workflow)
    return ForeignImport(
        folder=folder,
        format=format_.name,
        workflow=workflow is not None,
        packs=len(config.packs),
        packages=len(config.overrides),
        models=len(config.models),
        inputs=len(config.inputs),
        files=files,
        notes=rendered.notes,
    )


def read_head(file: Path) -> bytes:
    """Return the first four bytes of a file. Raises `NotFound`, `BadInput`."""
    if not file.is_file():
        read_bounded(file, "file")  # raises what is wrong with it
    with translate_disk_full(file), file.open("rb") as stream:
        return stream.read(4)


def _read(request: ForeignImportRequest, folder: Path) -> tuple[Format, EnvironmentSpec, tuple[str, ...]]:
    """Return the format, the environment, and the paths of the input files, which are unpacked into `folder`."""
    file = request.file
    if not is_zip(read_head(file)):
        format_, environment = parse_environment(read_bounded(file, "file"), str(file), request.format)
        return format_, environment, ()
    unpacked = read_zip(file, list_zip_layouts(), folder)
    format_, environment = parse_members(unpacked.texts, unpacked.layout, str(file), request.format)
    notes = describe_names("files that are ignored", unpacked.others)
    return format_, replace(environment, notes=(*environment.notes, *notes)), unpacked.inputs


def _choose_workflow(
    request: ForeignImportRequest, environment: EnvironmentSpec
) -> tuple[EnvironmentSpec, bytes | None]:
    """Return the workflow: the user's rather than the file's, and the editor's rather than the one in API format. The
    environment gets a note on one that is malformed."""
    if request.workflow is not None:
        data = read_bounded(request.workflow, "workflow")
        parse_workflow(data, where=str(request.workflow))
        return environment, data
    problems: list[PycomfyError] = []
    for workflow in (environment.workflow, environment.prompt):
        try:
            if workflow is not None:
                parse_workflow(workflow, where=f"the workflow in {request.file}")
                notes = tuple(f"the editor's workflow is left out: {p.what}" for p in problems)
                return replace(environment, notes=(*environment.notes, *notes)), workflow
        except BadWorkflow as e:
            problems.append(e)
    if problems:
        raise problems[0]
    return environment, None
