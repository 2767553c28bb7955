"""Show what the image of a version consists of: its layers, and which of them the version before has, too."""

import contextlib
from dataclasses import dataclass

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.core.versions.reference import Reference
from pycomfy.errors import PycomfyError
from pycomfy.services.results import Result
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class LayerEntry:
    """A layer; `size` is in bytes, None where the image is not on this machine. `shared`: the version before has it."""

    name: str
    digest: str
    size: int | None
    shared: bool


class ImageResult(Result):
    """The newest image of a version. `here` says whether its layers are on this machine, `oci` where they are."""

    name: str
    version: int
    platform: str
    manifest_digest: str
    config_digest: str
    size: int
    oci: str
    here: bool
    layers: tuple[LayerEntry, ...]


def describe_image(workspace: Workspace, name: str, version: int) -> ImageResult:
    """Describe an image. Raises `NotFound` for a version without one."""
    record = find_image(workspace, Reference(name, version))
    before: set[str] = set()
    if version > 1:
        with workspace.open_database() as database:
            earlier = database.find_image(name, version - 1, record.platform)
        before = set(earlier.diff_ids) if earlier is not None else set()
    built = workspace.versions.images(workspace.versions.find(f"{name}@{version}").tree).get(record.platform)
    names = built.layer_names if built is not None else ()
    sizes: tuple[int, ...] = ()
    with contextlib.suppress(PycomfyError):  # it was collected: what is recorded of it is shown all the same
        sizes = read_layout(record.layout).layer_sizes
    layers = tuple(
        LayerEntry(
            names[at] if at < len(names) else "",
            digest,
            sizes[at] if at < len(sizes) else None,
            digest in before,
        )
        for at, digest in enumerate(record.diff_ids)
    )
    return ImageResult(
        name=name,
        version=version,
        platform=record.platform,
        manifest_digest=record.manifest_digest,
        config_digest=record.config_digest,
        size=record.size,
        oci=str(record.layout),
        here=bool(sizes),
        layers=layers,
    )
