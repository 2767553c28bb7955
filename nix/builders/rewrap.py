"""A wheel written again, so that its bytes depend on its contents alone: no times, no owners, no compression."""

import base64
import csv
import hashlib
import io
import re
import zipfile
from pathlib import Path

from archive import Archive
from member import Refused, read

_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]*-[A-Za-z0-9._+!]+(-[0-9][A-Za-z0-9_.]*)?(-[A-Za-z0-9_.]+){3}\.whl")
_MOST_BYTES = 4 << 30


def rewrap(wheel: Path, out: Path) -> Path:
    """Write `wheel` to the folder `out`, under its own name; without bytecode and signatures, with a new RECORD."""
    if not _FILENAME.fullmatch(wheel.name):
        raise Refused(f"the build made {wheel.name!r}, which is no wheel's name")
    archive = Archive(wheel, wheel.name)
    if sum(info.file_size for info in archive.files.values()) > _MOST_BYTES:
        raise Refused(f"{wheel.name} has more than {_MOST_BYTES >> 30} GiB")
    record = _record_of(archive)
    rows: list[tuple[str, str, str]] = []
    to = out / wheel.name
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as z:
        # What tells about the wheel comes last, as PEP 427 recommends.
        for name in sorted(archive.files, key=lambda n: (n.startswith(record.rpartition("/")[0] + "/"), n)):
            if name.endswith(".pyc") or name in (record, f"{record}.jws", f"{record}.p7s"):
                continue
            data = read(archive.content(name))
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append((name, f"sha256={digest}", str(len(data))))
            z.writestr(_entry(name, archive.mode(name)), data)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, (record, "", "")])
        z.writestr(_entry(record, 0o644), text.getvalue())
    return to


def _record_of(archive: Archive) -> str:
    found = [n for n in archive.files if n.count("/") == 1 and n.endswith(".dist-info/RECORD")]
    if len(found) != 1:
        raise Refused(f"{archive.owner}: a wheel has one RECORD, this has {len(found)}")
    return found[0]


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.create_system = 3  # Unix, whatever machine this is
    entry.external_attr = (0o100000 | mode) << 16
    return entry
