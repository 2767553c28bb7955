import platform as machine
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pycomfy.adapters.debian import packages, rootfs
from pycomfy.adapters.debian.mirrors import MAIN, SECURITY, SNAPSHOT
from pycomfy.adapters.debian.packages import read_releases
from pycomfy.adapters.debian.rootfs import make_browser, make_root, pin_root
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.nar_writer import hash_path
from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.schema import DebianPackages, Root
from pycomfy.errors import BadConfig, ErrorGroup, HashMismatch, NetworkError, NoDebianPackage
from tests.support.debian_archive import Archive, new_archive, new_key
from tests.support.operations import listening

needs_tools = pytest.mark.skipif(
    not all(map(shutil.which, ("dpkg-deb", "gpg", "gpgv"))), reason="dpkg-deb, gpg or gpgv is not installed"
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "data", tmp_path / "cache")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with new_archive(tmp_path_factory.mktemp("debian")) as archive:
        archive.add_base()
        yield archive


@pytest.fixture
def archive(signed: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """A copy to change, published, and set as the mirror."""
    folder = tmp_path / "mirror" / "archive"
    shutil.copytree(signed.folder, folder)
    copy = Archive(folder, signed.key, signed.keyring, {suite: [*s] for suite, s in signed.stanzas.items()})
    copy.publish()
    monkeypatch.setenv(MAIN, folder.as_uri())
    monkeypatch.setenv(SECURITY, folder.as_uri() + "/")
    monkeypatch.setattr(packages, "KEYRING", signed.keyring)
    return copy


def pin(paths: Paths, *apt: str) -> tuple[Root, list[str]]:
    with listening() as heard:
        config = Config(apt=apt)
        return pin_root(config, "linux/amd64", paths, read_releases(config)), heard.remarks


@needs_tools
def test_the_hash_in_the_lock_is_that_of_the_tree_that_is_made(archive: Archive, paths: Paths, tmp_path: Path) -> None:
    root, said = pin(paths)
    make_root(root, "linux/amd64", tmp_path / "out", paths)
    assert hash_path(tmp_path / "out") == root.tree
    assert (root.suite, root.archives) == ("bookworm", (archive.folder.as_uri(),) * 2)
    assert said == []


@needs_tools
def test_a_browser_that_another_process_made_meanwhile_stays_and_what_was_left_half_made_goes(
    archive: Archive, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was replaced and removed, while a container could have it mounted."""
    root, _ = pin(paths)
    browser = DebianPackages(suite=root.suite, archives=root.archives, packages=root.packages)
    (paths.cache / "browsers" / "new-killed" / "browser").mkdir(parents=True)
    unpack, made = rootfs._unpack, list[tuple[Path, int]]()

    def slowly(*arguments: Any) -> None:
        unpack(*arguments)
        monkeypatch.setattr(rootfs, "_unpack", unpack)
        if not made:
            folder = make_browser(browser, "linux/amd64", paths)
            made.append((folder, folder.stat().st_ino))

    monkeypatch.setattr(rootfs, "_unpack", slowly)
    folder = make_browser(browser, "linux/amd64", paths)
    assert made == [(folder, folder.stat().st_ino)]
    assert list((paths.cache / "browsers").iterdir()) == [folder] and any(folder.iterdir())


@needs_tools
def test_a_security_update_is_taken(archive: Archive, paths: Paths) -> None:
    before, _ = pin(paths)
    archive.add("bash", "1+deb12u1", suite="bookworm-security", files="bin/bash=new")
    archive.publish()
    after, _ = pin(paths)
    [bash] = [p for p in after.packages if p.name == "bash"]
    assert (bash.version, bash.archive) == ("1+deb12u1", 1)
    assert after.tree != before.tree


@needs_tools
def test_a_second_lock_neither_downloads_nor_unpacks(archive: Archive, paths: Paths) -> None:
    first, _ = pin(paths)
    shutil.rmtree(archive.folder / "pool")
    for package in first.packages:
        (paths.cache / "sha256" / package.sha256[:2] / package.sha256).unlink()
    assert pin(paths)[0] == first


@needs_tools
def test_lists_that_did_not_change_are_not_read_again(
    archive: Archive, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = pin(paths)
    for index in (archive.folder / "dists").rglob("by-hash/SHA256/*"):
        index.unlink()
        (paths.cache / "sha256" / index.name[:2] / index.name).unlink(missing_ok=True)
    assert pin(paths)[0] == first
    with pytest.raises(ErrorGroup):
        pin(paths, "extra")
    # What other rules chose may be something else.
    monkeypatch.setattr(packages, "_code", lambda: "other rules")
    with pytest.raises(ErrorGroup):
        pin(paths)


@needs_tools
def test_packages_of_the_configuration_come_with_their_dependencies(archive: Archive, paths: Paths) -> None:
    archive.add("extra", Depends="helper, dpkg")
    archive.add("helper")
    archive.publish()
    base, more = pin(paths)[0], pin(paths, "extra")[0]
    assert {p.name for p in more.packages} - {p.name for p in base.packages} == {"extra", "helper"}
    with pytest.raises(NoDebianPackage, match="nonesuch"):
        pin(paths, "nonesuch")


@needs_tools
def test_a_changed_release_is_refused(archive: Archive, paths: Paths) -> None:
    release = archive.folder / "dists/bookworm/InRelease"
    release.write_text(release.read_text().replace("Acquire-By-Hash: yes", "Acquire-By-Hash: no"))
    with pytest.raises(HashMismatch, match="not signed by Debian"):
        pin(paths)


@needs_tools
def test_a_release_signed_by_somebody_else_is_refused(archive: Archive, paths: Paths) -> None:
    with new_key() as key:
        archive.key = key
        archive.publish()
    with pytest.raises(HashMismatch, match="signed by unknown keys"):
        pin(paths)


@needs_tools
def test_a_changed_index_or_package_is_refused(archive: Archive, paths: Paths) -> None:
    deb = next((archive.folder / "pool").iterdir())
    deb.write_bytes(deb.read_bytes()[:-1] + b"?")
    with pytest.raises(HashMismatch, match=deb.name.split("_")[0]):
        pin(paths)
    index = next((archive.folder / "dists/bookworm").rglob("by-hash/SHA256/*"))
    index.write_bytes(index.read_bytes()[:-1] + b"?")
    shutil.rmtree(paths.cache)
    with pytest.raises(HashMismatch, match="bookworm main/binary-amd64"):
        pin(paths)


@needs_tools
def test_another_suite_under_this_ones_name_is_refused(archive: Archive, paths: Paths) -> None:
    archive.publish(codename="bullseye")
    with pytest.raises(HashMismatch, match="bullseye"):
        pin(paths)


@needs_tools
def test_an_expired_release_is_remarked(archive: Archive, paths: Paths) -> None:
    archive.publish(valid_until="Wed, 01 Jan 2020 00:00:00 UTC")
    _, said = pin(paths)
    assert len(said) == 3 and "expired on 2020-01-01" in said[0]


@pytest.fixture
def snapshots(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A server that keeps the archive of two days; on the second there is a newer bash. It is no mirror of today's."""
    folder = archive.folder.parent / "archive of the past"
    for time, date in (
        ("20250601T000000Z", "Sat, 31 May 2025 20:00:00 UTC"),
        ("20250701T000000Z", "Mon, 30 Jun 2025 20:00:00 UTC"),
    ):
        if time.startswith("202507"):
            archive.add("bash", "1+deb12u1", suite="bookworm-security", files="bin/bash=new")
        archive.publish(date=date, valid_until=date.replace("20:00", "23:00"))
        shutil.copytree(archive.folder, folder / "debian" / time)
        (folder / "debian-security").mkdir(exist_ok=True)
        (folder / "debian-security" / time).symlink_to(folder / "debian" / time)
    for gone in folder.rglob("by-hash"):
        shutil.rmtree(gone)
    for variable in (MAIN, SECURITY):
        monkeypatch.delenv(variable)
    monkeypatch.setenv(SNAPSHOT, folder.as_uri())
    return folder


def pin_then(paths: Paths, day: str, **debian: str) -> Root:
    config = Config.model_validate({"debian": {"snapshot": day, **debian}})
    return pin_root(config, "linux/amd64", paths, read_releases(config))


@needs_tools
def test_a_snapshot_has_the_packages_of_its_day_and_the_lock_says_so(snapshots: Path, paths: Paths) -> None:
    before, after = pin_then(paths, "2025-06-01"), pin_then(paths, "2025-07-01")
    assert [p.version for r in (before, after) for p in r.packages if p.name == "bash"] == ["1", "1+deb12u1"]
    assert before.archives == tuple(
        f"{snapshots.as_uri()}/{name}/20250601T000000Z" for name in ("debian", "debian-security")
    )
    assert pin_then(paths, "2025-06-01T00:00:00Z") == before


@needs_tools
def test_a_server_can_keep_its_snapshots_in_another_order(snapshots: Path, paths: Paths) -> None:
    other = snapshots.parent / "other"
    other.mkdir()
    for archive in ("debian", "debian-security"):
        for folder in (snapshots / archive).iterdir():
            (other / f"{folder.name}-{archive}").symlink_to(folder)
    root = pin_then(paths, "2025-06-01", **{"snapshot-mirror": f"{other.as_uri()}/{{time}}-{{archive}}"})
    assert root.tree == pin_then(paths, "2025-06-01").tree


@needs_tools
def test_a_snapshot_that_is_newer_than_its_day_is_refused(
    archive: Archive, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mirror of today's archive under the address of a day."""
    archive.publish(date="Mon, 30 Jun 2025 20:00:00 UTC")
    for name in ("debian", "debian-security"):
        (archive.folder.parent / name).mkdir()
        (archive.folder.parent / name / "20250601T000000Z").symlink_to(archive.folder)
    monkeypatch.setenv(SNAPSHOT, archive.folder.parent.as_uri())
    with pytest.raises(HashMismatch, match="of 2025-06-30 20:00:00 UTC, not from before 2025-06-01"):
        pin_then(paths, "2025-06-01")


def test_a_snapshot_without_a_server_says_where_to_name_one(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SNAPSHOT, raising=False)
    with pytest.raises(BadConfig) as caught:
        pin_then(paths, "2025-06-01")
    assert SNAPSHOT in caught.value.fix and "snapshot-mirror" in caught.value.fix


@needs_tools
def test_an_unchecked_signature_is_remarked(archive: Archive, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, _ = pin(paths)
    monkeypatch.setattr(packages, "KEYRING", Path("/nonexistent"))
    unchecked, said = pin(paths)
    assert unchecked == checked
    assert len(said) == 3 and "not checked" in said[0] and "gpgv" in said[0]


@needs_tools
def test_packages_that_do_not_fit_together_are_named_and_leave_nothing(archive: Archive, paths: Paths) -> None:
    archive.add("one", files="etc/x=1")
    archive.add("two", files="etc/x=2")
    archive.publish()
    with pytest.raises(NoDebianPackage, match="/etc/x: shipped by one and by two"):
        pin(paths, "one", "two")
    assert sorted(p.name for p in paths.cache.iterdir()) == ["debian", "sha256"]


@needs_tools
def test_a_mirror_without_the_suite_or_the_architecture_is_told(archive: Archive, paths: Paths) -> None:
    with pytest.raises(NoDebianPackage, match="arm64"):
        pin_root(Config(), "linux/arm64", paths, read_releases(Config()))
    (archive.folder / "dists/bookworm-updates/InRelease").unlink()
    with pytest.raises(NetworkError):
        pin(paths)


@pytest.mark.story
def test_the_real_root_runs_as_the_builder(paths: Paths, tmp_path: Path) -> None:
    if machine.machine() != "x86_64":
        pytest.skip("the root is linux/amd64")
    try:
        root, _ = pin(paths)
    except (NetworkError, BadConfig) as e:
        pytest.skip(f"no Debian mirror: {e.what}")
    out = tmp_path / "out"
    make_root(root, "linux/amd64", out, paths)
    assert hash_path(out) == root.tree
    assert len(root.packages) < 75
    libraries = out / "usr/lib/x86_64-linux-gnu"
    code = (
        "import ssl, zlib, lzma, sqlite3, ctypes; ctypes.CDLL('libisal.so.2');"
        "ctypes.CDLL('libGL.so.1'); ctypes.CDLL('libgthread-2.0.so.0'); print('ok')"
    )
    loader, python = libraries / "ld-linux-x86-64.so.2", out / "usr/bin/python3.11"
    command: list[str | Path] = [loader, "--library-path", libraries, python, "-I", "-B", "-c", code]
    done = subprocess.run(command, env={}, check=True, capture_output=True, text=True)
    assert done.stdout == "ok\n"
    assert not list(out.rglob("__pycache__"))
    assert sum(p.stat().st_size for p in out.rglob("*") if not p.is_symlink()) < 90e6
