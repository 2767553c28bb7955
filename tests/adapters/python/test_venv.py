import subprocess
import sys
from pathlib import Path

import pytest

from pycomfy.adapters.io.process import run
from pycomfy.adapters.python.venv import Venv
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
