"""What servers and their lists answer: package indexes, Debian's, the catalog's, the registry, hubs of models."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.catalog.registry_client import Registry
from pycomfy.adapters.git.lfs import Pointer, _parse_file, _reason, parse_pointer
from pycomfy.adapters.io import download
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.models.pin import pin_models
from pycomfy.adapters.models.store import ModelStore
from pycomfy.adapters.python.simple_index import list_files, list_sdists
from pycomfy.core.catalog.manager_lists import parse_catalog
from pycomfy.core.catalog.match import answer_type
from pycomfy.core.catalog.templates import INDEX, parse_templates
from pycomfy.core.debian.debian_index import DebianIndex
from pycomfy.core.debian.release import parse_release, signed_text
from pycomfy.core.debian.resolver import resolve_closure
from pycomfy.core.models.manager_list import MODELS, choose_model, parse_models
from pycomfy.core.models.selection import RequestedModel
from pycomfy.core.python.wheel_selection import Target as PythonTarget
from tests.core.debian.test_release import RELEASE
from tests.core.debian.test_resolver import stanza
from tests.fuzz.answers import answering, body
from tests.fuzz.formats import JSON, LINES
from tests.fuzz.target import Target
from tests.support.catalog_maps import A, claim, lists
from tests.support.graphs import plain

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AMD64 = PythonTarget("linux/amd64", "3.11")
SHA256 = "0" * 64


def _json(*values: object) -> Callable[[], Sequence[bytes]]:
    return lambda: [json.dumps(value).encode() for value in values]


def _members(data: bytes) -> dict[str, bytes]:
    """Return files, each of a member of the input."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    pairs = value.items() if isinstance(value, dict) else ()
    return {name: part if isinstance(part, bytes) else json.dumps(part).encode() for name, part in pairs}


def catalog_seeds() -> Sequence[bytes]:
    listed = [{"reference": A, "title": "Pack A", "files": [A], "install_type": "git-clone", "id": "pack-a"}]
    files = lists({A: (["X", "Y"], {"nodename_pattern": "^P|(a|b)c$", "title_aux": "A"})}, listed)
    return [json.dumps({name: json.loads(data) for name, data in files.items()}).encode()]


def run_catalog(data: bytes, folder: Path) -> None:
    files = _members(data)
    listings = parse_catalog(files, core=("Core",))
    for type_ in ("X", "Pabc", "ac"):
        answer_type(type_, claim(listings, type_))


MODEL_LIST = {
    "models": [
        {
            "name": "a",
            "type": "checkpoint",
            "save_path": "checkpoints/x",
            "filename": "a.safetensors",
            "url": "https://huggingface.co/a/b/resolve/main/a.safetensors",
            "size": "4.7GB",
        }
    ]
}


def run_model_list(data: bytes, folder: Path) -> None:
    choose_model(parse_models({MODELS: data}), "checkpoints", "a.safetensors")


TEMPLATES = {
    INDEX: [{"templates": [{"name": "one", "minComfyUIVersion": "0.3.75"}, {"name": "two"}]}],
    "one.json": plain(),
}


def run_templates(data: bytes, folder: Path) -> None:
    parse_templates(_members(data), lambda type_: type_ == "Load", lambda type_: type_ == "Blur")


REGISTRY = {
    "nodes": [{"id": "a", "repository": A, "name": "A", "github_stars": 5, "latest_version": {"version": "1.0.0"}}],
    "id": "a",
    "repository": A,
    "name": "A",
    "comfy_node_name": "X",
    "latest_version": {"version": "1.0.0"},
}


def run_registry(data: bytes, folder: Path) -> None:
    with answering(body(data)) as address:
        registry = Registry(address)
        registry.find("a")
        registry.packs_with("X")


def debian_seeds() -> Sequence[bytes]:
    text = "\n".join(
        [
            stanza("a", "1:2.0-1+b1", "Depends: b (>= 1) | c, d:any", "Pre-Depends: e", "Priority: required"),
            stanza("b", "0.9~rc1", "Provides: v (= 1), w", "Conflicts: z"),
            stanza("c", "2", "Breaks: b (<< 0.1)"),
            stanza("d"),
            stanza("e", "1", "Depends: v"),
        ]
    )
    return [text.encode()]


def run_debian(data: bytes, folder: Path) -> None:
    index = DebianIndex([(0, data.decode("utf-8", "replace"))])
    resolve_closure(index, ["a", *index.names[:5]])


SIGNED = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{RELEASE}-----BEGIN PGP SIGNATURE-----\n\nx\n"


def run_release(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    for release in (parse_release(text), parse_release(signed_text(text))):
        for architecture in ("amd64", "arm64"):
            file = release.packages(architecture)
            if file is not None:
                assert ".." not in release.index_path(file).split("/"), "an index is below its suite"


PAGE = {
    "meta": {"api-version": "1.1"},
    "name": "x",
    "files": [
        {
            "filename": f"x-1.{n}{ending}",
            "url": f"../../files/x-1.{n}{ending}",
            "hashes": {"sha256": SHA256},
            "requires-python": ">=3.8",
            "upload-time": "2025-01-01T00:00:00.000000Z",
            "yanked": False,
        }
        for n, ending in enumerate((".tar.gz", "-py3-none-any.whl", "-cp311-cp311-manylinux_2_17_x86_64.whl", ".zip"))
    ],
}
HTML = f"""<!DOCTYPE html><html><head><base href="/b/"></head><body>
<a href="x-1.0.tar.gz#sha256={SHA256}" data-requires-python="&gt;=3.8" data-yanked="no">x-1.0.tar.gz</a>
<a href="https://h.test/x-1.1-py3-none-any.whl#sha256={SHA256}">x-1.1-py3-none-any.whl</a>
</body></html>"""


def _run_page(data: bytes, kind: str) -> None:
    with answering(body(data, kind)) as address:
        list_sdists("x", [address], AMD64, NOW)
        list_files("x", [address], NOW)


def run_json_page(data: bytes, folder: Path) -> None:
    _run_page(data, "application/vnd.pypi.simple.v1+json")


def run_html_page(data: bytes, folder: Path) -> None:
    _run_page(data, "text/html")


def run_hub(data: bytes, folder: Path) -> None:
    """One body is the answer to all questions: Hugging Face's for a revision and for paths, and CivitAI's."""
    with answering(body(data)) as address:
        environment = {"PYCOMFY_HF_ENDPOINT": address, "PYCOMFY_CIVITAI_ENDPOINT": address}
        requests = [
            RequestedModel("checkpoints", "a.safetensors", f"{address}/a/b/resolve/{'1' * 40}/a.safetensors"),
            RequestedModel("checkpoints", "b.safetensors", f"{address}/a/b/resolve/main/b.safetensors"),
            RequestedModel("loras", "c.safetensors", f"{address}/api/download/models/1?type=Model"),
            RequestedModel("loras", "d.safetensors", None, SHA256),
        ]
        pin_models(requests, ModelStore(Paths(folder, folder / "cache")), folder, environment=environment)


HUB = [
    [{"type": "file", "path": "a.safetensors", "size": 9, "lfs": {"oid": SHA256, "size": 9}}],
    {"sha": "1" * 40},
    {"id": 1, "files": [{"name": "c.safetensors", "type": "Model", "primary": True, "hashes": {"SHA256": SHA256}}]},
]

LFS = {
    "objects": [
        {
            "oid": SHA256,
            "size": 9,
            "actions": {"download": {"href": "https://x.test/a", "header": {"Authorization": "Basic x"}}},
        },
        {"oid": "1" * 64, "error": {"code": 404, "message": "not there"}},
    ]
}


def run_lfs_answer(data: bytes, folder: Path) -> None:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return
    objects = answer.get("objects") if isinstance(answer, dict) else None
    for entry in objects if isinstance(objects, list) else ():
        if isinstance(entry, dict):
            _parse_file(Pointer("a", SHA256, 9), entry)
            _reason(entry)


def run_lfs_pointer(data: bytes, folder: Path) -> None:
    parse_pointer("a", data)


def answer_seeds() -> Sequence[bytes]:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    more = b"HTTP/1.1 200 OK\r\nETag: x\r\nRetry-After: 0\r\nLocation: /b\r\nContent-Range: bytes 0-4/5\r\n\r\nhello"
    return [body(b"hello"), chunked, more]


def run_answer(data: bytes, folder: Path) -> None:
    """A whole answer, with its head, to a download and to a question."""
    with answering(data) as address:
        download.fetch_unpinned(f"{address}/a", cache=folder, limit=1 << 20)
        download.read(f"{address}/a", limit=1 << 20)


TARGETS = (
    Target("catalog", run_catalog, catalog_seeds, JSON),
    Target("model-list", run_model_list, _json(MODEL_LIST), JSON),
    Target("templates", run_templates, _json(TEMPLATES), JSON),
    Target("registry", run_registry, _json(REGISTRY), JSON),
    Target("debian-index", run_debian, debian_seeds, LINES),
    Target("debian-release", run_release, lambda: [RELEASE.encode(), SIGNED.encode()], LINES),
    Target("index-json", run_json_page, _json(PAGE), JSON),
    Target("index-html", run_html_page, lambda: [HTML.encode()], LINES),
    Target("hub", run_hub, _json(*HUB), JSON),
    Target("lfs-answer", run_lfs_answer, _json(LFS), JSON),
    Target(
        "lfs-pointer",
        run_lfs_pointer,
        lambda: [f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA256}\nsize 9\n".encode()],
        LINES,
    ),
    Target("http-answer", run_answer, answer_seeds),
)
