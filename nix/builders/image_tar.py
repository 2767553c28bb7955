"""Makes the tars that an image is handed on as: of a layer, and of the whole image.

The Nix store has a layer as a folder: `diff/`, its files at their place in the image, and `layer.json`, which has the
`size` and `digest` of the layer's tar. The store keeps of a file its bytes and whether it can be run. The rest is a
rule: files have mode 0644 or 0755, folders 0755, links 0777; all belong to root, and have one time; they are sorted by
path. What the rule does not say of a path, `layer.json` does: `"exceptions": {PATH: [MODE, UID, GID]}`.

An image is a folder as `layout.py` makes it. Standard library only, and no other module: pycomfy and the programs of a
project load this file, too.
"""

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

EPOCH = 1  # as in the Nix store; some tools take 0 for "no time"
CHUNK = 1 << 20
END = bytes(2 * tarfile.BLOCKSIZE)
"""The end of a tar."""


@dataclass(frozen=True)
class Entry:
    """An entry of a layer. A file has a `size`, a link a `target`, a folder neither."""

    path: str
    mode: int
    uid: int = 0
    gid: int = 0
    size: int | None = None
    target: str | None = None

    @property
    def kind(self) -> str:
        """What it is: a file, a link or a folder."""
        return "file" if self.size is not None else "folder" if self.target is None else "link"

    @property
    def is_exception(self) -> bool:
        """Whether the rule does not say this of it."""
        expected = self.mode in (0o644, 0o755) if self.size is not None else self.mode == 0o755
        return (self.uid, self.gid) != (0, 0) or not (expected or self.target is not None)


def header(entry: Entry) -> bytes:
    """The tar header of an entry (pax, so that any length of name fits)."""
    info = tarfile.TarInfo(entry.path)
    # Extractors make a link 0777, whatever its mode is, and `podman system check` compares.
    info.mode = entry.mode if entry.target is None else 0o777
    info.uid, info.gid, info.mtime = entry.uid, entry.gid, EPOCH
    if entry.target is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
    elif entry.size is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = entry.size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size: int) -> bytes:
    """What follows the `size` bytes of a file."""
    return bytes(-size % tarfile.BLOCKSIZE)


def list_entries(layer: Path) -> list[Entry]:
    """The entries of a layer's folder. Raises `ValueError`, `KeyError` or `TypeError` for a `layer.json` that is
    none, and for a file that no layer has."""
    exceptions = read_about(layer)["exceptions"]
    if not isinstance(exceptions, dict):
        raise ValueError(f"{layer}: layer.json names no owners and modes")

    def corrected(entry: Entry) -> Entry:
        if entry.path not in exceptions:
            return entry
        mode, uid, gid = map(int, exceptions[entry.path])
        return replace(entry, mode=mode, uid=uid, gid=gid)

    return sorted(map(corrected, _walk(os.fspath(layer / "diff"))), key=lambda entry: entry.path)


def read_about(layer: Path) -> dict[str, Any]:
    """What `layer.json` says."""
    about = json.loads((layer / "layer.json").read_bytes())
    if not isinstance(about, dict):
        raise ValueError(f"{layer}: layer.json is not an object")
    return about


def _walk(top: str) -> Iterator[Entry]:
    folders = [("", top)]
    while folders:
        prefix, folder = folders.pop()
        with os.scandir(folder) as found:
            for item in found:
                path = prefix + item.name
                if item.is_symlink():
                    yield Entry(path, 0o777, target=os.readlink(item.path))  # noqa: PTH115  (a Path would shorten it)
                elif item.is_dir():
                    yield Entry(path, 0o755)
                    folders.append((f"{path}/", item.path))
                elif item.is_file():
                    about = item.stat()
                    yield Entry(path, 0o755 if about.st_mode & 0o100 else 0o644, size=about.st_size)
                else:
                    raise ValueError(f"{item.path} is neither a file, a folder nor a link")


def layer_chunks(layer: Path) -> Iterator[bytes]:
    """The tar of a layer's folder. Raises `ValueError` where a file changes meanwhile, else as `list_entries`."""
    for entry in list_entries(layer):
        yield header(entry)
        if entry.size is None:
            continue
        with (layer / "diff" / entry.path).open("rb", buffering=0) as f:
            left = entry.size
            while left and (chunk := f.read(min(left, CHUNK))):
                left -= len(chunk)
                yield chunk
        if left:
            raise ValueError(f"{entry.path} became shorter while it was read")
        yield padding(entry.size)
    yield END


def checked_chunks(layer: Path, digest: str) -> Iterator[bytes]:
    """The tar of a layer's folder. Raises `ValueError` at its end unless it has this digest."""
    made = hashlib.sha256()
    for chunk in layer_chunks(layer):
        made.update(chunk)
        yield chunk
    if digest != f"sha256:{made.hexdigest()}":
        raise ValueError(f"the files in {layer} are not those of the layer {digest}")


@dataclass(frozen=True)
class Layer:
    """A layer: the digest and the size of its tar, and its folder."""

    digest: str
    size: int
    folder: Path


@dataclass(frozen=True)
class Image:
    """The image in the folder `layout`. Digests are `sha256:…`; the layers are from the bottom."""

    layout: Path
    manifest: str
    config: str
    layers: tuple[Layer, ...]

    def blob(self, digest: str) -> Path:
        """The file of the manifest or the config."""
        return self.layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def read_image(layout: Path) -> Image:
    """Read the folder of an image."""
    manifest: str = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    image = Image(layout, manifest, "", ())
    content = json.loads(image.blob(manifest).read_bytes())
    layers = tuple(
        Layer(layer["digest"], layer["size"], layout / "layers" / layer["digest"].removeprefix("sha256:"))
        for layer in content["layers"]
    )
    return Image(layout, manifest, content["config"]["digest"], layers)


def write_image(image: Image, tag: str, out: IO[bytes]) -> None:
    """Write a tar that every Docker, and Podman, can load: an OCI layout, with the `manifest.json` of `docker save` for
    the same blobs. Raises `ValueError` for a layer whose files are not those of its digest, `OSError` for one that is
    gone."""
    names = {layer.digest: f"blobs/sha256/{layer.digest.removeprefix('sha256:')}" for layer in image.layers}
    about = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.manifest,
        "size": image.blob(image.manifest).stat().st_size,
        "annotations": {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": tag.rpartition(":")[2]},
    }
    config = f"blobs/sha256/{image.config.removeprefix('sha256:')}"
    entry = {"Config": config, "RepoTags": [tag], "Layers": [names[layer.digest] for layer in image.layers]}
    texts = {
        "oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [about]}, sort_keys=True).encode(),
        "manifest.json": json.dumps([entry], sort_keys=True).encode(),
        f"blobs/sha256/{image.manifest.removeprefix('sha256:')}": image.blob(image.manifest).read_bytes(),
        config: image.blob(image.config).read_bytes(),
    }
    buffered = io.BufferedWriter(out, CHUNK) if isinstance(out, io.RawIOBase) else out
    for name, data in texts.items():
        buffered.write(header(Entry(name, 0o644, size=len(data))) + data + padding(len(data)))
    for layer in {layer.digest: layer for layer in image.layers}.values():
        buffered.write(header(Entry(names[layer.digest], 0o644, size=layer.size)))
        for chunk in checked_chunks(layer.folder, layer.digest):
            buffered.write(chunk)
        buffered.write(padding(layer.size))
    buffered.write(END)
    buffered.flush()


def write_layer(layer: Path, out: Path) -> None:
    """Write the tar of a layer's folder to the file `out`."""
    with out.open("wb", buffering=CHUNK) as f:
        for chunk in checked_chunks(layer, str(read_about(layer)["digest"])):
            f.write(chunk)


def main() -> None:
    """A builder. The specification: `{"layer": FOLDER}`, or `{"image": FOLDER, "tag": "NAME:TAG"}`."""
    spec, out = json.loads(Path(os.environ["specPath"]).read_text()), Path(os.environ["out"])
    try:
        if "layer" in spec:
            write_layer(Path(spec["layer"]), out)
        else:
            with out.open("wb", buffering=CHUNK) as f:
                write_image(read_image(Path(spec["image"])), spec["tag"], f)
    except (OSError, ValueError) as e:
        sys.exit(f"pycomfy: tar: {e}")


if __name__ == "__main__":
    main()
