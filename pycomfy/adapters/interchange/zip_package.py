"""Read untrusted zip files in which other tools keep a workflow, and write such files reproducibly."""

import io
import stat
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pycomfy.adapters.io.atomic_files import check_free_space, translate_disk_full, write_file
from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.core.interchange.document import MAX_BYTES
from pycomfy.core.interchange.format import ZipLayout
from pycomfy.core.lockfile.lock_types import RelativePath
from pycomfy.errors import BadInput, Placeholder, suggest

MAX_FILES = 10_000
MAX_INPUTS = 8 << 30
"""Bytes of all input files together."""

MAX_PATH = 500
"""Bytes of a path in UTF-8."""

_CHUNK = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
_PATH: TypeAdapter[str] = TypeAdapter(RelativePath)
_FIX = "do not use it; get the file from its author again"


@dataclass(frozen=True)
class Unpacked:
    """A zip file with this `layout`. `texts` are those of the layout's texts that it has, by path; `inputs` are the
    input files, by their paths in the folder that they were unpacked into; `others` the paths of all other files."""

    layout: ZipLayout
    texts: Mapping[str, bytes]
    inputs: tuple[str, ...]
    others: tuple[str, ...]


def is_zip(head: bytes) -> bool:
    """Whether a file that begins with these four bytes is a zip file."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_zip(path: Path, layouts: Sequence[ZipLayout], to: Path) -> Unpacked:
    """Read a zip file with one of these layouts, the first whose manifest it has, and unpack its input files into the
    folder `input` in `to`.

    Raises `BadInput` for a file that is not a zip file or has none of the layouts, for links, for paths that escape it,
    and for more than the limits: the bytes that come out are counted, whatever the zip file claims. Raises `NoSpace`.
    """
    with open_zip(path, partial(_unreadable, path)) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        _check(members, path)
        layout = _find_layout({m.filename for m in members}, layouts, path)
        texts = {m.filename: _read(archive, m, path) for m in members if m.filename in layout.texts}
        inputs = {
            f"input/{m.filename.removeprefix(layout.inputs)}": m
            for m in members
            if m.filename.startswith(layout.inputs) and m.filename not in texts
        }
        fix = ("free some space", suggest("retry", "on a larger disk", to=Placeholder("DIR")))
        check_free_space(to, sum(m.file_size for m in inputs.values()), "the input files", fix=fix)
        left = MAX_INPUTS
        for name, member in inputs.items():
            left -= _unpack(archive, member, to / name, left, path)
        known = {*texts, *(m.filename for m in inputs.values())}
        others = [m.filename for m in members if m.filename not in known]
    return Unpacked(layout, texts, tuple(inputs), tuple(others))


def write_zip(to: Path, files: Mapping[str, bytes]) -> int:
    """Write a zip file of these members in one step, and return its size. Nothing is compressed: zlib's output for the
    same bytes differs between its versions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            about = zipfile.ZipInfo(name, _DATE)
            about.create_system, about.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(about, files[name])
    data = buffer.getvalue()
    write_file(to, data)
    return len(data)


def _check(members: list[zipfile.ZipInfo], path: Path) -> None:
    if len(members) > MAX_FILES:
        raise BadInput(f"more than {MAX_FILES} files", where=str(path), fix=_FIX)
    names: set[str] = set()
    for member in members:
        name = member.filename
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not _is_inner(name):
            raise _refused(path, name, "the path escapes the zip file")
        if kind not in (0, stat.S_IFREG):
            raise _refused(path, name, "not a regular file")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(path, name, "unsupported compression method")
        if member.flag_bits & 0x1:
            raise _refused(path, name, "encrypted")
        if name.casefold() in names:
            raise _refused(path, name, "listed twice")
        names.add(name.casefold())
    for name in names:
        if any(parent in names for parent in _parents(name)):
            raise _refused(path, name, "below a file")


def _is_inner(name: str) -> bool:
    try:
        _PATH.validate_python(name)
    except ValidationError:
        return False
    return len(name.encode(errors="replace")) <= MAX_PATH and ":" not in name


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def _find_layout(names: set[str], layouts: Sequence[ZipLayout], path: Path) -> ZipLayout:
    found = next((layout for layout in layouts if layout.manifest in names), None)
    if found is None:
        manifests = " or ".join(dict.fromkeys(layout.manifest for layout in layouts))
        raise BadInput(f"a zip file without {manifests}", where=str(path), fix="give a file of a supported format")
    return found


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    with archive.open(member) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _refused(path, member.filename, f"larger than {MAX_BYTES >> 20} MiB")
    return data


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, limit: int, path: Path) -> int:
    """Unpack a member of at most `limit` bytes to the file `to`, and return its size."""
    size = 0
    with translate_disk_full(to):
        to.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as file, to.open("xb") as out:
            while piece := file.read(_CHUNK):
                size += len(piece)
                if size > limit:
                    raise _refused(path, member.filename, f"the input files are larger than {MAX_INPUTS >> 30} GiB")
                out.write(piece)
    return size


def _unreadable(path: Path, why: str) -> BadInput:
    return BadInput(f"the zip file cannot be read: {why}", where=str(path), fix=_FIX)


def _refused(path: Path, name: str, why: str) -> BadInput:
    return BadInput(f"{name}: {why}", where=str(path), fix=_FIX)
