"""comfy-pack's package: a zip with a `snapshot.json`, the workflow in both formats, and `input/`.

Since 0.4 the snapshot is ComfyUI-Manager's, with `python` and `models`; before, packs were a list and Python's packages
a `requirements.txt` beside it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pycomfy.core.interchange.comfyui_manager import (
    Snapshot,
    environment_from_snapshot,
    lost_core,
    snapshot_from_environment,
)
from pycomfy.core.interchange.document import ForeignModel, Text, describe_ignored_keys, parse_document, validate
from pycomfy.core.interchange.model import Core, EnvironmentSpec, FilePack, GitPack, ModelEntry, OtherPack, RegistryPack
from pycomfy.core.interchange.pip_freeze import parse_freeze
from pycomfy.core.workflow.untrusted_json import shown
from pycomfy.errors import BadInput

SNAPSHOT, WORKFLOW, PROMPT, REQUIREMENTS = "snapshot.json", "workflow.json", "workflow_api.json", "requirements.txt"

TEXTS = (SNAPSHOT, WORKFLOW, PROMPT, REQUIREMENTS)
"""The files of a package that say what it is; the others are in `INPUTS`."""

INPUTS = "input/"

MANAGER = GitPack(
    "https://github.com/ltdrdata/ComfyUI-Manager", "908a1009d25a85bae7caeba534046153ef04f97d", "ComfyUI-Manager"
)
"""ComfyUI-Manager 3.31.9. comfy-pack unpacks nothing without one: it is who restores the other node packs there."""


class _Source(ForeignModel):
    download_url: Text | None = None


class _Model(ForeignModel):
    filename: Text
    sha256: Text | None = None
    disabled: bool = False
    source: _Source | None = None


class _New(Snapshot):
    python: Text | None = None
    models: tuple[_Model, ...] = ()


class _Node(ForeignModel):
    url: Text
    commit_hash: Text | None = None
    disabled: bool = False


class _Old(ForeignModel):
    python: Text | None = None
    comfyui: Text | None = None
    custom_nodes: tuple[_Node, ...] = ()
    models: tuple[_Model, ...] = ()


def is_old(value: Mapping[str, object]) -> bool:
    """Whether a `snapshot.json` is one from before comfy-pack 0.4."""
    return isinstance(value.get("custom_nodes"), list) and "git_custom_nodes" not in value


def is_new(value: Mapping[str, object]) -> bool:
    """Whether a `snapshot.json` has what comfy-pack adds to the Manager's."""
    return "git_custom_nodes" in value and ("python" in value or "models" in value)


def parse_cpack(files: Mapping[str, bytes], where: str) -> EnvironmentSpec:
    """The recipe of a package's `TEXTS`. Raises `BadInput`."""
    if SNAPSHOT not in files:
        raise BadInput(f"it has no {SNAPSHOT}", where=where, fix="give a package that comfy-pack made")
    place = f"{SNAPSHOT} in {where}"
    value = parse_document(files[SNAPSHOT], place)
    if not isinstance(value, Mapping):
        raise BadInput("it is no object", where=place, fix="give a package that comfy-pack made")
    if is_old(value):
        old = validate(_Old, value, place)
        packages, strange = parse_freeze(files.get(REQUIREMENTS, b"").decode(errors="replace").splitlines())
        recipe = EnvironmentSpec(
            core=Core(old.comfyui) if old.comfyui else None,
            packs=tuple(GitPack(n.url, n.commit_hash or None, enabled=not n.disabled) for n in old.custom_nodes),
            python=old.python,
            packages=packages,
            models=tuple(_models(old.models)),
            remarks=(*describe_ignored_keys(old.unread), *strange, *_disabled(old.models)),
        )
    else:
        new = validate(_New, value, place)
        found = environment_from_snapshot(new, describe_ignored_keys(new.unread))
        recipe = EnvironmentSpec(
            core=found.core,
            packs=found.packs,
            python=new.python,
            packages=found.packages,
            models=tuple(_models(new.models)),
            remarks=(*found.remarks, *_disabled(new.models)),
        )
    return _with_workflow(recipe, files)


def _with_workflow(recipe: EnvironmentSpec, files: Mapping[str, bytes]) -> EnvironmentSpec:
    return replace(recipe, workflow=files.get(WORKFLOW), prompt=files.get(PROMPT))


def _models(models: Iterable[_Model]) -> Iterator[ModelEntry]:
    for model in models:
        place = model.filename.replace("\\", "/").removeprefix("models/")
        url = model.source.download_url if model.source is not None else None
        if not model.disabled:
            yield ModelEntry(place, model.sha256, (url,) if url else ())


def _disabled(models: Iterable[_Model]) -> Iterator[str]:
    for model in models:
        if model.disabled:
            yield f"the model {shown(model.filename)} is disabled there, and left out"


def render_cpack(recipe: EnvironmentSpec) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The package's files by path, and what of the recipe's parts they could not say."""
    value, lost = snapshot_from_environment(recipe)
    nodes = {url: node for url, node in _mapping(value["git_custom_nodes"]).items() if not is_manager(url)}
    own = [p for p in recipe.packs if isinstance(p, GitPack) and is_manager(p.url) and p.commit]
    manager = own[0] if own else MANAGER
    value["git_custom_nodes"] = {manager.url: {"hash": manager.commit, "disabled": False}, **nodes}
    value |= {"python": recipe.python or "3.11", "models": [_model(m) for m in recipe.models]}
    return _files(value, recipe), lost


def render_old_cpack(recipe: EnvironmentSpec) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The same as comfy-pack before 0.4 wrote it."""
    lost = [*lost_core(recipe.core)]
    nodes = []
    for pack in recipe.packs:
        match pack:
            case GitPack():
                nodes.append({"url": pack.url, "commit_hash": pack.commit or "", "disabled": not pack.enabled})
            case RegistryPack():
                lost.append(f"the node pack {pack.id} {pack.version}, which has no address of a repository")
            case FilePack():
                lost.append(f"the node pack {pack.filename}")
            case OtherPack():
                lost.append(f"the node pack {pack.name}: {pack.what}")
    value = {
        "python": recipe.python or "3.11",
        "comfyui": recipe.core.revision if recipe.core is not None else None,
        "custom_nodes": nodes,
        "models": [_model(m) for m in recipe.models],
    }
    pins = "".join(f"{p.pin}\n" for p in recipe.packages)
    return {**_files(value, recipe), REQUIREMENTS: pins.encode()}, tuple(lost)


def is_manager(url: str) -> bool:
    """Whether a node pack is ComfyUI-Manager, whose address comfy-pack looks for."""
    return url.rstrip("/").removesuffix(".git").lower().endswith("/comfyui-manager")


def _model(model: ModelEntry) -> dict[str, object]:
    source = {"source": {"download_url": model.urls[0]}} if model.urls else {}
    return {"filename": f"models/{model.place}", "sha256": model.sha256, "disabled": False, **source}


def _files(value: Mapping[str, object], recipe: EnvironmentSpec) -> dict[str, bytes]:
    files = {SNAPSHOT: (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()}
    if recipe.prompt is not None:
        files[PROMPT] = recipe.prompt
    if recipe.workflow is not None:
        files[WORKFLOW] = recipe.workflow
    return files


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
