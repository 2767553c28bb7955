"""Read the shared libraries in an image's layers, in place: of gigabytes only the headers are touched."""

import mmap
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from pycomfy.adapters.containers.layout import FILES, LayoutImage
from pycomfy.adapters.io.computed import compute_once
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.image_tar import list_entries, read_owners
from pycomfy.core.debian.elf import Dynamic, read_dynamic
from pycomfy.core.debian.shared_libraries import SharedLibrary

_FORMAT = 1
"""Changes when libraries are read in another way: then all are read again."""


@dataclass(frozen=True)
class LayerLibraries:
    """The libraries of a layer. `names` are those of all its files and links that may be libraries."""

    libraries: tuple[SharedLibrary, ...]
    names: tuple[str, ...]


_LIBRARIES = TypeAdapter(LayerLibraries)


def read_libraries(image: LayoutImage, paths: Paths) -> list[LayerLibraries]:
    """Return the libraries of every layer. A layer with the same digest is read once."""
    return [_read_once(image.layer(digest), digest, paths) for digest in image.layers]


def _read_once(layer: Path, digest: str, paths: Paths) -> LayerLibraries:
    known = paths.cache / "libraries" / str(_FORMAT) / f"{digest.removeprefix('sha256:')}.json"
    return compute_once(known, _LIBRARIES, lambda: _read_layer(layer, digest))


def _read_layer(layer: Path, digest: str) -> LayerLibraries:
    owners = read_owners(layer)
    libraries: list[SharedLibrary] = []
    names: set[str] = set()
    for entry in list_entries(layer):
        if ".so" not in entry.path or (entry.size is None and entry.target is None):
            continue
        name = entry.path.rpartition("/")[2]
        names.add(name)
        found = _read_file(layer / FILES / entry.path) if entry.size else None
        if found is not None:
            module = name.partition(".")[0] in found.modules
            owner = owners.get(entry.path, digest)
            libraries.append(SharedLibrary(entry.path, owner, found.needed, found.soname, module))
    return LayerLibraries(tuple(libraries), tuple(sorted(names)))


def _read_file(path: Path) -> Dynamic | None:
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        memoryview(data) as whole,
    ):
        return read_dynamic(whole)
