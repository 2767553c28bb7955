"""Make the tars of an image and its layers of their folders, by the one rule, which the builders have."""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.errors import BadInput, suggest

if TYPE_CHECKING:
    import image_tar as rule
else:
    # The builders are data of pycomfy, and no package.
    _spec = importlib.util.spec_from_file_location("pycomfy_image_tar", nix_folder() / "builders" / "image_tar.py")
    rule = importlib.util.module_from_spec(_spec)
    sys.modules[_spec.name] = rule  # where dataclasses look for it
    _spec.loader.exec_module(rule)

Entry = rule.Entry

MAX_ABOUT = 128 << 20
"""Bytes of a layer's `layer.json`; one of a layer with 100,000 files has about 20 million."""

_HIDES = ".wh."
"""How the names of files begin that a tar's layer takes away (OCI's whiteouts). In a folder they are plain files: the
same image would be another one."""

_MAX_MODE = 0o7777
_MAX_ID = (1 << 32) - 2  # the next means "leave it as it is"

_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def list_entries(layer: Path) -> list[Entry]:
    """Return the entries of a layer's folder, sorted by path. Raises `BadInput` for one that is malformed, `OSError`
    for one that is gone."""
    with _reading(layer):
        _check_about(layer)
        entries = rule.list_entries(layer)
        for entry in entries:
            if entry.path.rpartition("/")[2].startswith(_HIDES):
                raise ValueError(
                    f"{entry.path} would hide files of other layers where the image is loaded from its tar"
                )
            if not (0 <= entry.mode <= _MAX_MODE and 0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
                raise ValueError(f"{entry.path} has an owner or a mode that no file has")
        return entries


def read_owners(layer: Path) -> dict[str, str]:
    """Return who ships each file of a layer. Raises as `list_entries`."""
    with _reading(layer):
        _check_about(layer)
        return {str(path): str(about[0]) for path, about in rule.read_about(layer)["files"].items()}


def check_layer(layer: Path, digest: str, on_bytes: Callable[[int], None] = lambda number: None) -> None:
    """Raise `BadInput` unless the tar of a layer's folder has the digest. `on_bytes` is told how many were read."""
    with _reading(layer):
        list_entries(layer)
        for chunk in rule.checked_chunks(layer, digest):
            on_bytes(len(chunk))


def layer_chunks(layer: Path) -> Iterator[bytes]:
    """Return the tar of a layer's folder. Raises as `list_entries`."""
    with _reading(layer):
        _check_about(layer)
        yield from rule.layer_chunks(layer)


def write_image(layout: Path, folders: Mapping[str, Path], tag: str, out: IO[bytes]) -> None:
    """Write the image in `layout` as one tar, which `docker load` and `podman load` take; `folders` are those of its
    layers, by digest. Raises `BadInput` if one is gone, or has not the files of its digest; `BrokenPipeError`."""
    with _reading(layout):
        image = rule.read_image(layout)
        layers = tuple(replace(layer, folder=folders[layer.digest]) for layer in image.layers)
        try:
            for layer in {layer.digest: layer for layer in layers}.values():
                _check_size(layer)
            rule.write_image(replace(image, layers=layers), tag, out)
        except FileNotFoundError as e:
            raise ValueError(str(e)) from e


def _check_about(layer: Path) -> None:
    """Raise `ValueError` for more than could be read into memory: anybody's code may have written it."""
    if (layer / "layer.json").stat().st_size > MAX_ABOUT:
        raise ValueError(f"{layer}: layer.json is too long")


def _check_size(layer: "rule.Layer") -> None:
    """Raise `ValueError` unless the layer's tar has the size that the manifest says. After one that is longer, an
    engine would take the rest of the layer for files of the image's tar, such as names of other images."""
    entries = list_entries(layer.folder)
    size = sum(len(rule.header(e)) + (e.size or 0) + len(rule.padding(e.size or 0)) for e in entries) + len(rule.END)
    if size != layer.size:
        raise ValueError(f"the tar of the layer {layer.digest} has {size} bytes, not {layer.size}")


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except _MALFORMED as e:
        raise BadInput(f"the image cannot be read: {e}", where=str(folder), fix=suggest("build")) from e
