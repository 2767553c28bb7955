"""Make an image store for Podman of links to the folders of an image's layers: nothing is loaded or copied.

It is an "additional image store" of containers-storage, with one image, which Podman reads and never writes. Podman
gives the kernel the paths of all layers in one page of memory, so the store's own path is short. It is a few links and
files, made again when it is needed: it is kept where a restart of the machine removes it.
"""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.containers.layout import FILES, LayoutImage
from pycomfy.adapters.io.temp_dirs import remove_folder, temporary_folder
from pycomfy.adapters.nix.image_tar import Entry, list_entries
from pycomfy.errors import BadConfig

MAX_PATHS = 3600
"""Bytes of the paths of all layers together; 4096 less what Podman adds of its own."""

MAX_COPIED = 16 << 20
"""Bytes of files that are copied, in layers that have owners or modes of their own. Ours have none."""


class NotLinkable(Exception):
    """The image cannot be started from links; Podman has to load it."""


def link_image(image: LayoutImage, tag: str) -> Path:
    """Return the store with the image, under the name `tag`; it is made unless it is there.

    Raises `NotLinkable` for an image with too many layers, or too much that has an owner or mode of its own;
    `BadInput` for one that cannot be read, `BadConfig` if the folder of such stores is somebody else's.
    """
    store = _find_store(image, tag)
    if len(f"{store}/overlay/l/00:") * len(image.layers) > MAX_PATHS:
        raise NotLinkable
    if not store.is_dir():
        with temporary_folder(store.parent, "new-") as folder:
            _remove_dead(store.parent)
            new = folder / "store"
            write_store(image, tag, new)
            # Another process may have been faster.
            with contextlib.suppress(OSError):
                new.rename(store)
    return store


def unlink_image(image: LayoutImage, tag: str) -> None:
    """Remove the store with the image."""
    remove_folder(_find_store(image, tag))


def list_layers_in_use(image_ids: Collection[str]) -> set[str]:
    """Return the real paths of the layers that the stores of these images, whose ids are hexadecimal, link to."""
    layers: set[str] = set()
    with contextlib.suppress(BadConfig, OSError):
        for store in find_folder().iterdir():
            if any((store / "overlay-images" / one).is_dir() for one in image_ids):
                files = (store / "overlay").glob(f"*/{FILES}")
                layers |= {str(link.resolve().parent) for link in files if link.is_symlink()}
    return layers


def _remove_dead(folder: Path) -> None:
    """Remove the stores with a layer that is gone: nothing can be started from them."""
    for store in folder.iterdir():
        if not all(files.exists() for files in (store / "overlay" / "l").glob("*")):
            remove_folder(store)


def _find_store(image: LayoutImage, tag: str) -> Path:
    """Its name stands for all that is in it, so that it never changes."""
    folders = [os.path.realpath(image.layer(digest)) for digest in image.layers]
    key = json.dumps([image.manifest_digest, tag, folders])
    return find_folder() / hashlib.sha256(key.encode()).hexdigest()[:10]


def find_folder(*, make: bool = True) -> Path:
    """Return the folder of all stores, which nobody else can enter. Raises `BadConfig` if it is somebody else's, and
    where it is not to be made, `FileNotFoundError` if it is not there."""
    user, runtime = os.geteuid(), os.environ.get("XDG_RUNTIME_DIR", "")
    if user == 0:
        folder = Path("/run/pycomfy")
    elif runtime.startswith("/") and os.access(runtime, os.W_OK):
        folder = Path(runtime, "pycomfy")
    else:
        folder = Path(f"/tmp/pycomfy-{user}")  # noqa: S108  (it is checked below)
    if make:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != user or about.st_mode & 0o077:
        raise BadConfig(
            "not a folder that is yours alone",
            where=str(folder),
            fix=f"see whose it is; remove it, or `chmod 700 {folder}`",
        )
    return folder


@dataclass(frozen=True)
class _Layer:
    """A layer as containers-storage has it: its id stands for all layers below it, too."""

    id: str
    parent: str
    digest: str
    link: str


def _list_layers(image: LayoutImage) -> Iterator[_Layer]:
    parent = ""
    for number, digest in enumerate(image.layers):
        own = digest.removeprefix("sha256:")
        # As Podman names the layers of an image that it loads.
        layer = own if not parent else hashlib.sha256(f"{parent}+{own}".encode()).hexdigest()
        yield _Layer(layer, parent, digest, f"{number:02}")
        parent = layer


def write_store(image: LayoutImage, tag: str, store: Path) -> None:
    """Write the store with the image to the new folder `store`. Raises `NotLinkable` for what would have to be copied,
    `BadInput`."""
    layers = list(_list_layers(image))
    overlay = store / "overlay"
    (overlay / "l").mkdir(parents=True)
    for number, layer in enumerate(layers):
        folder = overlay / layer.id
        folder.mkdir()
        _give_files(image.layer(layer.digest), folder / FILES)
        (overlay / "l" / layer.link).symlink_to(Path("..", layer.id, FILES))
        (folder / "link").write_text(layer.link)
        # The kernel takes no folder twice; what is the same further down is covered by the upper one.
        lower: dict[str, str] = {}
        for below in reversed(layers[:number]):
            if below.digest != layer.digest:
                lower.setdefault(below.digest, f"l/{below.link}")
        if lower:
            (folder / "lower").write_text(":".join(lower.values()))
    _write_records(image, tag, layers, store)


def _give_files(layer: Path, to: Path) -> None:
    """Let `to` be the files of a layer: a link to them, or a copy of a layer with owners and modes of its own."""
    entries = list_entries(layer)
    if not any(entry.is_exception for entry in entries):
        to.symlink_to(os.path.realpath(layer / FILES))
        return
    if sum(entry.size or 0 for entry in entries) > MAX_COPIED:
        raise NotLinkable
    to.mkdir()
    for entry in entries:
        _copy(layer / FILES / entry.path, entry, to / entry.path)


def _copy(source: Path, entry: Entry, to: Path) -> None:
    if entry.target is not None:
        to.symlink_to(entry.target)
    elif entry.size is None:
        to.mkdir()
    else:
        shutil.copyfile(source, to)
    # Who is not root can give nothing away; a container's root is this user then.
    if os.geteuid() == 0:
        os.chown(to, entry.uid, entry.gid, follow_symlinks=False)
    if entry.target is None:
        to.chmod(entry.mode)


def _write_records(image: LayoutImage, tag: str, layers: list[_Layer], store: Path) -> None:
    """Write what containers-storage knows of its layers and its image."""
    manifest, config = (image.blob(d).read_bytes() for d in (image.manifest_digest, image.config_digest))
    created, sizes = json.loads(config).get("created"), [layer["size"] for layer in json.loads(manifest)["layers"]]
    records = [
        {
            "id": layer.id,
            **({"parent": layer.parent} if layer.parent else {}),
            **({"created": created} if created else {}),
            "compressed-diff-digest": layer.digest,
            "compressed-size": size,
            "diff-digest": layer.digest,
            "diff-size": size,
        }
        for layer, size in zip(layers, sizes, strict=True)
    ]
    data = {image.config_digest: config, f"manifest-{image.manifest_digest}": manifest, "manifest": manifest}
    record = {
        "id": image.config_digest.removeprefix("sha256:"),
        "digest": image.manifest_digest,
        "names": [tag],
        "layer": layers[-1].id,
        "metadata": "{}",
        "big-data-names": list(data),
        "big-data-sizes": {name: len(content) for name, content in data.items()},
        "big-data-digests": {name: f"sha256:{hashlib.sha256(c).hexdigest()}" for name, c in data.items()},
        **({"created": created} if created else {}),
    }
    images = store / "overlay-images"
    (images / record["id"]).mkdir(parents=True)
    for name, content in data.items():
        # As containers-storage names a file after what has other characters than letters.
        encoded = name if name.isalpha() else "=" + base64.b64encode(name.encode()).decode()
        (images / record["id"] / encoded).write_bytes(content)
    (store / "overlay-layers").mkdir()
    (store / "overlay-layers" / "layers.json").write_text(json.dumps(records))
    (images / "images.json").write_text(json.dumps([record]))
    for lock in ("overlay-layers/layers.lock", "overlay-images/images.lock"):
        (store / lock).touch()
