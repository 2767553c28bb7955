"""Sources of code: from what pycomfy.toml asks for to a pin that names the same bytes for ever, and back to files."""

import contextlib
import json
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import TypeAdapter, ValidationError

from pycomfy.adapters.catalog.registry_versions import find_registered
from pycomfy.adapters.git.checkout import MAX_TEXT, CheckoutResult, read_tree, write_tree
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.git.patches import apply_patch, read_patch
from pycomfy.adapters.io import download
from pycomfy.adapters.io.atomic_files import new_folder, write_file
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.adapters.nix import nar_writer
from pycomfy.adapters.python.resolver import pin_wheel
from pycomfy.adapters.python.uv_process import with_login
from pycomfy.adapters.sources.local_folder import copy_code, walk_code
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.lockfile.names import plain_name
from pycomfy.core.lockfile.package_indexes import DEFAULT_INDEXES, IndexConfig
from pycomfy.core.lockfile.schema import FileName, GitSource, PathSource, Source, UrlSource, WheelTreeSource
from pycomfy.core.lockfile.source_specs import GitSpec, PathSpec, RegistrySpec, Spec, UrlSpec, WheelSpec
from pycomfy.core.python.wheel_selection import Target
from pycomfy.errors import BadConfig, BadInput, NotFound, PycomfyError


@dataclass(frozen=True)
class PinnedSource:
    """A pinned source. `files` are the texts that resolving reads (Python, requirements), by path below its folder.

    `date` is when the code was made, if that is known: a commit's date, a wheel's upload.
    """

    source: Source
    files: Mapping[str, str]
    date: datetime | None = None


def pin_source(spec: Spec, base: Path, owner: str, paths: Paths, reach: IndexConfig = DEFAULT_INDEXES) -> PinnedSource:
    """Pin what `spec` asks for. `base` is the folder that relative paths are relative to, `owner` who needs it, `reach`
    where wheels are looked for.

    Raises `NotFound`, `UnpinnedPack`, `Unresolved`, `NetworkError`, `HashMismatch`, `BadConfig`.
    """
    match spec:
        case GitSpec():
            return _pin_git(spec, base, owner, paths)
        case WheelSpec():
            return _pin_wheel_tree(spec, owner, paths, reach)
        case PathSpec():
            return _pin_path(spec, base, owner, paths)
        case UrlSpec():
            return _pin_url(spec, owner, paths)
        case RegistrySpec():
            return _pin_git(find_registered(spec, owner, paths), base, owner, paths)


def write_tree_of(source: GitSource | PathSource, base: Path, out: Path, paths: Paths) -> None:
    """Make the folder `out` the tree of `source`, with the very files that its hash was made of.

    Raises as `pin_source` does; nothing is left of `out` then.
    """
    with new_folder(out) as folder:
        if isinstance(source, GitSource):
            repository = GitMirror(join_address(source.url, base), owner=out.name, cache=paths.cache / "git")
            repository.fetch(source.commit)
            write_tree(repository, source.commit, folder, lfs=source.lfs)
            if source.patch is not None:
                apply_patch(source.patch, folder, out.name)
        else:
            copy_code(base / source.path, folder, out.name)


def is_changed(source: Source, base: Path, owner: str, paths: Paths) -> bool:
    """Whether a local folder has other files than when it was pinned. Only folders can change; one that is gone has
    not: its tree may be in the store still."""
    if not isinstance(source, PathSource) or not (base / source.path).is_dir():
        return False
    with _scratch(paths) as folder:
        copy_code(base / source.path, folder, owner)
        return nar_writer.hash_path(folder) != source.tree


def newer_commit(spec: Spec, source: Source, base: Path, owner: str, paths: Paths) -> str | None:
    """The commit that a repository on this machine would be pinned to by now; None if it is the same, cannot be read,
    or is somewhere else."""
    if not isinstance(spec, GitSpec) or not isinstance(source, GitSource) or not parse_git_url(spec.git).local:
        return None
    try:
        commit = GitMirror(join_address(spec.git, base), owner=owner, cache=paths.cache / "git").resolve(spec.rev)
    except PycomfyError:
        return None
    return commit if commit != source.commit else None


def join_address(url: str, base: Path) -> str:
    """The address that git is given: a relative path is relative to `base`."""
    address = parse_git_url(url)
    return str(base.absolute() / url) if address.local and not url.startswith("file://") else url


def is_text(path: str) -> bool:
    """Whether resolving reads this file. A name that is no text is nothing that Python imports."""
    if any("\ud800" <= c <= "\udfff" for c in path):
        return False
    return path.endswith((".py", ".txt")) or path in ("pyproject.toml", "node_list.json")


# — git —


def _pin_git(spec: GitSpec, base: Path, owner: str, paths: Paths) -> PinnedSource:
    repository = GitMirror(join_address(spec.git, base), owner=owner, cache=paths.cache / "git")
    commit = repository.resolve(spec.rev)
    if spec.patch is not None:
        return _pin_patched(repository, commit, read_patch(base / spec.patch, owner), spec, paths)
    tree, found = _hash_commit(repository, commit, paths, lfs=spec.lfs)
    url = parse_git_url(spec.git).public
    files = {path: _decode(data) for path, data in read_tree(repository, commit, is_text).items()}
    source = GitSource(url=url, commit=commit, tree=tree, submodules=found.submodules, lfs=found.lfs)
    return PinnedSource(source, files, repository.commit_date(commit))


def _pin_patched(repository: GitMirror, commit: str, patch: str, spec: GitSpec, paths: Paths) -> PinnedSource:
    with _scratch(paths) as folder:
        found = write_tree(repository, commit, folder, lfs=spec.lfs)
        apply_patch(patch, folder, repository.owner)
        tree = nar_writer.hash_path(folder)
        files = dict(_read_folder(folder))
    url = parse_git_url(spec.git).public
    source = GitSource(url=url, commit=commit, tree=tree, submodules=found.submodules, lfs=found.lfs, patch=patch)
    return PinnedSource(source, files, repository.commit_date(commit))


def _hash_commit(repository: GitMirror, commit: str, paths: Paths, *, lfs: bool) -> tuple[str, CheckoutResult]:
    """The hash of a commit's tree, and what is in it. A commit never changes, so it is hashed once."""
    known = paths.cache / "trees" / f"{commit}{'' if lfs else '-pointers'}.json"
    try:
        value = json.loads(known.read_bytes())
        return str(value["tree"]), CheckoutResult(bool(value["submodules"]), bool(value["lfs"]))
    except (OSError, ValueError, TypeError, KeyError):
        pass
    with _scratch(paths) as folder:
        found = write_tree(repository, commit, folder, lfs=lfs)
        tree = nar_writer.hash_path(folder)
    write_file(known, json.dumps({"tree": tree, **found._asdict()}))
    return tree, found


# — a local folder —


def _pin_path(spec: PathSpec, base: Path, owner: str, paths: Paths) -> PinnedSource:
    root = base / spec.path
    with _scratch(paths) as folder:
        copy_code(root, folder, owner)
        tree = nar_writer.hash_path(folder)
        files = dict(_read_folder(folder))
    return PinnedSource(PathSource(path=spec.path, tree=tree), files)


def _read_folder(folder: Path) -> Iterator[tuple[str, str]]:
    for path in walk_code(folder):
        name = path.relative_to(folder).as_posix()
        if is_text(name) and path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_TEXT:
            yield name, _decode(path.read_bytes())


# — files from the network —


def _pin_wheel_tree(spec: WheelSpec, owner: str, paths: Paths, reach: IndexConfig) -> PinnedSource:
    wheel, date = pin_wheel(spec.wheel, Target("linux/amd64", "3.11"), paths.cache, reach)
    url = with_login(wheel.url, reach) or wheel.url
    path = download.fetch(url, wheel.sha256, name=wheel.filename, size=wheel.size or None, cache=paths.cache)
    files = _read_wheel(path, spec, owner)
    source = WheelTreeSource(
        url=wheel.url,
        sha256=wheel.sha256,
        name=wheel.filename,
        size=path.stat().st_size,
        folder=spec.folder,
        exclude=tuple(sorted(spec.exclude)),
    )
    return PinnedSource(source, files, date)


def _read_wheel(path: Path, spec: WheelSpec, owner: str) -> dict[str, str]:
    prefix = spec.folder + "/"
    files: dict[str, str] = {}

    def refuse(why: str) -> BadInput:
        return BadInput(f"{owner}: not a wheel: {why}", where=path.name, fix="name another wheel")

    with open_zip(path, refuse) as wheel:
        _check_names(wheel.namelist(), owner, path.name)
        members = [m for m in wheel.infolist() if m.filename.startswith(prefix) and not m.is_dir()]
        names = {m.filename.removeprefix(prefix) for m in members}
        for member in members:
            name = member.filename.removeprefix(prefix)
            if is_text(name) and name not in spec.exclude and member.file_size <= MAX_TEXT:
                files[name] = _decode(wheel.read(member))
    where = f"pycomfy.toml, the wheel {spec.wheel}"
    if not members:
        raise NotFound(f"{owner}: the wheel has no folder {spec.folder}", where=where, fix="correct folder = …")
    if absent := [name for name in spec.exclude if name not in names]:
        raise NotFound(f"{owner}: the folder has no file {', '.join(absent)}", where=where, fix="correct exclude = …")
    return files


def _check_names(names: list[str], owner: str, wheel: str) -> None:
    """What builds the image refuses such a wheel as well; here it is told sooner."""
    for name in names:
        path = name.removesuffix("/")
        if path.startswith("/") or posixpath.normpath(path) != path or path.split("/")[0] == ".." or "\\" in path:
            raise BadInput(
                f"{owner}: the wheel is refused: it has a file named {name[:200]!r}",
                where=wheel,
                fix="name another wheel, or another source",
            )


def _pin_url(spec: UrlSpec, owner: str, paths: Paths) -> PinnedSource:
    name = unquote(urlsplit(spec.url).path.rsplit("/", 1)[-1])
    # Neither the Nix store nor a Python module cares for the spaces that some names have.
    name = plain_name(name, len(name))
    try:
        name = TypeAdapter(FileName).validate_python(name)
    except ValidationError:
        name = ""
    if not name.endswith(".py"):
        raise BadConfig(
            f"{owner}: {spec.url} is not a Python file",
            where="pycomfy.toml",
            fix="a url source is a node pack of one .py file; for anything larger write git = … or path = …",
        )
    path = download.fetch(spec.url, spec.sha256, name=name, cache=paths.cache)
    # ComfyUI takes a single file for a pack; for resolving it is that pack's whole package.
    return PinnedSource(
        UrlSource(url=spec.url, sha256=spec.sha256, name=name), {"__init__.py": _decode(path.read_bytes())}
    )


_BYTE_ORDER: Mapping[bytes, str] = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def _decode(data: bytes) -> str:
    """Text, whatever it is: requirement files are written by every editor there is. What is no text stays harmless."""
    encoding = next((name for mark, name in _BYTE_ORDER.items() if data.startswith(mark)), "utf-8")
    return data.decode(encoding, errors="replace")


@contextlib.contextmanager
def _scratch(paths: Paths) -> Iterator[Path]:
    """An empty folder in the cache for a while: a large tree might fill a small /tmp."""
    with temporary_folder(paths.cache, ".tree-") as outer:
        folder = outer / "tree"
        folder.mkdir()
        yield folder
