"""The program that opens Debian's packages, out of a package that a project of anybody's may name."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from pycomfy.adapters.debian import bootstrap
from pycomfy.adapters.debian.bootstrap import make_program
from pycomfy.adapters.io.download import kept_path
from pycomfy.core.nix.bootstrap import PROGRAM_FILES, Bootstrap, Program
from pycomfy.errors import HashMismatch


def make_package(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(data.getvalue())


def name(file: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(f"package/linux/x64/{file}")


def link(target: str, kind: bytes) -> tarfile.TarInfo:
    entry = name("7zzs")
    entry.type, entry.linkname = kind, target
    return entry


def make(folder: Path, package: bytes) -> Path:
    kept = kept_path(hashlib.sha256(package).hexdigest(), folder / "cache")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(package)
    program = Program(folder="linux/x64", tree="sha256-" + "A" * 43 + "=")
    pin = Bootstrap(
        name="p.tgz",
        url="https://registry.test/p.tgz",
        sha256=hashlib.sha256(package).hexdigest(),
        size=len(package),
        programs={"linux/amd64": program},
    )
    make_program(pin, "linux/amd64", folder / "out", folder / "cache")
    return folder / "out"


def test_the_program_and_its_licence_are_taken(tmp_path: Path) -> None:
    package = make_package((name("other"), b"z"), *((name(file), file.encode()) for file in PROGRAM_FILES))
    out = make(tmp_path, package)
    assert {path.name: path.read_text() for path in out.iterdir()} == {file: file for file in PROGRAM_FILES}
    assert (out / PROGRAM_FILES[0]).stat().st_mode & 0o111


@pytest.mark.parametrize(
    "package",
    [
        gzip.compress(b""),
        b"x" * 1000,
        make_package((name("7zzs"), b"x")),
        make_package((name("7zzs"), b"x"), (name("License.txt"), b"y"))[:60],
        make_package((link("7zzs", tarfile.SYMTYPE), b""), (name("License.txt"), b"y")),
        make_package((link("package/linux/x64/7zzs", tarfile.LNKTYPE), b""), (name("License.txt"), b"y")),
        make_package((link("/etc/passwd", tarfile.SYMTYPE), b""), (name("License.txt"), b"y")),
    ],
    ids=["empty", "no gzip", "without its licence", "cut", "a link", "a hard link", "a link that leads out"],
)
def test_another_package_is_refused(tmp_path: Path, package: bytes) -> None:
    with pytest.raises(HashMismatch, match="has no package/linux/x64"):
        make(tmp_path, package)


def test_a_small_package_without_end_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_MAX_PACKAGE", 1 << 20)
    with pytest.raises(HashMismatch, match="more than 1 MiB"):
        make(tmp_path, make_package((name("other"), bytes(2 << 20)), (name("7zzs"), b"x")))
