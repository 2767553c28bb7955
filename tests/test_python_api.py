"""The Python API: its page says what is so, and `import pycomfy` costs nothing."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import pycomfy
from pycomfy.adapters.io.paths import Paths
from pycomfy.api import Workspace
from pycomfy.services.archive.restore_image import RestoredImage
from pycomfy.services.build.build import BuildResult
from pycomfy.services.lock.lock import LockResult
from pycomfy.services.run.outputs import OutputFile
from pycomfy.services.run.run import RunResult
from tests.support.cli_projects import Place, Surroundings
from tests.support.service_projects import make_files, record

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "python-api.md"
RESULTS: dict[str, Any] = {"lock": LockResult, "build": BuildResult, "run": RunResult, "restore": RestoredImage}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_importing_pycomfy_imports_nothing_else() -> None:
    code = "import sys, pycomfy; print([m for m in sys.modules if m.startswith(('pycomfy.', 'pydantic', 'typer'))])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert pycomfy.Workspace is Workspace


def test_the_examples_of_the_page_run(
    tmp_path: Path,
    surroundings: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place.new(tmp_path / "place", surroundings.env).project("HelloCard", "SaveImage")
    place.work.rename(tmp_path / "portrait")
    record(Paths(tmp_path / "recorded", tmp_path / "recorded" / "cache"), make_files("hello"))
    monkeypatch.chdir(tmp_path)
    for name, value in place.env.items():
        monkeypatch.setenv(name, value)
    parser = doctest.DocTestParser()
    examples = parser.get_doctest("\n".join(blocks("pycon")), {}, PAGE.name, str(PAGE), 0)
    report: list[str] = []
    results = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS).run(examples, out=report.append)
    assert results.failed == 0, "".join(report)
    assert results.attempted > 15


@pytest.mark.parametrize("block", blocks("python"))
def test_the_examples_that_need_nix_call_what_exists(block: str) -> None:
    results: dict[str, Any] = {}
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert all(hasattr(importlib.import_module(node.module), alias.name) for alias in node.names)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_workspace(node.func.value):
            keywords = {str(k.arg): None for k in node.keywords}
            inspect.signature(getattr(Workspace, node.func.attr)).bind(None, *node.args, **keywords)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            assert isinstance(node.value.func, ast.Attribute) and isinstance(node.targets[0], ast.Name)
            results[node.targets[0].id] = RESULTS[node.value.func.attr]
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in results:
                assert node.attr in results[node.value.id].model_fields
            elif node.value.id == "file":
                assert node.attr in {f.name for f in fields(OutputFile)}


def _is_workspace(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "workspace"
