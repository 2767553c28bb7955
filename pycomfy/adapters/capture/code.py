"""The code of ComfyUI or of a node pack: as a commit and a patch where it can be, else as the files that are there."""

import re
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.capture.files import Files
from pycomfy.adapters.capture.git_dir import (
    GitFolder,
    borrow,
    find_git,
    find_published,
    find_remote,
    read_head,
    read_small,
    refused,
)
from pycomfy.adapters.capture.working_tree import (
    ComparisonOptions,
    WorkingTreeChanges,
    compare_folders,
    find_changes,
    find_hidden_models,
    make_patch,
    walk_code,
)
from pycomfy.adapters.git.checkout import MAX_BYTES
from pycomfy.adapters.git.patches import PatchRepository, list_paths
from pycomfy.adapters.io.atomic_files import translate_disk_full
from pycomfy.core.capture.model import CapturedCode
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.versions.checkout_files import source_keys
from pycomfy.errors import BadInput


@dataclass(frozen=True)
class CodeFolder:
    """What to capture: `folder` is called `place` in the installation and `name` in the result. `skip` are names at
    its top that are not code; repositories may lie in the folders `inside`."""

    name: str
    folder: Path
    place: str
    inside: Sequence[Path] = ()
    skip: Sequence[str] = ()


@dataclass(frozen=True)
class KnownSource:
    """What a lock says that the code is, and the files of that in a folder of ours."""

    source: LockSource
    files: Path


def capture_code(
    subject: CodeFolder, out: Path, known: KnownSource | None = None
) -> tuple[CapturedCode, tuple[str, ...]]:
    """The code, and the paths of its files. Where it is captured as a folder, its files are below `out` afterwards.
    `known` is for a folder that is no repository.

    Raises `BadInput` for a folder whose files cannot be copied either.
    """
    found = CapturedCode(subject.name, subject.place)
    version, registry = _read_project(subject.folder)
    found = replace(found, version=version, registry=registry)
    changes = None
    with tempfile.TemporaryDirectory(prefix="pycomfy-git-") as place:
        try:
            git = find_git(subject.folder, (subject.folder, *subject.inside))
            if git is not None:
                shop = PatchRepository(Path(place, "git"))
                commit, ahead, found = _read_commit(git, found, shop)
                bench = PatchRepository(Path(place, "bench"))
                look = ComparisonOptions(shop, bench, subject.inside, subject.skip)
                changes = find_changes(git, commit, look)
                if not subject.skip:
                    changes.left += find_hidden_models(git, commit, look)
                found = _with_changes(found, changes)
                if found.url is None:
                    raise refused(subject.folder, "it has no remote")
                patch = make_patch(changes, bench)
                return replace(found, commit=commit, patch=patch, ahead=ahead), tuple(changes.present)
            if known is not None:
                bench = PatchRepository(Path(place, "bench"))
                changes = compare_folders(known.files, subject.folder, bench, subject.skip)
                found = _with_changes(found, changes)
                said = _of_known(found, known.source, make_patch(changes, bench))
                if said is not None:
                    return said, tuple(changes.present)
        except BadInput as e:
            found = replace(found, notes=(*found.notes, f"captured as a folder: {e.what}"))
    files = changes if changes is not None else walk_code(subject.folder, subject.skip)
    found = _with_changes(replace(found, url=None, commit=None, ahead=0), files)
    if changes is None and (added := _added_since(subject.folder, files)):
        more = f" and {len(added) - 5} more" if len(added) > 5 else ""
        note = f"not among the files that the registry has of it: {', '.join(added[:5])}{more}"
        found = replace(found, notes=(*found.notes, note))
    copy_code(subject.folder, files, out / (found.folder or ""))
    return replace(found, changed=()), tuple(files.present)


def _of_known(found: CapturedCode, source: LockSource, patch: str | None) -> CapturedCode | None:
    """The code, if it is what its lock says, or a commit of that with a patch; else None."""
    known = source.repository
    if known is not None and None in (patch, known.patch):
        note = "it is no git repository; its pycomfy.lock says what it is, and its files are those"
        if known.is_local and not known.url.startswith(("/", "file:")):
            note += f"; {known.url} is a path from where that was locked: correct it if need be"
        both = patch or known.patch
        changed = found.changed or (() if both is None else list_paths(both))
        notes = (*found.notes, note)
        return replace(found, url=known.url, commit=known.commit, patch=both, changed=changed, notes=notes)
    if patch is None and source.local_path is None:
        return replace(found, keys=source_keys(found.name, source))
    return None


def _read_commit(git: GitFolder, found: CapturedCode, shop: PatchRepository) -> tuple[str, int, CapturedCode]:
    """The commit to name, how far the installation is ahead of it, and what else the repository says."""
    borrow(git, shop)
    head, branch = read_head(git)
    if shop.git("cat-file", "-e", f"{head}^{{tree}}")[0] != 0:
        raise refused(git.folder, f"its commit {head[:10]} is not complete")
    remote = find_remote(git, branch, shop)
    found = replace(found, branch=branch, date=_commit_date(shop, head))
    if remote is None:
        return head, 0, found
    notes = ("its remote has a login, which git must be given some other way",) if remote.login else ()
    found = replace(found, url=remote.url, notes=(*found.notes, *notes))
    commit, ahead = find_published(git, head, remote, shop)
    if ahead is None:
        note = "nothing there tells whether its remote has the commit"
        return commit, 0, replace(found, notes=(*found.notes, note))
    return commit, ahead, found


def _commit_date(shop: PatchRepository, commit: str) -> datetime | None:
    said = shop.git("show", "--no-patch", "--format=%ct", commit)[1].decode(errors="replace").strip()
    try:
        return datetime.fromtimestamp(int(said), tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _with_changes(found: CapturedCode, changes: WorkingTreeChanges) -> CapturedCode:
    notes = tuple(dict.fromkeys((*found.notes, *changes.notes)))
    return replace(found, changed=tuple(changes.paths), left=tuple(changes.left), notes=notes)


# — as files —


def copy_code(folder: Path, files: WorkingTreeChanges, out: Path) -> None:
    """Copy the files that are code. Raises `BadInput` for too much, and what cannot be read."""
    size = 0
    looking = Files(folder)
    with translate_disk_full(out):
        out.mkdir(parents=True)
        for path in sorted(files.present):
            about = looking.lstat(path)
            if about is None:
                continue
            to = out / path
            to.parent.mkdir(parents=True, exist_ok=True)
            if stat.S_ISLNK(about.st_mode):
                to.symlink_to((folder / path).readlink())
                continue
            size += about.st_size
            if size > MAX_BYTES:
                raise BadInput(f"it has more than {MAX_BYTES >> 30} GiB", where=str(folder), fix="tidy it up")
            try:
                shutil.copyfile(folder / path, to, follow_symlinks=False)
            except PermissionError as e:
                fix = "make it readable"
                raise BadInput(f"it cannot be read: {e.strerror}", where=str(folder / path), fix=fix) from e
            to.chmod(0o755 if about.st_mode & 0o100 else 0o644)


def capture_file(name: str, file: Path, place: str, out: Path) -> CapturedCode:
    """A pack that is one Python file: as a folder with that file as its package. Raises `BadInput`."""
    text = read_small(file)
    found = CapturedCode(name, place, notes=("a single file, which becomes the package of a folder",))
    if not text.strip():
        raise BadInput("it is empty, too large or not readable", where=str(file), fix="remove or disable it")
    folder = out / (found.folder or "")
    with translate_disk_full(folder):
        folder.mkdir(parents=True)
        shutil.copyfile(file, folder / "__init__.py")
        (folder / "__init__.py").chmod(0o644)
    return found


def _read_project(folder: Path) -> tuple[str, str]:
    """The version, and the id in the registry if the pack is made for one, that pyproject.toml says; else ComfyUI's own
    file of its version."""
    try:
        data = tomllib.loads(read_small(folder / "pyproject.toml", 1 << 20))
        project, comfy = data.get("project", {}), data.get("tool", {}).get("comfy")
        version, name = str(project.get("version", "")), str(project.get("name", ""))
    except (ValueError, RecursionError, AttributeError):
        version, name, comfy = "", "", None
    match = re.search(
        r"^__version__\s*=\s*[\"']([^\"'\s]{1,50})", read_small(folder / "comfyui_version.py"), re.MULTILINE
    )
    version = match[1] if match else version
    return version[:50], name[:100] if comfy is not None else ""


def _added_since(folder: Path, files: WorkingTreeChanges) -> list[str]:
    """Files that ComfyUI-Manager did not unpack from the registry's archive, where it did unpack one."""
    tracking = read_small(folder / ".tracking")
    if not tracking:
        return []
    known = {line.strip().replace("\\", "/") for line in tracking.splitlines()} | {".tracking"}
    return [path for path in files.present if path not in known]
