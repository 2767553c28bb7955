"""Fetches the tree of a commit from a forge's archive URL; the output is fixed by its hash, so nothing need be trusted.

pycomfy puts git trees into the store itself, through git. This is for those who build without it: forges that serve
`URL/archive/COMMIT.tar.gz` (GitHub, Gitea, Forgejo) or `URL/-/archive/COMMIT/x.tar.gz` (GitLab). Repositories with
submodules, or files that git leaves out of archives (`export-ignore`), travel in the project, unless they are too large
for that: then they come from a binary cache only. Large files (LFS) are pointers in most archives; they are fetched
from the forge by the API that git-lfs uses.

The specification: `{"url", "commit", "submodules"}`, and `"lfs": true` where large files are to be in the tree.
"""

import hashlib
import json
import os
import re
import ssl
import sys
import tarfile
import urllib.request
from pathlib import Path, PurePosixPath

from derivation import output, specification
from member import Refused, safe_path

_TIMEOUT = 60
_LFS = "application/vnd.git-lfs+json"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]+\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n?"
)
_AT_ONCE = 100


def archive_urls(url: str, commit: str) -> list[str]:
    """Where forges serve the tree of `commit`."""
    base = url.rstrip("/").removesuffix(".git")
    return [f"{base}/archive/{commit}.tar.gz", f"{base}/-/archive/{commit}/{commit}.tar.gz"]


def unpack(archive: Path, out: Path) -> None:
    """Unpack without the leading folder; only files, folders and links are let through. Links may lead anywhere, but
    nothing is written by way of one."""
    with tarfile.open(archive) as tar:
        for entry in tar:
            parts = PurePosixPath(entry.name).parts[1:]
            if not parts:
                continue
            to = out / safe_path("/".join(parts), archive.name)
            if any(p.is_symlink() for p in (to, *to.parents) if out in p.parents):
                raise Refused(f"{entry.name} lies behind a link")
            to.parent.mkdir(parents=True, exist_ok=True)
            if entry.isdir():
                to.mkdir(exist_ok=True)
            elif entry.issym():
                to.symlink_to(entry.linkname)
            elif entry.isreg():
                data = tar.extractfile(entry)
                assert data is not None  # noqa: S101  (a regular entry has data)
                with data, to.open("wb") as f:
                    while chunk := data.read(1 << 20):
                        f.write(chunk)
                to.chmod(0o755 if entry.mode & 0o100 else 0o644)
            else:
                raise Refused(f"{entry.name} is neither file, folder nor link")


def find_certificates() -> str | None:
    """The certificates that Nix was given, or those of the Debian whose Python this is: a sandbox has none."""
    given = os.environ.get("NIX_SSL_CERT_FILE")
    own = Path(sys.prefix).parent / "etc/ssl/certs/ca-certificates.crt"
    return next((str(path) for path in (*([Path(given)] if given else []), own) if path.exists()), None)


def save(request: urllib.request.Request, to: Path) -> str:
    """Write the answer to a file; returns its SHA-256."""
    context = ssl.create_default_context(cafile=find_certificates())
    digest = hashlib.sha256()
    with urllib.request.urlopen(request, timeout=_TIMEOUT, context=context) as answer, to.open("wb") as f:  # noqa: S310
        while chunk := answer.read(1 << 20):
            digest.update(chunk)
            f.write(chunk)
    return digest.hexdigest()


def fill_large(url: str, out: Path) -> None:
    """Put large files in the place of their pointers, if the tree says that it has any. Raises `Refused`."""
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and not p.is_symlink()]
    if not any(b"filter=lfs" in p.read_bytes() for p in files if p.name == ".gitattributes"):
        return
    small = {p: _POINTER.fullmatch(p.read_bytes()) for p in files if p.stat().st_size <= 1024}
    pointers = {p: match for p, match in small.items() if match is not None}
    wanted = [{"oid": m[1].decode(), "size": int(m[2])} for m in pointers.values()]
    found: dict[str, dict[str, object]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        found |= ask_lfs(url, wanted[start : start + _AT_ONCE], out.with_name(out.name + ".json"))
    for path, match in pointers.items():
        sha256, mode = match[1].decode(), path.stat().st_mode
        action = found.get(sha256, {})
        href, headers = str(action.get("href", "")), action.get("header")
        if not href.startswith(("https://", "http://")):
            raise Refused(f"the server does not say where the large file {path.relative_to(out)} is")
        request = urllib.request.Request(href, headers=headers if isinstance(headers, dict) else {})  # noqa: S310
        if save(request, path) != sha256:
            raise Refused(f"the large file {path.relative_to(out)} is not what its pointer says")
        path.chmod(mode)


def ask_lfs(url: str, objects: list[dict[str, object]], answer: Path) -> dict[str, dict[str, object]]:
    """SHA-256 -> how to download it: `{"href", "header"}`. `answer` is a file for what the server says."""
    question = {"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": objects}
    api = url.rstrip("/").removesuffix(".git") + ".git/info/lfs/objects/batch"
    request = urllib.request.Request(  # noqa: S310
        api, json.dumps(question).encode(), {"Accept": _LFS, "Content-Type": _LFS}, method="POST"
    )
    save(request, answer)
    told = json.loads(answer.read_bytes())
    answer.unlink()
    return {str(o.get("oid")): o.get("actions", {}).get("download", {}) for o in told.get("objects", [])}


def fetch(url: str, commit: str, out: Path) -> None:
    """Make `out` the tree of `commit`. Raises `Refused` if no forge's URL answers."""
    tried = []
    archive = out.with_name(out.name + ".tar.gz")
    for candidate in archive_urls(url, commit):
        if not candidate.startswith(("https://", "http://")):
            continue
        try:
            save(urllib.request.Request(candidate), archive)  # noqa: S310
        except OSError as e:
            tried.append(f"{candidate}: {e}")
            continue
        out.mkdir()
        unpack(archive, out)
        archive.unlink()
        return
    raise Refused("; ".join(tried) or f"no archive can be fetched from {url}")


def main() -> None:
    spec = specification()
    try:
        if spec["submodules"]:
            raise Refused("a repository with submodules comes from pycomfy or a binary cache only")
        fetch(spec["url"], spec["commit"], output())
        if spec.get("lfs"):
            fill_large(spec["url"], output())
    except (Refused, OSError, ValueError) as e:
        sys.exit(f"pycomfy: git {spec['url']} at {spec['commit']}: {e}")


if __name__ == "__main__":
    main()
