import multiprocessing
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pycomfy.adapters.archive.binary_cache import Archive, Removed, find_archive
from pycomfy.adapters.archive.integrity import check_archive
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.nar_reader import NarHasher, read_digest
from pycomfy.adapters.nix.nar_writer import write_nar
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.errors import HashMismatch, NoSpace, NotFound
from tests.support.memory_folder import find_temporary_folder
from tests.support.properties import examples
from tests.support.sudden_ends import kill_before, list_steps
from tests.support.trees import Tree, build, trees

quick = settings(max_examples=examples(40))


MEMORY = find_temporary_folder()


def nothing(amount: int) -> None: ...


def output_of(place: Path) -> FixedOutput:
    hasher = NarHasher()
    write_nar(place, hasher.update)
    digest = hasher.digest()
    if place.is_file() and not place.is_symlink() and digest.file_sha256 is not None:
        return FixedOutput("thing", digest.file_sha256, False)
    return FixedOutput("thing", digest.sha256, True)


def put(archive: Archive, folder: Path, name: str, data: bytes) -> FixedOutput:
    place = folder / name
    place.write_bytes(data)
    output = output_of(place)
    archive.add(output, place, nothing)
    return output


@given(trees)
@quick
def test_what_goes_in_comes_out(tree: Tree) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        place, back = Path(folder, "in"), Path(folder, "out")
        build(place, tree)
        archive, output = Archive(Path(folder, "archive")), output_of(place)
        assert archive.add(output, place, nothing) and not archive.add(output, place, nothing)
        archive.take(output, back)
        assert output_of(back).path == output.path
        assert check_archive(archive, nothing) == []


@given(trees, st.data())
@quick
def test_any_flipped_byte_is_named_by_verify_and_refused(tree: Tree, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        place = Path(folder, "in")
        build(place, tree)
        archive, output = Archive(Path(folder, "archive")), output_of(place)
        archive.add(output, place, nothing)
        files = sorted(p for p in archive.folder.rglob("*") if p.is_file() and p.name != ".lock")
        victim = data.draw(st.sampled_from(files))
        raw = bytearray(victim.read_bytes())
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        victim.chmod(0o644)
        victim.write_bytes(raw)
        assert str(victim.relative_to(archive.folder)) in {d.file for d in check_archive(archive, nothing)}
        with pytest.raises(HashMismatch):
            archive.check_info() if victim.name == "nix-cache-info" else archive.take(output, Path(folder, "out"))
        assert not Path(folder, "out").exists()


def test_every_byte_of_every_file_counts() -> None:
    """Of a file, of one that is empty, and of a tree."""
    chance = random.Random(7)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        archive = Archive(Path(folder, "archive"))
        for name, data in (("a", b"content"), ("b", b"")):
            put(archive, Path(folder), name, data)
        tree = Path(folder, "tree")
        (tree / "inner").mkdir(parents=True)
        (tree / "inner" / "run").write_bytes(b"#!/bin/sh")
        (tree / "inner" / "run").chmod(0o755)
        (tree / "link").symlink_to("inner/run")
        archive.add(output_of(tree), tree, nothing)
        files = [p for p in archive.folder.rglob("*") if p.is_file() and p.name != ".lock"]
        assert len(files) == 3 + 3 + 1
        for victim in files:
            victim.chmod(0o644)
            good = victim.read_bytes()
            for at in range(len(good)):
                victim.write_bytes(good[:at] + bytes([good[at] ^ 1 << chance.randrange(8)]) + good[at + 1 :])
                assert [d.file for d in check_archive(archive, nothing)] == [str(victim.relative_to(archive.folder))]
            victim.write_bytes(good)
        assert check_archive(archive, nothing) == []


@pytest.mark.parametrize("executable", [False, True])
def test_a_file_is_distinguished_from_the_same_with_another_mode(tmp_path: Path, executable: bool) -> None:
    place = tmp_path / "file"
    place.write_bytes(b"x" * 13)
    place.chmod(0o755 if executable else 0o644)
    hasher = NarHasher()
    write_nar(place, hasher.update)
    assert (hasher.digest().file_sha256 is None) == executable


def test_what_is_not_what_was_promised_is_not_put_in(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    (tmp_path / "other").write_bytes(b"other")
    with pytest.raises(HashMismatch, match="not what the lock says"):
        archive.add(FixedOutput("thing", bytes(32), False), tmp_path / "other", nothing)
    assert archive.narinfos() == archive.nars() == archive.leftovers() == []


def test_a_lost_or_shortened_nar_is_absent_and_added_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    output = put(archive, tmp_path, "a", b"a" * 1000)
    (nar,) = archive.nars()
    for size in (0, 10, None):
        nar.unlink()
        if size is not None:
            nar.write_bytes(b"x" * size)
        assert archive.find(output) is None
        with pytest.raises(NotFound):
            archive.take(output, tmp_path / "out")
        assert [d.path for d in check_archive(archive, nothing)] == [output.path]
        assert archive.add(output, tmp_path / "a", nothing)
        assert check_archive(archive, nothing) == []


def test_cleaning_up_keeps_what_is_needed_and_prepared(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    keep, drop = put(archive, tmp_path, "a", b"a"), put(archive, tmp_path, "b", b"b")
    (archive.folder / ".part-crash").mkdir()
    (archive.folder / "nar" / ".part-crash").write_bytes(b"x")
    assert archive.remove_others([keep], dry=True).paths == 1
    assert archive.find(drop) is not None and len(archive.leftovers()) == 2
    with archive.workplace() as place:
        (place / "x").write_bytes(b"x")
        with archive.lock():
            assert archive.remove_others([keep]).paths == 1
        assert (place / "x").is_file()
    assert archive.find(keep) is not None and archive.find(drop) is None
    assert archive.leftovers() == [] and len(archive.nars()) == 1


def _text(data: bytes) -> bytes:
    return len(data).to_bytes(8, "little") + data + bytes(-len(data) % 8)


def _nar(*words: bytes) -> bytes:
    return b"".join(map(_text, (b"nix-archive-1", *words)))


FILE = (b"(", b"type", b"regular", b"contents", b"x", b")")


def _folder(*names: bytes) -> tuple[bytes, ...]:
    entries = (w for name in names for w in (b"entry", b"(", b"name", name, b"node", *FILE, b")"))
    return (b"(", b"type", b"directory", *entries, b")")


@pytest.mark.parametrize(
    "nar",
    [
        b"",
        b"\xff" * 64,
        _nar(*_folder(b"..")),
        _nar(*_folder(b"a/b")),
        _nar(*_folder(b"")),
        _nar(*_folder(b"b", b"a")),
        _nar(*_folder(b"a", b"a")),
        _nar(b"(", b"type", b"device", b")"),
        _nar(b"(", b"type", b"symlink", b"target", b"", b")"),
        _nar(*(b"(", b"type", b"directory", b"entry", b"(", b"name", b"a", b"node") * 1000),
        _nar(*FILE) + b"more",
        _nar(*_folder(b"a"))[:-20],
        # a link, and then something "below" it
        _nar(b"(", b"type", b"directory", b"entry", b"(", b"name", b"a", b"node", b"(", b"type", b"symlink", b"target",
             b"/tmp", b")", b")", b"entry", b"(", b"name", b"a", b"node", *_folder(b"x"), b")", b")"),
    ],
)  # fmt: skip
def test_hostile_nars_are_refused(tmp_path: Path, nar: bytes) -> None:
    """Even if someone made a store path and an entry for them."""
    archive = Archive(tmp_path / "archive")
    (tmp_path / "evil").write_bytes(nar)
    digest = read_digest(tmp_path / "evil", nothing)
    output = FixedOutput("evil", digest.sha256, True)
    with archive.lock():
        archive.adopt(output, tmp_path / "evil", digest)
    (tmp_path / "out").mkdir()
    with pytest.raises(HashMismatch):
        archive.take(output, tmp_path / "out" / "x")
    assert list((tmp_path / "out").iterdir()) == []


# — several at once, and sudden ends —


def _fill(folder: Path) -> None:
    archive = Archive(folder / "archive")
    for place in sorted((folder / "store").iterdir()):
        archive.add(output_of(place), place, nothing)


def _collect(folder: Path) -> None:
    archive = Archive(folder / "archive")
    with archive.lock():
        archive.remove_others([output_of(place) for place in (folder / "store").iterdir()])


@pytest.fixture
def stocked(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    for i in range(30):
        (tmp_path / "store" / f"{i:02}").write_bytes(random.Random(i).randbytes(200_000))
    return tmp_path


def _start(work: Callable[[Path], None], folder: Path) -> ForkProcess:
    process = multiprocessing.get_context("fork").Process(target=work, args=(folder,))
    process.start()
    return process


def test_ten_processes_fill_one_archive(stocked: Path) -> None:
    processes = [_start(_fill, stocked) for _ in range(10)] + [_start(_collect, stocked) for _ in range(3)]
    for process in processes:
        process.join()
    assert [p.exitcode for p in processes] == [0] * 13
    archive = Archive(stocked / "archive")
    assert check_archive(archive, nothing) == [] and len(archive.narinfos()) == len(archive.nars()) == 30


def test_it_is_readable_after_any_sudden_end_and_the_next_run_finishes(tmp_path: Path) -> None:
    """Killed before every single step that changes files, of an archive that gets two files."""
    (tmp_path / "store").mkdir()
    for i in range(2):
        (tmp_path / "store" / str(i)).write_bytes(random.Random(i).randbytes(2000))
    archive = Archive(tmp_path / "archive")
    steps = list_steps(lambda: _fill(tmp_path))
    assert {"BufferedWriter.write", "posix.fsync", "posix.mkdir", "posix.replace"} <= set(steps)
    found, leftovers = set(), 0
    for step in range(len(steps)):
        shutil.rmtree(archive.folder)
        kill_before(step, lambda: _fill(tmp_path))
        assert all(d.file == "nix-cache-info" for d in check_archive(archive, nothing)), steps[step]
        found.add(len(archive.narinfos()))
        leftovers += bool(archive.leftovers())
        _fill(tmp_path)
        _collect(tmp_path)
        assert check_archive(archive, nothing) == [] and archive.leftovers() == [], steps[step]
        assert len(archive.narinfos()) == 2
    assert found == {0, 1, 2} and leftovers > len(steps) // 4


@pytest.fixture(params=["size=1m"])
def tiny(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_reported_and_leaves_the_archive_readable(tiny: Path, tmp_path: Path) -> None:
    archive = Archive(tiny / "archive")
    first = put(archive, tmp_path, "a", b"a" * 700_000)
    with pytest.raises(NoSpace, match="no space left"):
        put(archive, tmp_path, "b", b"b" * 700_000)
    assert check_archive(archive, nothing) == [] and archive.leftovers() == []
    with archive.lock():
        archive.remove_others([])
    assert archive.find(first) is None
    assert archive.add(output_of(tmp_path / "b"), tmp_path / "b", nothing)


@pytest.mark.parametrize("tiny", [f"nr_inodes={number}" for number in range(1, 8)], indirect=True)
def test_a_disk_that_takes_no_more_files_is_reported_wherever_it_stops(tiny: Path, tmp_path: Path) -> None:
    """Its folders, the lock, what Nix knows the folder by, a NAR, the `.narinfo`."""
    archive = Archive(tiny / "archive")
    with pytest.raises(NoSpace, match="no space left"):
        put(archive, tmp_path, "a", b"a")
        put(archive, tmp_path, "b", b"b")
    assert all(d.file == "nix-cache-info" for d in check_archive(archive, nothing))


# — one entry —


def test_an_entry_is_written_with_modes_that_keep_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    amounts: list[int] = []
    (tmp_path / "a").write_bytes(b"a" * 100)
    output = output_of(tmp_path / "a")
    assert archive.add(output, tmp_path / "a", amounts.append)
    (nar,) = archive.nars()
    assert nar.stat().st_mode & 0o777 == 0o444 and sum(amounts) == archive.size_of(output) == archive.size()
    assert archive.has(output) and archive.has_info
    info = archive.find(output)
    assert info is not None and archive.nar_of(info) == nar and archive.narinfos() == [archive.folder / info.file_name]
    (archive.folder / "nix-cache-info").unlink()
    assert not archive.has_info
    assert not archive.add(output, tmp_path / "a", amounts.append)


def test_a_changed_narinfo_is_refused_and_is_as_good_as_none(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    output = put(archive, tmp_path, "a", b"a")
    (narinfo,) = archive.narinfos()
    narinfo.write_bytes(narinfo.read_bytes() + b"x")
    with pytest.raises(HashMismatch) as e:
        archive.find(output)
    assert (
        e.value.what == "the archive's thing is damaged: its .narinfo was changed (it is not the one that was written)"
    )
    assert (e.value.where, "archive verify repair=True" in e.value.fix) == (str(archive.folder), True)
    assert not archive.has(output) and archive.size_of(output) == 0
    assert archive.add(output, tmp_path / "a", nothing) and archive.find(output) is not None


def test_a_nar_of_the_right_size_and_other_bytes_is_not_taken_out(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    output = put(archive, tmp_path, "a", b"a" * 100)
    (nar,) = archive.nars()
    nar.chmod(0o644)
    nar.write_bytes(nar.read_bytes().replace(b"aaaa", b"aaab"))
    with pytest.raises(HashMismatch, match=rf"^the archive's thing is damaged: nar/{nar.name} was changed"):
        archive.take(output, tmp_path / "out")
    nar.write_bytes(nar.read_bytes()[:-8] + b"\1" * 8)
    with pytest.raises(HashMismatch, match=r"^the archive's thing is damaged: the NAR is damaged: "):
        archive.take(output, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "archive"]


def test_what_is_not_there_cannot_be_taken_out(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    with pytest.raises(NotFound) as e:
        archive.take(FixedOutput("thing", bytes(32), True), tmp_path / "out")
    assert (e.value.what, e.value.where) == ("thing is not in the archive", str(archive.folder))
    assert archive.size_of(FixedOutput("thing", bytes(32), True)) == 0


def test_an_archive_whose_information_was_lost_is_refused_unless_it_is_empty(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    archive.check_info()
    put(archive, tmp_path, "a", b"a")
    archive.check_info()
    info = archive.folder / "nix-cache-info"
    for break_it in (lambda: info.write_bytes(b"x"), info.unlink):
        info.chmod(0o644)
        break_it()
        with pytest.raises(HashMismatch, match=r"^the archive is damaged: nix-cache-info was changed, or is missing"):
            archive.check_info()
    archive.remove_files([archive.narinfos()[0].name, "nar/none.nar"])
    assert archive.narinfos() == [] and archive.has_info


def test_adopting_moves_the_file_in_or_removes_it(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    output = put(archive, tmp_path, "a", b"a")
    (nar,) = archive.nars()
    data = nar.read_bytes()
    for present in (True, False):
        with archive.workplace() as folder:
            assert folder.parent == archive.folder
            (folder / "x").write_bytes(data)
            with archive.lock():
                archive.adopt(output, folder / "x", read_digest(folder / "x", nothing))
            assert not (folder / "x").exists()
        assert archive.find(output) is not None and archive.nars() == [nar]
        if present:
            nar.unlink()
    with archive.workplace() as folder, pytest.raises(HashMismatch) as e:
        (folder / "x").write_bytes(b"other")
        archive.adopt(FixedOutput("other", bytes(32), True), folder / "x", read_digest(folder / "x", nothing))
    assert e.value.what == "other is not what the lock says, so it was not archived"
    assert e.value.where == str(folder / "x") and not folder.exists()


def test_the_first_file_of_an_archive_may_be_adopted(tmp_path: Path) -> None:
    output = put(Archive(tmp_path / "full"), tmp_path, "a", b"a")
    (nar,) = Archive(tmp_path / "full").nars()
    archive = Archive(tmp_path / "new" / "archive")
    with archive.workplace() as folder, archive.lock():
        shutil.copy(nar, folder / "x")
        archive.adopt(output, folder / "x", read_digest(folder / "x", nothing))
    assert archive.find(output) is not None and not archive.leftovers()


def test_removing_counts_entries_and_the_bytes_of_all_their_files(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    keep = put(archive, tmp_path, "keep", b"keep")
    kept = {p for p in archive.folder.rglob("*") if p.is_file()}
    for name in ("b", "c"):
        put(archive, tmp_path, name, name.encode() * 500)
    damaged = put(archive, tmp_path, "damaged", b"damaged")
    (archive.folder / f"{damaged.path[11:43]}.narinfo").write_bytes(b"x")
    gone = [p for p in archive.folder.rglob("*") if p.is_file() and p not in kept]
    expected = (3, sum(p.stat().st_size for p in gone))
    with archive.lock():
        assert archive.remove_others([keep, damaged], dry=True) == Removed(*expected)
        assert archive.remove_others([keep, damaged]) == Removed(*expected)
        assert archive.remove_others([keep]) == Removed(0, 0)
    assert {p for p in archive.folder.rglob("*") if p.is_file()} == kept


def test_what_a_crash_left_is_removed_by_the_next_that_writes(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    put(archive, tmp_path, "a", b"a")
    left = archive.folder / "nar" / ".part-crash"
    left.write_bytes(b"x")
    assert archive.leftovers() == [left]
    put(archive, tmp_path, "b", b"b")
    assert archive.leftovers() == []
    with pytest.raises(FileNotFoundError):
        archive.add(FixedOutput("none", bytes(32), True), tmp_path / "none", nothing)
    assert archive.leftovers() == []


def test_the_archive_is_in_the_data_folder(tmp_path: Path) -> None:
    assert find_archive(Paths(tmp_path / "data", tmp_path / "cache")).folder == tmp_path / "data" / "archive"


def test_what_is_written_is_on_the_disk_before_it_gets_its_name(tmp_path: Path) -> None:
    """The NAR, then its name, and only then the `.narinfo` that says it is there."""
    archive = Archive(tmp_path / "archive")
    put(archive, tmp_path, "a", b"a")
    steps = list_steps(lambda: put(archive, tmp_path, "b", b"b"))
    order = [step for step in steps if step in ("posix.fsync", "posix.replace")]
    assert order == [f"posix.{step}" for step in ("fsync", "replace", "fsync", "fsync", "replace")]
