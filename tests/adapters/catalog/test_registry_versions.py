"""A registry's version as a commit: the catalog and git are real; only github.com is a folder of the test's."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pycomfy.adapters.catalog.registry_versions import find_registered
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.sources.comfy_registry import RegistrySpec
from pycomfy.core.sources.git import GitSource
from pycomfy.errors import UnpinnedPack
from tests.support.http_server import RequestHandler, serve_http
from tests.support.repositories import commit

URL = "https://github.com/ann/ComfyUI-A"


def project(version: str) -> str:
    return f'[project]\nname = "pack-a"\nversion = "{version}"\n'


@pytest.fixture
def commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two published versions, of which the second has a commit after it."""
    forge = tmp_path / "forge" / "ann" / "ComfyUI-A"
    made = [
        commit(forge, {"pyproject.toml": project("1.0.0"), "__init__.py": "a = 1\n"}, date="2025-01-01T00:00:00Z"),
        commit(forge, {"pyproject.toml": project("1.0.1"), "__init__.py": "a = 2\n"}, date="2025-02-01T00:00:00Z"),
        commit(forge, {"__init__.py": "a = 3\n"}, date="2025-03-01T00:00:00Z"),
    ]
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path / 'forge'}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    return made


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "home", tmp_path / "home" / "cache")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class Handler(RequestHandler):
        def get(self) -> None:
            known = self.path == "/nodes/pack-a"
            data = json.dumps({"id": "pack-a", "name": "A", "repository": URL}).encode() if known else b"{}"
            self.answer(200 if known else 404, data)

    with serve_http(Handler) as address:
        monkeypatch.setenv("PYCOMFY_REGISTRY", address)
        yield


def test_a_version_is_the_commit_that_wrote_its_number(commits: list[str], paths: Paths, registry: None) -> None:
    for version, expected in (("1.0.0", commits[0]), ("1.0.1", commits[1])):
        found = find_registered(RegistrySpec(registry="pack-a", version=version, types=("X",)), "a", paths)
        assert (found.git, found.rev, found.types) == (URL, expected, ("X",))
    pinned = pin_source(RegistrySpec(registry="pack-a", version="1.0.1"), Path(), "a", paths)
    assert isinstance(pinned.source, GitSource) and pinned.source.commit == commits[1]
    assert pinned.files["__init__.py"] == "a = 2\n"


def test_what_was_found_once_needs_no_registry(
    commits: list[str], paths: Paths, registry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = RegistrySpec(registry="pack-a", version="1.0.1")
    first = pin_source(spec, Path(), "a", paths)
    monkeypatch.setenv("PYCOMFY_REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.file:///nowhere/.insteadOf")
    assert pin_source(spec, Path(), "a", paths) == first


def test_a_version_that_no_commit_has_is_a_question(commits: list[str], paths: Paths, registry: None) -> None:
    with pytest.raises(UnpinnedPack, match=r"no commit .* version 9\.9\.9") as e:
        find_registered(RegistrySpec(registry="pack-a", version="9.9.9"), "a", paths)
    assert e.value.where == "[packs.a]" and "[packs.a] git = " in e.value.fix


def test_an_id_that_nobody_knows_is_a_question(paths: Paths, registry: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnpinnedPack, match='unknown node pack "nobody"'):
        find_registered(RegistrySpec(registry="nobody", version="1.0.0"), "a", paths)
    monkeypatch.setenv("PYCOMFY_REGISTRY", "http://127.0.0.1:9")
    with pytest.raises(UnpinnedPack, match="did not answer"):
        find_registered(RegistrySpec(registry="pack-a", version="1.0.0"), "a", paths)
