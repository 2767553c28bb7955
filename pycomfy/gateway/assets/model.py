"""An asset: somebody's record of a file, over a blob of bytes that is known by its blake3 hash."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from types import MappingProxyType

from ..outputs import MEDIA_TYPES, guess_media_type

BINARY = "application/octet-stream"


class AssetError(Exception):
    """Why something could not be done with a file. The subclasses tell which answer it gets."""


class UnknownAsset(AssetError):
    """There is no such asset, or it is another owner's."""


class BlobNotFound(AssetError):
    """There is no blob of this hash that the owner may use."""


class BlobLost(AssetError):
    """The record is there, but its bytes are gone from the disk."""


class HashMismatch(AssetError):
    """The bytes have another hash than was expected."""


class TooLarge(AssetError):
    """There are more bytes than are allowed."""


class NoSpace(AssetError):
    """The disk is full, or the quota used up. Nothing was kept."""


class AssetInUse(AssetError):
    """A job that has not ended needs it."""


@dataclass(frozen=True)
class NewAsset:
    """What is known of a file before its bytes. All of it may come from a client; the store cleans it.

    `job` is the job that made the file. `expires_at` None: it is kept until it is deleted.
    """

    owner: str = ""
    content_type: str | None = None
    file_path: str | None = None
    tags: tuple[str, ...] = ()
    job: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Asset:
    """`hash` is `blake3:<hex>`, `size` in bytes; `file_path` is a hint for people and loaders, never a path here."""

    id: str
    hash: str
    size: int
    owner: str
    content_type: str
    file_path: str | None
    tags: tuple[str, ...]
    job: str | None
    created_at: datetime
    expires_at: datetime | None

    @property
    def suffix(self) -> str:
        """A suffix by which loaders know the file, such as ".png"; "" if nothing tells one."""
        return find_suffix(self.file_path, self.content_type)


_HASH = re.compile(r"blake3:[0-9a-f]{64}", re.IGNORECASE)
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
_CHARSET = re.compile(r';\s*charset="?([a-z0-9_.:-]{1,40})"?', re.IGNORECASE)
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,12}")
_SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        **{media_type: suffix for suffix, media_type in reversed(MEDIA_TYPES.items())},
        "audio/x-wav": ".wav",
        "image/jpeg": ".jpg",
        "image/tiff": ".tiff",
        "audio/ogg": ".ogg",
    }
)

MAX_PATH = 255
MAX_TAGS = 32


def parse_hash(text: str) -> str:
    """`blake3:<hex>` in lower case. Raises `ValueError`."""
    if not _HASH.fullmatch(text):
        raise ValueError("a hash is blake3: and 64 hexadecimal digits")
    return text.lower()


def clean_content_type(given: str | None, file_path: str | None) -> str:
    """The media type in lower case, with at most its charset; what the name tells where `given` is none."""
    essence = (given or "").partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(essence):
        return guess_media_type(file_path or "")
    charset = _CHARSET.search(given or "")
    return f"{essence}; charset={charset[1].lower()}" if charset else essence


def clean_file_path(given: str | None) -> str | None:
    """A relative path of plain names, joined by slashes, of at most `MAX_PATH` characters from its end; None if nothing
    is left. Only for people to read: no `..`, nothing that acts on a terminal, no half of a surrogate pair."""
    text = "".join(c if c.isprintable() else "_" for c in (given or "").replace("\\", "/"))
    parts = [part.strip() for part in unicodedata.normalize("NFC", text).split("/")]
    kept = [part for part in parts if part.strip(". ")]
    while len("/".join(kept)) > MAX_PATH and len(kept) > 1:
        del kept[0]
    joined = "/".join(kept)
    if len(joined) > MAX_PATH:
        suffix = PurePosixPath(joined).suffix[:13]
        joined = joined[: MAX_PATH - len(suffix)].rstrip() + suffix
    return joined or None


def clean_tags(given: tuple[str, ...]) -> tuple[str, ...]:
    """At most `MAX_TAGS` different tags, of 64 printable characters each."""
    cleaned = ("".join(c for c in tag if c.isprintable())[:64] for tag in given)
    return tuple(dict.fromkeys(tag for tag in cleaned if tag))[:MAX_TAGS]


def find_suffix(file_path: str | None, content_type: str) -> str:
    """The suffix of the name, in lower case, if it is one of a known kind; else the one of the media type; else any."""
    suffix = PurePosixPath(file_path or "").suffix.lower()
    if suffix in MEDIA_TYPES:
        return suffix
    known = _SUFFIXES.get(content_type.partition(";")[0])
    return known or (suffix if _SUFFIX.fullmatch(suffix) else "")
