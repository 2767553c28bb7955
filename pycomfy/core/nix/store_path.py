"""Compute the store paths of fixed outputs as Nix does: the path alone proves the content.

The rules are in Nix's manual, "Complete Store Path Calculation".
"""

import base64
import functools
import hashlib
import re
from dataclasses import dataclass

_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz"
_FROM_RFC4648 = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())
_NAME = r"[A-Za-z0-9+_?=-][A-Za-z0-9+._?=-]{0,210}"
_PATH = re.compile(rf"/nix/store/(?P<hash>[{_ALPHABET}]{{32}})-(?P<name>{_NAME})")


@dataclass(frozen=True)
class FixedOutput:
    """The content of a fixed-output path: `sha256` is that of a file's bytes, or of a tree's NAR if `recursive`."""

    name: str
    sha256: bytes
    recursive: bool

    @property
    def path(self) -> str:
        """Its store path."""
        if self.recursive:
            return _make_path("source", self.sha256, self.name)
        inner = hashlib.sha256(f"fixed:out:sha256:{self.sha256.hex()}:".encode()).digest()
        return _make_path("output:out", inner, self.name)

    @property
    def address(self) -> str:
        """The content address in Nix's form, as in `fixed:r:sha256:…`."""
        return f"fixed:{'r:' if self.recursive else ''}sha256:{to_nix32(self.sha256)}"


def is_store_path(text: str) -> bool:
    """Return whether `text` is a path directly below /nix/store."""
    return _PATH.fullmatch(text) is not None


def split_path(path: str) -> tuple[str, str]:
    """Return the hash part and the name of a store path. Raises `ValueError` for anything else."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ValueError(f"{path[:300]!r} is not a store path")
    return match["hash"], match["name"]


def to_nix32(data: bytes) -> str:
    """Return Nix's base 32: without e, o, t, u, and with the last digit first."""
    length = (len(data) * 8 + 4) // 5
    whole = data[::-1].rjust(-(-len(data) // 5) * 5, b"\0")
    return base64.b32encode(whole).translate(_FROM_RFC4648).decode()[-length:] if data else ""


def from_nix32(text: str) -> bytes:
    """Invert `to_nix32`. Raises `ValueError` for invalid digits, or bits that do not fill a byte."""
    number = 0
    for digit in text:
        number = number << 5 | _ALPHABET.index(digit)
    try:
        return number.to_bytes(len(text) * 5 // 8, "little")
    except OverflowError as e:
        raise ValueError(f"{text!r} does not end at a byte") from e


@functools.lru_cache(maxsize=4096)
def _make_path(kind: str, sha256: bytes, name: str) -> str:
    digest = hashlib.sha256(f"{kind}:sha256:{sha256.hex()}:/nix/store:{name}".encode()).digest()
    folded = bytearray(20)
    for i, byte in enumerate(digest):
        folded[i % 20] ^= byte
    return f"/nix/store/{to_nix32(bytes(folded))}-{name}"
