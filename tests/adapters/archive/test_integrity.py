"""Each kind of damage is told by its file, the store path that it belongs to, and what it is."""

from pathlib import Path

import pytest

from pycomfy.adapters.archive.binary_cache import Archive
from pycomfy.adapters.archive.integrity import Damage, check_archive
from pycomfy.adapters.nix.nar_reader import read_digest
from pycomfy.core.nix.narinfo import CACHE_INFO, MAX_NARINFO_BYTES, NarInfo, nar_name
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.errors import HashMismatch
from tests.adapters.archive.test_binary_cache import nothing, put


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def entry(archive: Archive, output: FixedOutput) -> tuple[Path, Path, NarInfo]:
    """An entry's files, which may be written."""
    info = archive.find(output)
    assert info is not None
    files = archive.folder / info.file_name, archive.folder / info.nar_name
    for file in files:
        file.chmod(0o644)
    return *files, info


def test_an_archive_that_is_whole_or_not_there_has_no_damage(archive: Archive, tmp_path: Path) -> None:
    assert check_archive(archive, nothing) == []
    amounts: list[int] = []
    sizes = [archive.size_of(put(archive, tmp_path, name, name.encode() * 1000)) for name in ("a", "b")]
    assert check_archive(archive, amounts.append) == [] and sum(amounts) == sum(sizes)


def test_a_narinfo_under_another_name_belongs_to_another_path(archive: Archive, tmp_path: Path) -> None:
    """Nix would take it for that path."""
    output = put(archive, tmp_path, "a", b"a")
    narinfo, _, _ = entry(archive, output)
    other = archive.folder / FixedOutput("other", bytes(32), True).path[11:43]
    narinfo.rename(other.with_suffix(".narinfo"))
    found = check_archive(archive, nothing)
    assert found == [Damage(f"{other.name}.narinfo", output.path, "it belongs to another path")]


def test_a_lost_nar_is_told_with_what_its_entry_says(archive: Archive, tmp_path: Path) -> None:
    output = put(archive, tmp_path, "a", b"a")
    narinfo, nar, info = entry(archive, output)
    nar.unlink()
    assert check_archive(archive, nothing) == [
        Damage(narinfo.name, output.path, f"its NAR is missing: {info.nar_name!r}")
    ]
    narinfo.write_bytes(b"StorePath: x\nURL: " + b"u" * 200)
    assert check_archive(archive, nothing) == [Damage(narinfo.name, "x", f"its NAR is missing: {'u' * 100!r}")]
    narinfo.write_bytes(b"\xff")
    assert check_archive(archive, nothing) == [Damage(narinfo.name, "", "its NAR is missing: ''")]


def test_a_changed_nar_is_told_once_with_its_store_path(archive: Archive, tmp_path: Path) -> None:
    output = put(archive, tmp_path, "a", b"a" * 100)
    _, nar, info = entry(archive, output)
    nar.write_bytes(nar.read_bytes().replace(b"aaaa", b"aaab"))
    found = read_digest(nar, nothing).sha256.hex()
    assert check_archive(archive, nothing) == [Damage(info.nar_name, output.path, f"it was changed: SHA-256 {found}")]


def test_a_changed_nar_without_an_entry_is_told_and_a_whole_one_is_none(archive: Archive, tmp_path: Path) -> None:
    """A crash may have come between the two; the next run makes use of it."""
    output = put(archive, tmp_path, "a", b"a")
    narinfo, nar, info = entry(archive, output)
    narinfo.unlink()
    assert check_archive(archive, nothing) == []
    nar.write_bytes(b"changed")
    assert check_archive(archive, nothing) == [Damage(info.nar_name, "", "it was changed, and nothing refers to it")]


def test_an_entry_of_another_store_path_or_in_another_form_was_changed(archive: Archive, tmp_path: Path) -> None:
    output, other = put(archive, tmp_path, "a", b"a"), put(archive, tmp_path, "b", b"b")
    narinfo, _, info = entry(archive, output)
    good = narinfo.read_bytes()
    digest = read_digest(archive.folder / info.nar_name, nothing)
    assert digest.file_sha256 is not None
    for data, path in (
        (good.replace(output.path.encode(), other.path.encode()), other.path),
        (good.replace(output.path.encode(), b"/tmp/x"), "/tmp/x"),
        (good.replace(b"NarSize: ", b"NarSize: 1"), output.path),
        (good + b"Sig: x\n", output.path),
        (good + b"#" * MAX_NARINFO_BYTES, output.path),
        (good[:-1], output.path),
        (NarInfo(FixedOutput("thing", digest.sha256, True), digest.sha256, digest.size).render() + b"\n", None),
    ):
        narinfo.write_bytes(data)
        path = FixedOutput("thing", digest.sha256, True).path if path is None else path
        assert check_archive(archive, nothing) == [Damage(narinfo.name, path, "it was changed")]


def test_what_nix_knows_the_folder_by_is_checked(archive: Archive, tmp_path: Path) -> None:
    output = put(archive, tmp_path, "a", b"a")
    info = archive.folder / "nix-cache-info"
    info.chmod(0o644)
    info.write_bytes(CACHE_INFO + b"x")
    assert check_archive(archive, nothing) == [Damage(info.name, "", "it was changed")]
    info.unlink()
    assert check_archive(archive, nothing) == [Damage(info.name, "", "it is missing")]
    narinfo, nar, _ = entry(archive, output)
    nar.rename(tmp_path / "nar")
    assert [d.file for d in check_archive(archive, nothing)] == [narinfo.name, info.name]
    narinfo.unlink()
    assert check_archive(archive, nothing) == []  # there is nothing that Nix could take
    (tmp_path / "nar").rename(nar)
    assert check_archive(archive, nothing) == [Damage(info.name, "", "it is missing")]
    with pytest.raises(HashMismatch):
        archive.folder.joinpath(narinfo.name).write_bytes(b"")
        archive.check_info()


def test_all_damage_comes_in_the_order_of_names(archive: Archive, tmp_path: Path) -> None:
    for number in range(9):
        _, nar, _ = entry(archive, put(archive, tmp_path, "a", bytes([number]) * 10))
        nar.write_bytes(b"changed" + bytes([number]))
    (archive.folder / nar_name(bytes(32))).write_bytes(b"nobody's")
    found = [d.path for d in check_archive(archive, nothing)]
    entries = [path.read_text().split("\n")[0].removeprefix("StorePath: ") for path in archive.narinfos()]
    assert found == [*entries, ""] and entries == sorted(entries)
