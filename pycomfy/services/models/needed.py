"""`models status`, `models pull`: the models that a workflow needs, whether they are here, and fetching them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pycomfy import operation
from pycomfy.adapters.models.download import pull_models as fetch_models
from pycomfy.adapters.models.hubs import find_hubs
from pycomfy.adapters.models.mount import ModelView, make_view
from pycomfy.core.lockfile.config import ModelSpec
from pycomfy.core.lockfile.schema import Lock, ModelFile, ModelSource, parse_lock
from pycomfy.core.models.selection import UnpinnedModel, is_pickle, list_models, name_embeddings
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model import RequiredModel
from pycomfy.core.versions.reference import Reference
from pycomfy.core.workflow.model import Workflow
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import Fix, Fixes, NotFound, Placeholder, suggest, suggest_retry
from pycomfy.gateway.missing import describe_missing
from pycomfy.services.archive.archive import find_archived, take_models
from pycomfy.services.lock_request import LockRequest, read_config, read_lock, read_workflow_json
from pycomfy.services.results import FixText, Result
from pycomfy.services.versions.lookup import read_project
from pycomfy.services.versions.target import find_target
from pycomfy.services.workspace import Workspace

ModelState = Literal["present", "missing", "unpinned"]


class NeededModel(Result):
    """A model that a workflow needs. It is unpinned if the lock does not have it: then `why` says so, `fix` what to do,
    and there is neither `sha256` nor `sources`. `folder` is None where it is unknown; `path` is its file, if it is
    here; `size` is in bytes. A `pickle` can run code when it is loaded."""

    folder: str | None
    name: str
    state: ModelState
    sha256: str | None = None
    size: int | None = None
    sources: tuple[ModelSource, ...] = ()
    path: Path | None = None
    pickle: bool
    why: str = ""
    fix: Annotated[FixText, Field(json_schema_extra={"default": ""})] = ()

    @property
    def location(self) -> str:
        """The path below ComfyUI's models folder, as far as it is known."""
        return f"{self.folder}/{self.name}" if self.folder else self.name


class PullResult(Result):
    """`fetched` were not here before; `unpinned` cannot be fetched."""

    fetched: tuple[ModelFile, ...]
    present: tuple[ModelFile, ...]
    unpinned: tuple[NeededModel, ...]


@dataclass(frozen=True)
class _Target:
    """What a user named: its lock, if it has one, what its workflow needs, and what its pycomfy.toml says. `file` is a
    workflow or its folder, None for a version; `version` the label of a version, None for a file."""

    lock: Lock | None
    requirements: Sequence[RequiredModel]
    specs: Sequence[ModelSpec] = ()
    file: str | None = None
    version: str | None = None

    @property
    def pins(self) -> tuple[ModelFile, ...]:
        return self.lock.models if self.lock is not None else ()


def models_status(workspace: Workspace, target: str) -> list[NeededModel]:
    """Return every model of a workflow (a file or folder, or NAME[@V] for a version that was built), by location.
    Raises `NotFound`, and what reading the workflow and its lock raises."""
    return _list_models(workspace, _read_target(workspace, target))


def pull_models(workspace: Workspace, target: str) -> PullResult:
    """Fetch the models of a workflow that are not here, from the archive if it has them. Raises what fetching raises,
    for all of them together."""
    needed = _read_target(workspace, target)
    models = _list_models(workspace, needed)
    states = {model.location: model.state for model in models}
    missing = {pin.sha256: pin for pin in needed.pins if states[pin.location] == "missing"}
    pins = needed.pins
    if operation.is_dry_run():
        archived = find_archived(workspace, pins)
        pins = tuple(pin for pin in pins if pin.sha256 not in archived)
    else:
        take_models(workspace, pins)
    fetch_models(pins, workspace.models, find_hubs(workspace.environment), workspace.environment)
    return PullResult(
        fetched=tuple(missing.values()),
        present=tuple(pin for pin in needed.pins if states[pin.location] == "present"),
        unpinned=tuple(model for model in models if model.state == "unpinned"),
    )


def view_models(workspace: Workspace, reference: Reference, *, partial: bool = False) -> ModelView | None:
    """Return the models of a version as a folder; None if it needs none. Raises `NotFound`, which names those that are
    not here; with `partial` they are left out."""
    lock, _ = _read_version(workspace, reference)
    if not lock.models:
        return None
    store = workspace.models
    missing = store.list_missing(lock.models)
    if missing and partial:
        return make_view(store, [model for model in lock.models if model not in missing])
    if missing:
        what = describe_missing([model.location for model in missing])
        raise NotFound(what, where=str(store.folder), fix=suggest("models pull", target=str(reference)))
    return make_view(store, lock.models)


def explain_refused(workspace: Workspace, version: str, refused: str) -> tuple[str, Fixes] | None:
    """Return which model of a version ComfyUI did not find, and what to do, where ComfyUI says that it `refused` a
    value; None if that was no model that the version needs."""
    models = models_status(workspace, version)
    model = next((model for model in models if f"'{model.name}' not in" in refused), None)
    if model is None:
        return None
    location = model.location
    if model.state == "unpinned":
        get = suggest("models add", "then lock and build again", source=Placeholder("FILE"), place=location)
    else:
        get = suggest("models pull", "then run it with the models that the lock pins", target=version)
    folder = suggest_retry("run", f"DIR/{location}", models=Placeholder("DIR"))
    return describe_missing([location]), (get, folder)


def report_unpinned(workspace: Workspace, version: str) -> None:
    """Report the models that a version needs and its lock does not pin: they are not mounted."""
    unpinned = [model.location for model in models_status(workspace, version) if model.state == "unpinned"]
    if unpinned:
        fix = suggest("models status", "the lock does not pin them", target=version)
        operation.report(f"note: {describe_missing(unpinned)}", fix)


def list_absent(workspace: Workspace, lock: Lock, workflow: Workflow, specs: Sequence[ModelSpec]) -> list[NeededModel]:
    """Return the models of a version that was just built, those that it cannot be run with: missing, or not pinned."""
    target = _Target(lock, collect_requirements(workflow, None, lock.model_inputs).models, specs)
    return [model for model in _list_models(workspace, target) if model.state != "present"]


def _list_models(workspace: Workspace, target: _Target) -> list[NeededModel]:
    required = name_embeddings(target.requirements, {pin.location for pin in target.pins})
    requested, unpinned = list_models(required, target.specs)
    locked = {(pin.folder, pin.name): pin for pin in target.pins}
    why = "there is no lock" if target.lock is None else "the lock does not pin it"
    note = "" if target.lock is None else "says why"
    fix = suggest("lock", note) if target.file is None else suggest("lock", note, workflow=target.file)
    if target.version is not None:
        fix = suggest("checkout", "then lock DIR, which says why", reference=target.version, to=Placeholder("DIR"))
    unlocked = [r for r in requested if (r.folder, r.name) not in locked]
    models = [
        *(_pinned(workspace, pin) for pin in locked.values()),
        *map(_unpinned, unpinned),
        *(_unpinned(UnpinnedModel(r.folder, r.name, why, (fix,))) for r in unlocked),
    ]
    return sorted(models, key=lambda model: model.location)


def _pinned(workspace: Workspace, pin: ModelFile) -> NeededModel:
    path = workspace.models.find(pin.sha256)
    return NeededModel(
        folder=pin.folder,
        name=pin.name,
        state="missing" if path is None else "present",
        sha256=pin.sha256,
        size=path.stat().st_size if pin.size is None and path is not None else pin.size,
        sources=pin.sources,
        path=path,
        pickle=is_pickle(pin.name),
    )


def _unpinned(model: UnpinnedModel) -> NeededModel:
    fixes: tuple[str | Fix, ...] = model.fixes
    return NeededModel(
        folder=model.folder, name=model.name, state="unpinned", pickle=is_pickle(model.name), why=model.why, fix=fixes
    )


def _read_target(workspace: Workspace, text: str) -> _Target:
    target = find_target(workspace, text)
    if isinstance(target, Reference):
        lock, workflow = _read_version(workspace, target)
        requirements = collect_requirements(parse_workflow(workflow, where=text), None, lock.model_inputs)
        return _Target(lock, requirements.models, version=text)
    request = LockRequest(target)
    path = request.lock_file
    found = read_lock(path) if path.is_file() else None
    known = found.model_inputs if found is not None else {}
    requirements = collect_requirements(parse_workflow(read_workflow_json(request.file), where=text), None, known)
    return _Target(found, requirements.models, read_config(request)[1].models, text)


def _read_version(workspace: Workspace, reference: Reference) -> tuple[Lock, bytes]:
    """The lock and the workflow of a version that was built. Raises `NotFound`."""
    files = read_project(workspace, reference)
    where = f"pycomfy.lock of {reference}"
    return parse_lock(files["pycomfy.lock"].decode(errors="replace"), where=where), files["workflow.json"]
