"""Read and write comfy-cli's distribution definition, alone or in the `comfy-build/1` file of `comfy build`."""

import re
from collections.abc import Iterator

from pydantic import Field

from pycomfy.core.interchange.document import ForeignModel, Text, describe_unknown_keys, render_json, validate
from pycomfy.core.interchange.format import Document, ForeignFile, Format, RenderedFile, RenderTarget
from pycomfy.core.interchange.lost import describe_lost_pack, list_lost_of_comfyui
from pycomfy.core.interchange.model import (
    ComfyUIRevision,
    EnvironmentSpec,
    GitPack,
    ModelEntry,
    OtherPack,
    PackEntry,
    RegistryPack,
)
from pycomfy.core.interchange.pip_freeze import parse_freeze, render_freeze
from pycomfy.core.lockfile.names import repository_name
from pycomfy.core.lockfile.platforms import MACHINES, find_platform

_DEFINITION, _BUILD = "distribution-definition/0", "comfy-build/1"

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""A name of a folder or file that comfy-cli accepts."""

_RELEASE = re.compile(r"\d+(\.\d+)+")


class _Model(ForeignModel):
    type: Text
    filename: Text | None = None
    sha256: Text | None = None
    sizeBytes: object = None  # noqa: N815
    source: object = None
    sourceUri: Text | None = None  # noqa: N815  (as the file has it)
    blobId: Text | None = None  # noqa: N815
    localPath: Text | None = None  # noqa: N815


class _Node(ForeignModel):
    name: Text
    id: Text | None = None
    repository: Text | None = None
    gitRef: Text | None = None  # noqa: N815
    registryVersion: Text | None = None  # noqa: N815
    blobId: Text | None = None  # noqa: N815


class _Environment(ForeignModel):
    pythonVersion: Text | None = None  # noqa: N815
    os: Text | None = None
    arch: Text | None = None
    torch: object = None


class _Definition(ForeignModel):
    schema_: object = Field(None, alias="schema")  # `schema` is a method of pydantic's models
    baseComfyVersion: Text | None = None  # noqa: N815
    baseImage: object = None  # noqa: N815
    models: tuple[_Model, ...] = ()
    customNodes: tuple[_Node, ...] = ()  # noqa: N815
    pipDependencies: str | None = None  # noqa: N815
    environment: _Environment | None = None


class _Build(ForeignModel):
    schema_: object = Field(alias="schema")
    id: object = None
    name: Text = ""
    description: Text = ""
    syncedRevision: object = None  # noqa: N815
    definition: _Definition


# — reading —


def _is_definition(document: Document) -> bool:
    """Whether a document is one, or has one in it."""
    schema = document.get("schema")
    return isinstance(schema, str) and schema.startswith(("distribution-definition/", "comfy-build/"))


def _parse(file: ForeignFile) -> EnvironmentSpec:
    document: _Build | _Definition
    if str(file.document.get("schema")).startswith("comfy-build/"):
        document = build = validate(_Build, file.document, file.where)
        name, found = build.name or None, build.definition
    else:
        name, document = None, validate(_Definition, file.document, file.where)
        found = document
    packages, notes = parse_freeze((found.pipDependencies or "").splitlines())
    machine = found.environment
    platform = find_platform(machine.arch or "") if machine is not None else None
    return EnvironmentSpec(
        name=name,
        comfyui=ComfyUIRevision(_revision(found.baseComfyVersion)) if found.baseComfyVersion else None,
        packs=tuple(_pack(node) for node in found.customNodes),
        python=machine.pythonVersion if machine is not None else None,
        packages=packages,
        models=tuple(
            ModelEntry(f"{m.type}/{_filename(m)}", m.sha256, (m.sourceUri,) if m.sourceUri else ())
            for m in found.models
        ),
        platforms=(platform,) if platform is not None and machine is not None and _is_linux(machine.os) else (),
        notes=(*_notes(found), *describe_unknown_keys(document), *notes),
    )


def _is_linux(system: str | None) -> bool:
    return system is None or system.lower() == "linux"


def _revision(version: str) -> str:
    """ComfyUI's tag of a version, which begins with a `v` where the number does not."""
    return f"v{version}" if _RELEASE.fullmatch(version) else version


def _filename(model: _Model) -> str:
    return model.filename or (model.sourceUri or model.localPath or "").split("?")[0].rsplit("/", 1)[-1]


def _pack(node: _Node) -> PackEntry:
    if node.registryVersion:
        return RegistryPack(node.id or node.name, node.registryVersion, node.name)
    if node.repository:
        return GitPack(node.repository, node.gitRef or None, node.name)
    what = "it was uploaded to a comfy-cli workspace" if node.blobId else "it was local to one machine"
    return OtherPack(node.name, what)


def _notes(found: _Definition) -> Iterator[str]:
    if found.baseImage:
        yield "the base image is left out: an image of pycomfy has its own"
    for model in found.models:
        if model.blobId:
            name = _filename(model)
            yield f"the model {name} is in a comfy-cli workspace: it cannot be downloaded from there"


# — writing —


def _render(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    """Write the `comfy-build/1` file around the definition."""
    lost: list[str] = []
    nodes, models = _render_nodes(environment, lost), _render_models(environment, lost)
    definition: dict[str, object] = {"schema": _DEFINITION, "models": models, "customNodes": nodes}
    if revision := _render_comfyui(environment.comfyui, lost):
        definition["baseComfyVersion"] = revision
    if environment.packages:
        definition["pipDependencies"] = render_freeze(environment.packages)
    machine = MACHINES[environment.platforms[0]] if environment.platforms else None
    about = {"os": "Linux" if machine else None, "arch": machine, "pythonVersion": environment.python}
    if any(about.values()):
        definition["environment"] = {k: v for k, v in about.items() if v is not None}
    build = {
        "schema": _BUILD,
        "id": None,
        "name": environment.name or target.label,
        "description": "",
        "syncedRevision": None,
        "definition": definition,
    }
    return RenderedFile(render_json(build), tuple(lost))


def _render_nodes(environment: EnvironmentSpec, lost: list[str]) -> list[dict[str, str]]:
    nodes: dict[str, dict[str, str]] = {}
    for pack in environment.packs:
        match pack:
            case GitPack(enabled=True):
                own = pack.name or repository_name(pack.url)
                nodes[own] = {"name": own, "repository": pack.url, **({"gitRef": pack.commit} if pack.commit else {})}
            case RegistryPack(enabled=True):
                own = pack.name or pack.id
                nodes[own] = {"name": own, "id": pack.id, "registryVersion": pack.version}
            case _:
                lost.append(describe_lost_pack(pack))
    return [nodes[name] for name in sorted(nodes)]


def _render_models(environment: EnvironmentSpec, lost: list[str]) -> list[dict[str, str]]:
    models = []
    for model in sorted(environment.models, key=lambda m: m.path):
        folder, _, file = model.path.rpartition("/")
        if not all(_SEGMENT.fullmatch(part) for part in model.path.split("/")):
            lost.append(f"the model {model.path}: comfy-cli does not accept its name")
        elif not model.urls or not model.urls[0].startswith("https://"):
            lost.append(f"the model {model.path}: it has no https address (SHA-256 {model.sha256})")
        else:
            entry = {"type": folder, "filename": file, "sha256": model.sha256, "sourceUri": model.urls[0]}
            models.append({k: v for k, v in entry.items() if v is not None})
    return models


def _render_comfyui(comfyui: ComfyUIRevision | None, lost: list[str]) -> str | None:
    if comfyui is None:
        return None
    lost += list_lost_of_comfyui(comfyui, holds_version=True)
    if comfyui.revision is None and comfyui.version is not None:
        return _revision(comfyui.version)
    return comfyui.revision


COMFY_CLI = Format(
    name="comfy-cli",
    title="a comfy-cli distribution definition",
    filename="comfy-build.json",
    parts=frozenset({"comfyui", "packs", "python", "packages", "models"}),
    detect=_is_definition,
    parse=_parse,
    render=_render,
)
