"""What CONTRIBUTING.md tells a newcomer to write works as it stands there."""

import importlib
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import pycomfy.cli
import pycomfy.services.versions
from pycomfy.errors import NotFound
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import new_paths
from tests.support.service_projects import make_files, record

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
SECTION = TEXT[TEXT.index("## Add a command") : TEXT.index("## Add a kind of source")]
BLOCKS = [textwrap.dedent(b) for b in re.findall(r"^   ```python\n(.*?)^   ```$", SECTION, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The command of the page, its two modules in folders of their own."""
    for package, code in zip((pycomfy.services.versions, pycomfy.cli), BLOCKS, strict=True):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "count.py").write_text(code)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    importlib.invalidate_caches()
    yield importlib.import_module("pycomfy.cli.count")


def test_the_command_of_the_page_works(
    command: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = new_paths(tmp_path)
    monkeypatch.setenv("PYCOMFY_HOME", str(paths.data))
    record(paths, make_files("hello"), "first")
    command.count("hello")
    assert capsys.readouterr().out == "hello: 1\n"
    command.count("hello", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"schema_version": 1, "name": "hello", "versions": 1}
    with pytest.raises(NotFound, match='no workflow "nope"'):
        command.count("nope")
    assert Workspace.open().versions.names() == ["hello"]
