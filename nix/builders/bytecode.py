"""Python bytecode that depends on the source and its place alone."""

import importlib.util
import marshal
import posixpath
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace

from member import Member, Text, read

for _character in map(chr, range(256)):
    # All of a process share the strings of one character, and marshal notes whether somebody interned them: pathlib
    # does so with each part of a path, as of /usr/bin/[, in the order in which the file system lists a folder.
    sys.intern(_character)

_UNCOMPILED = "tests"
"""The name of folders whose sources have no bytecode: a quarter of all time to compile, for modules that no program
imports."""

_UNCHECKED_HASH = (0b01).to_bytes(4, "little")  # PEP 552: hash-based, never compared with the source


def with_bytecode(members: Iterable[Member]) -> Iterator[Member]:
    """The members, and behind every `x.py` that compiles its `__pycache__/x.cpython-….pyc`.

    A source that does not compile (another Python's syntax, a template) has none, as with pip and uv; nor has one in a
    folder `tests`, which Python compiles if it is imported all the same. Bytecode that was shipped is left out: it is
    nobody's source, and may be another Python's.
    """
    for member in members:
        if member.path.endswith(".pyc") and "/__pycache__/" in member.path:
            continue
        if member.content is None or not member.path.endswith(".py") or _UNCOMPILED in member.path.split("/"):
            yield member
            continue
        data = read(member.content)
        yield replace(member, content=Text(data))
        compiled = compile_source(data, "/" + member.path)
        if compiled is not None:
            yield replace(member, path=cache_path(member.path), content=Text(compiled), mode=0o644)


def cache_path(path: str) -> str:
    """Where this Python looks for the bytecode of `path`."""
    folder, name = posixpath.split(path)
    return posixpath.join(folder, "__pycache__", f"{name[:-3]}.{sys.implementation.cache_tag}.pyc")


def compile_source(source: bytes, filename: str) -> bytes | None:
    """The bytes of an unchecked-hash `.pyc` (PEP 552), or None for a source that does not compile.

    Equal sources give equal bytes in any process: since 3.11, marshal writes sets in order and takes every interned
    string for shared, however many references the process happens to hold; and every string of one character is
    interned here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(source, filename, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return importlib.util.MAGIC_NUMBER + _UNCHECKED_HASH + importlib.util.source_hash(source) + marshal.dumps(code)
