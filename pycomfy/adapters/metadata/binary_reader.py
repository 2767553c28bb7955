"""Read a binary file in pieces whose sizes the file itself gives, without trusting them."""

import json
import struct
from typing import BinaryIO

MAX_PIECE = 64 * 1024 * 1024
MAX_PIECES = 100_000

KEYS = ("workflow", "prompt", "pycomfy")
"""The texts that are looked for; the last says which version made the file."""

Texts = dict[str, bytes]
"""The texts found in a file, by those of `KEYS` that it has, as the bytes of their JSON."""


class Malformed(Exception):
    """The file ends early, or contradicts itself."""


class Reader:
    """A seekable file. Every read is bounded and complete, or raises `Malformed`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pieces = 0
        file.seek(0, 2)
        self.size = file.tell()
        file.seek(0)

    @property
    def position(self) -> int:
        return self._file.tell()

    def remaining(self) -> int:
        return self.size - self.position

    def read(self, count: int) -> bytes:
        self._pieces += 1
        if not 0 <= count <= min(MAX_PIECE, self.remaining()) or self._pieces > MAX_PIECES * 10:
            raise Malformed
        data = self._file.read(count)
        if len(data) != count:
            raise Malformed
        return data

    def seek(self, position: int) -> None:
        if not 0 <= position <= self.size:
            raise Malformed
        self._file.seek(position)

    def skip(self, count: int) -> None:
        if count < 0:
            raise Malformed
        self.seek(self.position + count)

    def unpack(self, layout: str) -> tuple[int, ...]:
        """Read integers by a `struct` layout."""
        values: tuple[int, ...] = struct.unpack(layout, self.read(struct.calcsize(layout)))
        return values


def add_text(texts: Texts, key: str, value: bytes) -> None:
    """Add `value` if `key` is one of `KEYS`, and it is the first that is not empty.

    A string of JSON that contains JSON becomes what it contains: VideoHelperSuite wrote prompts so in 2026.
    """
    key = key.lower()
    if key in KEYS and value.strip(b" \0") and key not in texts:
        texts[key] = _unquote(value.strip(b" \0"))


def add_prefixed(texts: Texts, value: bytes) -> None:
    """Add `workflow:{…}` and `prompt:{…}`, as ComfyUI writes EXIF fields."""
    key, colon, rest = value.partition(b":")
    if colon and len(key) <= 20:
        add_text(texts, key.decode("ascii", "replace").strip(), rest)


def add_object(texts: Texts, value: object) -> None:
    """Add those of `KEYS` that a JSON object has; each is a string of JSON, or JSON itself."""
    if not isinstance(value, dict):
        return
    for key in KEYS:
        found = value.get(key)
        if isinstance(found, str):
            add_text(texts, key, found.encode(errors="replace"))
        elif isinstance(found, dict):
            add_text(texts, key, json.dumps(found).encode())


def add_comment(texts: Texts, text: bytes) -> None:
    """Add what a comment holds: `workflow:{…}`, an object with `workflow` and `prompt` (VideoHelperSuite writes it into
    its videos), or a workflow itself. Any other comment is ignored."""
    text = text.strip(b" \0")
    if not text.startswith(b"{"):
        add_prefixed(texts, text)
        return
    try:
        value = json.loads(text)
        add_object(texts, value)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict) and not texts.keys() & {"workflow", "prompt"}:
        if isinstance(value.get("nodes"), list):
            add_text(texts, "workflow", text)
        elif value and all(isinstance(v, dict) and "class_type" in v for v in value.values()):
            add_text(texts, "prompt", text)


class Comments:
    """The comments in a file that may hold a workflow, at most `MAX_PIECE` bytes of them. They are read when all of the
    file was: a tag called `workflow` or `prompt` goes before a comment."""

    def __init__(self) -> None:
        self._values: list[bytes] = []
        self._left = MAX_PIECE

    def append(self, value: bytes) -> None:
        self._left -= len(value)
        if self._left >= 0:
            self._values.append(value)

    def add_to(self, texts: Texts) -> None:
        for value in self._values:
            add_comment(texts, value)


def _unquote(value: bytes) -> bytes:
    if not value.startswith(b'"'):
        return value
    try:
        inner = json.loads(value)
    except ValueError:
        return value
    return inner.encode(errors="replace") if isinstance(inner, str) else value
