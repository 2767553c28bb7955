"""comfy-pack's zips: reading a stranger's, and writing one that is the same bytes for the same files."""

import io
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pycomfy.adapters.io.atomic_files import free_space, translate_disk_full, write_file
from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.core.interchange.comfy_pack import INPUTS, TEXTS
from pycomfy.core.interchange.document import MAX_BYTES
from pycomfy.core.lockfile.lock_types import RelativePath
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.errors import BadInput, NoSpace

MAX_FILES = 10_000
MAX_INPUTS = 8 << 30
"""Bytes of all input files together."""

MARGIN = 1 << 30
"""Bytes that stay free where they are unpacked."""

_CHUNK = 1 << 20
_DATE = (1980, 1, 1, 0, 0, 0)
_PATH: TypeAdapter[str] = TypeAdapter(RelativePath)
_FIX = "do not use it; get the package from whom made it again"


@dataclass(frozen=True)
class Unpacked:
    """`texts` are the files that say what the package is, by name; `inputs` the paths of those that were unpacked;
    `others` files that have no meaning here."""

    texts: Mapping[str, bytes]
    inputs: tuple[str, ...]
    others: tuple[str, ...]


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_cpack(path: Path, to: Path) -> Unpacked:
    """Read a package, and unpack its input files into the folder `to`, as `input/…`.

    Raises `BadInput` for what is no zip, for links, for paths that lead out of it, and for more than the limits; it is
    what is unpacked that counts, whatever the zip says of it. Raises `NoSpace`.
    """
    with open_zip(path, partial(_unreadable, path)) as archive:
        members = [m for m in archive.infolist() if not m.is_dir()]
        _check(members, path)
        texts = {m.filename: _read(archive, m, path) for m in members if m.filename in TEXTS}
        inputs = [m for m in members if m.filename.startswith(INPUTS)]
        _check_space(sum(m.file_size for m in inputs), to)
        left = MAX_INPUTS
        for member in inputs:
            left -= _unpack(archive, member, to, left, path)
        others = [m.filename for m in members if m.filename not in TEXTS and not m.filename.startswith(INPUTS)]
    return Unpacked(texts, tuple(m.filename for m in inputs), tuple(others))


def write_cpack(to: Path, files: Mapping[str, bytes]) -> int:
    """Write a package to the file `to`, in one step; its size. Nothing is compressed: what zlib makes of the same bytes
    differs from version to version."""
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
        raise BadInput(f"it has more than {MAX_FILES} files", where=str(path), fix=_FIX)
    names: set[str] = set()
    for member in members:
        name = member.filename
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not _is_path(name):
            raise _refused(path, name, "its path leads out of the package")
        if kind not in (0, stat.S_IFREG):
            raise _refused(path, name, "it is no plain file")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(path, name, "it is compressed in a way that comfy-pack does not use")
        if member.flag_bits & 0x1:
            raise _refused(path, name, "it is encrypted")
        if name.casefold() in names:
            raise _refused(path, name, "it is there twice")
        names.add(name.casefold())
    for name in names:
        if any(other in names for other in _parents(name)):
            raise _refused(path, name, "it lies in what is a file")


def _is_path(name: str) -> bool:
    try:
        _PATH.validate_python(name)
    except ValidationError:
        return False
    return len(name.encode(errors="replace")) <= 500 and ":" not in name


def _parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    with archive.open(member) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _refused(path, member.filename, f"it is larger than {MAX_BYTES >> 20} MiB")
    return data


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, most: int, path: Path) -> int:
    target, size = to / member.filename, 0
    with translate_disk_full(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as file, target.open("xb") as out:
            while piece := file.read(_CHUNK):
                size += len(piece)
                if size > most:
                    raise _refused(path, member.filename, f"the input files are larger than {MAX_INPUTS >> 30} GiB")
                out.write(piece)
    return size


def _check_space(needed: int, to: Path) -> None:
    if needed > free_space(to) - MARGIN:
        raise NoSpace(
            f"the input files take {needed / 1e9:.2f} GB, and 1 GB is left alone ({free_space(to) / 1e9:.2f} GB free)",
            where=str(to),
            fix="free some space, or give a folder on a larger disk: --to DIR",
        )


def _unreadable(path: Path, why: str) -> BadInput:
    return BadInput(f"it is no zip that can be read: {shown(why)}", where=str(path), fix=_FIX)


def _refused(path: Path, name: str, why: str) -> BadInput:
    return BadInput(f"{shown(name)}: {why}", where=str(path), fix=_FIX)
