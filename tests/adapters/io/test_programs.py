import stat
from pathlib import Path

import pytest

from pycomfy.adapters.io import programs
from pycomfy.adapters.io.programs import find_program, how_to_install


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_a_program_is_found_with_its_version(path: Path) -> None:
    file = write(path, "tool", 'echo "tool version 1.22.3 (of 2024)"')
    found = find_program("tool")
    assert found is not None and (found.path, found.version, found.error) == (file, "1.22.3", "")
    write(path, "quiet", "echo 3.1 >&2; exit 2")
    assert (quiet := find_program("quiet")) is not None and quiet.version == "3.1"
    assert find_program("none") is None
    assert find_program("other", path=file) == found.__class__("other", file, "1.22.3")


def test_one_that_does_not_start_says_why(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, "broken", "echo no such library >&2; exit 127")
    assert (found := find_program("broken")) is not None and found.error == "no such library"
    bad = path / "bad"
    bad.write_bytes(b"\x7fELF nothing")
    bad.chmod(0o755)
    assert (found := find_program("bad")) is not None and "Exec format error" in found.error
    monkeypatch.setattr(programs, "_SECONDS", 0.2)
    write(path, "slow", "exec /bin/sleep 60")
    assert (found := find_program("slow")) is not None and "within 0.2 seconds" in found.error


def test_every_program_has_a_way_to_get_it() -> None:
    assert "pip install" in how_to_install("uv") and how_to_install("strange") == "install strange"
