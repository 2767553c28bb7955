"""What a lock is made of, as rows."""

from dataclasses import dataclass

from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.schema import GitSource, Lock, Pack, PathSource, Source, UrlSource, WheelTreeSource

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
    """Every source of every platform."""
    rows = [_row("comfyui", COMFYUI, lock.comfyui.source)]
    rows += [_row("pack", pack.name, pack.source) for pack in lock.packs]
    for platform, parts in lock.platforms.items():
        rows += [SourceRow("wheel", w.filename, "wheel", w.url, w.sha256, w.size, platform) for w in parts.wheels]
        for deb in parts.root.packages:
            url = f"{parts.root.archives[deb.archive].rstrip('/')}/{deb.path}"
            rows.append(SourceRow("debian", deb.name, "deb", url, deb.sha256, deb.size, platform))
    return rows


def pack_row(pack: Pack) -> tuple[str, str | None, str]:
    """A node pack's address, its commit if it has one, and its hash."""
    source = pack.source
    return _address(source), source.commit if isinstance(source, GitSource) else None, _hash(source)


def _row(role: str, name: str, source: Source) -> SourceRow:
    size = source.size if isinstance(source, WheelTreeSource) else None
    return SourceRow(role, name, source.kind, _address(source), _hash(source), size)


def _address(source: Source) -> str:
    return source.path if isinstance(source, PathSource) else source.url


def _hash(source: Source) -> str:
    return source.sha256 if isinstance(source, UrlSource | WheelTreeSource) else source.tree
