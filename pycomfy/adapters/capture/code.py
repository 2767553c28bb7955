"""Capture the code of ComfyUI or of a node pack: as a commit and a patch if possible, else as a copy of its files."""

import re
import shutil
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.capture.files import Files, read_text, unreadable
from pycomfy.adapters.capture.git_dir import (
    GitFolder,
    borrow,
    find_git,
    find_published,
    find_remote,
    read_head,
    refused,
)
from pycomfy.adapters.capture.working_tree import (
    ComparisonOptions,
    WorkingTreeChanges,
    add_ignored,
    compare_folders,
    find_changes,
    make_patch,
    walk_code,
)
from pycomfy.adapters.git.checkout import MAX_BYTES
from pycomfy.adapters.git.patches import PatchRepository, list_paths
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.core.capture.model import CapturedCode
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.versions.checkout_files import source_keys
from pycomfy.errors import BadInput


@dataclass(frozen=True)
class CodeFolder:
    """What to capture: `folder`, with the path `path` in the installation, and called `name` in the result. `skip` are
    names at its top that are not code; repositories may also be in the folders `allowed`."""

    name: str
    folder: Path
    path: str
    allowed: Sequence[Path] = ()
    skip: Sequence[str] = ()


@dataclass(frozen=True)
class KnownSource:
    """What a lock says that the code is, and a folder with those files."""

    source: LockSource
    files: Path


def capture_code(
    subject: CodeFolder, out: Path, known: KnownSource | None = None
) -> tuple[CapturedCode, tuple[str, ...]]:
    """Return the code, and the paths of its files. If it is captured as a folder, its files are in `out` afterwards.
    `known` is used for a folder that is not a repository.

    Raises `BadInput` for a folder whose files cannot be copied either.
    """
    found = CapturedCode(subject.name, subject.path)
    version, registry = _read_project(subject.folder)
    found = replace(found, version=version, registry=registry)
    changes = None
    with scratch_folder() as temporary:
        try:
            git = find_git(subject.folder, (subject.folder, *subject.allowed))
            if git is not None:
                reader = PatchRepository(Path(temporary, "reader"))
                commit, unpublished, found = _read_commit(git, found, reader)
                staging = PatchRepository(Path(temporary, "staging"))
                options = ComparisonOptions(reader, staging, subject.allowed, subject.skip)
                changes = find_changes(git, commit, options)
                if not subject.skip:
                    add_ignored(git, commit, options, changes)
                found = _with_changes(found, changes)
                if found.url is None:
                    raise refused(subject.folder, "it has no remote")
                patch = make_patch(changes, staging)
                return replace(found, commit=commit, patch=patch, unpublished=unpublished), tuple(changes.present)
            if known is not None:
                staging = PatchRepository(Path(temporary, "staging"))
                changes = compare_folders(known.files, subject.folder, staging, subject.skip)
                found = _with_changes(found, changes)
                locked = _from_lock(found, known.source, make_patch(changes, staging))
                if locked is not None:
                    return locked, tuple(changes.present)
        except BadInput as e:
            found = replace(found, notes=(*found.notes, f"captured as a folder: {e.what}"))
    files = changes if changes is not None else walk_code(subject.folder, subject.skip)
    found = _with_changes(replace(found, url=None, commit=None, unpublished=0), files)
    if changes is None and (added := _added_since(subject.folder, files)):
        more = f" and {len(added) - 5} more" if len(added) > 5 else ""
        note = f"added since it was installed from the Comfy registry: {', '.join(added[:5])}{more}"
        found = replace(found, notes=(*found.notes, note))
    copy_code(subject.folder, files, out / (found.folder or ""))
    return replace(found, changed=()), tuple(files.present)


def _from_lock(found: CapturedCode, source: LockSource, patch: str | None) -> CapturedCode | None:
    """The code as its lock has it, if that can be expressed: unchanged, or a commit with one patch; else None."""
    known = source.repository
    if known is not None and None in (patch, known.patch):
        note = "not a git repository, but its files are what pycomfy.lock says"
        if known.is_local and not known.url.startswith(("/", "file:")):
            note += f"; {known.url} is relative to where it was locked: correct it if necessary"
        both = patch or known.patch
        changed = found.changed or (() if both is None else list_paths(both))
        notes = (*found.notes, note)
        return replace(found, url=known.url, commit=known.commit, patch=both, changed=changed, notes=notes)
    if patch is None and source.local_path is None:
        return replace(found, keys=source_keys(found.name, source))
    return None


def _read_commit(git: GitFolder, found: CapturedCode, reader: PatchRepository) -> tuple[str, int, CapturedCode]:
    """The commit to pin, how many commits the installation is ahead of it, and what else the repository says."""
    borrow(git, reader)
    head, branch = read_head(git)
    if reader.git("cat-file", "-e", f"{head}^{{tree}}")[0] != 0:
        raise refused(git.folder, f"the commit {head[:10]} is incomplete")
    remote = find_remote(git, branch, reader)
    found = replace(found, branch=branch, date=_commit_date(reader, head))
    if remote is None:
        return head, 0, found
    notes = ("the login in the remote's address is left out: use git's own credentials",) if remote.login else ()
    found = replace(found, url=remote.url, notes=(*found.notes, *notes))
    commit, unpublished = find_published(git, head, remote, reader)
    if unpublished is None:
        note = "it is not known whether the remote has the commit"
        return commit, 0, replace(found, notes=(*found.notes, note))
    return commit, unpublished, found


def _commit_date(reader: PatchRepository, commit: str) -> datetime | None:
    output = reader.git("show", "--no-patch", "--format=%ct", commit)[1].decode(errors="replace").strip()
    try:
        return datetime.fromtimestamp(int(output), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _with_changes(found: CapturedCode, changes: WorkingTreeChanges) -> CapturedCode:
    notes = tuple(dict.fromkeys((*found.notes, *changes.notes)))
    return replace(found, changed=tuple(changes.paths), skipped=tuple(changes.skipped), notes=notes)


# — as files —


def copy_code(folder: Path, files: WorkingTreeChanges, out: Path) -> None:
    """Copy the files that are code to the new folder `out`. Raises `BadInput` for more than `MAX_BYTES`, and for a file
    that cannot be read."""
    size = 0
    source = Files(folder)
    with translate_disk_full(out):
        out.mkdir(parents=True)
        for path in sorted(files.present):
            about = source.lstat(path)
            if about is None:
                continue
            to = out / path
            to.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(about.st_mode):
                to.symlink_to((folder / path).readlink())
                continue
            size += about.st_size
            if size > MAX_BYTES:
                raise BadInput(
                    f"larger than {MAX_BYTES >> 30} GiB", where=str(folder), fix="remove what does not belong there"
                )
            try:
                shutil.copyfile(folder / path, to, follow_symlinks=False)
            except PermissionError as e:
                raise unreadable(folder / path, e) from e
            to.chmod(0o755 if about.st_mode & 0o100 else 0o644)


def capture_file(name: str, file: Path, path: str, out: Path) -> CapturedCode:
    """Capture a node pack of one Python file, with the path `path` in the installation, as a folder with one package.
    Raises `BadInput`."""
    text = read_text(file)
    found = CapturedCode(name, path, notes=("a single file: it is captured as a package in a folder",))
    if not text.strip():
        raise BadInput("empty, too large or unreadable", where=str(file), fix="remove or disable it")
    folder = out / (found.folder or "")
    with translate_disk_full(folder):
        folder.mkdir(parents=True)
        shutil.copyfile(file, folder / "__init__.py")
        (folder / "__init__.py").chmod(0o644)
    return found


def _read_project(folder: Path) -> tuple[str, str]:
    """The version, and the id in the Comfy registry if it has one, by pyproject.toml; the version of ComfyUI itself by
    its own file."""
    try:
        data = tomllib.loads(read_text(folder / "pyproject.toml", 1 << 20))
        project, comfy = data.get("project", {}), data.get("tool", {}).get("comfy")
        version, name = str(project.get("version", "")), str(project.get("name", ""))
    except (ValueError, RecursionError, AttributeError):
        version, name, comfy = "", "", None
    match = re.search(
        r"^__version__\s*=\s*[\"']([^\"'\s]{1,50})", read_text(folder / "comfyui_version.py"), re.MULTILINE
    )
    version = match[1] if match else version
    return version[:50], name[:100] if comfy is not None else ""


def _added_since(folder: Path, files: WorkingTreeChanges) -> list[str]:
    """Files that were not in the registry's zip file, if ComfyUI-Manager unpacked one."""
    tracking = read_text(folder / ".tracking")
    if not tracking:
        return []
    known = {line.strip().replace("\\", "/") for line in tracking.splitlines()} | {".tracking"}
    return [path for path in files.present if path not in known]
