"""Fetches the tree of a commit from a forge's archive URL; the output is fixed by its hash, so nothing need be trusted.

pycomfy puts git trees into the store itself, through git. This is for those who build without it: forges that serve
`URL/archive/COMMIT.tar.gz` (GitHub, Gitea, Forgejo) or `URL/-/archive/COMMIT/x.tar.gz` (GitLab). Repositories with
submodules, or files that git leaves out of archives (`export-ignore`), come from a binary cache only.

The specification: `{"url", "commit", "submodules"}`.
"""

import os
import ssl
import sys
import tarfile
import urllib.request
from pathlib import Path, PurePosixPath

from derivation import output, specification
from member import Refused, safe_path

_TIMEOUT = 60


def archive_urls(url: str, commit: str) -> list[str]:
    """Where forges serve the tree of `commit`."""
    base = url.rstrip("/").removesuffix(".git")
    return [f"{base}/archive/{commit}.tar.gz", f"{base}/-/archive/{commit}/{commit}.tar.gz"]


def unpack(archive: Path, out: Path) -> None:
    """Unpack without the leading folder; only files, folders and links that stay inside are let through."""
    with tarfile.open(archive) as tar:
        for entry in tar:
            parts = PurePosixPath(entry.name).parts[1:]
            if not parts:
                continue
            to = out / safe_path("/".join(parts), archive.name)
            if any(p.is_symlink() for p in to.parents if out in p.parents):
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


def fetch(url: str, commit: str, out: Path) -> None:
    """Make `out` the tree of `commit`. Raises `Refused` if no forge's URL answers."""
    certificates = os.environ.get("NIX_SSL_CERT_FILE")
    context = ssl.create_default_context(cafile=certificates if certificates and Path(certificates).exists() else None)
    tried = []
    archive = out.with_name(out.name + ".tar.gz")
    for candidate in archive_urls(url, commit):
        if not candidate.startswith(("https://", "http://")):
            continue
        try:
            answer = urllib.request.urlopen(candidate, timeout=_TIMEOUT, context=context)  # noqa: S310
            with answer, archive.open("wb") as f:
                while chunk := answer.read(1 << 20):
                    f.write(chunk)
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
    except Refused as e:
        sys.exit(f"pycomfy: git {spec['url']} at {spec['commit']}: {e}")


if __name__ == "__main__":
    main()
