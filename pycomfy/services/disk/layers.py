"""Say which images' layers are in the Nix store, and which of them nothing needs."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.image_store import list_layers_in_use
from pycomfy.adapters.containers.loaded_images import list_used
from pycomfy.adapters.database.records import ImageVersionRow
from pycomfy.adapters.nix.usage import list_live, list_store
from pycomfy.errors import MissingTool
from pycomfy.services.workspace import Workspace

_OURS = re.compile(r"/nix/store/[a-z0-9]{32}-(layer-[a-z]-.+|tar-.+|(image|oci)-.+-(amd64|arm64))")

BUILDERS = ("debian-root-", "debian-compilers-")
"""How the names of what runs the builders begin. It is no copy to get rid of: the next build would wait for it."""


@dataclass(frozen=True)
class ImageLink:
    """A link in the data folder that keeps an image: its manifest digest, where it is, and the store path."""

    digest: str
    link: Path
    layout: str


def list_links(workspace: Workspace) -> list[ImageLink]:
    """Return the links to images, also those that lead nowhere any more."""
    folder = workspace.paths.data / "images"
    links = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        ImageLink(link.name.replace("-", ":", 1), link, f"/nix/store/{link.readlink().name}")
        for link in links
        if link.is_symlink()
    ]


def list_parts(workspace: Workspace, image: ImageLink) -> frozenset[str]:
    """Return the store paths of an image: its layout, and its layers; none if it is gone."""
    folder = workspace.nix.local_path(image.layout) / "layers"
    try:
        targets = [link.readlink() for link in folder.iterdir() if link.is_symlink()]
    except OSError:
        return frozenset()
    return frozenset({image.layout, *(f"/nix/store/{target.name}" for target in targets)})


def read_image_versions(workspace: Workspace) -> list[ImageVersionRow]:
    """Return the versions that have images, as the database has them."""
    if not workspace.versions.bare.exists:
        return []
    with workspace.open_database() as database:
        return database.image_versions()


def list_our_paths(workspace: Workspace) -> list[str]:
    """Return what in the Nix store is a layer or an image of pycomfy's by its name, whoever built it."""
    return [path for path in list_store(workspace.nix) if _OURS.fullmatch(path) and not path.endswith(".drv")]


def find_dead(workspace: Workspace, paths: Iterable[str], released: Iterable[ImageLink] = ()) -> list[str]:
    """Return those of `paths` that no root of the garbage collector keeps, nor a container of this user's, once the
    links `released` are gone."""
    live = list_live(workspace.nix, [operation.original(image.link) for image in released])
    used = list_layers_in_use(find_used(workspace))
    return [p for p in paths if p not in live and os.path.realpath(workspace.nix.local_path(p)) not in used]


def find_used(workspace: Workspace) -> frozenset[str]:
    """Return the ids of the images of this user's containers: the digests of their configs, in hexadecimal. Raises
    `RunFailed` if the engine does not say."""
    try:
        return list_used(workspace.engine)
    except MissingTool:
        return frozenset()


def count_own(parts: Mapping[str, Collection[str]], sizes: Mapping[str, int]) -> dict[str, int]:
    """Return the bytes of what only one of several owners has, by owner. `parts` are the store paths of each."""
    owners: dict[str, set[str]] = {}
    for owner, paths in parts.items():
        for path in paths:
            owners.setdefault(path, set()).add(owner)
    own = dict.fromkeys(parts, 0)
    for path, names in owners.items():
        if len(names) == 1:
            own[next(iter(names))] += sizes.get(path, 0)
    return own
