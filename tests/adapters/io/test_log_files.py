import os
from pathlib import Path

import pytest

from pycomfy.adapters.io import log_files
from pycomfy.adapters.io.log_files import MAX_AGE, YOUNG, LogFile, remove_old_logs
from tests.support.small_disks import small_disk

NOW = 1_800_000_000.0


def make(folder: Path, name: str, age: float, size: int = 1) -> None:
    (folder / name).write_bytes(b"x" * size)
    os.utime(folder / name, (NOW - age, NOW - age))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_log_keeps_its_end_and_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with LogFile(path, limit=1000) as log:
        for number in range(1000):
            log.write_line(f"line {number}")
        log.write_line("half \ud800 a pair")
        log.write_line("x" * 5000)
        log.write_line("last")
    assert path.read_bytes().endswith(b"last\n")
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1002
    assert names(tmp_path) == {"a.log", "a.log.1"}


def test_a_log_on_a_full_disk_ends_and_nothing_else_does(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=64k"):
        with LogFile(tmp_path / "disk" / "a.log") as log:
            for _ in range(100):
                log.write_line("x" * 4000)
        assert (tmp_path / "disk" / "a.log").exists()


def test_old_logs_go_and_other_files_stay(tmp_path: Path) -> None:
    make(tmp_path, "old.log", MAX_AGE + 1)
    make(tmp_path, "old.log.1", MAX_AGE + 1)
    make(tmp_path, "old.txt", MAX_AGE + 1)
    make(tmp_path, "new.log", MAX_AGE - 1)
    remove_old_logs(tmp_path, NOW)
    assert names(tmp_path) == {"old.txt", "new.log"}
    remove_old_logs(tmp_path / "nowhere", NOW)


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 2), ("MAX_BYTES", 20)])
def test_the_oldest_of_too_many_or_too_large_logs_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(log_files, limit, value)
    for number in range(4):
        make(tmp_path, f"{number}.log", YOUNG + 1000 - number, size=10)
    remove_old_logs(tmp_path, NOW)
    assert names(tmp_path) == {"2.log", "3.log"}


def test_logs_that_may_still_be_written_to_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "MAX_FILES", 1)
    for number in range(3):
        make(tmp_path, f"{number}.log", YOUNG - 1)
    remove_old_logs(tmp_path, NOW)
    assert names(tmp_path) == {"0.log", "1.log", "2.log"}
