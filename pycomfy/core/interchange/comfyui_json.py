"""Read and write comfyui-json's dependency graph, which ComfyDeploy keeps.

It has ComfyUI's commit, node packs by address, and models by folder.
"""

from collections.abc import Iterator, Mapping

from pydantic import Field

from pycomfy.core.interchange.document import (
    ForeignModel,
    Text,
    describe_names,
    describe_unknown_keys,
    render_json,
    validate,
)
from pycomfy.core.interchange.format import Document, ForeignFile, Format, RenderedFile, RenderTarget
from pycomfy.core.interchange.lost import describe_lost_pack, list_lost_of_comfyui, list_lost_of_file
from pycomfy.core.interchange.model import (
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    PackEntry,
)
from pycomfy.core.lockfile.names import repository_name


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


# — reading —


def _is_graph(document: Document) -> bool:
    return isinstance(document.get("custom_nodes"), Mapping) and "missing_nodes" in document


def _parse(file: ForeignFile) -> EnvironmentSpec:
    graph = validate(_Graph, file.document, file.where)
    return EnvironmentSpec(
        comfyui=ComfyUIRevision(graph.comfyui) if graph.comfyui else None,
        packs=tuple(pack for node in graph.custom_nodes.values() for pack in _packs(node)),
        models=tuple(
            ModelEntry(f"{folder}/{model.name}", _sha256(model.hash), (model.url,) if model.url else ())
            for folder, models in graph.models.items()
            for model in models
        ),
        notes=(*_notes(graph), *describe_unknown_keys(graph)),
    )


def _packs(node: _Node) -> Iterator[PackEntry]:
    if node.install_type != "copy":
        yield GitPack(node.url, node.hash or None)
        return
    for url in node.files or (node.url,):
        yield FilePack(url.rsplit("/", 1)[-1], url=url)


def _notes(graph: _Graph) -> Iterator[str]:
    for node in graph.custom_nodes.values():
        if node.warning:
            yield f"{node.name or node.url}: {node.warning}"
    yield from describe_names("node types without a node pack", graph.missing_nodes)
    files = [file.name for found in graph.files.values() for file in found]
    yield from describe_names("input files, not imported", files)


def _sha256(text: str | None) -> str | None:
    """A SHA-256, or None: ComfyDeploy's hashes are of other kinds too."""
    return text if text and len(text) == 64 and not set(text) - set("0123456789abcdef") else None


# — writing —


def _render(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    lost = [*list_lost_of_comfyui(environment.comfyui)]
    nodes: dict[str, object] = {}
    for pack in environment.packs:
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
                lost += list_lost_of_file(pack, holds_url=True)
            case _:
                lost.append(describe_lost_pack(pack))
    models: dict[str, list[dict[str, str]]] = {}
    for model in environment.models:
        folder, _, name = model.path.partition("/")
        entry = {"name": name, "hash": model.sha256, "url": model.urls[0] if model.urls else None}
        models.setdefault(folder, []).append({k: v for k, v in entry.items() if v is not None})
    value = {
        "comfyui": (environment.comfyui.revision if environment.comfyui is not None else None) or "",
        "custom_nodes": nodes,
        "missing_nodes": [],
        "models": models,
        "files": {},
    }
    return RenderedFile(render_json(value), tuple(lost))


COMFYUI_JSON = Format(
    name="comfyui-json",
    title="a comfyui-json dependency graph",
    filename="dependencies.json",
    parts=frozenset({"comfyui", "packs", "models"}),
    detect=_is_graph,
    parse=_parse,
    render=_render,
)
