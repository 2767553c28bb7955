import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.adapters.io.process import run
from pycomfy.adapters.python.venv import Venv, unpack_wheels
from pycomfy.core.python.wheel_selection import Target
from pycomfy.errors import BuildFailed
from tests.support.package_index import make_wheel


def test_wheels_are_installed_into_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder, wheel = Path("new", ".venv"), Path("new", "one-1.0-py3-none-any.whl")
    folder.parent.mkdir()
    wheel.write_bytes(make_wheel("one", "1.0", [], [("one.py", "x = 1\n")]))
    venv = Venv(folder, Path("new", "cache"))
    venv.make(Path(sys.executable))
    venv.install([wheel])
    python = [str(folder / "bin" / "python"), "-c", "import one; print(one.x)"]
    assert subprocess.run(python, check=True, capture_output=True, text=True).stdout == "1\n"
    assert not Path("new", "new").exists()


def test_a_program_in_another_folder_gets_paths_as_they_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    done = run(["printf", "%s %s", Path("a"), "b"], cwd=tmp_path / "there")
    assert done.stdout.decode() == f"{tmp_path / 'a'} b"


def test_wheels_are_unpacked_for_another_python_without_running_anything(tmp_path: Path) -> None:
    wheel = tmp_path / "one-1.0-cp313-cp313-manylinux_2_17_aarch64.whl"
    wheel.write_bytes(make_wheel("one", "1.0", [], [("one/__init__.py", "x = 1\n"), ("one.pth", "import one")]))
    unpack_wheels([wheel], tmp_path / "packages", Target("linux/arm64", "3.13"), tmp_path / "cache")
    assert (tmp_path / "packages" / "one" / "__init__.py").read_text() == "x = 1\n"
    with pytest.raises(BuildFailed):
        unpack_wheels([wheel], tmp_path / "other", Target("linux/amd64", "3.11"), tmp_path / "cache")
