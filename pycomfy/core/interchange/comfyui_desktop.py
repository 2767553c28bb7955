"""ComfyUI Desktop's snapshots: one by itself, or several in the file that it exports, newest first."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from pydantic import Field

from pycomfy.core.interchange.document import ForeignModel, Text, describe_ignored_keys, validate
from pycomfy.core.interchange.model import (
    Core,
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
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.errors import BadInput

ENVELOPE = "comfyui-desktop-2-snapshot"

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
    indexTag: Text | None = None  # noqa: N815


class _TorchReference(ForeignModel):
    packages: dict[Text, Text] = Field(default_factory=dict)
    source: _TorchSource = _TorchSource()


class _TorchStack(ForeignModel):
    """PyTorch's packages, if ComfyUI Desktop chose them; else `ref` is not there, and they are among the others."""

    ref: _TorchReference = _TorchReference()


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
    installationName: Text | None = None  # noqa: N815
    snapshots: tuple[dict[str, object], ...] = ()


def is_desktop(value: Mapping[str, object]) -> bool:
    """Whether a document is one or several."""
    return value.get("type") == ENVELOPE or ("customNodes" in value and "pipPackages" in value)


def parse_desktop(value: Mapping[str, object], where: str) -> EnvironmentSpec:
    """The newest snapshot. Raises `BadInput`."""
    name, remarks = None, []
    if value.get("type") == ENVELOPE:
        envelope = validate(_Envelope, value, where)
        if not envelope.snapshots:
            raise BadInput("it has no snapshot in it", where=where, fix="export one from ComfyUI Desktop again")
        name, value = envelope.installationName or None, envelope.snapshots[0]
        if len(envelope.snapshots) > 1:
            remarks.append(f"it has {len(envelope.snapshots)} snapshots; the first is taken, which is the newest")
    found = validate(_Snapshot, value, where)
    pins = {**found.pipPackages, **_torch(found.torchStack.ref)}
    packages, strange = parse_freeze(
        f"{pip} @ {version}" if "://" in version else f"{pip}=={version}" for pip, version in pins.items()
    )
    return EnvironmentSpec(
        name=name,
        core=_core(found.comfyui),
        packs=tuple(_pack(node) for node in found.customNodes),
        python=found.pythonVersion or None,
        packages=packages,
        made_at=_moment(found.createdAt),
        remarks=(*remarks, *describe_ignored_keys(found.unread), *strange),
    )


def _torch(found: _TorchReference) -> dict[str, str]:
    """Its versions, with what they were built for behind a `+`, as PyTorch writes it."""
    tag = found.source.indexTag
    return {
        name: f"{version}+{tag}" if tag and "+" not in version else version for name, version in found.packages.items()
    }


def _core(found: _Comfy) -> Core | None:
    """The commit, if it is one; else the tag that it is, unless commits came after."""
    if found.commit and _COMMIT.fullmatch(found.commit):
        return Core(found.commit)
    revision = found.baseTag if found.baseTag and not found.commitsAhead else None
    if revision is None and found.ref and re.fullmatch(r"v\d+(\.\d+)+", found.ref):
        revision = found.ref
    return Core(revision) if revision else None


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
            return OtherPack(folder, f"it is said to be of the kind {shown(node.type)}, without more", node.enabled)


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
        return moment.astimezone(UTC).replace(microsecond=0) if moment is not None and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def render_desktop(recipe: EnvironmentSpec, name: str) -> tuple[bytes, tuple[str, ...]]:
    """The file that ComfyUI Desktop imports, and what of the recipe's parts it could not say."""
    lost: list[str] = []
    moment = (recipe.made_at or datetime(1970, 1, 1, tzinfo=UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    snapshot = {
        "version": 1,
        "createdAt": moment,
        "trigger": "manual",
        "label": name,
        "comfyui": _render_core(recipe.core, lost),
        "customNodes": [node for pack in recipe.packs for node in _render_pack(pack, lost)],
        "pipPackages": dict(_render_packages(recipe.packages)),
        **({"pythonVersion": recipe.python} if recipe.python else {}),
    }
    value = {
        "type": ENVELOPE,
        "version": 1,
        "exportedAt": moment,
        "installationName": name,
        "snapshots": [snapshot],
    }
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(), tuple(lost)


def _render_core(core: Core | None, lost: list[str]) -> dict[str, object]:
    revision = core.revision if core is not None else None
    if core is not None and core.url is not None:
        lost.append(f"that ComfyUI is the one of {core.url}")
    if core is not None and revision is None and core.version is not None:
        revision = f"v{core.version}"
        lost.append(f"ComfyUI's source; its version {core.version} is named")
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
            if pack.url is not None:
                lost.append(f"where {pack.filename} comes from: {pack.url}")
            yield {"id": pack.filename, "type": "file", "dirName": pack.filename, "enabled": pack.enabled}
        case OtherPack():
            lost.append(f"the node pack {pack.name}: {pack.what}")


def _render_packages(packages: tuple[Package, ...]) -> Iterator[tuple[str, str]]:
    for package in packages:
        yield package.name, package.url if package.url is not None else package.version
