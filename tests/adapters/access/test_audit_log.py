"""The audit log: bounded, private, a line for each entry whatever is in it."""

import threading
from pathlib import Path

import pytest

from pycomfy.adapters.access.audit_log import MAX_TEXT, AuditLog


def test_the_newest_are_read_first_and_the_oldest_go(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", limit=4000)
    for number in range(1000):
        log.append({"number": number})
    found = [entry["number"] for entry in log.read(10_000)]
    assert found == list(range(999, 999 - len(found), -1)) and len(found) > 100
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 8000
    assert log.read(3) == [{"number": 999}, {"number": 998}, {"number": 997}]


def test_a_text_is_cut_and_stays_in_its_line(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append({"text": '"}\n{"user": "x"}\u2028\x1b[2J\udc80' + "y" * 5000})
    data = (tmp_path / "audit.jsonl").read_bytes()
    assert data.isascii() and data.count(b"\n") == 1 and len(data) < 4 * MAX_TEXT
    assert len(log.read(10)) == 1


def test_what_is_no_entry_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'[]\n{"half\n\xff\n{"a": 1}\n' + b"[" * 10_000)
    assert AuditLog(path).read(10) == [{"a": 1}]


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", limit=2000)

    def write() -> None:
        for number in range(20):
            log.append({"n": number})

    threads = [threading.Thread(target=write) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.read(1000)) == 100


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "audit.jsonl").symlink_to("mine")
    with pytest.raises(OSError):
        AuditLog(tmp_path / "audit.jsonl").append({"a": 1})
    assert (tmp_path / "mine").read_text() == "mine"
