"""Raw DEFLATE, with Intel's ISA-L when the root has it (2.6 times zlib's speed here), else with zlib."""

import ctypes
import mmap
import zlib
from collections.abc import Iterator

from member import CHUNK, Chunk, Refused


class _State(ctypes.Structure):
    """The public head of ISA-L's `struct inflate_state` (igzip_lib.h, ABI 2); tables of about 90 KB follow it."""

    _fields_ = (
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint32),
        ("total_out", ctypes.c_uint32),
        ("next_in", ctypes.c_void_p),
        ("read_in", ctypes.c_uint64),
        ("avail_in", ctypes.c_uint32),
        ("read_in_length", ctypes.c_int32),
    )


_STATE_ROOM = 1 << 20
_INPUT_MOST = 1 << 30  # avail_in has 32 bits


def _load() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL("libisal.so.2")
        library.isal_inflate_init.argtypes = [ctypes.c_void_p]
        library.isal_inflate_init.restype = None
        library.isal_inflate.argtypes = [ctypes.c_void_p]
        library.isal_inflate.restype = ctypes.c_int
    except (OSError, AttributeError):
        return None
    return library


_ISAL = _load()


def inflate(data: mmap.mmap, start: int, length: int, size: int) -> Iterator[Chunk]:
    """The `size` bytes that `length` compressed bytes at `start` of `data` hold, in reused chunks.

    `data` must be mapped with `ACCESS_COPY` (ctypes takes the address of writable memory only). Raises `Refused` for a
    stream that is broken, or that does not hold `size` bytes.
    """
    if size == 0:
        return iter(())
    return _with_zlib(data, start, length, size) if _ISAL is None else _with_isal(_ISAL, data, start, length, size)


def _with_isal(library: ctypes.CDLL, data: mmap.mmap, start: int, length: int, size: int) -> Iterator[Chunk]:
    room = ctypes.create_string_buffer(_STATE_ROOM)
    library.isal_inflate_init(room)
    state = _State.from_buffer(room)
    source = (ctypes.c_char * len(data)).from_buffer(data)
    buffer = bytearray(min(size, CHUNK))
    out = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    view = memoryview(buffer)
    fed = left = 0
    try:
        base = ctypes.addressof(source) + start
        left = size
        while left:
            want = min(left, len(buffer))
            state.next_out, state.avail_out = ctypes.addressof(out), want
            while state.avail_out:
                if not state.avail_in and fed < length:
                    n = min(_INPUT_MOST, length - fed)
                    state.next_in, state.avail_in = base + fed, n
                    fed += n
                before = state.avail_out, state.avail_in
                if library.isal_inflate(room) != 0:
                    raise Refused("the compressed data is broken")
                if (state.avail_out, state.avail_in) == before:
                    raise Refused("the compressed data ends early")
            left -= want
            yield view[:want]
    finally:
        del source  # else the map cannot be closed


def _with_zlib(data: mmap.mmap, start: int, length: int, size: int) -> Iterator[Chunk]:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    end = start + length
    got = 0
    try:
        for at in range(start, end, CHUNK):
            chunk = stream.decompress(data[at : min(at + CHUNK, end)])
            got += len(chunk)
            if got > size:
                raise Refused("the compressed data is longer than its header says")
            yield chunk
    except zlib.error as e:
        raise Refused(f"the compressed data is broken ({e})") from e
    if got != size:
        raise Refused("the compressed data ends early")
