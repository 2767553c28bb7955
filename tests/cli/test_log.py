import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.cli.log import log, show
from pycomfy.errors import NotFound
from pycomfy.services.versions.log import log as list_versions
from pycomfy.services.workspace import Workspace
from tests.support.database_entries import build, entry
from tests.support.service_projects import make_files
from tests.support.service_projects import record as record_version

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCOMFY_HOME", str(tmp_path))


def record() -> None:
    with Database(database_path(find_paths())) as database:
        database.index([], [entry(1), entry(2), entry(3, "other")])
        database.record_build(build(1, "hello"))
        database.record_build(build(3, "other"))


def test_the_json_has_the_contracts_keys_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    record()
    log("hello", as_json=True)
    listed = json.loads(capsys.readouterr().out)
    assert [v["version"] for v in listed] == [2, 1]
    contract = {"name", "version", "commit", "parent", "message", "created_at", "manifest_digest"}
    assert set(listed[0]) == contract | {"schema_version", "comfyui_version", "size", "summary", "problem"}


def test_it_imports_little_so_that_it_is_quick(tmp_path: Path) -> None:
    """Where the versions are indexed: neither what makes the database's tables, nor the models, nor rich."""
    record_version(Paths(tmp_path, tmp_path / "cache"), make_files("hello"))
    code = (
        "import sys\nfrom pycomfy.cli.main import _run\nsys.argv = ['pycomfy', 'log', '--json']\n_run()\n"
        "print(*(m for m in ('sqlite_utils', 'pycomfy.core.lockfile.schema', 'git', 'rich.console')"
        " if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    *listed, heavy = done.stdout.splitlines()
    assert [v["version"] for v in json.loads("\n".join(listed))] == [1]
    assert heavy == ""


def test_an_empty_data_folder_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    log(as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_without_a_terminal_there_is_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    record()
    log()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["other@3", "hello@2", "hello@1"]
    assert all(len(line.split("\t")) == 4 for line in lines)


def test_on_a_terminal_there_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    record()
    versions = list_versions(Workspace.open())
    console = Console(force_terminal=True, width=100, color_system=None)
    with console.capture() as captured:
        show(versions, console)
    assert "8.00 GB" in captured.get()
    assert "other@3" in captured.get()
    capsys.readouterr()
    show([], console)
    assert "pycomfy build" in capsys.readouterr().err


def test_an_unknown_name_lists_the_known_ones() -> None:
    record()
    with pytest.raises(NotFound) as caught:
        log("helo")
    assert "hello, other" in caught.value.fix
