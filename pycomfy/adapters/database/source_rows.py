"""Turn what a lock is made of into rows."""

import json
from dataclasses import dataclass

from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.schema import Lock, Pack
from pycomfy.core.sources.lock_source import LockSource

ANY = "any"
"""The platform of what every platform shares."""


@dataclass(frozen=True)
class SourceRow:
    """`role` is comfyui, pack, wheel or debian; `hash` SHA-256 in hexadecimal, or a tree's as SRI."""

    role: str
    name: str
    kind: str
    url: str
    hash: str
    size: int | None
    platform: str = ANY


def list_sources(lock: Lock) -> list[SourceRow]:
    """Return every source of every platform."""
    rows = [_row("comfyui", COMFYUI, lock.comfyui.source)]
    rows += [_row("pack", pack.name, pack.source) for pack in lock.packs]
    for platform, parts in lock.platforms.items():
        rows += [SourceRow("wheel", w.filename, "wheel", w.url, w.sha256, w.size, platform) for w in parts.every_wheel]
        for deb in parts.root.packages:
            url = f"{parts.root.archives[deb.archive].rstrip('/')}/{deb.path}"
            rows.append(SourceRow("debian", deb.name, "deb", url, deb.sha256, deb.size, platform))
    return rows


def pack_row(pack: Pack) -> dict[str, object]:
    """Return the row of a node pack. What it requires of Python, and whether it works, is known of an image alone."""
    source = pack.source
    return {
        "name": pack.name,
        "repository_url": source.address,
        "commit_hash": source.repository.commit if source.repository else None,
        "source_hash": source.content_hash,
        "node_mappings": json.dumps(sorted(pack.types)),
        "python_dependencies": "[]",
        "verified_compatible": None,
    }


def _row(role: str, name: str, source: LockSource) -> SourceRow:
    return SourceRow(role, name, source.kind, source.address, source.content_hash, source.download_size)
