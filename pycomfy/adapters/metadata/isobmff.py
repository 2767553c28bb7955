"""Find workflows in ISO media files: tags of MP4 and MOV, EXIF of AVIF and HEIF."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from pycomfy.adapters.metadata.binary_reader import MAX_PIECES, Comments, Malformed, Reader, Texts, add_text
from pycomfy.adapters.metadata.images import read_exif

MAX_ITEMS = 1_000
_COMMENT = b"\xa9cmt"


class Box(NamedTuple):
    """A box of a file: its type, and the offsets of its contents."""

    kind: bytes
    start: int
    end: int


def list_boxes(file: Reader, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets; one that extends beyond `end` is cut there."""
    at, count = start, 0
    while at + 8 <= end and count < MAX_PIECES:
        count += 1
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            (size,) = file.unpack(">Q")
            head = 16
        elif size == 0:
            size = end - at
        if size < head:
            raise Malformed
        yield Box(kind, at + head, min(at + size, end))
        at += size


def _find_box(file: Reader, box: Box, kind: bytes) -> Box | None:
    return next((b for b in list_boxes(file, box.start, box.end) if b.kind == kind), None)


def _meta_contents(file: Reader, box: Box) -> Box:
    """Return the contents of a `meta` box: in ISO files they begin after 4 bytes, in QuickTime's at once."""
    file.seek(box.start)
    probe = file.read(min(8, box.end - box.start))
    return box if probe[4:8] in (b"hdlr", b"keys") else box._replace(start=min(box.start + 4, box.end))


def read_mp4(file: Reader, texts: Texts) -> None:
    """Read the tags in `moov`: `keys` with `ilst` (as ffmpeg writes with `use_metadata_tags`), iTunes' comment, or
    QuickTime's.

    A tag called `workflow` or `prompt` goes before a comment, which has both in VideoHelperSuite's videos before 2026.
    """
    comments = Comments()
    try:
        for moov in list_boxes(file, 0, file.size):
            if moov.kind == b"moov":
                _read_movie(file, moov, texts, comments)
                return
    finally:
        comments.add_to(texts)


def _read_movie(file: Reader, moov: Box, texts: Texts, comments: Comments) -> None:
    udta = _find_box(file, moov, b"udta")
    for parent in (moov, udta):
        meta = _find_box(file, parent, b"meta") if parent is not None else None
        if meta is not None:
            _read_tags(file, _meta_contents(file, meta), texts, comments)
    quicktime = _find_box(file, udta, _COMMENT) if udta is not None else None
    if quicktime is not None:
        # A length in 16 bits, too short for most workflows, and a language: ffmpeg writes all of the text after them.
        comments.append(_read_box(file, quicktime._replace(start=min(quicktime.start + 4, quicktime.end))))


def _read_tags(file: Reader, meta: Box, texts: Texts, comments: Comments) -> None:
    keys_box, list_box = _find_box(file, meta, b"keys"), _find_box(file, meta, b"ilst")
    keys: list[str] = []
    if keys_box is not None:
        keys = [
            _read_box(file, k).decode("utf-8", "replace") for k in list_boxes(file, keys_box.start + 8, keys_box.end)
        ]
    if list_box is None:
        return
    for item in list_boxes(file, list_box.start, list_box.end):
        index = int.from_bytes(item.kind, "big")
        key = keys[index - 1].rsplit(".", 1)[-1] if 0 < index <= len(keys) else ""
        is_comment = item.kind == _COMMENT or key.lower() == "comment"
        if not is_comment and key.lower() not in ("workflow", "prompt"):
            continue
        data = _find_box(file, item, b"data")
        if data is None:
            continue
        value = _read_box(file, data._replace(start=min(data.start + 8, data.end)))
        if is_comment:
            comments.append(value)
        else:
            add_text(texts, key, value)


def _read_box(file: Reader, box: Box) -> bytes:
    file.seek(box.start)
    return file.read(box.end - box.start)


def read_avif(file: Reader, texts: Texts) -> None:
    """Read the `Exif` item: `iinf` has its id, `iloc` its offset."""
    for top in list_boxes(file, 0, file.size):
        if top.kind == b"meta":
            meta = _meta_contents(file, top)
            item = _find_exif_item(file, meta)
            if item is not None:
                data = _read_item(file, meta, item)
                if len(data) > 4:
                    skip = int.from_bytes(data[:4], "big") + 4
                    read_exif(data[skip:], texts)
            return


def _find_exif_item(file: Reader, meta: Box) -> int | None:
    info = _find_box(file, meta, b"iinf")
    if info is None:
        return None
    file.seek(info.start)
    version = file.read(4)[0]
    start = info.start + (6 if version == 0 else 8)
    for entry in list_boxes(file, start, info.end):
        file.seek(entry.start)
        version = file.read(4)[0]
        if version >= 2:
            (id_,) = file.unpack(">I" if version == 3 else ">H")
            file.skip(2)
            if file.read(4) == b"Exif":
                return id_
    return None


def _read_item(file: Reader, meta: Box, item: int) -> bytes:
    """Return the bytes of an item whose extents are in the file itself."""
    location = _find_box(file, meta, b"iloc")
    if location is None:
        return b""
    file.seek(location.start)
    version = file.read(4)[0]
    sizes = int.from_bytes(file.read(2), "big")
    offset_size, length_size, base_size, index_size = (
        (sizes >> 12) & 15,
        (sizes >> 8) & 15,
        (sizes >> 4) & 15,
        sizes & 15,
    )

    def number(size: int) -> int:
        return int.from_bytes(file.read(size), "big")

    for _ in range(min(number(4 if version == 2 else 2), MAX_ITEMS)):
        id_ = number(4 if version == 2 else 2)
        if version in (1, 2):
            number(2)
        number(2)
        base = number(base_size)
        extents = []
        for _ in range(min(number(2), MAX_ITEMS)):
            if version in (1, 2):
                number(index_size)
            extents.append((base + number(offset_size), number(length_size)))
        if id_ == item:
            data = b""
            for offset, length in extents:
                file.seek(offset)
                data += file.read(length)
            return data
    return b""
