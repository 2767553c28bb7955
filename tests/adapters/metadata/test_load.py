"""Where a workflow may come from."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.metadata.load import name_of, read_workflow, read_workflow_bytes
from pycomfy.errors import NetworkError, NotFound
from tests.support.http_server import serve_folder

TEXT = b'{"nodes": [{"id": 1, "type": "A"}], "links": []}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real web server on the loopback interface, serving `tmp_path`."""

    with serve_folder(tmp_path) as address:
        yield address


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "workflow.json").write_bytes(TEXT)
    assert read_workflow(str(tmp_path / "workflow.json")).graph.nodes[0].type == "A"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    assert read_workflow_bytes("-") == TEXT


def test_a_url(tmp_path: Path, server: str) -> None:
    (tmp_path / "a b.json").write_bytes(TEXT)
    assert read_workflow_bytes(f"{server}/a%20b.json") == TEXT


def test_a_url_that_is_not_there(server: str) -> None:
    with pytest.raises(NotFound, match="404"):
        read_workflow_bytes(f"{server}/none.json")


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(NetworkError):
        read_workflow_bytes("http://127.0.0.1:9/x.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.json"):
        read_workflow_bytes(str(tmp_path / "none.json"))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/a/portrait.json", "portrait"),
        ("/a/cat/workflow.json", "cat"),
        ("https://example.org/x/my%20cat.png?download=1", "my cat"),
        ("https://example.org/cat/workflow.json", "cat"),
        ("-", "workflow"),
    ],
)
def test_names(source: str, name: str) -> None:
    assert name_of(source) == name
