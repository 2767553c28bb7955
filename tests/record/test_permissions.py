"""What this user may not read is told as that: it is not taken for damaged or gone, and nothing is put in its place."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.data_folders import new_paths
from tests.support.service_projects import make_files, make_image, record

_CAPABILITIES = "-dac_override,-dac_read_search"
PLAIN = [] if os.geteuid() else ["setpriv", f"--bounding-set={_CAPABILITIES}", f"--inh-caps={_CAPABILITIES}"]
"""Root may read everything, unless it gives that up."""

pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="no git here"),
    pytest.mark.skipif(bool(PLAIN) and shutil.which("setpriv") is None, reason="root may read everything"),
]


@pytest.mark.parametrize(
    "name", ["pycomfy.db", "pycomfy.db.zst", "library.git/HEAD", "library.git/objects", "library.git/refs/heads/hello"]
)
def test_what_may_not_be_read_is_told_and_stays(name: str, tmp_path: Path) -> None:
    paths = new_paths(tmp_path)
    record(paths, make_files("hello"), image=make_image("root"))
    record(paths, make_files("other"))

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYCOMFY_HOME": str(paths.data)}
        command = [*PLAIN, str(Path(sys.executable).with_name("pycomfy")), *arguments]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    before, there = run("log", "--json").stdout, _list(paths.data)
    path = paths.data / name
    mode = path.stat().st_mode
    path.chmod(0)
    for command in (("reindex",), ("doctor", "--offline"), ("pull", str(tmp_path))):
        done = run(*command)
        told = " ".join(f"{done.stdout} {done.stderr}".split())
        assert "no permission" in told and name.split("/")[-1] in told, f"{command}: {told}"
    assert run("log").returncode == 1 or name == "pycomfy.db.zst"
    assert _list(paths.data) == there
    path.chmod(mode)
    assert run("log", "--json").stdout == before


def _list(data: Path) -> set[str]:
    """What is in the data folder, but for locks and what an open database has beside it."""
    left_out = ("cache", "logs")
    names = {str(p.relative_to(data)) for p in data.rglob("*") if not p.name.endswith((".lock", "-wal", "-shm"))}
    return {name for name in names if not name.startswith(left_out)}
