"""List the files and modules of wheels, by their lists of files; of a remote wheel only that list is fetched."""

import contextlib
import io
import json
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import httpx

from pycomfy.adapters.io.atomic_files import write_file
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.download import kept_path
from pycomfy.adapters.io.http_client import (
    Client,
    check_status,
    local_path,
    make_client,
    read_body,
    retry,
    without_login,
)
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.io.zip_files import open_zip
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.python.wheel_clashes import COMMANDS, WheelFile, read_entry_points
from pycomfy.errors import BadInput, PycomfyError

JOBS = 8
MAX_MODULES = 200_000
_TAIL = 64 << 10
_END = struct.Struct("<12xII")  # of the end record: the size of the list of files, and where it begins
_COMMAND = re.compile(r"\w[\w.+-]*")
_MAX_LIST = 64 << 20
_SMALL = 4 << 20
_FIX = "name another wheel"


def read_modules(wheels: Sequence[Wheel], paths: Paths) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the modules of all wheels, each by its first name and by its first two, dotted; and the names of the
    wheels whose files could not be listed. Each wheel is read once."""
    with make_client() as client:
        jobs = {wheel.filename: partial(_modules_of, wheel, paths, client) for wheel in wheels}
        found = run_concurrently(jobs, at_once=JOBS)
    modules = frozenset(name for names in found.values() for name in names or ())
    return modules, tuple(wheel.name for wheel in wheels if found[wheel.filename] is None)


def _modules_of(wheel: Wheel, paths: Paths, client: Client) -> frozenset[str] | None:
    known = paths.cache / "modules" / wheel.sha256
    with contextlib.suppress(OSError, ValueError):
        return frozenset(map(str, json.loads(known.read_bytes())))
    try:
        with _open(wheel, paths, client) as archive:
            modules = frozenset(_modules(archive.namelist()))
    except (OSError, PycomfyError, httpx.HTTPError):
        return None
    write_file(known, json.dumps(sorted(modules)))
    return modules


def read_files(wheels: Sequence[Wheel], paths: Paths) -> dict[str, tuple[WheelFile, ...] | None]:
    """Return the files of each wheel that an installer would put beside those of others, by the wheel's name; None for
    one whose files could not be listed."""
    with make_client() as client:
        jobs = {wheel.name: partial(_files_of, wheel, paths, client) for wheel in wheels}
        return run_concurrently(jobs, at_once=JOBS)


def _files_of(wheel: Wheel, paths: Paths, client: Client) -> tuple[WheelFile, ...] | None:
    try:
        with _open(wheel, paths, client) as archive:
            infos = archive.infolist()[:MAX_MODULES]
            return (*_files(infos), *_commands(wheel, archive, infos, client))
    except (OSError, PycomfyError, httpx.HTTPError):
        return None


def _files(infos: Sequence[zipfile.ZipInfo]) -> Iterator[WheelFile]:
    """Yield all but what belongs to the wheel alone, and bytecode, which no image has from a wheel."""
    for info in infos:
        top, _, rest = info.filename.partition("/")
        place = info.filename
        if top.endswith(".data"):
            scheme, _, place = rest.partition("/")
            place = {"scripts": COMMANDS + place, "data": f"../../../{place}"}.get(scheme, place)
            if scheme == "headers":
                continue
        if info.is_dir() or top.endswith(".dist-info") or "/__pycache__/" in place:
            continue
        executable = bool((info.external_attr >> 16) & 0o111) or place.startswith(COMMANDS)
        yield WheelFile(info.filename, place, info.CRC, info.file_size, executable)


def _commands(
    wheel: Wheel, archive: zipfile.ZipFile, infos: Sequence[zipfile.ZipInfo], client: Client
) -> Iterator[WheelFile]:
    """Yield the commands that an installer writes for the wheel's entry points."""
    for info in infos:
        folder, _, name = info.filename.rpartition("/")
        if name != "entry_points.txt" or "/" in folder or not folder.endswith(".dist-info"):
            continue
        text = _read_text(wheel, archive, info, client)
        for command, target in read_entry_points(text).items():
            if not _COMMAND.fullmatch(command):
                continue  # building the image refuses it
            path = f"{folder.removesuffix('.dist-info')}.data/scripts/{command}"
            yield WheelFile(
                path, COMMANDS + command, zlib.crc32(target.encode()), len(target), executable=True, made=True
            )


def _read_text(wheel: Wheel, archive: zipfile.ZipFile, info: zipfile.ZipInfo, client: Client) -> str:
    """Return the text of a file of a wheel, which may lie before the end that was fetched; `zipfile` then gives it a
    negative offset, from where that end begins."""
    if max(info.file_size, info.compress_size) > _TAIL:
        return ""
    if info.header_offset >= 0:
        return archive.read(info).decode(errors="replace")
    there = archive.fp.seek(0, io.SEEK_END) if archive.fp is not None else 0
    start = wheel.size - there + info.header_offset
    data = _fetch(wheel.url, f"bytes={start}-{start + info.compress_size + _TAIL}", client)
    name_size, extra_size = struct.unpack_from("<26xHH", data)
    begin = 30 + name_size + extra_size
    content = data[begin : begin + info.compress_size]
    if info.compress_type == zipfile.ZIP_DEFLATED:
        content = zlib.decompressobj(wbits=-15).decompress(content, info.file_size + 1)
    return content.decode(errors="replace") if zlib.crc32(content) == info.CRC else ""


def _modules(files: Sequence[str]) -> Iterator[str]:
    """Yield `a` and `a.b` for `a/b/c.py`, `a/b.cpython-311-x86_64-linux-gnu.so` …"""
    for path in files[:MAX_MODULES]:
        top, _, rest = path.partition("/")
        if top.endswith(".data") and rest.startswith(("purelib/", "platlib/")):
            path = rest.partition("/")[2]
        folder, name = posixpath.split(path)
        if not name.endswith((".py", ".so")):
            continue
        stem = name.partition(".")[0]
        parts = [*filter(None, folder.split("/")), *([stem] if stem != "__init__" else [])]
        if parts and all(part.isidentifier() for part in parts[:2]):
            yield parts[0]
            yield ".".join(parts[:2])


@contextlib.contextmanager
def _open(wheel: Wheel, paths: Paths, client: Client) -> Iterator[zipfile.ZipFile]:
    """Open the wheel, on this machine if it is there."""

    def refuse(why: str) -> BadInput:
        return BadInput(f"not a wheel: {why}", where=wheel.filename, fix=_FIX)

    kept = [
        kept_path(wheel.sha256, paths.cache),
        Path(FixedOutput(wheel.filename, bytes.fromhex(wheel.sha256), recursive=False).path),
    ]
    local = Path(wheel.url) if wheel.is_local else local_path(wheel.url)
    for path in [*kept, *([local] if local else [])]:
        if path.is_file():
            with open_zip(path, refuse) as archive:
                yield archive
            return
    with open_zip(io.BytesIO(_fetch_end(wheel.url, client)), refuse) as archive:
        yield archive


def _fetch_end(url: str, client: Client) -> bytes:
    """Return the end of a zip file with its whole list of files; all of a small file, or from a server without ranges.

    Zip files are read from their end: `zipfile` expects that something may be missing in front.
    """
    tail = _fetch(url, f"bytes=-{_TAIL}", client)
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + _END.size > len(tail):
        return tail
    size, start = _END.unpack_from(tail, end)
    if size == 0xFFFFFFFF or start == 0xFFFFFFFF or size > _MAX_LIST:
        raise BadInput("the list of files is longer than any wheel's", where=without_login(url), fix=_FIX)
    if size + (len(tail) - end) > len(tail):
        tail = _fetch(url, f"bytes={start}-", client)
    return tail


def _fetch(url: str, range_: str, client: Client) -> bytes:
    def once() -> bytes:
        headers = {"Accept-Encoding": "identity", "Range": range_}
        with client.stream("GET", url, headers=headers) as response:
            check_status(url, response)
            limit = _MAX_LIST if response.status_code == 206 else _SMALL
            return read_body(url, response, limit)

    return retry(url, once)
