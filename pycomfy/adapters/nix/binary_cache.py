"""Copy store paths between a store and binary caches of any kind that this machine's Nix knows."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import unquote, urlsplit

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import says_disk_is_full
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import without_login
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.package_indexes import strip_logins
from pycomfy.core.sentences import join_lines
from pycomfy.errors import BadInput, BuildFailed, HashMismatch, NetworkError, NoSpace, NotFound, PycomfyError, suggest

_FEATURES = ("--extra-experimental-features", "nix-command")
_URL = re.compile(r"(https?|ssh|ssh-ng|s3|file)://[^\s\x00-\x20]+")
_SAFE = re.compile(r"[A-Za-z0-9/._+-]+")
_MISMATCH = re.compile(r"hash mismatch (?:importing|in) path '([^']+)'")
_CORRUPT = re.compile(r"corrupt|invalid NAR|NAR .*(?:mismatch|end)|bad archive|expected string", re.IGNORECASE)
_ABSENT = re.compile(
    r"is not valid|no substituter that can build it|does not exist in (?:the )?(?:store|binary cache)|don't know how to"
    r" build"
)

_ASK_JOBS = 4

_ALL_DAMAGE = suggest("archive verify", "lists all damage")


def parse_store_url(text: str) -> str:
    """Return the URL of a Nix store, fit for a command line. Raises `BadInput` for anything else."""
    if not _URL.fullmatch(text):
        fix = "give s3://BUCKET, ssh://HOST, https://HOST/PATH or file:///FOLDER"
        raise BadInput(f"{text[:200]!r} is not the URL of a Nix store", where="the store", fix=fix)
    return text


def uncompressed(url: str) -> str:
    """Return `url` with the setting not to compress what is written there, unless it has one: wheels are compressed
    already, and Nix's default, xz, would take many minutes."""
    if "compression=" in url or url.startswith("ssh"):
        return url
    return f"{url}{'&' if '?' in url else '?'}compression=none"


@contextlib.contextmanager
def folder_url(folder: Path) -> Iterator[str]:
    """Give the URL of a binary cache in a folder, as every Nix reads it: some decode `%20` and others do not, so an
    unusual path needs a link."""
    if _SAFE.fullmatch(str(folder)):
        yield f"file://{folder}"
        return
    with scratch_folder() as temporary:
        link = Path(temporary, "cache")
        link.symlink_to(folder)
        yield f"file://{link}"


_TRIES = 3
_GARBLED = re.compile(rb"unable to download .*: Unsupported protocol \(1\)")
"""An answer that is no HTTP. Nix itself tries again after most failures of the network, but not after this one."""

_TAKEN = b"not an absolute path: 'nix-archive-1'"
"""What an older Nix (2.8) ends with when another process has added a path meanwhile: it does not read past that one's
archive, and takes it for the next path. It has one path more to skip with each time."""


def copy_in(settings: NixSettings, url: str, paths: Sequence[str]) -> None:
    """Copy `paths` from the cache at `url` to the store. Their hashes prove them: no signature is needed, nor the right
    to choose substituters. Raises `HashMismatch`, `NotFound`, `NetworkError`, `NoSpace`."""
    _copy(settings, ("--from", url), paths)


def copy_between(settings: NixSettings, source: str, to: str, paths: Sequence[str]) -> None:
    """Copy `paths` from one cache or store to another; those that are there are not read. Raises as `copy_in`."""
    _copy(settings, ("--from", source, "--to", to), paths)


def find_valid(settings: NixSettings, url: str, paths: Sequence[str]) -> set[str]:
    """Return which of the paths the store at `url` has. Nothing is written there, also where Nix would make a cache of
    a folder. Raises `NetworkError`, `BadInput`."""
    folder = Path(unquote(urlsplit(url).path))
    if url.startswith("file:") and not (folder / "nix-cache-info").is_file():
        return set()
    with operation.step("Ask the store", total=len(paths)) as task:
        jobs = {path: partial(_is_valid, settings, url, path) for path in paths}
        found = run_concurrently(jobs, task.advance, at_once=_ASK_JOBS, first_alone=True)
    return {path for path, valid in found.items() if valid}


def _is_valid(settings: NixSettings, url: str, path: str) -> bool:
    result = _run(settings, "path-info", "--store", url, path)
    text = result.stderr.decode(errors="replace")
    if result.returncode != 0 and not _ABSENT.search(text):
        raise _failure(text, url)
    return result.returncode == 0


def _run(settings: NixSettings, *arguments: str) -> CompletedProcess[bytes]:
    # Nix remembers for hours what a server had and had not, so what was pushed meanwhile would not be found. And two
    # that ask a server for the first time fail at that database ("constraint failed"): each starts with none.
    # All variables: nothing is evaluated or built, and a store's login may be in any.
    with scratch_folder() as cache:
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        for _ in range(_TRIES):
            result = settings.run("nix", *_FEATURES, *arguments, environment=environment)
            if result.returncode == 0 or not _GARBLED.search(result.stderr):
                break
        return result


def _copy(settings: NixSettings, where: Sequence[str], paths: Sequence[str]) -> None:
    if not paths:
        return
    for _ in paths:
        result = _run(settings, "copy", "--no-check-sigs", *where, *paths)
        if result.returncode == 0 or _TAKEN not in result.stderr:
            break
    if result.returncode != 0:
        text = result.stderr.decode(errors="replace")
        raise _failure(text, where[1] if where[1] in text else where[-1])


def _failure(text: str, url: str) -> PycomfyError:
    message, url = strip_logins(text.strip()[-1500:]), without_login(url)
    line = join_lines(message)
    if says_disk_is_full(text):
        return NoSpace("no space left on the disk", where=url, fix=suggest("gc", "frees what nothing needs"))
    if match := _MISMATCH.search(text):
        return HashMismatch(f"{match[1]} was changed", where=url, fix=_ALL_DAMAGE)
    if _CORRUPT.search(text):
        return HashMismatch(f"something there was changed: {line}", where=url, fix=_ALL_DAMAGE)
    if "don't know how to open Nix store" in text:
        fix = "install a Nix that knows this kind of store: Debian's, up to Debian 13, was built without S3"
        return BadInput("this machine's Nix cannot open such a store", where=url, fix=fix)
    if _ABSENT.search(text):
        return NotFound(f"not everything is there: {line}", where=url, fix="use an archive that has it")
    if re.search(r"unable to download|Could(?:n't| not) (?:resolve|connect)|cannot connect|timed out", text):
        return NetworkError(f"the store did not answer: {line}", where=url, fix="check the address and the network")
    return BuildFailed("nix copy failed", details=message, fix="see Nix's message above")
