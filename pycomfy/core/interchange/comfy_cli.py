"""comfy-cli's distribution definition, by itself or in the `comfy-build/1` file that `comfy build` works with."""

import json
import re
from collections.abc import Iterator, Mapping

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
from pycomfy.core.interchange.pip_freeze import parse_freeze
from pycomfy.core.lockfile.names import repository_name
from pycomfy.core.lockfile.platforms import MACHINES, find_platform
from pycomfy.core.workflow.untrusted_json import shown

DEFINITION, BUILD = "distribution-definition/0", "comfy-build/1"

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""What the builder takes for the name of a folder or file."""

_RELEASE = re.compile(r"\d+(\.\d+)+")


class _Model(ForeignModel):
    type: Text
    filename: Text | None = None
    sha256: Text | None = None
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


class _Definition(ForeignModel):
    baseComfyVersion: Text | None = None  # noqa: N815
    baseImage: object = None  # noqa: N815
    models: tuple[_Model, ...] = ()
    customNodes: tuple[_Node, ...] = ()  # noqa: N815
    pipDependencies: str | None = None  # noqa: N815
    environment: _Environment | None = None


class _Build(ForeignModel):
    name: Text = ""
    description: Text = ""
    definition: dict[str, object]


def is_definition(value: Mapping[str, object]) -> bool:
    """Whether a document is one, or has one in it."""
    schema = value.get("schema")
    return isinstance(schema, str) and schema.startswith(("distribution-definition/", "comfy-build/"))


def parse_definition(value: Mapping[str, object], where: str) -> EnvironmentSpec:
    """Raises `BadInput`."""
    name = None
    if str(value.get("schema")).startswith("comfy-build/"):
        build = validate(_Build, value, where)
        name, value = build.name or None, build.definition
    found = validate(_Definition, {k: v for k, v in value.items() if k != "schema"}, where)
    packages, strange = parse_freeze((found.pipDependencies or "").splitlines())
    about = found.environment
    platform = find_platform(about.arch or "") if about is not None else None
    return EnvironmentSpec(
        name=name,
        core=Core(_revision(found.baseComfyVersion)) if found.baseComfyVersion else None,
        packs=tuple(_pack(node) for node in found.customNodes),
        python=about.pythonVersion if about is not None else None,
        packages=packages,
        models=tuple(
            ModelEntry(f"{m.type}/{_filename(m)}", m.sha256, (m.sourceUri,) if m.sourceUri else ())
            for m in found.models
        ),
        platforms=(platform,) if platform is not None and about is not None and _is_linux(about.os) else (),
        remarks=(*_remarks(found), *describe_ignored_keys(found.unread), *strange),
    )


def _is_linux(system: str | None) -> bool:
    return system is None or system.lower() == "linux"


def _revision(version: str) -> str:
    """ComfyUI's tags have a `v` that its version numbers have not."""
    return f"v{version}" if _RELEASE.fullmatch(version) else version


def _filename(model: _Model) -> str:
    return model.filename or (model.sourceUri or model.localPath or "").split("?")[0].rsplit("/", 1)[-1]


def _pack(node: _Node) -> PackEntry:
    if node.registryVersion:
        return RegistryPack(node.id or node.name, node.registryVersion, node.name)
    if node.repository:
        return GitPack(node.repository, node.gitRef or None, node.name)
    what = "it was uploaded to a workspace" if node.blobId else "it was on one machine only"
    return OtherPack(node.name, what)


def _remarks(found: _Definition) -> Iterator[str]:
    if found.baseImage:
        yield "the base image is not carried over: an image of pycomfy has its own"
    for model in found.models:
        if model.blobId:
            yield f"the model {shown(_filename(model))} was uploaded to a workspace, from where it cannot be fetched"


def render_definition(recipe: EnvironmentSpec, name: str) -> tuple[bytes, tuple[str, ...]]:
    """The `comfy-build/1` file around the definition, and what of the recipe's parts it could not say."""
    lost: list[str] = []
    nodes, models = _render_nodes(recipe, lost), _render_models(recipe, lost)
    definition: dict[str, object] = {"schema": DEFINITION, "models": models, "customNodes": nodes}
    if revision := _base(recipe.core, lost):
        definition["baseComfyVersion"] = revision
    if recipe.packages:
        definition["pipDependencies"] = "".join(f"{p.pin}\n" for p in recipe.packages)
    machine = MACHINES[recipe.platforms[0]] if recipe.platforms else None
    about = {"os": "Linux" if machine else None, "arch": machine, "pythonVersion": recipe.python}
    if any(about.values()):
        definition["environment"] = {k: v for k, v in about.items() if v is not None}
    build = {
        "schema": BUILD,
        "id": None,
        "name": name,
        "description": "",
        "syncedRevision": None,
        "definition": definition,
    }
    return (json.dumps(build, indent=2, ensure_ascii=False) + "\n").encode(), tuple(lost)


def _render_nodes(recipe: EnvironmentSpec, lost: list[str]) -> list[dict[str, str]]:
    nodes: dict[str, dict[str, str]] = {}
    for pack in recipe.packs:
        match pack:
            case GitPack(enabled=True):
                own = pack.name or repository_name(pack.url)
                nodes[own] = {"name": own, "repository": pack.url, **({"gitRef": pack.commit} if pack.commit else {})}
            case RegistryPack(enabled=True):
                own = pack.name or pack.id
                nodes[own] = {"name": own, "id": pack.id, "registryVersion": pack.version}
            case FilePack():
                lost.append(f"the node pack {pack.filename}")
            case OtherPack():
                lost.append(f"the node pack {pack.name}: {pack.what}")
            case GitPack():
                lost.append(f"the disabled node pack {pack.url}")
            case RegistryPack():
                lost.append(f"the disabled node pack {pack.id}")
    return [nodes[name] for name in sorted(nodes)]


def _render_models(recipe: EnvironmentSpec, lost: list[str]) -> list[dict[str, str]]:
    models = []
    for model in sorted(recipe.models, key=lambda m: m.place):
        folder, _, file = model.place.rpartition("/")
        if not all(_SEGMENT.fullmatch(part) for part in model.place.split("/")):
            lost.append(f"the model {model.place}, whose name the builder does not take")
        elif not model.urls or not model.urls[0].startswith("https://"):
            lost.append(f"the model {model.place}, which has no https address (SHA-256 {model.sha256})")
        else:
            entry = {"type": folder, "filename": file, "sha256": model.sha256, "sourceUri": model.urls[0]}
            models.append({k: v for k, v in entry.items() if v is not None})
    return models


def _base(core: Core | None, lost: list[str]) -> str | None:
    if core is None:
        return None
    if core.url is not None:
        lost.append(f"that ComfyUI is the one of {core.url}")
    if core.revision is None and core.version is not None:
        lost.append(f"ComfyUI's source; its version {core.version} is named")
        return _revision(core.version)
    return core.revision
