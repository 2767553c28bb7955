"""Find workflows in WebM and Matroska tags, glTF binaries, and safetensors headers."""

import json
import struct
from collections.abc import Iterator

from pycomfy.adapters.metadata.binary_reader import (
    MAX_PIECES,
    Comments,
    Malformed,
    Reader,
    Texts,
    add_object,
    add_text,
)

_SEGMENT, _TAGS, _TAG, _SIMPLE, _NAME, _STRING = 0x18538067, 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487
_EBML = 0x1A45DFA3


def read_webm(file: Reader, texts: Texts) -> None:
    """Read `SimpleTag` elements; ffmpeg writes the names in upper case. Tags may come after the clusters.

    A tag called `workflow` or `prompt` goes before a comment, which has both in VideoHelperSuite's videos before 2026.
    """
    comments = Comments()
    try:
        for kind, start, end in _list_elements(file, 0, file.size):
            if kind != _SEGMENT:
                continue
            for inner, tags_start, tags_end in _list_elements(file, start, end):
                if inner == _TAGS:
                    _read_tags(file, tags_start, tags_end, texts, comments)
            return
    finally:
        comments.add_to(texts)


def _read_tags(file: Reader, start: int, end: int, texts: Texts, comments: Comments) -> None:
    for kind, tag_start, tag_end in _list_elements(file, start, end):
        if kind != _TAG:
            continue
        for inner, simple_start, simple_end in _list_elements(file, tag_start, tag_end):
            if inner == _SIMPLE:
                name, value = _read_tag(file, simple_start, simple_end)
                if name.lower() == "comment":
                    comments.append(value)
                else:
                    add_text(texts, name, value)


def _read_tag(file: Reader, start: int, end: int) -> tuple[str, bytes]:
    name, value = "", b""
    for part, part_start, part_end in _list_elements(file, start, end):
        if part in (_NAME, _STRING):
            file.seek(part_start)
            data = file.read(part_end - part_start)
            if part == _NAME:
                name = data.decode("utf-8", "replace").strip("\0")
            else:
                value = data
    return name, value


def _list_elements(file: Reader, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the elements between two offsets: id, and where their contents begin and end."""
    at, count = start, 0
    while at + 2 <= end and count < MAX_PIECES:
        count += 1
        file.seek(at)
        kind, _ = _number(file, keep_mark=True)
        size, unknown = _number(file, keep_mark=False)
        first = file.position
        stop = end if unknown else min(first + size, end)
        yield kind, first, stop
        if unknown and kind not in (_SEGMENT, _EBML):
            return
        at = stop


def _number(file: Reader, *, keep_mark: bool) -> tuple[int, bool]:
    """Read a variable-length integer; return it, and whether it means "unknown"."""
    first = file.read(1)[0]
    if first == 0:
        raise Malformed
    length = 9 - first.bit_length()
    rest = file.read(length - 1)
    mark = 1 << (8 - length)
    value = int.from_bytes(bytes([first if keep_mark else first & (mark - 1)]) + rest, "big")
    return value, not keep_mark and value == (1 << (7 * length)) - 1


def read_glb(file: Reader, texts: Texts) -> None:
    """Read the JSON chunk: `asset.extras`, where ComfyUI writes, or the root's `extras`."""
    file.skip(12)
    length, kind = file.unpack("<II")
    if kind != 0x4E4F534A:
        raise Malformed
    value = _json(file.read(length))
    if not isinstance(value, dict):
        return
    asset = value.get("asset")
    if isinstance(asset, dict):
        add_object(texts, asset.get("extras"))
    add_object(texts, value.get("extras"))


def read_safetensors(file: Reader, texts: Texts) -> None:
    """Read `__metadata__` of the header, which `.latent` files have too."""
    (length,) = struct.unpack("<Q", file.read(8))
    value = _json(file.read(length))
    if isinstance(value, dict):
        add_object(texts, value.get("__metadata__"))


def _json(data: bytes) -> object:
    try:
        return json.loads(data.rstrip(b"\0 "))
    except (ValueError, RecursionError) as e:
        raise Malformed from e
