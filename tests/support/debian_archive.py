"""A Debian archive of our own, with packages made by dpkg-deb and a release signed by gpg."""

import hashlib
import lzma
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.core.debian.base_packages import base_packages


@dataclass
class Archive:
    """`folder` is served as a `file:` URL; `key` signs, `keyring` is the public half."""

    folder: Path
    key: Path
    keyring: Path
    stanzas: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, version: str = "1", *, suite: str = "bookworm", **more: str) -> Path:
        """Add a package. `more` are the control file's fields (`_` for `-`), and `files` as lines of `path=content`."""
        files = dict(line.split("=", 1) for line in more.pop("files", f"usr/share/{name}={name}").splitlines())
        tree = self.folder.parent / "build" / name
        write(tree, files)
        fields = {"Package": name, "Version": version, "Architecture": "amd64", "Maintainer": "x <x@x.invalid>"}
        fields |= {k.replace("_", "-"): v for k, v in more.items()} | {"Description": "x"}
        control = "".join(f"{k}: {v}\n" for k, v in fields.items())
        write(tree, {"DEBIAN/control": control})
        deb = self.folder / "pool" / f"{name}_{version}_amd64.deb"
        deb.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, deb], check=True, capture_output=True
        )
        shutil.rmtree(tree)
        data = deb.read_bytes()
        place = f"Filename: {deb.relative_to(self.folder)}\nSize: {len(data)}\nSHA256: {sha256(data)}\n"
        self.stanzas.setdefault(suite, []).append(control + place)
        return deb

    def add_base(self) -> None:
        """The packages every image has."""
        masters = "usr/share/base-passwd/passwd.master=root:*:0:0:::\nusr/share/base-passwd/group.master=root:*:0:"
        for name in base_packages("3.11"):
            files = {"base-files": "usr/lib/os-release=ID=debian", "base-passwd": masters}.get(name)
            self.add(name, **({"files": files} if files else {}))

    def publish(
        self,
        *,
        valid_until: str = "Fri, 01 Jan 2100 00:00:00 UTC",
        codename: str | None = None,
        date: str = "Wed, 01 Jan 2025 00:00:00 UTC",
    ) -> None:
        """Write and sign the releases."""
        for suite in ("bookworm", "bookworm-updates", "bookworm-security"):
            index = lzma.compress("\n".join(self.stanzas.get(suite, [])).encode(), preset=0)
            path, digest = "main/binary-amd64/Packages.xz", sha256(index)
            folder = self.folder / "dists" / suite
            release = (
                f"Codename: {codename or suite}\nDate: {date}\nValid-Until: {valid_until}\nAcquire-By-Hash: yes\n"
                f"SHA256:\n {digest} {len(index)} {path}\n"
            )
            by_hash = folder / "main/binary-amd64/by-hash/SHA256" / digest
            by_hash.parent.mkdir(parents=True, exist_ok=True)
            by_hash.write_bytes(index)
            (folder / path).write_bytes(index)
            (folder / "InRelease").write_bytes(gpg(self.key, "--clearsign", stdin=release.encode()))


@contextmanager
def new_archive(folder: Path) -> Iterator[Archive]:
    """An empty archive with a fresh key, in `folder`."""
    with new_key() as key:
        keyring = folder / "keyring.gpg"
        keyring.write_bytes(gpg(key, "--export"))
        (folder / "archive").mkdir()
        yield Archive(folder / "archive", key, keyring)


@contextmanager
def new_key() -> Iterator[Path]:
    """A gpg home with one key. Its path is short: the agent's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="gpg", ignore_cleanup_errors=True) as home:
        gpg(Path(home), "--passphrase", "", "--quick-gen-key", "test", "ed25519", "sign", "never")
        try:
            yield Path(home)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)


def gpg(home: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(
        ["gpg", "--homedir", home, "--batch", "--quiet", *arguments], input=stdin, check=True, capture_output=True
    )
    return done.stdout


def write(folder: Path, files: Mapping[str, str]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
