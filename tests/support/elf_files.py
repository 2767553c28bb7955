"""ELF files made for the test: a header, a dynamic section and its strings, and nothing to run."""

import struct
from collections.abc import Sequence

DISPLACED = 0x200000
"""Where in memory the file is: addresses are not offsets."""


def make_elf(needed: Sequence[str] = (), soname: str = "", module: str = "") -> bytes:
    """A shared object that needs these libraries; with `module` Python can import it under that name."""
    names = [*needed, *filter(None, [soname]), *([f"PyInit_{module}"] if module else [])]
    strings, places = b"\0", {}
    for name in names:
        places[name] = len(strings)
        strings += name.encode() + b"\0"
    segments_at, count = 64, 2
    dynamic_at = segments_at + count * 56
    entries = [(1, places[name]) for name in needed]
    entries += [(14, places[soname])] if soname else []
    strings_at = dynamic_at + (len(entries) + 3) * 16
    entries += [(5, DISPLACED + strings_at), (10, len(strings)), (0, 0)]
    whole = strings_at + len(strings)
    header = struct.pack(
        "<4sBBB9xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 3, 62, 1, 0, segments_at, 0, 0, 64, 56, count, 0, 0, 0
    )
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, DISPLACED, DISPLACED, whole, whole, 4096)
    size = len(entries) * 16
    dynamic = struct.pack("<IIQQQQQQ", 2, 4, dynamic_at, DISPLACED + dynamic_at, 0, size, size, 8)
    return header + load + dynamic + b"".join(struct.pack("<qQ", *entry) for entry in entries) + strings
