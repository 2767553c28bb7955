import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pycomfy.adapters.python.venv import Venv
from pycomfy.adapters.python.wheel_trim import write_without
from pycomfy.errors import HashMismatch
from tests.support.package_index import make_wheel

ENTRY = "[console_scripts]\nsay = two:say\nother=two:other [extra]\n[some.plugins]\nsay = two\n"


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[Path, Path]:
    one, two = tmp_path / "one-1.0-py3-none-any.whl", tmp_path / "two-1.0-py3-none-any.whl"
    entry = "[console_scripts]\nsay = one:say\n"
    one.write_bytes(
        make_wheel("one", "1.0", [], [("one.py", "def say(): print('one')\n"), ("tests/__init__.py", "x = 1\n"),
                                      ("one-1.0.dist-info/entry_points.txt", entry)])
    )  # fmt: skip
    two.write_bytes(
        make_wheel("two", "1.0", [], [("two.py", "def say(): print('two')\nother = say\n"),
                                      ("tests/__init__.py", "x = 2\n"), ("two-1.0.dist-info/entry_points.txt", ENTRY)])
    )  # fmt: skip
    return one, two


def test_what_is_left_out_leaves_the_place_to_another_wheel(tmp_path: Path, wheels: tuple[Path, Path]) -> None:
    (tmp_path / "new").mkdir()
    trimmed = tmp_path / "new" / wheels[1].name
    write_without(wheels[1], ("tests/__init__.py", "two-1.0.data/scripts/say"), trimmed)
    venv = Venv(tmp_path / "venv", tmp_path / "cache")
    venv.make(Path(sys.executable))
    venv.install([wheels[0]])
    venv.install([trimmed])
    run = {"check": True, "capture_output": True, "text": True, "cwd": tmp_path}
    assert subprocess.run([tmp_path / "venv/bin/say"], **run).stdout == "one\n"  # type: ignore[call-overload]
    assert subprocess.run([tmp_path / "venv/bin/other"], **run).stdout == "two\n"  # type: ignore[call-overload]
    code = "import tests, importlib.metadata as m; print(tests.x, m.entry_points(group='some.plugins'))"
    done = subprocess.run([tmp_path / "venv/bin/python", "-c", code], **run)  # type: ignore[call-overload]
    assert done.stdout.startswith("1 ") and "say" in done.stdout
    with zipfile.ZipFile(trimmed) as archive:
        assert b"tests/" not in archive.read("two-1.0.dist-info/RECORD")


@pytest.mark.parametrize("name", ["no.py", "two-1.0.data/scripts/no"])
def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, wheels: tuple[Path, Path], name: str) -> None:
    with pytest.raises(HashMismatch, match="the wheel has no no"):
        write_without(wheels[1], (name,), tmp_path / "new.whl")
