"""Builds an image of layers: an OCI image layout without the layers' tars, and links to their folders instead.

`index.json`, `oci-layout`, and the config and the manifest below `blobs/` are those of the whole layout; `layers/` has
for each layer, named by the digest of its tar, a link to its folder. `image_tar.py` makes the tars.

The specification:
`{"name", "architecture", "created", "config": {…}, "layers": [{"name", "comment", "path"}…]}`, bottom layer first.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from derivation import output, specification
from member import Refused, parents

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEX = "application/vnd.oci.image.index.v1+json"


def read_layers(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each layer with its digest and size.

    Raises `Refused` if two of them hold different files at one path, or one a file where another has a folder."""
    seen: dict[str, list[str]] = {}
    read = []
    for layer in layers:
        made = json.loads(Path(layer["path"], "layer.json").read_text())
        for path, (owner, sha256) in made.pop("files").items():
            other = seen.setdefault(path, [owner, sha256])
            if other[1] != sha256:
                raise Refused(f"{other[0]} and {owner} both ship {path}, with different contents")
        read.append({**layer, **made, "comment": layer["comment"]})
    for path in sorted(seen.keys() & folders_of(seen)):
        inside = next(owner for other, (owner, _) in seen.items() if other.startswith(f"{path}/"))
        raise Refused(f"{seen[path][0]} ships {path} as a file, {inside} as a folder")
    return read


def folders_of(paths: Iterable[str]) -> set[str]:
    """The folders that files at `paths` are in, at any depth."""
    folders: set[str] = set()
    for path in paths:
        for parent in parents(path):
            if parent in folders:
                break
            folders.add(parent)
    return folders


def image_config(spec: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
    """The image's configuration: what runs, and which layers it stands on."""
    return {
        "architecture": spec["architecture"],
        "os": "linux",
        "created": spec["created"],
        "config": spec["config"],
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
        "history": [
            {"created": spec["created"], "created_by": f"pycomfy {layer['name']}", "comment": layer["comment"]}
            for layer in layers
        ],
    }


def render(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def write_layout(spec: dict[str, Any], out: Path) -> None:
    """Write the layout for `spec` to the new folder `out`."""
    layers = read_layers(spec["layers"])
    blobs, folders = out / "blobs" / "sha256", out / "layers"
    blobs.mkdir(parents=True)
    folders.mkdir()

    def put(value: dict[str, Any], media_type: str) -> dict[str, Any]:
        data = render(value)
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    for layer in layers:
        folder = folders / layer["digest"].removeprefix("sha256:")
        if not folder.is_symlink():  # two empty layers are one
            folder.symlink_to(layer["path"])
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": put(image_config(spec, layers), CONFIG),
        "layers": [{"mediaType": LAYER, "digest": y["digest"], "size": y["size"]} for y in layers],
    }
    entry = {
        **put(manifest, MANIFEST),
        "platform": {"os": "linux", "architecture": spec["architecture"]},
        "annotations": {"org.opencontainers.image.ref.name": spec["name"]},
    }
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    (out / "index.json").write_bytes(render(index))
    (out / "oci-layout").write_bytes(render({"imageLayoutVersion": "1.0.0"}))


def main() -> None:
    try:
        write_layout(specification(), output())
    except Refused as e:
        sys.exit(f"pycomfy: image: {e}")


if __name__ == "__main__":
    main()
