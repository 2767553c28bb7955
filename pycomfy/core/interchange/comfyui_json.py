"""comfyui-json's dependency graph, which ComfyDeploy keeps: ComfyUI's commit, packs by address, models by folder."""

import json
from collections.abc import Iterator, Mapping

from pydantic import Field

from pycomfy.core.interchange.comfyui_manager import lost_core
from pycomfy.core.interchange.document import ForeignModel, Text, describe_ignored_keys, validate
from pycomfy.core.interchange.model import (
    Core,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    OtherPack,
    PackEntry,
    RegistryPack,
)
from pycomfy.core.lockfile.names import repository_name
from pycomfy.core.workflow.untrusted_json import shown


class _Node(ForeignModel):
    url: Text
    name: Text = ""
    hash: Text | None = None
    files: tuple[Text, ...] = ()
    install_type: Text = "git-clone"
    pip: tuple[Text, ...] = ()
    warning: Text | None = None
    node: object = None


class _File(ForeignModel):
    name: Text
    hash: Text | None = None
    url: Text | None = None


class _Graph(ForeignModel):
    comfyui: Text | None = None
    custom_nodes: dict[Text, _Node] = Field(default_factory=dict)
    missing_nodes: tuple[Text, ...] = ()
    models: dict[Text, tuple[_File, ...]] = Field(default_factory=dict)
    files: dict[Text, tuple[_File, ...]] = Field(default_factory=dict)


def is_graph(value: Mapping[str, object]) -> bool:
    """Whether a document is a dependency graph."""
    return isinstance(value.get("custom_nodes"), Mapping) and "missing_nodes" in value


def parse_graph(value: Mapping[str, object], where: str) -> EnvironmentSpec:
    """Raises `BadInput`."""
    graph = validate(_Graph, value, where)
    return EnvironmentSpec(
        core=Core(graph.comfyui) if graph.comfyui else None,
        packs=tuple(pack for node in graph.custom_nodes.values() for pack in _packs(node)),
        models=tuple(
            ModelEntry(f"{folder}/{file.name}", _sha256(file.hash), (file.url,) if file.url else ())
            for folder, files in graph.models.items()
            for file in files
        ),
        remarks=(*_remarks(graph), *describe_ignored_keys(graph.unread)),
    )


def _packs(node: _Node) -> Iterator[PackEntry]:
    if node.install_type != "copy":
        yield GitPack(node.url, node.hash or None)
        return
    for url in node.files or (node.url,):
        yield FilePack(url.rsplit("/", 1)[-1], url=url)


def _remarks(graph: _Graph) -> Iterator[str]:
    for node in graph.custom_nodes.values():
        if node.warning:
            yield f"{shown(node.name or node.url)}: {shown(node.warning)}"
    if graph.missing_nodes:
        yield f"no node pack is said for {', '.join(shown(n) for n in graph.missing_nodes[:20])}"
    files = [shown(file.name) for found in graph.files.values() for file in found]
    if files:
        yield f"input files are not carried over: {', '.join(files[:20])}"


def _sha256(text: str | None) -> str | None:
    """ComfyDeploy's hashes are of other kinds too; one that is no SHA-256 says nothing."""
    return text if text and len(text) == 64 and not set(text) - set("0123456789abcdef") else None


def render_graph(recipe: EnvironmentSpec) -> tuple[bytes, tuple[str, ...]]:
    """The graph, and what of its parts it could not say."""
    lost = [*lost_core(recipe.core)]
    nodes: dict[str, object] = {}
    for pack in recipe.packs:
        match pack:
            case GitPack(url=url, commit=commit, enabled=True):
                about = {"url": url, "name": pack.name or repository_name(url)}
                nodes[url] = {
                    **about,
                    **({"hash": commit} if commit else {}),
                    "files": [url],
                    "install_type": "git-clone",
                }
            case FilePack(url=str(url), enabled=True):
                nodes[url] = {"url": url, "name": pack.filename, "files": [url], "install_type": "copy"}
                lost.append(f"the hash of {pack.filename}")
            case OtherPack():
                lost.append(f"the node pack {pack.name}: {pack.what}")
            case FilePack():
                lost.append(f"the node pack {pack.filename}")
            case GitPack():
                lost.append(f"the disabled node pack {pack.url}")
            case RegistryPack():
                lost.append(f"the node pack {pack.id} {pack.version}, which has no address of a repository")
    models: dict[str, list[dict[str, str]]] = {}
    for model in recipe.models:
        folder, _, name = model.place.partition("/")
        entry = {"name": name, "hash": model.sha256, "url": model.urls[0] if model.urls else None}
        models.setdefault(folder, []).append({k: v for k, v in entry.items() if v is not None})
    value = {
        "comfyui": (recipe.core.revision if recipe.core is not None else None) or "",
        "custom_nodes": nodes,
        "missing_nodes": [],
        "models": models,
        "files": {},
    }
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(), tuple(lost)
