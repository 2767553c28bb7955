"""What can be started as an operation: each kind is a command of pycomfy, with the arguments that a browser may give.

The child process is the command line itself, so that both do the same, and what is shown can be pasted into a shell.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.services.studio.working_folders import open_working_folder, working_folder
from pycomfy.services.workspace import Workspace

Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
Word = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x20-][^\x00\n]*$")]
"""A value that no command takes for an option."""

AbsolutePath = Annotated[str, StringConstraints(max_length=1000, pattern=r"^/[^\x00-\x1f]*$")]

Count = Annotated[int, Field(ge=0, lt=10**6)]

Form = Literal["image", "folder", "project"]
"""What a version is restored as."""


class Request(BaseModel):
    """What every kind has: the workflow, or one of its versions, and the command that it becomes."""

    kind: str
    model_config = ConfigDict(extra="forbid", frozen=True)

    workflow: Annotated[str, StringConstraints(max_length=220)]

    @property
    def name(self) -> str:
        """The workflow's name."""
        return parse_reference(self.workflow).name

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        """Return the arguments of the command; `folder` is the operation's own."""
        raise NotImplementedError


class LockRequest(Request):
    """Pin everything a workflow needs. `packs` are `NAME=URL[@REV]`, `update` is what to renew."""

    kind: Literal["lock"]
    packs: tuple[Word, ...] = ()
    prefer: tuple[Word, ...] = ()
    update: tuple[Word, ...] = ()

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        words = ["lock", str(open_working_folder(workspace, self.name)), "--json"]
        for option, values in (("--pack", self.packs), ("--prefer", self.prefer), ("--update", self.update)):
            words += [word for value in values for word in (option, value)]
        return words


class BuildRequest(Request):
    """Build a workflow's image, verify it, and record it as a version."""

    kind: Literal["build"]
    message: Text = ""
    platform: PlatformName | None = None
    locked: bool = False

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        words = ["build", str(open_working_folder(workspace, self.name)), "--json"]
        words += [f"--message={self.message}"] if self.message else []
        words += ["--platform", self.platform] if self.platform is not None else []
        return words + (["--locked"] if self.locked else [])


class VerifyRequest(Request):
    """Build a version again in an empty store, and compare every digest."""

    kind: Literal["verify"]

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        return ["verify", str(parse_reference(self.workflow)), "--json"]


class RestoreRequest(Request):
    """Restore a version: its image, or in the new folder `folder` a plain ComfyUI or the Nix project."""

    kind: Literal["restore"]
    form: Form = "image"
    folder: AbsolutePath | None = None
    offline: bool = False

    @model_validator(mode="after")
    def _check_folder(self) -> Self:
        if (self.folder is None) != (self.form == "image"):
            raise ValueError("a folder or a project needs the path of its folder, an image has none")
        return self

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        words = ["restore", str(parse_reference(self.workflow)), "--json"]
        if self.folder is not None:
            words += ["--to" if self.form == "folder" else "--project", self.folder]
        return words + (["--offline"] if self.offline else [])


class PullModelsRequest(Request):
    """Fetch the models of a workflow that are not here."""

    kind: Literal["models-pull"]

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        reference = parse_reference(self.workflow)
        folder = working_folder(workspace, reference.name)
        is_folder = reference == Reference(reference.name) and folder.is_dir()
        return ["models", "pull", f"{folder}/" if is_folder else str(reference), "--json"]


class RunRequest(Request):
    """Run one job in a version's image, with the values of its `inputs`."""

    kind: Literal["run"]
    inputs: Annotated[dict[str, Any], Field(max_length=2000, default_factory=dict)]
    gpus: Annotated[str, StringConstraints(pattern=r"^(all|[0-9]+(,[0-9]+)*)$")] | None = None

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        write_file(folder / "inputs.json", json.dumps(self.inputs))
        words = ["run", str(parse_reference(self.workflow)), "--json", "--inputs", str(folder / "inputs.json")]
        words += ["--output", str(folder / "outputs")]
        return words + (["--gpus", self.gpus] if self.gpus is not None else [])


class MachineRequest(Request):
    """What is done to the machine: fixes of errors ask for it. It has no workflow."""

    workflow: Literal[""] = ""

    @property
    def name(self) -> str:
        return ""


class CollectRequest(MachineRequest):
    """Free what nothing needs; with `keep` and `older_than` (days) layers of older versions, too, with `loaded` images
    in the engine. Caches are not freed: that may be done only while nothing else runs."""

    kind: Literal["gc"]
    keep: Count | None = None
    older_than: Count | None = None
    loaded: bool = False

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        words = ["gc", "--json"]
        words += ["--keep", str(self.keep)] if self.keep is not None else []
        words += ["--older-than", str(self.older_than)] if self.older_than is not None else []
        return words + (["--loaded"] if self.loaded else [])


class ReindexRequest(MachineRequest):
    """Make the database anew."""

    kind: Literal["reindex"]

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        return ["reindex", "--json"]


class UpdateCatalogRequest(MachineRequest):
    """Fetch the lists of node packs."""

    kind: Literal["catalog-update"]

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        return ["catalog", "update", "--json"]


class FillArchiveRequest(MachineRequest):
    """Put into the archive what versions need; with `models` models, too."""

    kind: Literal["archive-fill"]
    models: bool = False

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        return ["archive", "fill", "--json"] + (["--models"] if self.models else [])


class VerifyArchiveRequest(MachineRequest):
    """Compare all that is in the archive with its hashes; with `repair` fetch anew what is damaged."""

    kind: Literal["archive-verify"]
    repair: bool = False

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        return ["archive", "verify", "--json"] + (["--repair"] if self.repair else [])


class VerifyModelsRequest(MachineRequest):
    """Compare all models with their hashes."""

    kind: Literal["models-verify"]

    def command(self, workspace: Workspace, folder: Path) -> list[str]:
        return ["models", "verify", "--json"]


OperationRequest = Annotated[
    LockRequest
    | BuildRequest
    | VerifyRequest
    | RestoreRequest
    | PullModelsRequest
    | RunRequest
    | CollectRequest
    | ReindexRequest
    | UpdateCatalogRequest
    | FillArchiveRequest
    | VerifyArchiveRequest
    | VerifyModelsRequest,
    Field(discriminator="kind"),
]
