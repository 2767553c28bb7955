import os
import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.gateway.kernel import count_cores, count_memory_kills, files_being_written


@pytest.mark.parametrize(
    ("file", "text", "count"),
    [
        ("memory.events", "low 0\nhigh 0\noom 3\noom_kill 2\n", 2),
        ("memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", 1),
        ("memory.events", "oom_kill many\n", 0),
        ("memory.events", "", 0),
        ("another", "oom_kill 1\n", 0),
    ],
)
def test_the_kernel_says_how_many_processes_memory_has_cost(tmp_path: Path, file: str, text: str, count: int) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert count_memory_kills(tmp_path) == count


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 3),
        ({"cpu.max": "nonsense"}, 3),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({}, 3),
    ],
)
def test_cores_are_those_that_may_be_used_and_no_more_than_their_time_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], count: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert count_cores(tmp_path) == count


def test_a_file_is_being_written_while_any_process_has_it_open_for_that(tmp_path: Path) -> None:
    (tmp_path / "read").touch()
    script = (
        f"import sys; f = open({str(tmp_path / 'half')!r}, 'w'), open({str(tmp_path / 'read')!r}); print(flush=True)"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", f"{script}; sys.stdin.read()"], stdin=pipe, stdout=pipe) as other:
        assert other.stdout and other.stdout.readline() == b"\n"
        assert files_being_written(tmp_path) == [tmp_path / "half"]
    assert files_being_written(tmp_path) == []
