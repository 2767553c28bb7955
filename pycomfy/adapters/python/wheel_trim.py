"""Write a wheel again without some of its files: those at whose place another wheel's are kept."""

import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Collection
from pathlib import Path

from pycomfy.core.python.wheel_clashes import read_entry_points
from pycomfy.errors import HashMismatch

_CHUNK = 1 << 20
_SECTION = re.compile(r"\s*\[(.*)\]\s*$")


def write_without(wheel: Path, exclude: Collection[str], out: Path) -> None:
    """Write `wheel` to `out` without the files `exclude`; RECORD and `entry_points.txt` follow. Those below
    `.data/scripts/` may be commands of entry points. Raises `HashMismatch` for a file that the wheel lacks."""
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        names = {info.filename for info in old.infolist()}
        (record,) = (name for name in names if name.count("/") == 1 and name.endswith(".dist-info/RECORD"))
        info = record.removesuffix("RECORD")
        changed: dict[str, bytes] = {}
        if commands := {name.rpartition("/")[2] for name in exclude if name not in names and "/scripts/" in name}:
            text = old.read(f"{info}entry_points.txt").decode() if f"{info}entry_points.txt" in names else ""
            if absent := commands - read_entry_points(text).keys():
                raise _absent(wheel, sorted(absent))
            changed[f"{info}entry_points.txt"] = _without_commands(text, commands).encode()
        if absent := {name for name in exclude if name not in names and "/scripts/" not in name}:
            raise _absent(wheel, sorted(absent))
        changed[record] = _new_record(old.read(record).decode(), exclude, changed)
        for member in old.infolist():
            if member.filename in changed:
                new.writestr(member, changed[member.filename])
            elif member.filename not in exclude:
                with old.open(member) as source, new.open(_stored(member), "w", force_zip64=True) as target:
                    while chunk := source.read(_CHUNK):
                        target.write(chunk)


def _absent(wheel: Path, names: list[str]) -> HashMismatch:
    return HashMismatch(
        f"the wheel has no {', '.join(names)}, which the lock leaves out", where=wheel.name, fix="lock again"
    )


def _stored(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """The entry, uncompressed: it is read once, and then gone."""
    entry = zipfile.ZipInfo(member.filename, member.date_time)
    entry.external_attr, entry.create_system = member.external_attr, member.create_system
    return entry


def _without_commands(text: str, commands: Collection[str]) -> str:
    lines, section = [], ""
    for line in text.splitlines(keepends=True):
        if match := _SECTION.match(line):
            section = match[1]
        if section in ("console_scripts", "gui_scripts") and line.partition("=")[0].strip() in commands:
            continue
        lines.append(line)
    return "".join(lines)


def _new_record(text: str, exclude: Collection[str], changed: dict[str, bytes]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(io.StringIO(text)):
        if row and row[0] in changed:
            data = changed[row[0]]
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            row = [row[0], f"sha256={digest}", str(len(data))]
        if row and row[0] not in exclude:
            writer.writerow(row)
    return out.getvalue().encode()
