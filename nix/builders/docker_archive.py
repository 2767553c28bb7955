"""Packs an OCI layout into a docker-archive (`docker load`, nixpkgs' `fromImage`): the same config and layers.

The specification, JSON in `spec`: `{"oci": PATH, "tag": "name:tag"}`.
"""

import json
import tarfile
from pathlib import Path

from derivation import output, specification


def write_archive(oci: Path, tag: str, out: Path) -> None:
    """Write the archive of the only image in the layout `oci` to the file `out`."""

    def blob(digest: str) -> Path:
        return oci / "blobs" / digest.replace(":", "/")

    index = json.loads((oci / "index.json").read_bytes())
    manifest = json.loads(blob(index["manifests"][0]["digest"]).read_bytes())
    config = manifest["config"]["digest"]
    layers = [layer["digest"] for layer in manifest["layers"]]
    names = {digest: digest.removeprefix("sha256:") + "/layer.tar" for digest in layers}
    config_name = config.removeprefix("sha256:") + ".json"
    entries = [{"Config": config_name, "RepoTags": [tag], "Layers": [names[d] for d in layers]}]
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT, dereference=True) as tar:
        _add(tar, blob(config), config_name)
        for digest, name in names.items():
            _add(tar, blob(digest), name)
        listing = out.with_name(out.name + ".manifest")
        listing.write_text(json.dumps(entries, sort_keys=True))
        _add(tar, listing, "manifest.json")
        listing.unlink()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = path.stat().st_size, 0o644, 1
    with path.open("rb") as f:
        tar.addfile(info, f)


def main() -> None:
    spec = specification()
    write_archive(Path(spec["oci"]), spec["tag"], output())


if __name__ == "__main__":
    main()
