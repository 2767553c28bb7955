"""Read and write ComfyUI-Manager's snapshot: ComfyUI's commit, node packs and `pip freeze`.

It is JSON, or YAML below `custom_nodes`. comfy-pack writes the same with `python` and `models` besides, as the
`snapshot.json` of its packages.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import yaml
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
    PackEntry,
    RegistryPack,
)
from pycomfy.core.interchange.pip_freeze import parse_pips, render_pips

_SNAPSHOT_NAME = re.compile(r"(\d{4})-(\d\d)-(\d\d)_\d\d-\d\d-\d\d_.*snapshot.*")


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


class _Yaml(ForeignModel):
    """What the Manager writes to a file in YAML."""

    custom_nodes: Snapshot


# — reading —


def _is_snapshot(document: Document) -> bool:
    """Whether a document is one, in either form."""
    inner = document.get("custom_nodes")
    return any(
        isinstance(v, Mapping) and ("git_custom_nodes" in v or "cnr_custom_nodes" in v) for v in (document, inner)
    )


def _parse(file: ForeignFile) -> EnvironmentSpec:
    if isinstance(file.document.get("custom_nodes"), Mapping):
        found = validate(_Yaml, file.document, file.where)
        return environment_from_snapshot(found.custom_nodes, file.filename, found)
    return environment_from_snapshot(validate(Snapshot, file.document, file.where), file.filename)


def environment_from_snapshot(
    snapshot: Snapshot, filename: str, document: ForeignModel | None = None
) -> EnvironmentSpec:
    """Return what a snapshot says, which was read from the file `filename`. `document` is all of the file, if the
    snapshot is only a part."""
    packages, notes = parse_pips(snapshot.pips or {})
    return EnvironmentSpec(
        comfyui=ComfyUIRevision(snapshot.comfyui) if snapshot.comfyui else None,
        packs=tuple(_packs(snapshot)),
        packages=packages,
        made_at=parse_snapshot_name(filename),
        notes=(*describe_unknown_keys(document or snapshot), *notes),
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


def parse_snapshot_name(name: str) -> datetime | None:
    """Return a time by which a snapshot was made, by the name that the Manager gives its file; None for another name.

    The name has the local time of some machine: noon of the next day, UTC, is not before it in any time zone.
    """
    found = _SNAPSHOT_NAME.match(name)
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3]), 12, tzinfo=UTC) if found is not None else None
        return day + timedelta(days=1) if day is not None else None
    except (ValueError, OverflowError):
        return None


# — writing —


def _render(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    """Write YAML to a file that is called so, else JSON."""
    value, lost = snapshot_from_environment(environment)
    if not target.filename.endswith((".yaml", ".yml")):
        return RenderedFile(render_json(value, indent=4), lost)
    text = yaml.safe_dump({"custom_nodes": value}, allow_unicode=True, sort_keys=True, width=1000)
    return RenderedFile(text.encode(), lost)


def snapshot_from_environment(environment: EnvironmentSpec) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the snapshot as a value, and what of its parts it cannot express."""
    lost = [*list_lost_of_comfyui(environment.comfyui), *_lost_packs(environment.packs)]
    return {
        "comfyui": environment.comfyui.revision if environment.comfyui is not None else None,
        "git_custom_nodes": {
            p.url: {"hash": p.commit or "", "disabled": not p.enabled}
            for p in environment.packs
            if isinstance(p, GitPack)
        },
        "cnr_custom_nodes": {p.id: p.version for p in environment.packs if isinstance(p, RegistryPack) and p.enabled},
        "file_custom_nodes": [
            {"filename": p.filename if p.enabled else f"{p.filename}.disabled", "disabled": not p.enabled}
            for p in environment.packs
            if isinstance(p, FilePack)
        ],
        "pips": render_pips(environment.packages),
    }, tuple(lost)


def _lost_packs(packs: Iterable[PackEntry]) -> Iterator[str]:
    for pack in packs:
        match pack:
            case OtherPack() | RegistryPack(enabled=False):
                yield describe_lost_pack(pack)
            case FilePack():
                yield from list_lost_of_file(pack)


MANAGER_SNAPSHOT = Format(
    name="manager-snapshot",
    title="a ComfyUI-Manager snapshot",
    filename="snapshot.json",
    parts=frozenset({"comfyui", "packs", "packages"}),
    detect=_is_snapshot,
    parse=_parse,
    render=_render,
)
