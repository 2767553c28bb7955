"""Fetch the large files of git repositories (Git LFS), for which a commit has pointers.

A pointer has its file's SHA-256 and size, so the commit still identifies the bytes. They are fetched from the
repository's own server, whatever other one its files name; git-lfs is not run.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.adapters.io import download
from pycomfy.adapters.io.http_client import check_status, local_path, make_client, read_body, retry, without_login
from pycomfy.errors import HashMismatch, NetworkError, PycomfyError, Unresolved

MAX_POINTER = 1024
MAX_ANSWER = 4 << 20
AT_ONCE = 100
"""Files in one request, as in git-lfs."""

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]+\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n?"
)
_TYPE = "application/vnd.git-lfs+json"


class Pointer(NamedTuple):
    """`size` in bytes, `sha256` in hexadecimal."""

    path: str
    sha256: str
    size: int


def parse_pointer(path: str, data: bytes) -> Pointer | None:
    """Return the pointer that a file's content is; None for any other file."""
    match = _POINTER.fullmatch(data) if len(data) <= MAX_POINTER else None
    return Pointer(path, match[1].decode(), int(match[2])) if match else None


def fetch_large(repository: GitMirror, pointers: Sequence[Pointer]) -> Mapping[str, Path]:
    """Return a file for each SHA-256; it must not be changed. Raises `Unresolved`, `NetworkError` or `HashMismatch`,
    with the files' names and what can be done."""
    unique = list({p.sha256: p for p in pointers}.values())
    missing = [p for p in unique if not (path := _cached(repository, p)).is_file() or path.stat().st_size != p.size]
    try:
        files = _find(repository, missing) if missing else []
        download.fetch_all(files, cache=repository.cache)
    except HashMismatch:
        raise
    except PycomfyError as e:
        if isinstance(e, Unresolved):
            raise
        raise NetworkError(
            f"{repository.owner}: {_names(missing)}, which are in LFS, cannot be fetched: {e.what}",
            where=repository.address.public,
            fix=("give a login for the server, in ~/.netrc or a credential helper of git", _WITHOUT),
        ) from e
    return {p.sha256: _cached(repository, p) for p in unique}


_WITHOUT = (
    "if the code works without these files, use git's pointers instead: lfs = false at this source in pycomfy.toml"
)


def _cached(repository: GitMirror, pointer: Pointer) -> Path:
    return download.kept_path(pointer.sha256, repository.cache)


def _names(pointers: Sequence[Pointer]) -> str:
    names = sorted(p.path for p in pointers)
    if len(names) > 5:
        return f"{', '.join(names[:4])} and {len(names) - 4} more files"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _find(repository: GitMirror, pointers: Sequence[Pointer]) -> list[download.File]:
    """Return what to download for each pointer."""
    if repository.address.local:
        return _find_beside(repository, pointers)
    found: dict[str, download.File] = {}
    absent: dict[Pointer, str] = {}
    for start in range(0, len(pointers), AT_ONCE):
        part = pointers[start : start + AT_ONCE]
        answers = {str(a.get("oid")): a for a in _request(repository, part)}
        for pointer in part:
            answer = answers.get(pointer.sha256, {})
            file = _parse_file(pointer, answer)
            if file is not None:
                found[pointer.sha256] = file
            else:
                absent[pointer] = _reason(answer)
    if absent:
        raise _absent(repository, list(absent), next(iter(absent.values())))
    return list(found.values())


def _absent(repository: GitMirror, pointers: Sequence[Pointer], why: str) -> Unresolved:
    return Unresolved(
        f"{repository.owner}: the repository has only pointers to {_names(pointers)}, and not the files (LFS): {why}",
        where=repository.address.public,
        fix=("use another commit or a fork that has them", _WITHOUT),
    )


def _find_beside(repository: GitMirror, pointers: Sequence[Pointer]) -> list[download.File]:
    """Return the files of a repository on this disk, which are below its `.git`."""
    url = repository.address.url
    root = local_path(url) if url.startswith("file://") else Path(url)
    folders = [root / ".git", root] if root is not None else []
    paths = {
        p: path
        for p in pointers
        for folder in reversed(folders)
        if (path := folder / "lfs" / "objects" / p.sha256[:2] / p.sha256[2:4] / p.sha256).is_file()
    }
    absent = [p for p in pointers if p not in paths]
    if absent:
        raise _absent(repository, absent, "run `git lfs fetch --all` in it")
    return [download.File(paths[p].as_uri(), p.sha256, _describe(p), p.size) for p in pointers]


def _describe(pointer: Pointer) -> str:
    return f"the large file {pointer.path}"


# — the server: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md —


def _request(repository: GitMirror, pointers: Sequence[Pointer]) -> Iterator[Mapping[str, Any]]:
    url = _endpoint(repository)
    body = {
        "operation": "download",
        "transfers": ["basic"],
        "hash_algo": "sha256",
        "objects": [{"oid": p.sha256, "size": p.size} for p in pointers],
    }
    headers = {"Accept": _TYPE, "Content-Type": _TYPE}
    with make_client() as client:

        def post(login: str | None = None) -> bytes:
            more = {"Authorization": login} if login is not None else {}
            with client.stream("POST", url, content=json.dumps(body), headers={**headers, **more}) as response:
                denied = response.status_code == 401 and login is None
                if not denied or (found := _find_login(repository, url)) is None:
                    check_status(url, response)
                    return read_body(url, response, MAX_ANSWER)
            return post(found)

        data = retry(url, post)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as e:
        what = "the LFS server does not answer in JSON"
        raise NetworkError(what, where=without_login(url), fix="try again later") from e
    objects = value.get("objects") if isinstance(value, dict) else None
    yield from (o for o in (objects if isinstance(objects, list) else ()) if isinstance(o, dict))


def _endpoint(repository: GitMirror) -> str:
    """Return the address of a repository's LFS server, as git-lfs finds it."""
    url = repository.address.url
    if "://" not in url or url.startswith("ssh://"):
        # `identity` is host/path, however git connects; forges serve large files over https only.
        host, _, path = repository.address.identity.partition("/")
        url = f"https://{host.partition(':')[0]}/{path}"
    elif not url.startswith("https://"):
        what = "there is no LFS server for such an address"
        raise NetworkError(what, where=repository.address.public, fix="use https")
    return url.rstrip("/").removesuffix(".git") + ".git/info/lfs/objects/batch"


def _find_login(repository: GitMirror, url: str) -> str | None:
    """Return the user's login for the server, from git's credential helpers; None if they have none."""
    parts = urlsplit(url)
    request = f"protocol={parts.scheme}\nhost={parts.hostname}{f':{parts.port}' if parts.port else ''}\n\n"
    done = repository.git("credential", "fill", stdin=request.encode())
    login = dict(line.partition("=")[::2] for line in done.output.decode(errors="replace").splitlines())
    if done.status != 0 or "password" not in login:
        return None
    return "Basic " + base64.b64encode(f"{login.get('username', '')}:{login['password']}".encode()).decode()


def _parse_file(pointer: Pointer, answer: Mapping[str, Any]) -> download.File | None:
    actions = answer.get("actions")
    action = actions.get("download") if isinstance(actions, dict) else None
    if not isinstance(action, dict):
        return None
    href, headers = action.get("href"), action.get("header")
    if not isinstance(href, str) or not href.startswith("https://") or not href.isprintable():
        return None
    pairs = headers.items() if isinstance(headers, dict) else ()
    kept = tuple((k, v) for k, v in pairs if isinstance(k, str) and isinstance(v, str) and _is_header(k, v))
    return download.File(href, pointer.sha256, _describe(pointer), pointer.size, kept)


def _is_header(name: str, value: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9-]{1,100}", name)) and value.isascii() and value.isprintable()


def _reason(answer: Mapping[str, Any]) -> str:
    error = answer.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    text = message if isinstance(message, str) and message.isprintable() else "the server does not say where they are"
    return text[:200]
