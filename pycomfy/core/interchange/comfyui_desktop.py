"""Read and write ComfyUI Desktop's snapshots: one alone, or several in the file that it exports, newest first."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import Field

from pycomfy.core.interchange.document import ForeignModel, Text, describe_unknown_keys, render_json, validate
from pycomfy.core.interchange.format import Document, ForeignFile, Format, RenderedFile, RenderTarget
from pycomfy.core.interchange.lost import describe_lost_pack, list_lost_of_comfyui, list_lost_of_file
from pycomfy.core.interchange.model import (
    ComfyUIRevision,
    EnvironmentSpec,
    FilePack,
    GitPack,
    OtherPack,
    Package,
    PackEntry,
    RegistryPack,
)
from pycomfy.core.interchange.pip_freeze import parse_freeze
from pycomfy.core.lockfile.names import repository_name
from pycomfy.errors import BadInput

_ENVELOPE = "comfyui-desktop-2-snapshot"

_COMMIT = re.compile(r"[0-9a-f]{40}")


class _Comfy(ForeignModel):
    ref: Text | None = None
    commit: Text | None = None
    releaseTag: Text | None = None  # noqa: N815  (as the file has it)
    variant: Text | None = None
    baseTag: Text | None = None  # noqa: N815
    commitsAhead: int | None = None  # noqa: N815


class _Node(ForeignModel):
    type: Text
    id: Text = ""
    dirName: Text = ""  # noqa: N815
    version: Text | None = None
    url: Text | None = None
    commit: Text | None = None
    enabled: bool = True


class _TorchSource(ForeignModel):
    kind: object = None
    backend: object = None
    indexTag: Text | None = None  # noqa: N815


class _TorchReference(ForeignModel):
    stackId: object = None  # noqa: N815
    packages: dict[Text, Text] = Field(default_factory=dict)
    source: _TorchSource = _TorchSource()


class _TorchStack(ForeignModel):
    """PyTorch's packages, if ComfyUI Desktop chose them; else `ref` is absent, and they are among the others."""

    kind: object = None
    ref: _TorchReference = _TorchReference()
    torchVersion: object = None  # noqa: N815
    observedAt: object = None  # noqa: N815


class _Snapshot(ForeignModel):
    version: object = None
    createdAt: Text | None = None  # noqa: N815
    trigger: object = None
    label: object = None
    updateChannel: object = None  # noqa: N815
    skipPipSync: object = None  # noqa: N815
    comfyui: _Comfy = _Comfy()
    customNodes: tuple[_Node, ...] = ()  # noqa: N815
    pipPackages: dict[Text, Text] = Field(default_factory=dict)  # noqa: N815
    pythonVersion: Text | None = None  # noqa: N815
    torchStack: _TorchStack = _TorchStack()  # noqa: N815


class _Envelope(ForeignModel):
    """The exported file. Only the first snapshot is read."""

    type: object = None
    version: object = None
    exportedAt: object = None  # noqa: N815
    installationName: Text | None = None  # noqa: N815
    snapshots: tuple[dict[str, object], ...] = ()


# — reading —


def _is_snapshot(document: Document) -> bool:
    """Whether a document is one or several."""
    return document.get("type") == _ENVELOPE or ("customNodes" in document and "pipPackages" in document)


def _parse(file: ForeignFile) -> EnvironmentSpec:
    """Read the newest snapshot."""
    notes: list[str] = []
    name, document = None, file.document
    if document.get("type") == _ENVELOPE:
        envelope = validate(_Envelope, document, file.where)
        if not envelope.snapshots:
            raise BadInput("no snapshot in the file", where=file.where, fix="export one from ComfyUI Desktop again")
        notes += describe_unknown_keys(envelope)
        name, document = envelope.installationName or None, envelope.snapshots[0]
        if len(envelope.snapshots) > 1:
            notes.append(f"the file has {len(envelope.snapshots)} snapshots: the first, which is the newest, is used")
    found = validate(_Snapshot, document, file.where)
    pins = {**found.pipPackages, **_torch(found.torchStack.ref)}
    packages, skipped = parse_freeze(
        f"{pip} @ {version}" if "://" in version else f"{pip}=={version}" for pip, version in pins.items()
    )
    return EnvironmentSpec(
        name=name,
        comfyui=_comfyui(found.comfyui),
        packs=tuple(_pack(node) for node in found.customNodes),
        python=found.pythonVersion or None,
        packages=packages,
        made_at=_moment(found.createdAt),
        notes=(*notes, *describe_unknown_keys(found), *skipped),
    )


def _torch(found: _TorchReference) -> dict[str, str]:
    """The versions of PyTorch's packages, with the accelerator as local version, as in 2.7.0+cu128."""
    tag = found.source.indexTag
    return {
        name: f"{version}+{tag}" if tag and "+" not in version else version for name, version in found.packages.items()
    }


def _comfyui(found: _Comfy) -> ComfyUIRevision | None:
    """The commit, if it is one; else the tag, unless commits came after it."""
    if found.commit and _COMMIT.fullmatch(found.commit):
        return ComfyUIRevision(found.commit)
    revision = found.baseTag if found.baseTag and not found.commitsAhead else None
    if revision is None and found.ref and re.fullmatch(r"v\d+(\.\d+)+", found.ref):
        revision = found.ref
    return ComfyUIRevision(revision) if revision else None


def _pack(node: _Node) -> PackEntry:
    folder = node.dirName or node.id
    match node.type:
        case "cnr" if node.version:
            return RegistryPack(node.id, node.version, node.dirName, node.enabled)
        case "git" if node.url:
            return GitPack(node.url, node.commit or None, folder, node.enabled)
        case "file":
            return FilePack(folder.removesuffix(".disabled"), enabled=node.enabled)
        case _:
            return OtherPack(folder, f"its type is {node.type}, and its source is not given", node.enabled)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment.astimezone(UTC).replace(microsecond=0) if moment is not None and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


# — writing —


def _render(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    """Write the file that ComfyUI Desktop imports."""
    lost: list[str] = []
    moment = (environment.made_at or datetime(1970, 1, 1, tzinfo=UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    name = environment.name or target.label
    snapshot = {
        "version": 1,
        "createdAt": moment,
        "trigger": "manual",
        "label": name,
        "comfyui": _render_comfyui(environment.comfyui, lost),
        "customNodes": [node for pack in environment.packs for node in _render_pack(pack, lost)],
        "pipPackages": dict(_render_packages(environment.packages)),
        **({"pythonVersion": environment.python} if environment.python else {}),
    }
    value = {
        "type": _ENVELOPE,
        "version": 1,
        "exportedAt": moment,
        "installationName": name,
        "snapshots": [snapshot],
    }
    return RenderedFile(render_json(value), tuple(lost))


def _render_comfyui(comfyui: ComfyUIRevision | None, lost: list[str]) -> dict[str, object]:
    revision = comfyui.revision if comfyui is not None else None
    lost += list_lost_of_comfyui(comfyui, holds_version=True)
    if comfyui is not None and revision is None and comfyui.version is not None:
        revision = f"v{comfyui.version}"
    commit = revision if revision and _COMMIT.fullmatch(revision) else None
    tag = {"baseTag": revision, "commitsAhead": 0} if revision and commit is None else {}
    return {"ref": revision or "", "commit": commit, "releaseTag": "", "variant": "", **tag}


def _render_pack(pack: PackEntry, lost: list[str]) -> Iterator[dict[str, object]]:
    match pack:
        case GitPack():
            folder = pack.name or repository_name(pack.url)
            yield {
                "id": folder,
                "type": "git",
                "dirName": folder,
                "enabled": pack.enabled,
                "url": pack.url,
                **({"commit": pack.commit} if pack.commit else {}),
            }
        case RegistryPack():
            yield {
                "id": pack.id,
                "type": "cnr",
                "dirName": pack.name or pack.id,
                "enabled": pack.enabled,
                "version": pack.version,
            }
        case FilePack():
            lost += list_lost_of_file(pack)
            yield {"id": pack.filename, "type": "file", "dirName": pack.filename, "enabled": pack.enabled}
        case OtherPack():
            lost.append(describe_lost_pack(pack))


def _render_packages(packages: tuple[Package, ...]) -> Iterator[tuple[str, str]]:
    for package in packages:
        yield package.name, package.url if package.url is not None else package.version


DESKTOP_SNAPSHOT = Format(
    name="desktop-snapshot",
    title="a ComfyUI Desktop snapshot",
    filename="snapshot.json",
    parts=frozenset({"comfyui", "packs", "python", "packages"}),
    detect=_is_snapshot,
    parse=_parse,
    render=_render,
)
