import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pycomfy.adapters.io.surroundings import look_at_surroundings


def test_the_machine_is_described_as_it_is() -> None:
    found = look_at_surroundings(os.environ)
    mask = os.umask(0)
    os.umask(mask)
    assert found.umask == mask and found.executable == sys.executable and found.user == os.getuid()
    assert found.system == "Linux" and found.version and found.open_files[0] != 0


def test_an_old_kernel_tells_no_umask(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tpython\n")
    assert look_at_surroundings({}, tmp_path / "status").umask is None
    assert look_at_surroundings({}, tmp_path / "none").umask is None


def test_the_folder_for_temporary_files_is_the_first_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert look_at_surroundings({"TMPDIR": str(tmp_path)}).temporary == tmp_path
    fallen_back = look_at_surroundings({"TMPDIR": str(tmp_path / "none"), "TMP": str(tmp_path)})
    assert fallen_back.temporary == tmp_path and list(tmp_path.iterdir()) == []


def test_home_is_what_the_environment_says() -> None:
    assert look_at_surroundings({"HOME": "/somewhere"}).home == Path("/somewhere")
    assert look_at_surroundings({}).home is not None


def test_a_locale_that_is_not_utf8_is_seen() -> None:
    code = "import os; from pycomfy.adapters.io.surroundings import *; print(look_at_surroundings(os.environ).encoding)"
    environment = {**os.environ, "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "ascii"
