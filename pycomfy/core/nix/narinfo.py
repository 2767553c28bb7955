"""Write and parse `.narinfo` files: how a binary cache describes one store path. Ours have exactly one form, so that a
changed byte is detected."""

import functools
from dataclasses import dataclass

from pycomfy.core.nix.store_path import FixedOutput, from_nix32, split_path, to_nix32

CACHE_INFO = b"StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n"
"""The file `nix-cache-info` of a binary cache."""

MAX_NARINFO_BYTES = 4096
"""A bound for the size of the `.narinfo` files that we write; a store path's name has at most 211 characters."""


@dataclass(frozen=True)
class NarInfo:
    """An uncompressed NAR: the hash and size (in bytes) of its file, and the `output` that the store path promises."""

    output: FixedOutput
    nar_sha256: bytes
    nar_size: int

    @property
    def file_name(self) -> str:
        """`HASH.narinfo`, with the hash part of the path."""
        return narinfo_name(self.output.path)

    @property
    def nar_name(self) -> str:
        """The path of the NAR below the cache."""
        return nar_name(self.nar_sha256)

    def render(self) -> bytes:
        """Return the file's bytes. There are no references, because fixed outputs have none, and no signature, because
        `CA` proves the content."""
        digest = f"sha256:{to_nix32(self.nar_sha256)}"
        lines = (
            f"StorePath: {self.output.path}",
            f"URL: {self.nar_name}",
            "Compression: none",
            f"FileHash: {digest}",
            f"FileSize: {self.nar_size}",
            f"NarHash: {digest}",
            f"NarSize: {self.nar_size}",
            "References: ",
            f"CA: {self.output.address}",
        )
        return "".join(f"{line}\n" for line in lines).encode()


def nar_name(sha256: bytes) -> str:
    """Return the path of the NAR with this hash below the cache."""
    return f"nar/{to_nix32(sha256)}.nar"


def narinfo_name(path: str) -> str:
    """Return the file name of a store path's `.narinfo`. Raises `ValueError` for anything but a store path."""
    return f"{split_path(path)[0]}.narinfo"


@functools.lru_cache(maxsize=4096)
def parse_narinfo(data: bytes, output: FixedOutput) -> NarInfo:
    """Parse the `.narinfo` of `output`. Raises `ValueError` unless it is exactly what `render` makes."""
    fields = dict(
        line.partition(": ")[::2] for line in data[: MAX_NARINFO_BYTES + 1].decode("ascii", "replace").splitlines()
    )
    digits = fields.get("NarHash", "").removeprefix("sha256:")
    size = fields.get("NarSize", "")
    if len(digits) != 52 or not size.isascii() or not size.isdigit() or len(size) > 18:
        raise ValueError("its hash or size is damaged")
    info = NarInfo(output, from_nix32(digits), int(size))
    if info.render() != data:
        raise ValueError("it is not the one that was written")
    return info
