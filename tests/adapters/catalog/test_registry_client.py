"""The registry's answers are served by this test, in the form that its documentation shows."""

import json
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from pycomfy.adapters.catalog.registry_client import ADDRESS, Registry, find_registry
from tests.support.http_server import RequestHandler, serve_http


def node(id_: str, **more: object) -> dict[str, object]:
    return {
        "id": id_,
        "name": id_.upper(),
        "repository": f"https://github.com/owner/{id_}",
        "github_stars": 5,
        "latest_version": {"version": "1.0.0"},
        **more,
    }


HOSTILE = [
    3,
    None,
    {"id": "x"},
    node("f", repository="file:///etc"),
    node("s", repository="ssh://h/o/r"),
    node("v", latest_version=1),
]
ANSWERS: dict[str, object] = {
    "/nodes/pack": node("pack"),
    "/nodes/search?limit=20&comfy_node_search=My Node": {"nodes": [node("pack"), node("like"), *HOSTILE]},
    "/nodes/pack/versions/1.0.0/comfy-nodes/My Node": {"comfy_node_name": "My Node"},
    "/nodes/like/versions/1.0.0/comfy-nodes/My Node": {"comfy_node_name": "My Node 2"},
    "/nodes/search?limit=20&comfy_node_search=odd": [],
}


@pytest.fixture
def address() -> Iterator[str]:
    class Handler(RequestHandler):
        def get(self) -> None:
            answer = ANSWERS.get(unquote(self.path))
            data = b"<html>" if self.path == "/nodes/broken" else json.dumps(answer).encode()
            self.answer(404 if answer is None and self.path != "/nodes/broken" else 200, data)

    with serve_http(Handler) as address:
        yield address


def test_an_id_is_a_repository(address: str) -> None:
    registry = Registry(address)
    found = registry.find("pack")
    assert found is not None and (found.url, found.registry_id, found.stars) == (
        "https://github.com/owner/pack",
        "pack",
        5,
    )
    assert registry.find("nobody") is None and registry.find("../x") is None and registry.remark is None


def test_only_packs_that_have_the_very_type_are_found(address: str) -> None:
    registry = Registry(address)
    assert [p.registry_id for p in registry.packs_with("My Node")] == ["pack"]
    assert registry.packs_with("odd") == () and registry.packs_with("none") == () and registry.remark is None


def test_what_is_no_json_ends_the_asking_with_a_remark(address: str) -> None:
    registry = Registry(address)
    assert registry.find("broken") is None and "JSON" in (registry.remark or "")


def test_a_registry_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYCOMFY_REGISTRY", "http://127.0.0.1:9/")
    registry = find_registry()
    assert registry.find("pack") is None and "did not answer" in (registry.remark or "")
    assert registry.packs_with("My Node") == ()


def test_the_registry_of_an_environment_is_asked() -> None:
    assert find_registry({"PYCOMFY_REGISTRY": "https://copy.example/"}).address == "https://copy.example"
    assert find_registry({}).address == ADDRESS
