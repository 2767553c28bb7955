"""`show`: describe one version, and what changed in it."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from pydantic import PlainSerializer

from pycomfy import operation
from pycomfy.core.interface.model import OutputNode, Parameter
from pycomfy.core.lockfile.schema import ComfyUI, ModelFile, Pack
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.core.versions.diff import Diff
from pycomfy.core.versions.diff import diff as compare
from pycomfy.core.versions.diff_text import describe_diff
from pycomfy.core.versions.snapshot import FILES, read_snapshot
from pycomfy.errors import BadInput
from pycomfy.services.versions.diff import read_version
from pycomfy.services.versions.version_result import VersionResult
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class PlatformSize:
    """How many packages a platform has; `gateway_wheels` are those of the gateway."""

    wheels: int
    gateway_wheels: int
    debian_packages: int


def _dump_image(image: BuiltImage) -> dict[str, object]:
    """Leave out the version of the format in which the versions repository keeps it."""
    return image.model_dump(mode="json", exclude={"version"})


class ShowResult(VersionResult):
    """A version. `parent` is the first of `parents`, None without any; `manifest_digest` that of the first of `images`,
    one per platform, None if none was built; `size` is the same image's, in bytes. `inputs` and `outputs` are the
    interface, None where there is none. `changes` are those from the parent, None for a first version; `summary` says
    them in words, a line each. `flake` is what Nix alone builds the image from. `problem` is None, as the log has it
    for what can be read."""

    parent: str | None
    parents: tuple[str, ...]
    message: str
    author: str
    created_at: str
    manifest_digest: str | None
    size: int | None
    comfyui_version: str
    tags: tuple[str, ...]
    comfyui: ComfyUI
    packs: tuple[Pack, ...]
    models: tuple[ModelFile, ...]
    python: str
    accelerator: str | None
    as_of: str
    platforms: dict[str, PlatformSize]
    images: tuple[Annotated[BuiltImage, PlainSerializer(_dump_image)], ...]
    inputs: tuple[Parameter, ...] | None
    outputs: tuple[OutputNode, ...] | None
    changes: Diff | None
    summary: tuple[str, ...]
    flake: str
    problem: str | None = None


def show(workspace: Workspace, reference: str) -> ShowResult:
    """Describe a version. Raises `NotFound`."""
    versions = workspace.versions
    version = versions.find(reference)
    snapshot = read_version(versions, version)
    lock, interface, images = snapshot.lock, snapshot.interface, tuple(snapshot.images.values())
    parent = version.parents[0] if version.parents else None
    changes = None
    if parent is not None:
        try:
            before = versions.read_some([parent], FILES)[parent]
            changes = compare(read_snapshot(f"commit {parent[:12]}", before), snapshot)
        except BadInput as e:
            operation.report(f"warning: what changed is not known: {e.what} ({e.where})", e.fixes)
    tags = versions.tags(version.name).items()
    return ShowResult(
        name=version.name,
        version=version.number,
        commit=version.commit,
        parent=parent,
        parents=version.parents,
        message=version.message,
        author=version.author,
        created_at=version.created_at,
        manifest_digest=images[0].manifest_digest if images else None,
        size=images[0].size if images else None,
        comfyui_version=lock.comfyui.version,
        tags=tuple(label.partition("@")[2] for label, commit in tags if commit == version.commit),
        comfyui=lock.comfyui,
        packs=lock.packs,
        models=lock.models,
        python=lock.python,
        accelerator=lock.accelerator,
        as_of=lock.as_of,
        platforms={
            name: PlatformSize(
                wheels=len(p.wheels), gateway_wheels=len(p.gateway), debian_packages=len(p.root.packages)
            )
            for name, p in lock.platforms.items()
        },
        images=images,
        inputs=None if interface is None else interface.parameters,
        outputs=None if interface is None else interface.outputs,
        changes=changes,
        summary=tuple(describe_diff(changes)) if changes is not None else (),
        flake=f"git+file://{quote(str(versions.path))}?ref={version.name}&rev={version.commit}#oci",
    )
