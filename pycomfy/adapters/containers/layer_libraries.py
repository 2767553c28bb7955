"""Read the shared libraries in an image's layers, in place: of gigabytes only the headers are touched."""

import json
import mmap
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from pycomfy.adapters.containers.load import LayoutImage
from pycomfy.adapters.io.computed import compute_once
from pycomfy.adapters.io.paths import Paths
from pycomfy.core.debian.elf import read_dynamic
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
    """Return the libraries of every layer. A layer with the same bytes is read once."""
    return [_read_once(image.blob(digest), digest, paths) for digest in image.diff_ids]


def _read_once(layer: Path, digest: str, paths: Paths) -> LayerLibraries:
    known = paths.cache / "libraries" / str(_FORMAT) / f"{digest.removeprefix('sha256:')}.json"
    return compute_once(known, _LIBRARIES, lambda: _read_layer(layer.resolve()))


def _read_layer(layer: Path) -> LayerLibraries:
    owners = _read_owners(layer)
    libraries: list[SharedLibrary] = []
    names: set[str] = set()
    with layer.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for member in _members(layer):
            name = member.name.rpartition("/")[2]
            names.add(name)
            if not member.isreg():
                continue
            with memoryview(data) as whole, whole[member.offset_data : member.offset_data + member.size] as part:
                found = read_dynamic(part)
            if found is not None:
                module = name.partition(".")[0] in found.modules
                owner = owners.get(member.name, layer.parent.name)
                libraries.append(SharedLibrary(member.name, owner, found.needed, found.soname, module))
    return LayerLibraries(tuple(libraries), tuple(sorted(names)))


def _members(layer: Path) -> Iterator[tarfile.TarInfo]:
    with tarfile.open(layer, "r:") as tar:
        for member in tar:
            if ".so" in member.name and (member.isreg() or member.issym()):
                yield member


def _read_owners(layer: Path) -> dict[str, str]:
    """Return who ships each file, for a layer that we built; nothing for others."""
    try:
        files = json.loads((layer.parent / "layer.json").read_bytes())["files"]
        return {str(path): str(about[0]) for path, about in files.items() if ".so" in path}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}
