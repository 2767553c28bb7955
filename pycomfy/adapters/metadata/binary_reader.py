"""Reading a binary file by pieces whose sizes the file itself names, and so never trusting them."""

import struct
from typing import BinaryIO

MAX_PIECE = 64 * 1024 * 1024
MAX_PIECES = 100_000

Texts = dict[str, bytes]
"""What was found in a file: `workflow` and `prompt`, as the bytes of their JSON."""


class Malformed(Exception):
    """The file ends early, or is not what it says."""


class Reader:
    """A seekable file. Every read is bounded and complete, or raises `Malformed`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pieces = 0
        file.seek(0, 2)
        self.size = file.tell()
        file.seek(0)

    @property
    def at(self) -> int:
        return self._file.tell()

    def left(self) -> int:
        return self.size - self.at

    def read(self, count: int) -> bytes:
        self._pieces += 1
        if not 0 <= count <= min(MAX_PIECE, self.left()) or self._pieces > MAX_PIECES * 10:
            raise Malformed
        data = self._file.read(count)
        if len(data) != count:
            raise Malformed
        return data

    def go(self, position: int) -> None:
        if not 0 <= position <= self.size:
            raise Malformed
        self._file.seek(position)

    def skip(self, count: int) -> None:
        if count < 0:
            raise Malformed
        self.go(self.at + count)

    def unpack(self, layout: str) -> tuple[int, ...]:
        """Integers by a `struct` layout."""
        values: tuple[int, ...] = struct.unpack(layout, self.read(struct.calcsize(layout)))
        return values


def keep(texts: Texts, key: str, value: bytes) -> None:
    """Remember `value` if `key` names a workflow or prompt, and it is the first that is not empty."""
    key = key.lower()
    if key in ("workflow", "prompt") and value.strip(b" \0") and key not in texts:
        texts[key] = value.strip(b" \0")


def keep_prefixed(texts: Texts, value: bytes) -> None:
    """Remember `workflow:{…}` and `prompt:{…}`, as ComfyUI writes EXIF fields."""
    key, colon, rest = value.partition(b":")
    if colon and len(key) <= 20:
        keep(texts, key.decode("ascii", "replace").strip(), rest)


def keep_object(texts: Texts, value: object) -> None:
    """Remember `workflow` and `prompt` of a JSON object; each a string of JSON, or JSON itself."""
    import json

    if not isinstance(value, dict):
        return
    for key in ("workflow", "prompt"):
        found = value.get(key)
        if isinstance(found, str):
            keep(texts, key, found.encode(errors="replace"))
        elif isinstance(found, dict):
            keep(texts, key, json.dumps(found).encode())
