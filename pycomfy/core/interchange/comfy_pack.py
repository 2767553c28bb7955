"""Read and write comfy-pack's package: a zip file with a `snapshot.json`, the workflow in both formats, and `input/`.

Since 0.4 the snapshot is ComfyUI-Manager's, with `python` and `models`; before, node packs were a list and Python's
packages a `requirements.txt` beside it.
"""

from collections.abc import Iterable, Iterator

from pycomfy.core.interchange.comfyui_manager import (
    Snapshot,
    environment_from_snapshot,
    snapshot_from_environment,
)
from pycomfy.core.interchange.document import ForeignModel, Text, describe_unknown_keys, render_json, validate
from pycomfy.core.interchange.format import (
    Document,
    ForeignFile,
    Format,
    Part,
    RenderedFile,
    RenderTarget,
    ZipLayout,
)
from pycomfy.core.interchange.lost import describe_lost_pack, list_lost_of_comfyui
from pycomfy.core.interchange.model import (
    ComfyUIRevision,
    EnvironmentSpec,
    GitPack,
    ModelEntry,
    is_manager,
)
from pycomfy.core.interchange.pip_freeze import parse_freeze, render_freeze
from pycomfy.core.loose_json import as_mapping

_SNAPSHOT, _WORKFLOW, _PROMPT, _REQUIREMENTS = (
    "snapshot.json",
    "workflow.json",
    "workflow_api.json",
    "requirements.txt",
)
_LAYOUT = ZipLayout(_SNAPSHOT, (_WORKFLOW, _PROMPT, _REQUIREMENTS))
_PARTS: frozenset[Part] = frozenset({"workflow", "comfyui", "packs", "python", "packages", "models"})
_FILENAME = "workflow.cpack.zip"

_DEFAULT_PYTHON = "3.11"

MANAGER = GitPack(
    "https://github.com/ltdrdata/ComfyUI-Manager", "908a1009d25a85bae7caeba534046153ef04f97d", "ComfyUI-Manager"
)
"""ComfyUI-Manager 3.31.9. comfy-pack unpacks no package without one: it installs the other node packs with it."""

_MANAGER_VERSION = "3.31.9"


class _Source(ForeignModel):
    download_url: Text | None = None


class _Model(ForeignModel):
    filename: Text
    sha256: Text | None = None
    size: object = None
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


# — reading —


def _is_new(document: Document) -> bool:
    """Whether a snapshot has what comfy-pack adds to the Manager's."""
    return "git_custom_nodes" in document and ("python" in document or "models" in document)


def _is_old(document: Document) -> bool:
    return isinstance(document.get("custom_nodes"), list) and "git_custom_nodes" not in document


def _parse_new(file: ForeignFile) -> EnvironmentSpec:
    snapshot = validate(_New, file.document, file.where)
    found = environment_from_snapshot(snapshot, file.filename)
    return EnvironmentSpec(
        comfyui=found.comfyui,
        packs=found.packs,
        python=snapshot.python,
        packages=found.packages,
        models=tuple(_models(snapshot.models)),
        workflow=file.members.get(_WORKFLOW),
        prompt=file.members.get(_PROMPT),
        made_at=found.made_at,
        notes=(*found.notes, *_disabled(snapshot.models)),
    )


def _parse_old(file: ForeignFile) -> EnvironmentSpec:
    snapshot = validate(_Old, file.document, file.where)
    packages, notes = parse_freeze(file.members.get(_REQUIREMENTS, b"").decode(errors="replace").splitlines())
    return EnvironmentSpec(
        comfyui=ComfyUIRevision(snapshot.comfyui) if snapshot.comfyui else None,
        packs=tuple(GitPack(n.url, n.commit_hash or None, enabled=not n.disabled) for n in snapshot.custom_nodes),
        python=snapshot.python,
        packages=packages,
        models=tuple(_models(snapshot.models)),
        workflow=file.members.get(_WORKFLOW),
        prompt=file.members.get(_PROMPT),
        notes=(*describe_unknown_keys(snapshot), *notes, *_disabled(snapshot.models)),
    )


def _models(models: Iterable[_Model]) -> Iterator[ModelEntry]:
    for model in models:
        path = model.filename.replace("\\", "/").removeprefix("models/")
        url = model.source.download_url if model.source is not None else None
        if not model.disabled:
            yield ModelEntry(path, model.sha256, (url,) if url else ())


def _disabled(models: Iterable[_Model]) -> Iterator[str]:
    for model in models:
        if model.disabled:
            yield f"the model {model.filename} is disabled, and left out"


# — writing —


def _render_new(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    snapshot, lost = snapshot_from_environment(environment)
    nodes = as_mapping(snapshot["git_custom_nodes"])
    own = next((p for p in environment.packs if isinstance(p, GitPack) and is_manager(p.url) and p.commit), None)
    manager = own or MANAGER
    snapshot |= {
        "git_custom_nodes": {
            manager.url: {"hash": manager.commit, "disabled": False},
            **{url: node for url, node in nodes.items() if not is_manager(url)},
        },
        "python": environment.python or _DEFAULT_PYTHON,
        "models": [_model(m) for m in environment.models],
    }
    note = f"ComfyUI-Manager {_MANAGER_VERSION} is added: comfy-pack installs the node packs with it"
    return RenderedFile(_members(snapshot, environment), lost, () if own else (note,))


def _render_old(environment: EnvironmentSpec, target: RenderTarget) -> RenderedFile:
    lost = [*list_lost_of_comfyui(environment.comfyui)]
    nodes = []
    for pack in environment.packs:
        match pack:
            case GitPack():
                nodes.append({"url": pack.url, "commit_hash": pack.commit or "", "disabled": not pack.enabled})
            case _:
                lost.append(describe_lost_pack(pack))
    snapshot = {
        "python": environment.python or _DEFAULT_PYTHON,
        "comfyui": environment.comfyui.revision if environment.comfyui is not None else None,
        "custom_nodes": nodes,
        "models": [_model(m) for m in environment.models],
    }
    requirements = render_freeze(environment.packages).encode()
    return RenderedFile({**_members(snapshot, environment), _REQUIREMENTS: requirements}, tuple(lost))


def _model(model: ModelEntry) -> dict[str, object]:
    source = {"source": {"download_url": model.urls[0]}} if model.urls else {}
    return {"filename": f"models/{model.path}", "sha256": model.sha256, "disabled": False, **source}


def _members(snapshot: Document, environment: EnvironmentSpec) -> dict[str, bytes]:
    members = {_SNAPSHOT: render_json(snapshot)}
    if environment.prompt is not None:
        members[_PROMPT] = environment.prompt
    if environment.workflow is not None:
        members[_WORKFLOW] = environment.workflow
    return members


CPACK = Format(
    name="cpack",
    title="a comfy-pack package",
    filename=_FILENAME,
    parts=_PARTS,
    detect=_is_new,
    parse=_parse_new,
    render=_render_new,
    zip_layout=_LAYOUT,
)

OLD_CPACK = Format(
    name="cpack-0.3",
    title="a package of comfy-pack before 0.4",
    filename=_FILENAME,
    parts=_PARTS,
    detect=_is_old,
    parse=_parse_old,
    render=_render_old,
    zip_layout=_LAYOUT,
)
