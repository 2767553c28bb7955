"""Parse a suite's `Release` file: the indices of a mirror, by hash. The format is apt's; `InRelease` is signed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_FILE = re.compile(r"^ +([0-9a-f]{64}) +([0-9]{1,15}) +(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class IndexFile:
    """An index: `path` is below the suite's folder, `sha256` in hexadecimal, `size` in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Release:
    """The indices `files` by path; `date` is when it was made. With `by_hash` the mirror has each index under its hash
    too, where no update can replace it."""

    codename: str
    valid_until: datetime | None
    by_hash: bool
    files: Mapping[str, IndexFile]
    date: datetime | None = None

    def packages(self, architecture: str) -> IndexFile | None:
        """Return the list of packages of the component `main`, in the best compression; None if there is none."""
        paths = (f"main/binary-{architecture}/Packages{suffix}" for suffix in (".xz", ".gz", ""))
        return next((self.files[p] for p in paths if p in self.files), None)

    def index_path(self, file: IndexFile) -> str:
        """Return the path of an index below the suite's folder."""
        return f"{file.path.rpartition('/')[0]}/by-hash/SHA256/{file.sha256}" if self.by_hash else file.path


def parse_release(text: str) -> Release:
    """Parse the text of a `Release` file. Missing fields are empty or None; the caller checks those that it needs."""
    fields = {name.lower(): value for name, value in _FIELD.findall(text)}
    files = [
        IndexFile(path, sha256, int(size)) for sha256, size, path in _FILE.findall("\n" + fields.get("sha256", ""))
    ]
    return Release(
        codename=fields.get("codename", "").strip(),
        valid_until=_date(fields.get("valid-until", "")),
        by_hash=fields.get("acquire-by-hash", "").strip() == "yes",
        files={f.path: f for f in files if ".." not in f.path.split("/") and not f.path.startswith("/")},
        date=_date(fields.get("date", "")),
    )


def signed_text(text: str) -> str:
    """Return the text in an OpenPGP clear-signed message (RFC 9580, 7), unverified; "" for any other text."""
    match = re.search(
        r"^-----BEGIN PGP SIGNED MESSAGE-----\n(?:[^\n]+\n)*\n(.*?)^-----BEGIN PGP SIGNATURE-----",
        text.replace("\r\n", "\n"),
        re.MULTILINE | re.DOTALL,
    )
    return re.sub(r"^- ", "", match[1], flags=re.MULTILINE) if match else ""


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text.strip())
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
