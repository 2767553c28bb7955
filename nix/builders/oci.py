"""Builds a whole OCI image layout of one without its layers' tars, as `layout.py` makes it: the tars are links.

The specification: `{"layout": FOLDER, "tars": [FILE…]}`, the tars of its layers from the bottom.
"""

import json
import shutil
from pathlib import Path

from derivation import output, specification


def write_oci(layout: Path, tars: list[Path], out: Path) -> None:
    """Write the layout to the new folder `out`."""
    blobs = out / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name in ("oci-layout", "index.json"):
        shutil.copyfile(layout / name, out / name)
    for blob in (layout / "blobs" / "sha256").iterdir():
        shutil.copyfile(blob, blobs / blob.name)
    digest = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    manifest = json.loads((blobs / digest.removeprefix("sha256:")).read_bytes())
    for layer, tar in zip(manifest["layers"], tars, strict=True):
        blob = blobs / layer["digest"].removeprefix("sha256:")
        if not blob.is_symlink():  # two empty layers are one blob
            blob.symlink_to(tar)


def main() -> None:
    spec = specification()
    write_oci(Path(spec["layout"]), [Path(tar) for tar in spec["tars"]], output())


if __name__ == "__main__":
    main()
