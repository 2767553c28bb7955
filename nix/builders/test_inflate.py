"""Inflating gives back what was compressed, with either library, and refuses what is broken."""

import mmap
import random
import tempfile
import unittest
import zlib
from collections.abc import Callable, Iterator

import inflate as module
from member import CHUNK, Chunk, Refused

Inflate = Callable[[mmap.mmap, int, int, int], Iterator[Chunk]]


def ways() -> dict[str, Inflate]:
    found: dict[str, Inflate] = {"zlib": module._with_zlib}
    library = module._ISAL
    if library is not None:
        found["isal"] = lambda data, start, length, size: module._with_isal(library, data, start, length, size)
    return found


def mapped(data: bytes) -> mmap.mmap:
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        return mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)


def deflate(data: bytes, level: int) -> bytes:
    stream = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


class InflateTest(unittest.TestCase):
    def test_what_was_compressed_comes_back(self) -> None:
        rng = random.Random(7)
        texts = [b"a", b"ab" * 50_000, rng.randbytes(3 * CHUNK + 17), bytes(5 * CHUNK), rng.randbytes(CHUNK) * 3]
        for name, inflate in ways().items():
            for text in texts:
                for level in (0, 1, 9):
                    packed = deflate(text, level)
                    data = mapped(b"before" + packed + b"after")
                    with self.subTest(name, size=len(text), level=level):
                        got = b"".join(bytes(c) for c in inflate(data, 6, len(packed), len(text)))
                        self.assertEqual(got, text)

    def test_broken_and_short_streams_are_refused(self) -> None:
        text = random.Random(1).randbytes(CHUNK) + b"x" * CHUNK
        packed = deflate(text, 6)
        for name, inflate in ways().items():
            for what, data, size in (
                ("cut", packed[: len(packed) // 2], len(text)),
                ("too small", packed, len(text) + 1),
                ("noise", b"\xff" * 100, 500),
            ):
                with self.subTest(name, what=what), self.assertRaises(Refused):
                    list(inflate(mapped(data), 0, len(data), size))

    def test_nothing_is_nothing(self) -> None:
        self.assertEqual(list(module.inflate(mapped(b"\x03\x00"), 0, 2, 0)), [])


if __name__ == "__main__":
    unittest.main()
