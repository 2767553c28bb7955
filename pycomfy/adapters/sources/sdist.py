"""Pin what a wheel is built from: an sdist of an index, an archive at a URL, or a git repository."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import parse_sdist_filename, parse_wheel_filename

from pycomfy.adapters.git.checkout import read_tree
from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io.download import fetch, fetch_unpinned
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.python.pep517 import build_requires, read_pyproject
from pycomfy.adapters.python.simple_index import Sdist
from pycomfy.adapters.sources.adapter import SourceContext
from pycomfy.adapters.sources.git import pin_commit
from pycomfy.core.lockfile.direct_references import DirectReference
from pycomfy.core.lockfile.package_indexes import strip_logins
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.python.build_recipe import SourcePackage
from pycomfy.core.sources.git import GitSpec
from pycomfy.core.sources.url import UrlSource

MAX_BYTES = 4 << 30


def pin_sdist(name: str, sdist: Sdist, required_by: str, paths: Paths) -> SourcePackage:
    """Pin an sdist of an index. `required_by` says in words who needs the package. Raises
    `NetworkError`, `HashMismatch`, `BadInput`."""
    path = fetch(sdist.url, sdist.sha256, name=sdist.filename, cache=paths.cache)
    source = UrlSource(url=strip_logins(sdist.url), sha256=sdist.sha256, name=sdist.filename)
    label = f"{name} {sdist.version}"
    requires = build_requires(read_pyproject(path, None, label), label)
    return SourcePackage(name, str(sdist.version), source, requires, None, required_by)


def pin_direct(direct: DirectReference, required_by: str, base: Path, paths: Paths) -> SourcePackage:
    """Pin a git repository or an archive; `base` is the folder that relative paths are relative to. Raises as
    `pin_sdist` and `pin_commit` do."""
    if direct.kind == "git":
        return _pin_git(direct, required_by, base, paths)
    path, sha256 = _fetch(direct, paths)
    filename = _filename(direct)
    source = UrlSource(url=direct.url, sha256=sha256, name=filename)
    requires = build_requires(read_pyproject(path, direct.subdirectory, direct.label), direct.label)
    return SourcePackage(direct.label, _version(filename), source, requires, direct.subdirectory, required_by)


def pin_direct_wheel(direct: DirectReference, paths: Paths) -> tuple[Wheel, Path]:
    """Return a wheel at a URL, and its file. Raises as `pin_sdist` does."""
    path, sha256 = _fetch(direct, paths)
    filename = _filename(direct)
    name, version, _, _ = parse_wheel_filename(filename)
    wheel = Wheel(
        name=name, version=str(version), filename=filename, url=direct.url, sha256=sha256, size=path.stat().st_size
    )
    return wheel, path


def _pin_git(direct: DirectReference, required_by: str, base: Path, paths: Paths) -> SourcePackage:
    pinned = pin_commit(GitSpec(git=direct.url, rev=direct.revision), SourceContext(base, direct.label, paths))
    repository = GitMirror(direct.url, owner=direct.label, cache=paths.cache / "git")
    path = f"{direct.subdirectory}/pyproject.toml" if direct.subdirectory else "pyproject.toml"
    found = read_tree(repository, pinned.source.commit, path.__eq__)
    requires = build_requires(found.get(path, b"").decode("utf-8", "replace"), direct.label)
    return SourcePackage(
        direct.label, pinned.source.commit[:12], pinned.source, requires, direct.subdirectory, required_by
    )


def _fetch(direct: DirectReference, paths: Paths) -> tuple[Path, str]:
    if direct.sha256 is not None:
        return fetch(direct.url, direct.sha256, name=direct.label, cache=paths.cache), direct.sha256
    return fetch_unpinned(direct.url, cache=paths.cache, limit=MAX_BYTES)


def _filename(direct: DirectReference) -> str:
    """The name of the file, without characters that a Nix store refuses."""
    name = unquote(urlsplit(direct.url).path.rpartition("/")[2])
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", name).lstrip("._+-")[-200:]


def _version(filename: str) -> str:
    """The version in the file name of an archive; a forge names its archives after a branch or tag."""
    try:
        return str(parse_sdist_filename(filename)[1])
    except ValueError:
        return re.sub(r"\.(zip|tgz|tar\.\w+)$", "", filename)
