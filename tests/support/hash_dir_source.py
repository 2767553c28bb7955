"""A kind of source from elsewhere, made up for tests: a folder of a mirror, which is called as the hash of its tree.

All that pycomfy has to know of it is in this module; for an image, `nix/fetch.nix` and `nix/layer.nix` had to know it
as well.
"""

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.sources.adapter import PinnedSource, SourceContext, TreeAdapter
from pycomfy.adapters.sources.local_folder import copy_code
from pycomfy.adapters.sources.text_files import Selection, read_texts, scratch_folder
from pycomfy.core.lockfile.config_types import LocalPath
from pycomfy.core.lockfile.lock_types import TreeHash
from pycomfy.core.sources.lock_source import TreeSource
from pycomfy.core.sources.source_spec import SourceSpec
from pycomfy.errors import HashMismatch


class HashDirSpec(SourceSpec):
    """A folder of the mirror at the path `mirror`, by the hash of its tree."""

    key: ClassVar[str] = "hash-dir"

    hash_dir: TreeHash
    mirror: LocalPath


class HashDirSource(TreeSource):
    kind: Literal["hash-dir"] = "hash-dir"
    mirror: str

    @property
    def address(self) -> str:
        return self.mirror

    @property
    def local_path(self) -> str | None:
        return self.mirror

    def relocated(self, move: Callable[[str], str]) -> Self:
        return self.model_copy(update={"mirror": move(self.mirror)})

    def describe(self) -> str:
        return f"the folder {self.short_hash} of the mirror {self.mirror}"

    def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
        return {"hash-dir": self.tree, "mirror": self.mirror}


class HashDirAdapter(TreeAdapter[HashDirSpec, HashDirSource]):
    spec_type = HashDirSpec
    source_type = HashDirSource

    def pin(self, spec: HashDirSpec, context: SourceContext) -> PinnedSource:
        with scratch_folder(context.paths) as folder:
            copy_code(folder_in_mirror(context.base / spec.mirror, spec.hash_dir), folder, context.owner)
            if nar_writer.hash_path(folder) != spec.hash_dir:
                raise HashMismatch(f"{context.owner} is another folder", where=spec.mirror, fix="mirror it again")
            return PinnedSource(HashDirSource(mirror=spec.mirror, tree=spec.hash_dir), read_texts(folder, Selection()))

    def materialise(self, source: HashDirSource, out: Path, context: SourceContext) -> None:
        copy_code(folder_in_mirror(context.base / source.mirror, source.tree), out, context.owner)


def folder_in_mirror(mirror: Path, tree: str) -> Path:
    return mirror / base64.b64decode(tree.removeprefix("sha256-")).hex()


def add_to_mirror(mirror: Path, folder: Path) -> str:
    """Copy a folder into the mirror, and return its hash."""
    tree = nar_writer.hash_path(folder)
    shutil.copytree(folder, folder_in_mirror(mirror, tree))
    return tree
