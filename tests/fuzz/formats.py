"""Take the inputs of targets apart into trees, and put trees together again: of dict, list, str, int, float, bool, None
and bytes. A hostile tree may have values that its format has no form for; then the closest one is written.
"""

import io
import json
import tarfile
import tomllib
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tomlkit
import yaml

Tree = Any


@dataclass(frozen=True)
class Format:
    """`decode` raises ValueError (or what its parser raises) for what has not this format; `encode` what its writer
    raises for what it cannot write."""

    name: str
    decode: Callable[[bytes], Tree]
    encode: Callable[[Tree], bytes]


def _plain(value: Tree) -> Tree:
    """Return a tree without bytes, of which JSON, TOML and YAML have none."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def _encode_json(tree: Tree) -> bytes:
    return json.dumps(_plain(tree), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _without_none(value: Tree) -> Tree:
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return [_without_none(v) for v in value if v is not None] if isinstance(value, list) else value


def _encode_toml(tree: Tree) -> bytes:
    return tomlkit.dumps(_without_none(_plain(tree))).encode("utf-8", "surrogatepass")


def _encode_yaml(tree: Tree) -> bytes:
    text: str = yaml.safe_dump(_plain(tree), sort_keys=False, allow_unicode=True)
    return text.encode("utf-8", "surrogatepass")


def _decode_lines(data: bytes) -> Tree:
    return [line.decode() for line in data.split(b"\n")]


def _text(value: Tree) -> bytes:
    """Return a value as a line of text."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape" if value.isascii() else "replace")
    return _encode_json(value)


def _encode_lines(tree: Tree) -> bytes:
    return b"\n".join(map(_text, tree if isinstance(tree, list) else [tree]))


def _decode_json_lines(data: bytes) -> Tree:
    return [json.loads(line) for line in data.splitlines()]


def _encode_json_lines(tree: Tree) -> bytes:
    return b"\n".join(map(_encode_json, tree if isinstance(tree, list) else [tree]))


def unpack_zip(data: bytes) -> Tree:
    """Return the members: name, content, external attributes, method, claimed size or None."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [[m.filename, archive.read(m), m.external_attr, m.compress_type] for m in archive.infolist()]


def pack_zip(tree: Tree) -> bytes:
    """Return a zip file of the members, also of names and attributes that no program would write."""
    out = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as archive:
        for member in tree:
            name, content, attributes, method = [*member, None, None, None, None][:4]
            about = zipfile.ZipInfo("x")
            about.filename = name if isinstance(name, str) else str(name)
            about.external_attr = attributes & 0xFFFFFFFF if isinstance(attributes, int) else 0
            about.compress_type = method if method in (0, 8, 12, 14) else 0
            archive.writestr(about, _text(content))
    return out.getvalue()


_TAR_KINDS = (b"0", b"1", b"2", b"3", b"5", b"6", b"L", b"x", b"S")


def unpack_tar(data: bytes) -> Tree:
    """Return the members: name, content, mode, kind, link."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return [
            [m.name, file.read() if m.isreg() and (file := archive.extractfile(m)) else b"", m.mode, m.type, m.linkname]
            for m in archive.getmembers()
        ]


def pack_tar(tree: Tree) -> bytes:
    """Return an uncompressed tar file of the members, also links, devices, and names that lead out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for member in tree:
            name, content, mode, kind, link = [*member, None, None, None, None, None][:5]
            about = tarfile.TarInfo(name if isinstance(name, str) else str(name))
            about.mode = mode & 0o7777 if isinstance(mode, int) else 0o644
            about.type = kind if kind in _TAR_KINDS else b"0"
            about.linkname = link if isinstance(link, str) else ""
            data = _text(content)
            about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    return out.getvalue()


def _bytes(tree: Tree) -> bytes:
    return tree if isinstance(tree, bytes) else _text(tree)


BYTES = Format("bytes", lambda data: data, _bytes)
JSON = Format("json", json.loads, _encode_json)
JSON_LINES = Format("json-lines", _decode_json_lines, _encode_json_lines)
LINES = Format("lines", _decode_lines, _encode_lines)
TAR = Format("tar", unpack_tar, pack_tar)
TOML = Format("toml", lambda data: tomllib.loads(data.decode()), _encode_toml)
YAML = Format("yaml", yaml.safe_load, _encode_yaml)
ZIP = Format("zip", unpack_zip, pack_zip)
