# ruff: noqa: PTH101, PTH102, PTH123, PTH211  (names are bytes, which pathlib does not take)
"""Unpack pinned `.deb` files into one Debian tree, the same for everybody; no maintainer script runs.

    python3 root.py SPEC.json OUT
        SPEC.json is {"debs": [{"name": "bash", "path": "/somewhere/bash.deb"}, ...]}; with "seven_zip", the path of
        7-Zip's program, packages that are compressed with zstd need no module of Python's
    python3 root.py --lock pycomfy.lock --platform linux/amd64 OUT
        downloads the packages that the lock names, and checks them; with `--compilers` before OUT, those of the Debian
        in which Python packages are compiled. A download that fails is tried again; what has arrived is kept in the
        folder OUT.debs until the tree is there, also if this program is stopped.

In a Nix derivation the environment's `specPath` and `out` stand for the two arguments of the first form. The same are
names, contents, symlinks and executable bits: what Nix keeps of a tree. Standard library only; Python 3.9 or later.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import http.client
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, cast

MERGED = ("bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin")
"""Folders that live in `usr/` (merged-/usr); at the top they are symlinks."""

DROPPED = re.compile(
    r"usr/share/(man|info|locale|lintian|linda|bug|doc-base|menu|reportbug|omf|gnome/help|gtk-doc|bash-completion|zsh"
    r"|fish|gdb|perl5/debconf)(/|$)"
)
DOC = re.compile(r"usr/share/doc/[^/]+/")
COPYRIGHT = re.compile(r"usr/share/doc/[^/]+/copyright(\.(gz|xz))?$")

LARGEST_DEB = 4 << 30
"""Bytes one `.deb` may unpack to: a bomb ends here."""

USER = "comfy"
USER_ID = 1000
USER_HOME = "/data"


WAITS = (1.0, 4.0, 15.0)
"""Seconds before a download is tried again."""

FINAL = (400, 401, 403, 404, 410)
"""Answers of a server that stay."""


class Refused(Exception):
    """These packages make no tree; the message says which, and why."""


@dataclass(frozen=True)
class Entry:
    """One path of the tree. `data` holds a file's content or a link's target, and is empty for a folder."""

    kind: Literal["file", "link", "folder"]
    package: str
    data: bytes = field(default=b"", repr=False)
    executable: bool = False

    def same(self, other: Entry) -> bool:
        return (self.kind, self.data, self.executable) == (other.kind, other.data, other.executable)


@dataclass(frozen=True)
class Deb:
    """A package read: its control stanza as text, and its files by path."""

    name: str
    control: str
    entries: Mapping[str, Entry]

    def field(self, name: str) -> str:
        found = re.search(rf"^{re.escape(name)}:[ \t]*(.*(?:\n[ \t].*)*)", self.control, re.MULTILINE | re.IGNORECASE)
        return found.group(1).strip() if found else ""

    def replaces(self) -> frozenset[str]:
        """Names of the packages whose files this one may take over (of any version: the archive takes care)."""
        names = (re.split(r"[\s:(]", item.strip())[0] for item in self.field("Replaces").split(","))
        return frozenset(n for n in names if n)


class Bounded(io.RawIOBase):
    """Reads a stream up to a number of bytes, then refuses."""

    def __init__(self, stream: IO[bytes], limit: int, what: str) -> None:
        self.stream = stream
        self.left = limit
        self.what = what

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size if size >= 0 else self.left + 1)
        self.left -= len(data)
        if self.left < 0:
            raise Refused(f"{self.what}: unpacks to more than the {LARGEST_DEB >> 30} GiB allowed")
        return data


# — reading —


def read_deb(name: str, path: Path, seven_zip: str | None = None) -> Deb:
    """Read one `.deb` (deb(5): an ar archive of two tar archives). Raises `Refused` if it is none, or hostile.

    `seven_zip` is the path of 7-Zip's program, if there is one.
    """
    control, data = "", None
    for member, content in ar_members(path, name):
        try:
            if member.startswith("control.tar"):
                control = read_control(open_tar(member, content, name, seven_zip), name)
            elif member.startswith("data.tar"):
                data = read_data(open_tar(member, content, name, seven_zip), name)
        except (tarfile.TarError, lzma.LZMAError, zlib.error, OSError, EOFError) as e:
            raise Refused(f"{name}: {member} of {path} is damaged: {e}") from e
    if not control or data is None:
        raise Refused(f"{name}: {path} has no control or no data archive")
    return Deb(name, control, data)


def ar_members(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as f:
        if f.read(8) != b"!<arch>\n":
            raise Refused(f"{name}: {path} is no .deb")
        while header := f.read(60):
            try:
                member, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
            except ValueError:
                raise Refused(f"{name}: {path} is a damaged .deb") from None
            content = f.read(max(size, 0))
            if header[58:] != b"`\n" or len(content) != size:
                raise Refused(f"{name}: {path} is a damaged .deb")
            f.read(size & 1)
            yield member, content


def open_tar(member: str, content: bytes, name: str, seven_zip: str | None) -> tarfile.TarFile:
    """A tar archive to be read from front to back, whatever it is compressed with."""
    raw = io.BytesIO(content)
    suffix = member.rpartition(".tar")[2]
    if suffix == ".xz":
        stream = cast(IO[bytes], lzma.open(raw))  # noqa: SIM115
    elif suffix == ".gz":
        stream = cast(IO[bytes], gzip.open(raw))  # noqa: SIM115
    elif suffix == ".bz2":
        stream = cast(IO[bytes], bz2.open(raw))  # noqa: SIM115
    elif suffix == ".zst":
        stream = open_zstd(raw, name, seven_zip)
    elif suffix == "":
        stream = raw
    else:
        raise Refused(f"{name}: {member} is compressed in an unknown way")
    bounded = cast(IO[bytes], Bounded(stream, LARGEST_DEB, name))
    # The locale must not matter: a builder has none.
    return tarfile.open(fileobj=bounded, mode="r|", encoding="utf-8", errors="surrogateescape")


def open_zstd(raw: IO[bytes], name: str, seven_zip: str | None) -> IO[bytes]:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]  # Python 3.14

        return cast(IO[bytes], zstd.open(raw))
    except ImportError:
        pass
    try:
        import zstandard  # type: ignore[import-not-found,unused-ignore]

        return cast(IO[bytes], zstandard.ZstdDecompressor().stream_reader(raw))
    except ImportError:
        if seven_zip is not None:
            return run_seven_zip(seven_zip, raw)
        raise Refused(
            f"{name}: packed with zstd, which this Python cannot read; use Python 3.14, or install `zstandard`"
        ) from None


def run_seven_zip(program: str, raw: IO[bytes]) -> IO[bytes]:
    """What a zstd stream unpacks to. Where the program fails it ends too early, which its reader sees."""
    with tempfile.TemporaryFile() as packed:
        packed.write(raw.read())
        packed.seek(0)
        command = [program, "e", "-tzstd", "-si", "-so"]
        process = subprocess.Popen(command, stdin=packed, stdout=subprocess.PIPE)
    return cast(IO[bytes], process.stdout)


def read_control(tar: tarfile.TarFile, name: str) -> str:
    for member in tar:
        if member.name in ("control", "./control") and member.isfile():
            text = content_of(tar, member).decode("utf-8", "replace").strip()
            if not re.match(r"Package:", text) or "\n\n" in text:
                raise Refused(f"{name}: its control file is no single stanza")
            return text
    return ""


def read_data(tar: tarfile.TarFile, name: str) -> dict[str, Entry]:
    """The package's files at their final places, without what an image has no use for."""
    entries: dict[str, Entry] = {}
    linked: dict[str, Entry] = {}  # every file, dropped ones too: a hard link may point at one
    for member in tar:
        path = safe_path(member.name, name)
        if path == "" or is_merge_link(path, member):
            continue
        path = merged(path)
        entry = read_entry(tar, member, name, linked)
        if not linked.setdefault(path, entry).same(entry):
            raise Refused(f"{name}: ships /{path} twice")
        if not is_dropped(path, entry):
            entries[path] = entry
    return entries


def read_entry(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, linked: dict[str, Entry]) -> Entry:
    if member.isdir():
        return Entry("folder", name)
    if member.issym():
        return Entry("link", name, member.linkname.encode("utf-8", "surrogateescape"))
    if member.islnk():
        target = linked.get(merged(safe_path(member.linkname, name)))
        if target is None or target.kind != "file":
            raise Refused(f"{name}: {member.name} is a hard link to {member.linkname}, which is no file before it")
        return target
    if member.isfile() and not member.issparse():  # a sparse file's size is whatever its header says
        return Entry("file", name, content_of(tar, member), bool(member.mode & 0o100))
    raise Refused(f"{name}: {member.name} is neither file, link nor folder")


def content_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    assert stream is not None  # noqa: S101  (the caller asked `isfile`)
    data = stream.read()
    if len(data) != member.size:
        raise Refused(f"{member.name}: cut short")
    return data


def safe_path(path: str, name: str) -> str:
    """The path relative to the root, "" for the root itself. Raises `Refused` for one that is absolute or climbs."""
    if path.startswith("/") or ".." in path.split("/"):
        raise Refused(f"{name}: {path} would leave the tree")
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def merged(path: str) -> str:
    return f"usr/{path}" if path.split("/")[0] in MERGED else path


def is_merge_link(path: str, member: tarfile.TarInfo) -> bool:
    """Whether this is `bin -> usr/bin` and its like, which trixie's base-files ships and older ones do not."""
    return path in MERGED and member.issym() and member.linkname.lstrip("/") == f"usr/{path}"


def is_dropped(path: str, entry: Entry) -> bool:
    """Whether the image does without it. Licences stay: they must travel, also by a link to another package's."""
    if DOC.match(path):
        return entry.kind == "folder" or not COPYRIGHT.match(path)
    if path.startswith("usr/share/doc/"):
        return entry.kind != "link"
    return bool(DROPPED.match(path))


# — planning —


def plan_tree(debs: Iterable[Deb]) -> dict[str, Entry]:
    """Every path of the root, sorted. Raises `Refused`, naming all conflicts at once."""
    ordered = sorted(debs, key=lambda d: d.name)
    tree = merge(ordered)
    for top in MERGED:
        if any(f"{path}/".startswith(f"usr/{top}/") for path in tree):
            tree[top] = Entry("link", "", f"usr/{top}".encode())
    for path, data in sorted(generated(tree, ordered).items()):
        tree[path] = Entry("file", "", data)
    add_certificate_link(tree)
    return complete(tree)


def merge(debs: Iterable[Deb]) -> dict[str, Entry]:
    tree: dict[str, Entry] = {}
    replaces: dict[str, frozenset[str]] = {}
    problems: list[str] = []
    for deb in debs:
        if deb.name in replaces:
            raise Refused(f"{deb.name}: given twice")
        replaces[deb.name] = deb.replaces()
        for path, entry in deb.entries.items():
            old = tree.setdefault(path, entry)
            if old.same(entry):
                continue
            new_wins, old_wins = old.package in replaces[deb.name], deb.name in replaces[old.package]
            if new_wins == old_wins or "folder" in (old.kind, entry.kind):
                problems.append(f"/{path}: shipped by {old.package} and by {deb.name}, with different content")
            elif new_wins:
                tree[path] = entry
    if problems:
        raise Refused("\n".join(sorted(problems)))
    return tree


def complete(tree: dict[str, Entry]) -> dict[str, Entry]:
    """Add the folders nobody ships; sort. Raises `Refused` for a path below a link or a file."""
    folders: dict[str, Entry] = {}
    for path, entry in tree.items():
        parts = path.split("/")
        for parent in ("/".join(parts[:i]) for i in range(1, len(parts))):
            above = tree.get(parent) or folders.setdefault(parent, Entry("folder", entry.package))
            if above.kind != "folder":
                raise Refused(f"/{path} ({entry.package}) lies below /{parent}, a {above.kind} of {above.package}")
    return dict(sorted({**folders, **tree}.items(), key=lambda item: encode(item[0])))


def generated(tree: Mapping[str, Entry], debs: Iterable[Deb]) -> dict[str, bytes]:
    """What the maintainer scripts would have made, as far as an image needs it."""
    files = {
        "etc/passwd": master(tree, "usr/share/base-passwd/passwd.master")
        + f"{USER}:*:{USER_ID}:{USER_ID}:{USER}:{USER_HOME}:/usr/sbin/nologin\n".encode(),
        "etc/group": master(tree, "usr/share/base-passwd/group.master") + f"{USER}:*:{USER_ID}:\n".encode(),
        "var/lib/dpkg/status": dpkg_status(debs),
    }
    master(tree, "usr/lib/os-release")
    for deb in debs:
        files[f"var/lib/dpkg/info/{info_name(deb)}.list"] = dpkg_list(tree, deb)
    bundle = ca_bundle(tree)
    if bundle:
        files["etc/ssl/certs/ca-certificates.crt"] = bundle
    for model in ("usr/share/libc-bin/nsswitch.conf", "usr/share/base-files/nsswitch.conf"):
        if model in tree and "etc/nsswitch.conf" not in tree:
            files["etc/nsswitch.conf"] = tree[model].data
    return files


def master(tree: Mapping[str, Entry], path: str) -> bytes:
    entry = tree.get(path)
    if entry is None or entry.kind != "file":
        raise Refused(f"/{path}: no package ships it; a root needs base-files and base-passwd")
    return entry.data


def ca_bundle(tree: Mapping[str, Entry]) -> bytes:
    """All of Mozilla's certificates, in the order of their file names, as update-ca-certificates concatenates them."""
    names = sorted((p for p in tree if p.startswith("usr/share/ca-certificates/") and p.endswith(".crt")), key=encode)
    return b"".join(tree[n].data.rstrip(b"\n") + b"\n" for n in names)


def add_certificate_link(tree: dict[str, Entry]) -> None:
    # OpenSSL looks here. In Debian it finds hashed links in `certs` instead, which a script of `openssl` makes.
    if "etc/ssl/certs/ca-certificates.crt" in tree:
        tree.setdefault("usr/lib/ssl/cert.pem", Entry("link", "", b"/etc/ssl/certs/ca-certificates.crt"))


def dpkg_status(debs: Iterable[Deb]) -> bytes:
    """dpkg's database, for security scanners and for people."""
    stanzas = []
    for deb in debs:
        first, newline, rest = deb.control.partition("\n")
        stanzas.append(f"{first}\nStatus: install ok installed{newline}{rest}\n")
    return "\n".join(stanzas).encode()


def info_name(deb: Deb) -> str:
    return f"{deb.name}:{deb.field('Architecture')}" if deb.field("Multi-Arch") == "same" else deb.name


def dpkg_list(tree: Mapping[str, Entry], deb: Deb) -> bytes:
    paths = sorted((p for p in deb.entries if p in tree), key=encode)
    return b"/.\n" + b"".join(b"/" + encode(p) + b"\n" for p in paths)


def encode(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


# — writing —


def write_tree(tree: Mapping[str, Entry], out: Path) -> None:
    """Write a planned tree to `out`, which must not be there yet. Parents come before children in a sorted plan."""
    top = os.fsencode(out)
    os.mkdir(top)
    os.chmod(top, 0o755)  # noqa: S103
    for path, entry in tree.items():
        place = top + b"/" + encode(path)
        if entry.kind == "folder":
            os.mkdir(place)
            os.chmod(place, 0o755)  # noqa: S103
        elif entry.kind == "link":
            os.symlink(entry.data, place)
        else:
            with open(place, "xb") as f:
                f.write(entry.data)
            os.chmod(place, 0o755 if entry.executable else 0o644)


def unpack(debs: Iterable[tuple[str, Path]], out: Path, seven_zip: str | None = None) -> None:
    """Read the packages (name and file), plan, and only then write."""
    write_tree(plan_tree([read_deb(name, path, seven_zip) for name, path in debs]), out)


# — from a lock —


@dataclass(frozen=True)
class Pinned:
    name: str
    url: str
    sha256: str
    size: int


def read_lock(text: str, platform: str, part: str = "root") -> list[Pinned]:
    """The packages a lock pins for a platform: for its "root", or its "compilers"."""
    root = json.loads(text)["platforms"][platform][part]
    return [
        Pinned(p["name"], f"{root['archives'][p['archive']].rstrip('/')}/{p['path']}", p["sha256"], p["size"])
        for p in root["packages"]
    ]


def fetch(pinned: Pinned, folder: Path) -> tuple[str, Path]:
    """The package's name and file, which may be in `folder` already."""
    if not pinned.url.startswith(("https://", "http://", "file://")):
        raise Refused(f"{pinned.name}: {pinned.url} is no web address")
    path = folder / f"{pinned.sha256}.deb"
    # What was kept is checked like what is fetched: the disk may have been full.
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != pinned.sha256:
        part = folder / f"{pinned.sha256}.part"
        part.write_bytes(download(pinned))
        part.replace(path)
    return pinned.name, path


def download(pinned: Pinned) -> bytes:
    """The bytes of the package, checked. Raises `Refused` after the last try."""
    for wait in (*WAITS, None):
        try:
            with urllib.request.urlopen(pinned.url, timeout=60) as answer:  # noqa: S310  (`fetch` checked it)
                data: bytes = answer.read(pinned.size + 1)
            found = hashlib.sha256(data).hexdigest()
            if found == pinned.sha256:
                return data
            problem = f"has SHA-256 {found}, the lock says {pinned.sha256}"
            again = len(data) < pinned.size  # the connection broke; any other difference stays
        except (OSError, http.client.HTTPException) as e:
            problem = str(e)
            final = isinstance(e, urllib.error.HTTPError) and e.code in FINAL
            again = not final and not pinned.url.startswith("file://")
        if wait is None or not again:
            raise Refused(f"{pinned.name}: {pinned.url}: {problem}")
        time.sleep(wait)
    raise AssertionError("unreachable")


def unpack_lock(lock: Path, platform: str, out: Path, part: str = "root") -> None:
    """Download the packages a lock names, check them, unpack them. What has arrived is kept if that fails."""
    try:
        pinned = read_lock(lock.read_text(encoding="utf-8"), platform, part)
    except (ValueError, LookupError, TypeError) as e:
        raise Refused(f"{lock} is no lock for {platform}: {e!r}") from e
    if os.path.lexists(out):
        raise Refused(f"{out} is there already")
    folder = out.with_name(f"{out.name}.debs")
    folder.mkdir(exist_ok=True)
    unpack(fetch_all(pinned, folder), out)
    shutil.rmtree(folder)


def fetch_all(pinned: list[Pinned], folder: Path) -> list[tuple[str, Path]]:
    """Every package. Raises `Refused` for all that cannot be had, after the others were fetched."""
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(fetch, one, folder) for one in pinned]
    problems = [str(e) for one in running if (e := one.exception()) is not None and isinstance(e, (Refused, OSError))]
    if problems:
        kept = len(running) - len(problems)
        raise Refused("\n".join(problems) + f"\n{kept} of {len(running)} packages are in {folder}: run this again")
    return [one.result() for one in running]


def read_spec(path: Path) -> tuple[list[tuple[str, Path]], str | None]:
    """The packages, and the path of 7-Zip's program or None."""
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
        return [(d["name"], Path(d["path"])) for d in spec["debs"]], spec.get("seven_zip")
    except (ValueError, LookupError, TypeError, AttributeError) as e:
        raise Refused(f"{path} is no list of packages: {e!r}") from e


def main(arguments: list[str] | None = None) -> str | int:
    """Do what the module's text says. Returns 0, or the reason why there is no tree."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        compilers = given[4:5] == ["--compilers"]
        if given[:1] == ["--lock"] and given[2:3] == ["--platform"] and len(given) == 5 + compilers:
            unpack_lock(Path(given[1]), given[3], Path(given[-1]), "compilers" if compilers else "root")
            return 0
        spec = given[0] if given else os.environ.get("specPath", "")
        out = given[1] if len(given) > 1 else os.environ.get("out", "")
        if len(given) > 2 or not spec or not out:
            return __doc__ or ""
        debs, seven_zip = read_spec(Path(spec))
        unpack(debs, Path(out), seven_zip)
    except (Refused, OSError) as e:
        return str(e)
    return 0


if __name__ == "__main__":
    sys.exit(main())
