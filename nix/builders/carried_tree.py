"""Unpacks a tree that travels in the project, as `sources/NAME.tar`; the output is fixed by its hash.

The specification: `{"archive"}`, the tar, whose one folder is the tree.
"""

import sys
import tarfile
from pathlib import Path

from derivation import output, specification
from git_tree import unpack
from member import Refused


def main() -> None:
    archive, out = Path(specification()["archive"]), output()
    out.mkdir()
    try:
        unpack(archive, out)
    except (Refused, OSError, tarfile.TarError) as e:
        sys.exit(f"pycomfy: {archive.name}: {e}")


if __name__ == "__main__":
    main()
