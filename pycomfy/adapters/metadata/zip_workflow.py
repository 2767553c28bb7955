"""Find the one workflow in a zip file: JSON, or else a picture, sound, video or Markdown text that holds it."""

import io
import re
import struct
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from posixpath import basename, splitext
from typing import BinaryIO

from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.core.workflow.untrusted_json import MAX_BYTES, parse_json
from pycomfy.core.workflow.wrappers import Candidate, choose, list_candidates
from pycomfy.errors import BadWorkflow

MAX_MEMBERS = 10_000
MAX_DIRECTORY = 8 << 20
"""Bytes of a zip file's list of members, all of which `zipfile` keeps."""

MAX_MEDIA = 256 << 20
"""Bytes of all media files together."""

_MEDIA = frozenset(
    f".{ending}"
    for ending in "avif flac glb jpeg jpg latent m4v md mkv mov mp3 mp4 ogg opus png svg webm webp".split()  # noqa: SIM905
)
_API = re.compile(r"[ _.-]*\(?api\)?$", re.IGNORECASE)
_MAX_END = 22 + 65535 + 76
_MANIFEST, _INPUTS = "snapshot.json", "input/"
_FIX = "give the workflow's own file"

Find = Callable[[BinaryIO, str], bytes]


def find_in_zip(file: BinaryIO, find: Find, *, where: str) -> bytes:
    """Return the JSON of the one workflow in a zip file; `find` returns the JSON in a file that is in it.

    A workflow beside itself in API format is one. In a package of comfy-pack, input files are no workflows of it.
    Raises `BadWorkflow` for an unreadable zip file, for none or several workflows, and for more than the limits.
    """

    def refuse(why: str) -> BadWorkflow:
        return BadWorkflow(f"the zip file cannot be read: {why}", where=where, fix=_FIX)

    if _directory_size(file) > MAX_DIRECTORY:
        raise refuse(f"more than {MAX_MEMBERS} files")
    with open_zip(file, refuse) as archive:
        members = list(_list_members(archive))
        if len(members) > MAX_MEMBERS:
            raise refuse(f"more than {MAX_MEMBERS} files")
        search = _Search(archive, where)
        found = search.find({".json"}, MAX_BYTES, lambda data, _: data.read(), members)
        malformed = search.problems[:1]
        found = found or search.find(_MEDIA, MAX_MEDIA, find, members)
    if found is not None:
        return found
    raise malformed[0] if malformed else BadWorkflow("no workflow in this zip file", where=where, fix=_FIX)


class _Search:
    """A search in a zip file. `problems` are what made members unreadable."""

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._archive, self._where = archive, where
        self.problems: list[BadWorkflow] = []

    def find(
        self, endings: Collection[str], limit: int, find: Find, members: Iterable[zipfile.ZipInfo]
    ) -> bytes | None:
        """Return the JSON of the one workflow in the members with these endings, which have at most `limit` bytes
        together; None if there is none. Raises `BadWorkflow` for several."""
        candidates: list[Candidate] = []
        json_of: dict[str, bytes] = {}
        for member in members:
            name = member.filename
            if splitext(name.lower())[1] not in endings:
                continue
            data = self._read(member, limit)
            limit -= len(data)
            inner = f"{name} in {self._where}"
            try:
                text = find(io.BytesIO(data), inner)
                graphs = [c.graph for c in list_candidates(parse_json(text, where=inner), inner)]
            except BadWorkflow as e:
                self.problems.append(e)
                continue
            if graphs:
                json_of[name] = text
                candidates += [Candidate(name, _group(name), graph) for graph in graphs]
        chosen = choose(candidates, self._where)
        return json_of[chosen.name] if chosen is not None else None

    def _read(self, member: zipfile.ZipInfo, limit: int) -> bytes:
        name = member.filename
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BadWorkflow(f"{name}: unsupported compression method", where=self._where, fix=_FIX)
        with self._archive.open(member) as opened:
            data = opened.read(limit + 1)
        if len(data) > limit:
            raise BadWorkflow(f"{name}: the files in the zip file are too large", where=self._where, fix=_FIX)
        return data


def _list_members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """Yield the files that may hold a workflow: not what macOS adds, nor the input files of a package of comfy-pack."""
    is_pack = _MANIFEST in archive.NameToInfo
    for member in archive.infolist():
        name = member.filename
        if member.is_dir() or name.startswith("__MACOSX/") or basename(name).startswith("."):
            continue
        if not (is_pack and name.startswith(_INPUTS)):
            yield member


def _group(name: str) -> str:
    """Return what a workflow's file has in common with that of its prompt: "a" of "a.json" and "a_api.json"."""
    stem = splitext(name)[0]
    return stem[:-20] + _API.sub("", stem[-20:])


def _directory_size(file: BinaryIO) -> int:
    """Return the size of a zip file's list of members, as the file says: the largest, if there may be several."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _MAX_END))
    tail = file.read()
    found = [0]
    for match in re.finditer(rb"PK\x05\x06", tail):
        at = match.start()
        # An end for large files, and a pointer of 20 bytes to it, may be before the end, with the size in 64 bits.
        if at >= 76 and tail[at - 76 : at - 72] == b"PK\6\6" and tail[at - 20 : at - 16] == b"PK\6\7":
            found += struct.unpack_from("<Q", tail, at - 36)
        elif at + 22 <= len(tail):
            found += struct.unpack_from("<I", tail, at + 12)
    return max(found)
