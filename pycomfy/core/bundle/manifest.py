"""Read and write the manifest of a bundle: the list of all that is in the one file that holds a version."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pycomfy.core.lockfile.lock_types import Name, Sha256
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.validation import describe_error
from pycomfy.core.versions.built_image import BuiltImage
from pycomfy.errors import BadInput, Fixes, Placeholder, suggest

BUNDLE_VERSION = 1
MANIFEST = "pycomfy-bundle.json"
"""The first entry, which lists all others."""

README = "README.md"
MAX_MANIFEST_BYTES = 16 << 20
MAX_PROJECT_BYTES = 256 << 20
"""Bytes of all files of a project together, as in the versions repository."""

FIX: Fixes = ("get the bundle again", suggest("export", "makes it again", output=Placeholder("FILE")))
"""What helps against a bundle that is damaged."""

_NIX32 = "[0-9abcdfghijklmnpqrsvwxyz]"
_PATHS = re.compile(
    rf"README\.md|cache/(nix-cache-info|{_NIX32}{{32}}\.narinfo|nar/{_NIX32}{{52}}\.nar)|models/[0-9a-f]{{64}}"
    r"|project/\.gitignore|project/[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}){0,7}"
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Part):
    """A file of the bundle."""

    sha256: Sha256
    size: int = Field(ge=0, lt=1 << 40)


class Manifest(_Part):
    """What the bundle holds. `files` are all other entries, by path and in their order; `commit` and `number` are the
    version's in the versions repository that it comes from, `platforms` those whose images can be built from it."""

    format: Literal["pycomfy-bundle"] = "pycomfy-bundle"
    version: Literal[1] = 1
    name: Name
    number: int | None = Field(default=None, ge=1)
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
    message: Annotated[str, StringConstraints(max_length=100_000)]
    author: Annotated[str, StringConstraints(max_length=1000)]
    created_at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    platforms: tuple[PlatformName, ...] = Field(min_length=1)
    images: tuple[BuiltImage, ...] = ()
    files: dict[str, FileEntry]


def render_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as JSON."""
    return (json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode()


def parse_manifest(data: bytes, *, where: str) -> Manifest:
    """Return the manifest. Raises `BadInput` for one that is malformed, or lists paths that no bundle has."""
    try:
        raw = json.loads(data)
        if isinstance(raw, dict) and isinstance(raw.get("version"), int) and raw["version"] > BUNDLE_VERSION:
            raise BadInput(f"the bundle has version {raw['version']}", where=where, fix="update pycomfy")
        manifest = Manifest.model_validate(raw)
    except ValidationError as e:
        what = describe_error(e, "the file")
        raise BadInput(f"malformed manifest: {what}", where=where, fix=FIX) from e
    except (ValueError, RecursionError) as e:
        raise BadInput("malformed manifest: not JSON", where=where, fix=FIX) from e
    _check_paths(manifest.files, where)
    return manifest


def _check_paths(files: Mapping[str, FileEntry], where: str) -> None:
    for path in files:
        if _PATHS.fullmatch(path) is None:
            raise BadInput(f"{path[:200]!r} is not a path of a bundle", where=where, fix=FIX)
        if any(folder in files for folder in _folders(path)):
            raise BadInput(f"{path!r} is below a file", where=where, fix=FIX)
    project = sum(e.size for path, e in files.items() if path.startswith("project/"))
    if project > MAX_PROJECT_BYTES:
        raise BadInput(f"the project is larger than {MAX_PROJECT_BYTES >> 20} MiB", where=where, fix=FIX)


def _folders(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:i]) for i in range(1, len(parts))]
