"""A zip file (a wheel) as a set of contents that are read in place, never unpacked to the disk."""

import hashlib
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inflate import inflate
from member import CHUNK, Chunk, Member, Misrecorded, Refused, safe_path

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, …, lengths of the name and of the extra field


class Archive:
    """An open zip. `files` are its regular entries by name."""

    def __init__(self, path: Path, owner: str) -> None:
        self.owner = owner
        with path.open("rb") as f:
            self.data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)
        try:
            with zipfile.ZipFile(path) as z:
                infos = z.infolist()
        except zipfile.BadZipFile as e:
            raise Refused(f"{owner}: not a zip file ({e})") from e
        self.files: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.is_dir():
                continue
            name = safe_path(info.filename, owner)
            if name in self.files:
                raise Refused(f"{owner}: {name} is there twice")
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Refused(f"{owner}: {name} is encrypted or compressed in an unknown way")
            self.files[name] = info

    def content(self, name: str, sha256: str | None = None) -> "Zipped":
        return Zipped(self, self.files[name], sha256)

    def mode(self, name: str) -> int:
        """0755 for what the zip marks as executable, else 0644; nothing else of a mode is kept."""
        return 0o755 if (self.files[name].external_attr >> 16) & 0o111 else 0o644


@dataclass(frozen=True)
class Zipped:
    """An entry of an archive; its bytes are checked against `sha256`, or where that is None against the zip's CRC."""

    archive: Archive
    info: zipfile.ZipInfo
    sha256: str | None

    @property
    def size(self) -> int:
        return self.info.file_size

    def chunks(self) -> Iterator[Chunk]:
        crc = 0
        h = hashlib.sha256()
        try:
            for chunk in self._raw():
                if self.sha256 is None:
                    crc = zlib.crc32(chunk, crc)
                else:
                    h.update(chunk)
                yield chunk
        except Refused as e:
            raise Refused(f"{self.archive.owner}: {self.info.filename}: {e}") from e
        if self.sha256 is not None and h.hexdigest() != self.sha256:
            raise Misrecorded(self.archive.owner, f"the bytes of {self.info.filename} are not the recorded ones")
        if self.sha256 is None and crc != self.info.CRC:
            raise Refused(f"{self.archive.owner}: the bytes of {self.info.filename} are not the recorded ones")

    def _raw(self) -> Iterator[Chunk]:
        data, info = self.archive.data, self.info
        signature, name_length, extra_length = _LOCAL_HEADER.unpack_from(data, info.header_offset)
        start = info.header_offset + 30 + name_length + extra_length
        if signature != b"PK\3\4" or start + info.compress_size > len(data):
            raise Refused("the zip file is damaged")
        if info.compress_type == zipfile.ZIP_DEFLATED:
            yield from inflate(data, start, info.compress_size, info.file_size)
            return
        if info.compress_size != info.file_size:
            raise Refused("the zip file is damaged")
        with memoryview(data) as view:
            for at in range(start, start + info.file_size, CHUNK):
                with view[at : min(at + CHUNK, start + info.file_size)] as chunk:
                    yield chunk


def folder(archive: Archive, below: str, prefix: str, exclude: frozenset[str]) -> Iterator[Member]:
    """The folder `below` of the archive as members below `prefix`, without the files `exclude` names."""
    unused = set(exclude)
    empty = True
    for name in archive.files:
        if not name.startswith(below + "/"):
            continue
        rest = name[len(below) + 1 :]
        if rest in exclude:
            unused.discard(rest)
            continue
        empty = False
        yield Member(f"{prefix}/{rest}", archive.owner, archive.content(name), mode=archive.mode(name))
    if empty:
        raise Refused(f"{archive.owner}: there is no folder {below} in it")
    if unused:
        raise Refused(f"{archive.owner}: nothing to exclude at {', '.join(sorted(unused))}")
