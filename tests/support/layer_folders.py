"""Layers as Nix builds them: a folder of files, whose digest is that of its tar."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.containers.layout import ABOUT, FILES
from pycomfy.adapters.nix.image_tar import layer_chunks


@dataclass(frozen=True)
class File:
    """A file of a layer."""

    data: bytes
    executable: bool = False


@dataclass(frozen=True)
class Link:
    target: str


Content = File | Link | None
"""None is a folder. Parents are made."""


def write_layer_folder(
    folder: Path, contents: Mapping[str, Content], exceptions: Mapping[str, tuple[int, int, int]] | None = None
) -> tuple[str, int]:
    """The digest and the size of the layer whose folder is written. `exceptions` are modes, users and groups that are
    not the rule's."""
    files = folder / FILES
    files.mkdir(parents=True)
    for path, content in contents.items():
        to = files / path
        to.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            to.mkdir(exist_ok=True)
        elif isinstance(content, Link):
            to.symlink_to(content.target)
        else:
            to.write_bytes(content.data)
            to.chmod(0o555 if content.executable else 0o444)
    about = {"exceptions": exceptions or {}, "files": {}}
    (folder / ABOUT).write_text(json.dumps(about))
    digest, size = digest_of(folder)
    (folder / ABOUT).write_text(json.dumps({**about, "digest": digest, "size": size}))
    return digest, size


def digest_of(folder: Path) -> tuple[str, int]:
    """The digest and the size of the tar of a layer's folder."""
    made, size = hashlib.sha256(), 0
    for chunk in layer_chunks(folder):
        made.update(chunk)
        size += len(chunk)
    return f"sha256:{made.hexdigest()}", size
