"""Read the dynamic section of an ELF file: the shared libraries it needs, and its own name (System V gABI, chapter 5).

Only 64-bit little-endian files, which all our platforms use. Files are untrusted: nothing outside of them is read, and
every count is bounded.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

Buffer = bytes | bytearray | memoryview

_HEADER = struct.Struct("<4sBBB9xHHIQQQIHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_ENTRY = struct.Struct("<qQ")
_LOAD, _DYNAMIC = 1, 2
_NULL, _NEEDED, _STRTAB, _STRSZ, _SONAME = 0, 1, 5, 10, 14
_MAX_SEGMENTS, _MAX_ENTRIES, _MAX_NAME, _MAX_STRINGS = 256, 10_000, 255, 64 << 20


@dataclass(frozen=True)
class Dynamic:
    """The shared libraries that a shared object needs, and its own name ("" if it has none); `modules` are the Python
    modules that it can be imported as."""

    needed: tuple[str, ...]
    soname: str
    modules: tuple[str, ...]


def read_dynamic(data: Buffer) -> Dynamic | None:
    """Return the dynamic section; None if the data is not such a file, or is damaged."""
    with memoryview(data) as view:
        try:
            return _read(view)
        except (struct.error, UnicodeDecodeError, OverflowError):
            return None


def _read(view: memoryview) -> Dynamic | None:
    if len(view) < _HEADER.size or bytes(view[:6]) != b"\x7fELF\x02\x01":
        return None
    fields = _HEADER.unpack_from(view)
    start, size, count = fields[8], fields[12], fields[13]  # e_phoff, e_phentsize, e_phnum
    if size != _SEGMENT.size or count > _MAX_SEGMENTS:
        return None
    segments = [_SEGMENT.unpack_from(view, start + i * size) for i in range(count)]
    loads = [(address, offset, length) for kind, _, offset, address, _, length, *_ in segments if kind == _LOAD]
    section = next(((offset, length) for kind, _, offset, _, _, length, *_ in segments if kind == _DYNAMIC), None)
    if section is None:
        return None
    entries = list(_entries(view, *section))
    values = dict(entries)
    strings = _file_offset(loads, values.get(_STRTAB, -1))
    if strings is None:
        return None
    table = view[strings : strings + min(values.get(_STRSZ, 0), _MAX_STRINGS)]
    needed = tuple(_string(table, value) for tag, value in entries if tag == _NEEDED)
    soname = _string(table, values[_SONAME]) if _SONAME in values else ""
    return Dynamic(needed, soname, tuple(_modules(bytes(table))))


def _entries(view: memoryview, offset: int, length: int) -> Iterator[tuple[int, int]]:
    for i in range(min(length // _ENTRY.size, _MAX_ENTRIES)):
        tag, value = _ENTRY.unpack_from(view, offset + i * _ENTRY.size)
        if tag == _NULL:
            return
        yield tag, value


def _file_offset(loads: list[tuple[int, int, int]], address: int) -> int | None:
    """The offset in the file of an address in memory."""
    return next((address - start + offset for start, offset, size in loads if start <= address < start + size), None)


def _string(table: memoryview, at: int) -> str:
    raw = bytes(table[at : at + _MAX_NAME + 1])
    name, end, _ = raw.partition(b"\0")
    if not end:
        raise struct.error("unterminated name")
    return name.decode("ascii")


def _modules(strings: bytes) -> Iterator[str]:
    """The modules with an initialisation function `PyInit_x` that the file defines or references."""
    at = 0
    while (at := strings.find(b"\0PyInit_", at)) >= 0:
        end = strings.find(b"\0", at + 8, at + 8 + _MAX_NAME)
        if end > at + 8:
            yield strings[at + 8 : end].decode("ascii", "replace")
        at += 8
