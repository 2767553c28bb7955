"""The model store: the models on this machine by their content, each file once, whatever it is called."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import is_made_up, translate_disk_full, write_file
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models.hash_cache import HashCache
from pycomfy.core.lockfile.lock_types import LockSection, Sha256
from pycomfy.core.lockfile.schema import ModelFile, PublicUrl
from pycomfy.errors import BadInput, HashMismatch, suggest

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS)


class Added(LockSection):
    """A model that the user added under a name; `url` is where it came from, if it was fetched."""

    sha256: Sha256
    size: int
    url: PublicUrl | None = None


_ADDED = TypeAdapter(dict[str, Added])


@dataclass(frozen=True)
class StoredModel:
    """A file of the store, its size in bytes; `linked` says that it is a link to a file of the user's elsewhere."""

    sha256: str
    path: Path
    size: int
    linked: bool


class ModelStore:
    """`sha256/HH/HASH` are the models, `partial` the beginnings of downloads, `refused` what came with another hash."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.folder = paths.data / "models"
        self.hashes = HashCache(self.folder / "hashes.json")

    def blob_path(self, sha256: str) -> Path:
        """Return where the model with that hash is, or would be."""
        return self.folder / "sha256" / sha256[:2] / sha256

    @property
    def partial_folder(self) -> Path:
        """The folder of beginnings of downloads."""
        return self.folder / "partial"

    def partial_path(self, sha256: str) -> Path:
        """Return where the download of the model with that hash is."""
        return self.partial_folder / sha256

    def find(self, sha256: str) -> Path | None:
        """Return the model's file if it is there and unchanged; None otherwise. A changed file is set aside and
        reported."""
        path = self.blob_path(sha256)
        if not path.is_file():
            return None
        found = self.hashes.sha256(path)
        if found == sha256:
            return path
        self.set_aside(path, sha256, found)
        return None

    def set_aside(self, path: Path, sha256: str, found: str) -> HashMismatch:
        """Move a file that should have the hash `sha256` out of the way, and report it; return the error for it.

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
            fix=("fetch it again", suggest("lock", "if the file was really replaced")),
        )
        operation.report(f"warning: {error.what} as {kept}")
        return error

    def finish(self, part: Path, sha256: str) -> Path:
        """Move a complete download, whose hash was checked, among the models; return where it is."""
        path = self.blob_path(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        part.chmod(0o444)
        part.replace(path)
        self.hashes.remember(path, sha256)
        return path

    def add(self, file: Path) -> StoredModel:
        """Take a file of the user's into the store, as a hard link where the file system can, else as a symbolic link:
        its bytes are not copied. Raises `NotFound`, `BadInput`."""
        real = file.resolve()
        if real.exists() and (not real.is_file() or is_made_up(file)):
            raise BadInput("not a file", where=str(file), fix="give a model's file")
        sha256 = self.hashes.sha256(real)
        if self.find(sha256) is None:
            self._link(real, self.blob_path(sha256), sha256)
        return self.describe(sha256)

    def describe(self, sha256: str) -> StoredModel:
        """Return what is known of a model that is in the store."""
        path = self.blob_path(sha256)
        return StoredModel(sha256, operation.original(path), path.stat().st_size, _is_link(path))

    def plan(self, sha256: str, size: int) -> StoredModel:
        """Return what would be known of a model that is not in the store, once it is fetched."""
        return StoredModel(sha256, operation.original(self.blob_path(sha256)), size, linked=False)

    def list_models(self) -> list[StoredModel]:
        """Return every model, sorted by hash."""
        return [self.describe(p.name) for p in sorted((self.folder / "sha256").glob("??/" + "?" * 64)) if p.is_file()]

    def broken_links(self) -> list[Path]:
        """Return the links to files of the user's that do not exist any more."""
        return [p for p in sorted((self.folder / "sha256").glob("??/" + "?" * 64)) if not p.exists()]

    def list_unfinished(self) -> list[Path]:
        """Return what there is of downloads that were broken off; they continue from there."""
        return sorted((self.folder / "partial").glob("*"))

    def list_refused(self) -> list[Path]:
        """Return the files that had another hash than they should, and were set aside."""
        return sorted((self.folder / "refused").glob("*"))

    def list_changed(self) -> list[Path]:
        """Return the models that were changed, or put there, since they were hashed. No model is read."""
        found = (self.blob_path(one.sha256) for one in self.list_models())
        return [path for path in found if self.hashes.find(path) != path.name]

    def list_added(self) -> Mapping[str, Added]:
        """Return the models that the user added, by their path below ComfyUI's `models`. Its copy is taken where that
        is whole: it has a checksum, and is written first."""
        try:
            return _ADDED.validate_json(self._read_copy() or self._names.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError as e:
            raise BadInput("the list of added models is damaged", where=str(self._names), fix="delete it") from e

    def check_names(self) -> str:
        """Return what is wrong with the list of added models or its copy, "" if nothing is."""
        copy = self._read_copy()
        if copy is None:
            return f"{self._copy.name} was changed, or is missing" if self._names.exists() else ""
        same = self._names.is_file() and self._names.read_bytes() == copy
        return "" if same else f"{self._names.name} was changed, or is missing"

    def rewrite_names(self) -> None:
        """Write the list of added models again, and its copy, if one of both is damaged."""
        if self.check_names():
            with exclusive_lock(self._names.with_suffix(".lock")):
                self._write_names(self.list_added())

    def set_name(self, location: str, stored: StoredModel, url: str | None = None) -> Added | None:
        """Remember a model under its path below ComfyUI's `models`; return the one that had this name before, if it is
        another."""
        with exclusive_lock(self._names.with_suffix(".lock")):
            names = dict(self.list_added())
            before = names.get(location)
            names[location] = Added(sha256=stored.sha256, size=stored.size, url=url)
            self._write_names(names)
        return before if before is not None and before.sha256 != stored.sha256 else None

    def list_missing(self, models: tuple[ModelFile, ...]) -> list[ModelFile]:
        """Return those models that are not in the store."""
        return [m for m in models if self.find(m.sha256) is None]

    @property
    def _names(self) -> Path:
        return self.folder / "added.json"

    @property
    def _copy(self) -> Path:
        return self.folder / "added.copy.json"

    def _write_names(self, names: Mapping[str, Added]) -> None:
        rows = {key: value.model_dump(mode="json", exclude_none=True) for key, value in sorted(names.items())}
        text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
        write_file(self._copy, json.dumps({"sha256": hashlib.sha256(text.encode()).hexdigest(), "text": text}))
        write_file(self._names, text)

    def _read_copy(self) -> bytes | None:
        """Return the copy of the list of added models, None if it is missing or damaged."""
        try:
            copy = json.loads(self._copy.read_bytes())
            text: bytes = copy["text"].encode()
            return text if hashlib.sha256(text).hexdigest() == copy["sha256"] else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def _link(self, real: Path, path: Path, sha256: str) -> None:
        with translate_disk_full(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{sha256[:16]}.{secrets.token_hex(4)}")
            try:
                # A new link changes the file's ctime.
                with self.hashes.same_content(real, sha256):
                    if not link(real, beside):
                        beside.symlink_to(real)
                    beside.replace(path)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    beside.unlink()


def _is_link(path: Path) -> bool:
    """Return whether a model is a symbolic link. In a dry run all are: then it is that of the original, or that of what
    would be made, which is a hard link on the same disk."""
    original = operation.original(path)
    if original == path or os.path.lexists(original):
        return original.is_symlink()
    folder = next(p for p in original.parents if p.exists())
    return path.stat().st_dev != folder.stat().st_dev


def link(real: Path, path: Path) -> bool:
    """Make `path` a hard link to `real`; return whether the file system can."""
    try:
        os.link(real, path)
    except OSError as e:
        if e.errno not in _NO_LINK:
            raise
        return False
    return True
