import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pycomfy.adapters.git import server
from pycomfy.adapters.git.server import ask_git_server
from pycomfy.errors import MissingTool, NetworkError
from tests.support.git_server import GitServer, serve
from tests.support.repositories import commit


@pytest.fixture
def root(tmp_path: Path) -> Path:
    commit(tmp_path / "served" / "pack", {"a": "b"})
    return tmp_path


@contextmanager
def served(root: Path, monkeypatch: pytest.MonkeyPatch, login: str = "") -> Iterator[GitServer]:
    with serve(root, login) as site:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(site.certificate))
        yield site


def test_a_repository_that_is_there_is_an_answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(root, monkeypatch) as site:
        ask_git_server(f"{site.url}/pack")


def test_one_that_is_not_there_or_wants_a_login_is_told_without_asking_anybody(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(root, monkeypatch) as site, pytest.raises(NetworkError, match="not found"):
        ask_git_server(f"{site.url}/none")
    with served(root, monkeypatch, "user:secret") as site, pytest.raises(NetworkError) as caught:
        ask_git_server(f"{site.url}/pack")
    assert "secret" not in str(caught.value) and caught.value.fix


def test_gits_own_settings_count(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(root, monkeypatch) as site:
        (tmp_path / "gitconfig").write_text(f'[url "{site.url}/"]\n\tinsteadOf = https://forge.invalid/\n')
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
        ask_git_server("https://forge.invalid/pack")


def test_the_repository_in_which_it_is_called_does_not_matter(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    with served(root, monkeypatch) as site:
        ask_git_server(f"{site.url}/pack")


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NetworkError, match=r"within 0\.5 seconds"):
        ask_git_server(f"http://127.0.0.1:{silent.getsockname()[1]}/pack")


def test_without_git_there_is_nothing_to_ask_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool):
        ask_git_server("https://forge.invalid/pack")
