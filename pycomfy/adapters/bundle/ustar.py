"""Write and read the headers of a bundle's tar: POSIX ustar, regular files only, equal on any machine at any time."""

import struct

BLOCK = 512
_MAGIC = b"ustar\x0000"
_LAYOUT = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12x")


def make_header(path: str, size: int) -> bytes:
    """Return the header of a file. Raises `ValueError` for a path that does not fit."""
    name, prefix = _split(path.encode("ascii"))
    fields = [name, b"0000644\0", b"0000000\0", b"0000000\0", _size(size), b"00000000000\0"]
    rest = [b"0", b"", _MAGIC, b"", b"", b"0000000\0", b"0000000\0", prefix]
    blank = _LAYOUT.pack(*fields, b" " * 8, *rest)
    return _LAYOUT.pack(*fields, b"%06o\0 " % sum(blank), *rest)


def read_header(block: bytes) -> tuple[str, int] | None:
    """Return path and size; None for the end of the tar. Raises `ValueError` for everything that `make_header` does not
    write: links, devices, extended headers, another mode or time."""
    if not any(block):
        return None
    fields = _LAYOUT.unpack(block)
    name, prefix = fields[0].rstrip(b"\0"), fields[14].rstrip(b"\0")
    path = (prefix + b"/" + name if prefix else name).decode("ascii")
    size = _read_size(fields[4])
    if make_header(path, size) != block:
        raise ValueError("a header is not of a regular file as bundles have them")
    return path, size


def _split(path: bytes) -> tuple[bytes, bytes]:
    if len(path) <= 100:
        return path, b""
    at = path.rfind(b"/", 0, 156)
    if at < 0 or len(path) - at - 1 > 100:
        raise ValueError(f"{path!r} is too long")
    return path[at + 1 :], path[:at]


def _size(size: int) -> bytes:
    """The size in octal digits, or from 8 GiB on, where those do not suffice, as a number, as GNU tar writes it."""
    return b"%011o\0" % size if size < 8**11 else b"\x80" + size.to_bytes(11, "big")


def _read_size(field: bytes) -> int:
    return int.from_bytes(field[1:], "big") if field[0] == 0x80 else int(field.rstrip(b"\0"), 8)
