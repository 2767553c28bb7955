"""Show what the image of a version consists of: its layers, and which of them another version has, too."""

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
    """A layer; `size` is in bytes, None where the image is not on this machine. It is `shared` if the version that
    it is compared with has it."""

    name: str
    digest: str
    size: int | None
    shared: bool


class ImageResult(Result):
    """The newest image of a version. `here` says whether its layers are on this machine, `oci` where they are. `before`
    is the version that it is compared with, None without one that has an image; `new_size` are the bytes of the layers
    that that does not have, which a push to its registry sends, None where they are not known."""

    name: str
    version: int
    platform: str
    manifest_digest: str
    config_digest: str
    size: int
    oci: str
    here: bool
    before: int | None
    new_size: int | None
    layers: tuple[LayerEntry, ...]


def describe_image(workspace: Workspace, name: str, version: int, other: int | None = None) -> ImageResult:
    """Describe an image, compared with that of the version `other`; None for the one before. Raises `NotFound` for a
    version without one."""
    record = find_image(workspace, Reference(name, version))
    other = version - 1 if other is None else other
    with workspace.open_database() as database:
        earlier = database.find_image(name, other, record.platform) if other > 0 else None
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
        before=other if earlier is not None else None,
        new_size=sum(layer.size or 0 for layer in layers if not layer.shared) if sizes else None,
        layers=layers,
    )
