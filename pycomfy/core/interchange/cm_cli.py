"""Read and write the dependencies of a workflow that ComfyUI-Manager's `cm-cli deps-in-workflow` lists.

It has addresses of node packs, no commits (`hash` is "-"), and the node types for which the Manager knows no pack.
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
from pycomfy.core.interchange.lost import describe_lost_pack, list_lost_of_file
from pycomfy.core.interchange.model import EnvironmentSpec, FilePack, GitPack, PackEntry

_NO_HASH = "-"


class _Node(ForeignModel):
    hash: Text | None = None
    # Whether the machine had it where the list was made; the workflow needs it in any case.
    state: object = None


class _Dependencies(ForeignModel):
    custom_nodes: dict[Text, _Node] = Field(default_factory=dict)
    unknown_nodes: tuple[Text, ...] = ()


# — reading —


def _is_dependencies(document: Document) -> bool:
    return isinstance(document.get("custom_nodes"), Mapping) and "unknown_nodes" in document


def _parse(file: ForeignFile) -> EnvironmentSpec:
    found = validate(_Dependencies, file.document, file.where)
    return EnvironmentSpec(
        packs=tuple(_packs(found)),
        notes=(
            *describe_names("node types without a node pack", found.unknown_nodes),
            *describe_unknown_keys(found),
        ),
    )


def _packs(dependencies: _Dependencies) -> Iterator[PackEntry]:
    for url, node in dependencies.custom_nodes.items():
        if url.endswith(".py"):
            yield FilePack(url.rsplit("/", 1)[-1], url=url)
        else:
            yield GitPack(url, node.hash if node.hash not in (None, "", _NO_HASH) else None)


# — writing —


def _render(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    lost: list[str] = []
    nodes: dict[str, dict[str, str]] = {}
    for pack in environment.packs:
        match pack:
            case GitPack(url=url, commit=commit, enabled=True):
                nodes[url] = {"state": "not-installed", "hash": commit or _NO_HASH}
            case FilePack(url=str(url), enabled=True) if url.endswith(".py"):
                nodes[url] = {"state": "not-installed", "hash": _NO_HASH}
                lost += list_lost_of_file(pack, holds_url=True)
            case _:
                lost.append(describe_lost_pack(pack))
    notes = ("cm-cli installs the newest commits, whatever the file says",) if nodes else ()
    return RenderedFile(render_json({"custom_nodes": nodes, "unknown_nodes": []}, indent=4), tuple(lost), notes)


CM_CLI_DEPS = Format(
    name="cm-cli-deps",
    title="a list of dependencies of cm-cli",
    filename="deps.json",
    parts=frozenset({"packs"}),
    detect=_is_dependencies,
    parse=_parse,
    render=_render,
)
