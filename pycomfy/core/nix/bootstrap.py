"""What opens Debian's packages for somebody who has Nix alone: 7-Zip's own program, pinned in a project's Nix code."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pycomfy.core.lockfile.lock_types import FileName, RelativePath, Sha256, TreeHash
from pycomfy.core.lockfile.platforms import PlatformName

BOOTSTRAP = "nix/bootstrap.json"
"""Its path in a project."""

PROGRAM_FILES = ("7zzs", "License.txt")
"""What is taken of the program's folder in the package."""


class Program(BaseModel):
    """7-Zip for a platform: its `folder` in the package, and the hash of the `PROGRAM_FILES` of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: RelativePath
    tree: TreeHash


class Bootstrap(BaseModel):
    """The package, of `size` bytes, and the programs in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: FileName
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s\x00-\x20]+$", max_length=2000)]
    sha256: Sha256
    size: int = Field(gt=0)
    programs: Mapping[PlatformName, Program]


def find_bootstrap(project: Mapping[str, bytes]) -> Bootstrap | None:
    """Return what the files of a project pin. None for one that has nothing of that kind: then an archive keeps root
    filesystems as trees."""
    try:
        return Bootstrap.model_validate_json(project.get(BOOTSTRAP, b""))
    except ValidationError:
        return None
