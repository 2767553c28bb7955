"""A wheel as an installer would spread it over a virtual environment (PEP 427, entry points, RECORD).

The wheel itself is checked by its own hash before this. Its RECORD gives the hashes of its files, so that each is read
once; a wheel whose RECORD is wrong is read twice, as pip installs it too.
"""

import base64
import configparser
import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from archive import Archive
from member import Content, Member, Misrecorded, Refused, Text, digest, read

_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_SCRIPT = """\
#!{python}
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.argv[0] = sys.argv[0].removesuffix(".exe")
    sys.exit({call}())
"""
_ENTRY = re.compile(r"^\s*([\w.]+)\s*:\s*(\w[\w.]*)\s*(\[.*\])?\s*$")
_SCRIPT_NAME = re.compile(r"^[\w][\w.+-]*$")


@dataclass(frozen=True)
class Venv:
    """Where a virtual environment is in the image; paths are relative to the image's root."""

    prefix: str
    python: str
    """The version, as in `lib/python3.11`."""

    @property
    def site_packages(self) -> str:
        return f"{self.prefix}/lib/python{self.python}/site-packages"

    @property
    def interpreter(self) -> str:
        return f"/{self.prefix}/bin/python"


T = TypeVar("T")


def despite_records(attempt: Callable[[frozenset[str]], T]) -> tuple[T, frozenset[str]]:
    """What `attempt` makes, and the owners of the wheels whose RECORD is wrong. It gets those that are known, and is
    repeated when another one turns out to be."""
    misrecorded: frozenset[str] = frozenset()
    while True:
        try:
            return attempt(misrecorded), misrecorded
        except Misrecorded as e:
            if e.owner in misrecorded:
                raise
            misrecorded |= {e.owner}


def install(
    path: Path, owner: str, venv: Venv, *, misrecorded: bool = False, exclude: Iterable[str] = ()
) -> Iterator[Member]:
    """The wheel's files at their final places, its scripts and an installed RECORD. Every file is checked by RECORD,
    and `Misrecorded` is raised if it is wrong; if it is known to be `misrecorded`, the files are hashed instead.
    The files `exclude` names are left out: another wheel's are kept at their place. A script of an entry point is named
    as if it were a file of the wheel's scripts."""
    archive = Archive(path, owner)
    absent = [name for name in exclude if archive.files.pop(name, None) is None]
    info = _dist_info(archive)
    entry_points = [*_entry_points(archive, info, venv)]
    for name in absent:
        kept = [made for made in entry_points if made[0] != _place(name, info, venv, owner)]
        if "/scripts/" not in name or len(kept) == len(entry_points):
            raise Refused(f"{owner}: nothing to exclude at {name}")
        entry_points = kept
    hashes = {n: digest(archive.content(n)) for n in archive.files} if misrecorded else _record(archive, info)
    record: list[tuple[str, str, str]] = []
    for name in archive.files:
        if name.startswith(f"{info}/") and name[len(info) + 1 :] in _UNRECORDED:
            continue
        if name not in hashes:
            raise Misrecorded(owner, f"{name} is not listed in RECORD")
        content: Content = archive.content(name, hashes[name])
        place, mode = _place(name, info, venv, owner), archive.mode(name)
        if "/scripts/" in name and place.startswith(f"{venv.prefix}/bin/"):
            content, mode = _script(content, venv), 0o755
            record.append(_row(place, venv, content))
        else:
            record.append((_relative(place, venv), f"sha256={_b64(bytes.fromhex(hashes[name]))}", str(content.size)))
        yield Member(place, owner, content, mode=mode)
    generated = [
        *entry_points,
        (f"{venv.site_packages}/{info}/INSTALLER", Text(b"pycomfy\n"), 0o644),
    ]
    for place, content, mode in generated:
        record.append(_row(place, venv, content))
        yield Member(place, owner, content, mode=mode)
    record.append((f"{info}/RECORD", "", ""))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(sorted(record))
    yield Member(f"{venv.site_packages}/{info}/RECORD", owner, Text(out.getvalue().encode()), mode=0o644)


def _dist_info(archive: Archive) -> str:
    found = {n.split("/")[0] for n in archive.files if n.split("/")[0].endswith(".dist-info")}
    if len(found) != 1:
        raise Refused(f"{archive.owner}: a wheel has one .dist-info folder, this has {len(found)}")
    info = found.pop()
    for need in ("WHEEL", "METADATA", "RECORD"):
        if f"{info}/{need}" not in archive.files:
            raise Refused(f"{archive.owner}: {info}/{need} is missing")
    return info


def _record(archive: Archive, info: str) -> dict[str, str]:
    """The SHA-256 of every listed file, in hexadecimal."""
    data = read(archive.content(f"{info}/RECORD"))
    hashes: dict[str, str] = {}
    try:
        for row in csv.reader(io.StringIO(data.decode())):
            if len(row) != 3:
                raise Misrecorded(archive.owner, f"RECORD has a row of {len(row)} columns")
            name, _, encoded = row[0], *row[1].partition("sha256=")[::2]
            if name in archive.files and row[1]:
                if not row[1].startswith("sha256="):
                    raise Misrecorded(archive.owner, f"RECORD gives no SHA-256 for {name}")
                hashes[name] = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).hex()
    except (csv.Error, ValueError) as e:
        raise Misrecorded(archive.owner, f"RECORD cannot be read: {e}") from e
    return hashes


def _place(name: str, info: str, venv: Venv, owner: str) -> str:
    top, _, rest = name.partition("/")
    if not (top.endswith(".data") and top[:-5] == info[: -len(".dist-info")]):
        return f"{venv.site_packages}/{name}"
    scheme, _, inner = rest.partition("/")
    distribution = info.split("-")[0]
    schemes = {
        "purelib": venv.site_packages,
        "platlib": venv.site_packages,
        "scripts": f"{venv.prefix}/bin",
        "headers": f"{venv.prefix}/include/site/python{venv.python}/{distribution}",
        "data": venv.prefix,
    }
    if scheme not in schemes or not inner:
        raise Refused(f"{owner}: {name}: there is no such install scheme")
    return f"{schemes[scheme]}/{inner}"


def _script(content: Content, venv: Venv) -> Content:
    """A script with `#!python` gets the environment's interpreter; anything else stays."""
    data = read(content)
    if not data.startswith(b"#!python"):
        return Text(data)
    _, newline, rest = data.partition(b"\n")
    return Text(f"#!{venv.interpreter}".encode() + newline + rest)


def _entry_points(archive: Archive, info: str, venv: Venv) -> Iterator[tuple[str, Content, int]]:
    if f"{info}/entry_points.txt" not in archive.files:
        return
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(read(archive.content(f"{info}/entry_points.txt")).decode())
    except (configparser.Error, UnicodeDecodeError) as e:
        raise Refused(f"{archive.owner}: entry_points.txt: {e}") from e
    for group in ("console_scripts", "gui_scripts"):
        for name, value in parser.items(group) if parser.has_section(group) else ():
            match = _ENTRY.match(value)
            if not match or not _SCRIPT_NAME.match(name):
                raise Refused(f"{archive.owner}: entry_points.txt: {name} = {value} is no script")
            text = _SCRIPT.format(python=venv.interpreter, module=match[1], first=match[2].split(".")[0], call=match[2])
            yield f"{venv.prefix}/bin/{name}", Text(text.encode()), 0o755


def _row(place: str, venv: Venv, content: Content) -> tuple[str, str, str]:
    data = read(content)
    return _relative(place, venv), f"sha256={_b64(hashlib.sha256(data).digest())}", str(len(data))


def _relative(place: str, venv: Venv) -> str:
    if place.startswith(venv.site_packages + "/"):
        return place[len(venv.site_packages) + 1 :]
    return "../../../" + place[len(venv.prefix) + 1 :]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
