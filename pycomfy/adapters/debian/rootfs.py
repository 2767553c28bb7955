"""Pin a Debian root filesystem, and make it: fetch its packages and unpack them."""

import contextlib
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from pycomfy import operation
from pycomfy.adapters.debian.packages import DebianReleases, choose_packages, choose_with_dependencies
from pycomfy.adapters.io.atomic_files import says_disk_is_full
from pycomfy.adapters.io.computed import compute_once, fingerprint
from pycomfy.adapters.io.download import File, fetch_all
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.nar_writer import hash_path
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.core.debian.base_packages import BROWSER_PACKAGES
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.lock_types import TreeHash
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import DebianPackage, DebianPackages, Root
from pycomfy.core.sentences import join_lines
from pycomfy.errors import BadInput, MissingTool, NoDebianPackage, NoSpace

_TREE: TypeAdapter[str] = TypeAdapter(TreeHash)


def pin_root(config: Config, platform: PlatformName, paths: Paths, releases: DebianReleases) -> Root:
    """Pin the newest packages of the configured suite, updates and security included, and hash the tree they make.

    Raises `NoDebianPackage` for all packages missing, or for such as do not fit together, `NetworkError`,
    `HashMismatch`, `NoSpace`, `MissingTool`.
    """
    packages = choose_packages(config, platform, paths, releases)
    tree = _hash_tree(packages, releases.urls, platform, paths)
    return Root(suite=config.suite, archives=releases.urls, packages=packages, tree=tree)


def pin_browser(config: Config, platform: PlatformName, paths: Paths, releases: DebianReleases) -> DebianPackages:
    """Pin the packages of the browser that shows ComfyUI's editor. None of them is fetched. Raises as `pin_root`."""
    packages = choose_with_dependencies(BROWSER_PACKAGES, config.suite, platform, paths, releases)
    return DebianPackages(suite=config.suite, archives=releases.urls, packages=packages)


def make_browser(browser: DebianPackages, platform: PlatformName, paths: Paths) -> Path:
    """Return the folder of an unpacked browser, which is kept in the cache. Raises as `make_root`."""
    unpacker = hashlib.sha256(_unpacker().read_bytes()).hexdigest()
    key = fingerprint(platform, sorted((p.name, p.sha256) for p in browser.packages), unpacker)
    folder = paths.cache / "browsers" / key
    if not folder.is_dir():
        files = _fetch(browser.packages, browser.archives, paths, "Fetch the browser")
        with temporary_folder(folder.parent, "new-") as temporary:
            new = temporary / "browser"
            _unpack(browser.packages, files, new, "Unpack the browser")
            new.chmod(0o755)
            # Another process may have been faster; its folder may be mounted by now.
            with contextlib.suppress(OSError):
                new.rename(folder)
    if not folder.is_dir():
        raise BadInput("the browser's folder cannot be written", where=str(folder), fix="see who owns the cache")
    return folder


def make_root(
    root: Root, platform: PlatformName, out: Path, paths: Paths, there: Mapping[str, Path] | None = None
) -> None:
    """Unpack a pinned root to `out`, which must not exist yet; on failure nothing is left of it. Packages that are
    `there`, by their hash, are not fetched.

    The tree is not hashed: whoever puts it into a store compares. Raises `NetworkError`, `HashMismatch`, `NoSpace`.
    """
    files = dict(there or {})
    absent = [package for package in root.packages if package.sha256 not in files]
    files |= zip([package.sha256 for package in absent], _fetch(absent, root.archives, paths), strict=True)
    _unpack(root.packages, [files[p.sha256] for p in root.packages], out, f"Unpack Debian ({platform})")


def _fetch(
    packages: Sequence[DebianPackage], urls: Sequence[str], paths: Paths, title: str = "Fetch Debian packages"
) -> list[Path]:
    files = [File(f"{urls[p.archive]}/{p.path}", p.sha256, p.name, p.size) for p in packages]
    return fetch_all(files, cache=paths.cache, title=title)


def _hash_tree(packages: Sequence[DebianPackage], urls: Sequence[str], platform: PlatformName, paths: Paths) -> str:
    """Return the tree's hash, which depends on nothing but the packages and the program that unpacks them."""
    content = sorted((p.name, p.sha256) for p in packages), hashlib.sha256(_unpacker().read_bytes()).hexdigest()

    def make() -> str:
        files = _fetch(packages, urls, paths)
        with temporary_folder(paths.cache, "root-") as folder:
            _unpack(packages, files, folder / "root", f"Unpack Debian ({platform})")
            return hash_path(folder / "root")

    return compute_once(paths.cache / "roots" / f"{fingerprint(*content)}.json", _TREE, make)


def _unpacker() -> Path:
    return nix_folder() / "builders" / "root.py"


def _unpack(packages: Sequence[DebianPackage], files: Sequence[Path], out: Path, title: str) -> None:
    debs = [{"name": p.name, "path": str(file)} for p, file in zip(packages, files, strict=True)]
    with operation.step(title), tempfile.NamedTemporaryFile("w", suffix=".json") as spec:
        json.dump({"debs": debs}, spec)
        spec.flush()
        try:
            done = run([sys.executable, "-I", "-B", _unpacker(), spec.name, out])
        except BaseException:
            shutil.rmtree(out, ignore_errors=True)
            raise
        if done.returncode == 0:
            return
        shutil.rmtree(out, ignore_errors=True)
    reason = join_lines(done.stderr.decode("utf-8", "replace"))
    if says_disk_is_full(reason):
        raise NoSpace("no space left to unpack Debian", where=str(out), fix="free some space, or set TMPDIR")
    if "zstd" in reason:
        raise MissingTool(reason, where="Python", fix="install the Python package `zstandard`, or use Python 3.14")
    raise NoDebianPackage(
        f"the Debian packages make no tree: {reason}", where=str(out), fix="leave out one of the packages named"
    )
