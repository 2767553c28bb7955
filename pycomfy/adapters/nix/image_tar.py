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

_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def list_entries(layer: Path) -> list[Entry]:
    """Return the entries of a layer's folder, sorted by path. Raises `BadInput` for one that is malformed, `OSError`
    for one that is gone."""
    with _reading(layer):
        return rule.list_entries(layer)


def read_owners(layer: Path) -> dict[str, str]:
    """Return who ships each file of a layer. Raises as `list_entries`."""
    with _reading(layer):
        return {str(path): str(about[0]) for path, about in rule.read_about(layer)["files"].items()}


def check_layer(layer: Path, digest: str, on_bytes: Callable[[int], None] = lambda number: None) -> None:
    """Raise `BadInput` unless the tar of a layer's folder has the digest. `on_bytes` is told how many were read."""
    with _reading(layer):
        for chunk in rule.checked_chunks(layer, digest):
            on_bytes(len(chunk))


def layer_chunks(layer: Path) -> Iterator[bytes]:
    """Return the tar of a layer's folder. Raises as `list_entries`."""
    with _reading(layer):
        yield from rule.layer_chunks(layer)


def write_image(layout: Path, folders: Mapping[str, Path], tag: str, out: IO[bytes]) -> None:
    """Write the image in `layout` as one tar, which `docker load` and `podman load` take; `folders` are those of its
    layers, by digest. Raises `BadInput` if one is gone, or has not the files of its digest; `BrokenPipeError`."""
    with _reading(layout):
        image = rule.read_image(layout)
        layers = tuple(replace(layer, folder=folders[layer.digest]) for layer in image.layers)
        try:
            rule.write_image(replace(image, layers=layers), tag, out)
        except FileNotFoundError as e:
            raise ValueError(str(e)) from e


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except _MALFORMED as e:
        raise BadInput(f"the image cannot be read: {e}", where=str(folder), fix=suggest("build")) from e
