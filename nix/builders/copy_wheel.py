"""Puts out a wheel that was built from its source, if it is the one that was locked; the output is fixed by its hash.

The specification: `{"name", "wheel", "sha256"}`.
"""

import hashlib
import shutil
import sys
from pathlib import Path

from derivation import output, specification


def main() -> None:
    spec = specification()
    wheel = Path(spec["wheel"])
    found = hashlib.sha256(wheel.read_bytes()).hexdigest() if wheel.is_file() else "no such file"
    if found != spec["sha256"]:
        sys.exit(
            f"pycomfy: {spec['name']}, built again from its source, is not the wheel that was locked (SHA-256 "
            f"{spec['sha256']}, now {found}): its build is not reproducible; take the wheel from an archive that has "
            "it (`pycomfy archive pull URL`), or run `pycomfy lock` again"
        )
    shutil.copyfile(wheel, output())


if __name__ == "__main__":
    main()
