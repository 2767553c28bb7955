"""ComfyUI-Manager's snapshot: ComfyUI's commit, node packs and `pip freeze`, in JSON, or in YAML below `custom_nodes`.

comfy-pack writes the same with `python` and `models` besides, as the `snapshot.json` of its packages.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import yaml
from pydantic import Field

from pycomfy.core.interchange.document import ForeignModel, Text, describe_ignored_keys, validate
from pycomfy.core.interchange.model import Core, EnvironmentSpec, FilePack, GitPack, OtherPack, PackEntry, RegistryPack
from pycomfy.core.interchange.pip_freeze import parse_pips, render_pips


class _GitNode(ForeignModel):
    hash: Text | None = None
    disabled: bool = False


class _FileNode(ForeignModel):
    filename: Text
    disabled: bool = False


class Snapshot(ForeignModel):
    """The fields that the Manager writes. Some tools leave out those that would be empty."""

    comfyui: Text | None = None
    git_custom_nodes: dict[Text, _GitNode] = Field(default_factory=dict)
    cnr_custom_nodes: dict[Text, Text] = Field(default_factory=dict)
    file_custom_nodes: tuple[_FileNode, ...] = ()
    pips: dict[Text, Text] | None = None


def is_snapshot(value: Mapping[str, object]) -> bool:
    """Whether a document is one, in either form."""
    inner = value.get("custom_nodes")
    return any(isinstance(v, Mapping) and ("git_custom_nodes" in v or "cnr_custom_nodes" in v) for v in (value, inner))


def parse_snapshot(value: Mapping[str, object], where: str) -> EnvironmentSpec:
    """Raises `BadInput`."""
    inner = value.get("custom_nodes")
    snapshot = validate(Snapshot, inner if isinstance(inner, Mapping) else value, where)
    return environment_from_snapshot(snapshot, describe_ignored_keys(snapshot.unread))


def environment_from_snapshot(snapshot: Snapshot, remarks: tuple[str, ...] = ()) -> EnvironmentSpec:
    """What a snapshot that was read says."""
    packages, strange = parse_pips(snapshot.pips or {})
    return EnvironmentSpec(
        core=Core(snapshot.comfyui) if snapshot.comfyui else None,
        packs=tuple(_packs(snapshot)),
        packages=packages,
        remarks=(*remarks, *strange),
    )


def _packs(snapshot: Snapshot) -> Iterator[PackEntry]:
    for url, node in snapshot.git_custom_nodes.items():
        yield GitPack(url, node.hash or None, enabled=not node.disabled)
    for id_, version in snapshot.cnr_custom_nodes.items():
        yield RegistryPack(id_, version)
    for file in snapshot.file_custom_nodes:
        # The Manager lists a disabled one by the name that it has then.
        name = file.filename.removesuffix(".disabled")
        yield FilePack(name, enabled=not (file.disabled or name != file.filename))


def render_snapshot(recipe: EnvironmentSpec, *, as_yaml: bool = False) -> tuple[bytes, tuple[str, ...]]:
    """The snapshot, and what of its parts it could not say."""
    value, lost = snapshot_from_environment(recipe)
    if not as_yaml:
        return (json.dumps(value, indent=4, ensure_ascii=False) + "\n").encode(), lost
    text = yaml.safe_dump({"custom_nodes": value}, allow_unicode=True, sort_keys=True, width=1000)
    return text.encode(), lost


def snapshot_from_environment(recipe: EnvironmentSpec) -> tuple[dict[str, object], tuple[str, ...]]:
    """The snapshot as a value, which `comfy-pack` adds to."""
    lost = [*lost_core(recipe.core), *lost_packs(recipe.packs)]
    lost += [f"that {p.id} is disabled" for p in recipe.packs if isinstance(p, RegistryPack) and not p.enabled]
    revision = recipe.core.revision if recipe.core is not None else None
    return {
        "comfyui": revision,
        "git_custom_nodes": {
            p.url: {"hash": p.commit or "", "disabled": not p.enabled} for p in recipe.packs if isinstance(p, GitPack)
        },
        "cnr_custom_nodes": {p.id: p.version for p in recipe.packs if isinstance(p, RegistryPack) and p.enabled},
        "file_custom_nodes": [
            {"filename": p.filename if p.enabled else f"{p.filename}.disabled", "disabled": not p.enabled}
            for p in recipe.packs
            if isinstance(p, FilePack)
        ],
        "pips": render_pips(recipe.packages),
    }, tuple(lost)


def lost_core(core: Core | None) -> Iterator[str]:
    """What a format that has one revision of the usual ComfyUI cannot say of another."""
    if core is None:
        return
    if core.revision is None:
        yield f"ComfyUI{f' {core.version}' if core.version else ''}, which is not pinned by a commit"
    elif core.url is not None:
        yield f"that ComfyUI is the one of {core.url}"


def lost_packs(packs: Iterable[PackEntry]) -> Iterator[str]:
    """What a format that has git repositories, registry ids and file names cannot say of packs."""
    for pack in packs:
        if isinstance(pack, OtherPack):
            yield f"the node pack {pack.name}: {pack.what}"
        elif isinstance(pack, FilePack) and pack.url is not None:
            yield f"where {pack.filename} comes from: {pack.url}"


_NAME = re.compile(r"(\d{4})-(\d\d)-(\d\d)_\d\d-\d\d-\d\d_.*snapshot.*")


def moment_of_name(name: str) -> datetime | None:
    """When a snapshot was made, by the name that the Manager gives its file. It is the machine's own time: noon of the
    next day is not before it, wherever that was."""
    found = _NAME.match(name)
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3]), 12, tzinfo=UTC) if found is not None else None
        return day + timedelta(days=1) if day is not None else None
    except (ValueError, OverflowError):
        return None
