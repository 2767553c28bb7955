"""The models on this machine, by their content: each file once, whatever it is called and whoever needs it."""

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import translate_disk_full, write_file
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models.hash_cache import HashCache
from pycomfy.core.lockfile.lock_types import LockSection, Sha256
from pycomfy.core.lockfile.schema import ModelFile, PublicUrl
from pycomfy.errors import BadInput, HashMismatch

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)


class Added(LockSection):
    """What someone added by hand under a name; `url` is where it came from, if it was fetched."""

    sha256: Sha256
    size: int
    url: PublicUrl | None = None


_ADDED = TypeAdapter(dict[str, Added])


@dataclass(frozen=True)
class StoredModel:
    """A file of the store; `linked` says that it is one of the user's own, which lies elsewhere."""

    sha256: str
    path: Path
    size: int
    linked: bool


class ModelStore:
    """`sha256/HH/HASH` are the models, `partial` what is being fetched, `refused` what came with another hash."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.folder = paths.data / "models"
        self.hashes = HashCache(self.folder / "hashes.json")

    def place(self, sha256: str) -> Path:
        """Where the model with that hash is, or would be."""
        return self.folder / "sha256" / sha256[:2] / sha256

    @property
    def partial_folder(self) -> Path:
        """Where the beginnings of models are."""
        return self.folder / "partial"

    def partial(self, sha256: str) -> Path:
        """Where the model with that hash grows."""
        return self.partial_folder / sha256

    def find(self, sha256: str) -> Path | None:
        """The model, if it is there and still what it was; a file that changed is set aside and told of."""
        path = self.place(sha256)
        if not path.is_file():
            return None
        found = self.hashes.sha256(path)
        if found == sha256:
            return path
        self.set_aside(path, sha256, found)
        return None

    def set_aside(self, path: Path, sha256: str, found: str) -> HashMismatch:
        """Move a file that should have had the hash `sha256` out of the way; the error that tells of it.

        A link to a file of the user's is only removed.
        """
        if path.is_symlink():
            kept = path.resolve()
            path.unlink()
        else:
            kept = self.folder / "refused" / f"{sha256[:16]}-is-{found[:16]}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            path.replace(kept)
        error = HashMismatch(
            f"expected SHA-256 {sha256}, got {found}: not used, but kept",
            where=str(kept),
            fix="fetch it again, or lock again if the file was really replaced",
        )
        operation.report(f"warning: {error.what} as {kept}")
        return error

    def keep(self, part: Path, sha256: str) -> Path:
        """Take over a complete file of `partial`, whose hash was checked."""
        path = self.place(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        part.chmod(0o444)
        part.replace(path)
        self.hashes.know(path, sha256)
        return path

    def add(self, file: Path) -> StoredModel:
        """Take a file of the user's into the store, as a hard link where the file system can, else as a symbolic one:
        its bytes are not copied. Raises `NotFound`, `BadInput`."""
        real = file.resolve()
        if real.exists() and not real.is_file():
            raise BadInput("it is no file", where=str(file), fix="give a model's file")
        sha256 = self.hashes.sha256(real)
        if self.find(sha256) is None:
            self._link(real, self.place(sha256), sha256)
        return self.about(sha256)

    def about(self, sha256: str) -> StoredModel:
        path = self.place(sha256)
        return StoredModel(sha256, path, path.stat().st_size, path.is_symlink())

    def everything(self) -> list[StoredModel]:
        """Every model, by hash."""
        return [self.about(p.name) for p in sorted((self.folder / "sha256").glob("??/" + "?" * 64)) if p.is_file()]

    def broken_links(self) -> list[Path]:
        """Links to files of the user's that are not there any more."""
        return [p for p in sorted((self.folder / "sha256").glob("??/" + "?" * 64)) if not p.exists()]

    def added(self) -> Mapping[str, Added]:
        """What was added by hand, by its path below ComfyUI's `models`."""
        try:
            return _ADDED.validate_json(self._names.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError as e:
            raise BadInput("the list of added models is damaged", where=str(self._names), fix="delete it") from e

    def call(self, place: str, stored: StoredModel, url: str | None = None) -> Added | None:
        """Remember a model under its path below ComfyUI's `models`; what was called so before, if it is another."""
        with exclusive_lock(self._names.with_suffix(".lock")):
            names = dict(self.added())
            before = names.get(place)
            names[place] = Added(sha256=stored.sha256, size=stored.size, url=url)
            rows = {key: value.model_dump(mode="json", exclude_none=True) for key, value in sorted(names.items())}
            write_file(self._names, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        return before if before is not None and before.sha256 != stored.sha256 else None

    def missing(self, models: tuple[ModelFile, ...]) -> list[ModelFile]:
        """Those that are not here."""
        return [m for m in models if self.find(m.sha256) is None]

    @property
    def _names(self) -> Path:
        return self.folder / "added.json"

    def _link(self, real: Path, path: Path, sha256: str) -> None:
        with translate_disk_full(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{sha256[:16]}.{secrets.token_hex(4)}")
            try:
                # A new link changes the file's ctime, and so does another name for it.
                with self.hashes.same_content(real, sha256):
                    if not link(real, beside):
                        beside.symlink_to(real)
                    beside.replace(path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    beside.unlink()


def link(real: Path, path: Path) -> bool:
    """Make `path` the same file as `real`; False where the file system cannot."""
    try:
        os.link(real, path)
    except OSError as e:
        if e.errno not in _NO_LINK:
            raise
        return False
    return True
