"""Read an image that Nix built: an OCI image layout whose layers are folders in place of tars."""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycomfy.errors import BadInput, NotFound, suggest

FILES = "diff"
"""What a layer's folder has the files in, at their place in the image."""

ABOUT = "layer.json"
"""In a layer's folder: its digest, whose each file is, and owners and modes that are not the rule's."""

MISRECORDED = "misrecorded.json"
"""There, too, if there are any: the wheels whose RECORD is wrong. As in `nix/builders/layer.py`."""

_MAX_JSON = 4 << 20
_STORE = Path("/nix/store")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class LayoutImage:
    """The one image of a layout. Digests are `sha256:…`, those of layers of the tars that are made of their folders;
    `size` is that of config and layers, in bytes, `layer_sizes` that of each layer. `layer_names` are ours, from the
    history: "root", "torch" …"""

    layout: Path
    manifest_digest: str
    config_digest: str
    layers: tuple[str, ...]
    diff_ids: tuple[str, ...]
    platform: str
    size: int
    layer_names: tuple[str, ...] = ()
    layer_sizes: tuple[int, ...] = ()

    def blob(self, digest: str) -> Path:
        """Return the file of the manifest or the config."""
        return self.layout / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def layer(self, digest: str) -> Path:
        """Return the folder of a layer. It is in the Nix store that the layout is in, wherever that store's root is."""
        link = self.layout / "layers" / digest.removeprefix("sha256:")
        if not link.is_symlink():
            return link
        target = link.parent / link.readlink()
        root, inside, _ = os.path.realpath(self.layout).partition(f"{_STORE}/")
        return Path(f"{root}{target}") if inside and target.is_relative_to(_STORE) else target


def read_layout(layout: Path) -> LayoutImage:
    """Read a layout. Raises `NotFound` if there is none, `BadInput` unless it has exactly one image.

    Anybody's code may have made it. Its blobs and layers may be links to beside it, or into the Nix store, but to
    nothing else: they are read as this user, and a container sees the files of its layers. Manifest and config have
    their digests; whether layers have theirs is not looked at.
    """
    if not (layout / "oci-layout").is_file():
        raise NotFound("no OCI layout", where=str(layout), fix=suggest("build"))
    try:
        _check_files(layout, ["oci-layout", "index.json"], layout)
        manifests = json.loads(_read(layout / "index.json"))["manifests"]
        if len(manifests) != 1:
            raise BadInput(
                f"the layout has {len(manifests)} images instead of one", where=str(layout), fix=suggest("build")
            )
        manifest_digest = _digest(manifests[0]["digest"])
        manifest = _read_blob(layout, manifest_digest)
        config_digest = _digest(manifest["config"]["digest"])
        config = _read_blob(layout, config_digest)
        image = LayoutImage(
            layout,
            manifest_digest,
            config_digest,
            tuple(_digest(entry["digest"]) for entry in manifest["layers"]),
            tuple(_digest(d) for d in config["rootfs"]["diff_ids"]),
            f"{config['os']}/{config['architecture']}",
            sum(_size(entry["size"]) for entry in (manifest["config"], *manifest["layers"])),
            tuple(str(h.get("created_by", "")).removeprefix("pycomfy ") for h in config.get("history", ())),
            tuple(_size(entry["size"]) for entry in manifest["layers"]),
        )
        if image.layers != image.diff_ids:
            raise ValueError("its layers are compressed")
        if not image.layers:
            raise ValueError("it has no layers")
        # Of a whole layout, whose layers are links to tars.
        _check_files(layout / "blobs" / "sha256", image.layers, layout)
        for digest in image.layers:
            _check_layer(image.layer(digest), layout)
        return image
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as e:
        raise BadInput(f"the OCI layout cannot be read: {e}", where=str(layout), fix=suggest("build")) from e


def _check_files(folder: Path, names: Iterable[str], layout: Path) -> None:
    """Raise `ValueError` for a file that is none, or a link to where none may lead. One that is missing may not be
    needed any more."""
    for name in names:
        path = folder / name.removeprefix("sha256:")
        _check_place(path, layout)
        if path.exists() and not path.is_file():
            raise ValueError(f"{name} is not a file")


def _check_layer(folder: Path, layout: Path) -> None:
    """The same for a layer's folder. What is in the files' folder is the container's; the folder itself is no link."""
    _check_place(folder, layout)
    _check_files(folder, [ABOUT, MISRECORDED], layout)
    files = folder / FILES
    if files.is_symlink() or (files.exists() and not files.is_dir()):
        raise ValueError(f"{files} is not a folder")


def _check_place(path: Path, layout: Path) -> None:
    """Raise `ValueError` for what is neither beside the layout nor in a Nix store that it is in."""
    whole, beside = Path(os.path.realpath(path)), Path(os.path.realpath(layout.parent))
    root, inside, _ = os.path.realpath(layout).partition(f"{_STORE}/")
    own_store = Path(f"{root}{_STORE}") if inside else _STORE
    if not any(whole.is_relative_to(allowed) for allowed in (beside, own_store, _STORE)):
        raise ValueError(f"{path.name} is a link to {whole}")


def _read_blob(layout: Path, digest: str) -> Any:
    """Return the manifest or the config. What is recorded of an image is its digest: no other bytes may pass for it."""
    blobs, name = layout / "blobs" / "sha256", digest.removeprefix("sha256:")
    _check_files(blobs, [name], layout)
    data = _read(blobs / name)
    if hashlib.sha256(data).hexdigest() != name:
        raise ValueError(f"the file of {digest} has another digest")
    return json.loads(data)


def _read(path: Path) -> bytes:
    with path.open("rb") as f:
        data = f.read(_MAX_JSON + 1)
    if len(data) > _MAX_JSON:
        raise ValueError(f"{path.name} is too long")
    return data


def _digest(value: object) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError(f"{value!r} is not a SHA-256 digest")
    return value


def _size(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a size")
    return value
