"""`models`: which models a workflow needs, whether they are here, and getting them here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from pycomfy import operation
from pycomfy.adapters.models.download import fetch_unknown
from pycomfy.adapters.models.download import pull_models as fetch_models
from pycomfy.adapters.models.folder import find_models
from pycomfy.adapters.models.hubs import find_hubs
from pycomfy.adapters.models.mount import ModelView, make_view
from pycomfy.adapters.models.pin import EarlierPins, PinnedModels, pin_models
from pycomfy.adapters.models.store import ModelStore, StoredModel
from pycomfy.core.lockfile.config import ModelSpec
from pycomfy.core.lockfile.lock_types import ModelFolder, RelativePath
from pycomfy.core.lockfile.schema import Lock, ModelFile, parse_lock
from pycomfy.core.models.model_url import WebFile, parse_origin, strip_secrets
from pycomfy.core.models.selection import RequestedModel, UnpinnedModel, is_pickle, list_models
from pycomfy.core.requirements.collect import collect_requirements
from pycomfy.core.requirements.model import RequiredModel
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import BadInput, Fix, NotFound, PycomfyError, raise_all, suggest
from pycomfy.services.archive.archive import take_models
from pycomfy.services.lock_request import LockRequest, read_config, read_workflow_json
from pycomfy.services.versions.lookup import read_project
from pycomfy.services.workspace import Workspace

State = Literal["present", "missing", "unpinned"]

_FOLDER: TypeAdapter[str] = TypeAdapter(ModelFolder)
_NAME: TypeAdapter[str] = TypeAdapter(RelativePath)


@dataclass(frozen=True)
class ModelState:
    """A model that a workflow needs. `pin` is None for one the lock has not; then `why` says what is the matter, and
    `fix` what to do. `path` is where its file is, if it is here."""

    folder: str | None
    name: str
    state: State
    pin: ModelFile | None = None
    path: Path | None = None
    why: str = ""
    fixes: tuple[str | Fix, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def size(self) -> int | None:
        """Of the pin, or else of the file; in bytes."""
        if self.pin is not None and self.pin.size is None and self.path is not None:
            return self.path.stat().st_size
        return None if self.pin is None else self.pin.size


@dataclass(frozen=True)
class StoredModelState:
    """A model of this machine, and what it was called when it was added; `intact` is None where nobody looked."""

    stored: StoredModel
    names: tuple[str, ...]
    intact: bool | None = None


@dataclass(frozen=True)
class PullResult:
    """`fetched` were not here before; `unpinned` cannot be fetched."""

    fetched: tuple[ModelFile, ...]
    present: tuple[ModelFile, ...]
    unpinned: tuple[ModelState, ...]


@dataclass(frozen=True)
class AddResult:
    """`replaced` is the hash of another file that was called so before."""

    place: str
    stored: StoredModel
    replaced: str | None


# — for a workflow —


def models_status(workspace: Workspace, target: str) -> list[ModelState]:
    """Every model of a workflow (a file or folder, or NAME[@N] for a version that was built), by place."""
    pins, needs, specs = _read_target(workspace, target)
    store = workspace.models
    locked = {} if pins is None else {(m.folder, m.name): m for m in pins.models}
    states = []
    for model in locked.values():
        path = store.find(model.sha256)
        states.append(ModelState(model.folder, model.name, "missing" if path is None else "present", model, path))
    why = "there is no lock" if pins is None else "the lock does not pin it"
    wanted, unpinned = list_models(needs, specs)
    states += [_unpinned(u) for u in unpinned]
    states += [
        ModelState(w.folder, w.name, "unpinned", why=why, fixes=(suggest("lock", "" if pins is None else "tells why"),))
        for w in wanted
        if (w.folder, w.name) not in locked
    ]
    return sorted(states, key=lambda s: s.place)


def pull_models(workspace: Workspace, target: str) -> PullResult:
    """Get the models of a workflow that are not here, from the archive if it has them. Raises what fetching raises, for
    all of them together."""
    states = models_status(workspace, target)
    pins = [s.pin for s in states if s.pin is not None]
    take_models(workspace, pins)
    environment = workspace.environment
    fetch_models(pins, workspace.models, find_hubs(environment), environment)
    fetched = tuple({s.pin.sha256: s.pin for s in states if s.pin is not None and s.state == "missing"}.values())
    present = tuple(s.pin for s in states if s.pin is not None and s.state == "present")
    return PullResult(fetched, present, tuple(s for s in states if s.state == "unpinned"))


def lock_models(
    workspace: Workspace, needs: Sequence[RequiredModel], specs: Sequence[ModelSpec], base: Path, earlier: EarlierPins
) -> PinnedModels:
    """The models of a lock, and remarks on them. `base` is where paths of pycomfy.toml are relative to. What cannot be
    pinned is a remark too: an image can be built without models."""
    wanted, unpinned = list_models(needs, specs)
    store = workspace.models
    known = _listed(workspace, wanted)
    pinned = pin_models([known.get(w.place, w) for w in wanted], store, base, earlier, workspace.environment)
    notes = [
        f"the model {place} is the one of that name in ComfyUI-Manager's list: {want.url}"
        for place, want in known.items()
    ]
    notes += [*pinned.notes, *(str(u) for u in (*unpinned, *pinned.unpinned))]
    notes += [f"the model {m.place} is a pickle: code in it runs when it is loaded" for m in _pickles(pinned.models)]
    return PinnedModels(pinned.models, (*unpinned, *pinned.unpinned), tuple(notes))


def _listed(workspace: Workspace, wanted: Sequence[RequestedModel]) -> dict[str, RequestedModel]:
    """The models of which nobody says where they are, with the address in the Manager's list, by place."""
    added = workspace.models.list_added()
    bare = [w for w in wanted if not (w.url or w.path or w.sha256 or w.place in added)]
    if not bare:
        return {}
    try:
        with workspace.open_catalog() as catalog:
            found = [(want, catalog.find_model(want.folder, want.name)) for want in bare]
    except (NotFound, BadInput):
        return {}  # it was never fetched: then it knows nothing
    return {want.place: replace(want, url=url) for want, url in found if url is not None}


def view_models(workspace: Workspace, reference: Reference) -> ModelView | None:
    """The models of a version as a folder; None if it needs none. Raises `NotFound`, which names those that are not
    here."""
    pins, _ = _read_version(workspace, reference)
    if not pins.models:
        return None
    store = workspace.models
    missing = store.list_missing(pins.models)
    if missing:
        names = ", ".join(m.place for m in missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        raise NotFound(
            f"{len(missing)} of the models of {reference} are not here: {names}",
            where=str(store.folder),
            fix=f"pycomfy models pull {reference}",
        )
    return make_view(store, pins.models)


# — the store —


def list_stored(workspace: Workspace) -> list[StoredModelState]:
    """Every model of this machine."""
    store = workspace.models
    return [StoredModelState(s, _names(store, s)) for s in store.list_models()]


def verify_models(workspace: Workspace) -> list[StoredModelState]:
    """Read every byte of every model; one that changed is set aside. A link whose file is gone is not intact either."""
    store = workspace.models
    checked = []
    for stored in store.list_models():
        names = _names(store, stored)
        found = store.hashes.recompute(stored.path)
        if found != stored.sha256:
            store.set_aside(stored.path, stored.sha256, found)
        checked.append(StoredModelState(stored, names, found == stored.sha256))
    for link in store.broken_links():
        gone = StoredModel(link.name, link, 0, True)
        checked.append(StoredModelState(gone, _names(store, gone), False))
    return checked


def add_model(workspace: Workspace, source: str, place: str | None) -> AddResult:
    """Take a file, or what is at a URL, into the store and call it `place` (FOLDER/NAME); without one, a file in a
    folder called `models` has the place it has there. Raises `BadInput`, `NotFound`, `NetworkError`."""
    store = workspace.models
    url: str | None = None
    if "://" in source:
        place = _place(place or "")
        url, stored = _fetch(workspace, source, place)
    else:
        place = _place(place or _guess_place(Path(source)))
        stored = store.add(Path(source))
    before = store.set_name(place, stored, url)
    if is_pickle(place):
        operation.report(f"warning: {place} is a pickle: code in it runs when it is loaded")
    return AddResult(place, stored, None if before is None else before.sha256)


def add_folder(workspace: Workspace, folder: Path) -> list[AddResult]:
    """Take every model of a folder like ComfyUI's `models` into the store, each called by its place there. What cannot
    be added is told of together, when all the others are."""
    store = workspace.models
    added: list[AddResult] = []
    problems: list[PycomfyError] = []
    for found, path in find_models(folder):
        try:
            place = _place(found)
            stored = store.add(path)
        except (BadInput, NotFound) as e:
            problems.append(e)
            continue
        before = store.set_name(place, stored)
        added.append(AddResult(place, stored, None if before is None else before.sha256))
    raise_all(problems)
    if not added:
        fix = "give a folder with checkpoints/, loras/ and so on"
        raise NotFound("there is no model in the folder", where=str(folder), fix=fix)
    return added


def _fetch(workspace: Workspace, source: str, place: str) -> tuple[str, StoredModel]:
    """Fetch a model from a hub with the hash it promises, from elsewhere with the hash it has."""
    store, environment = workspace.models, workspace.environment
    hubs = find_hubs(environment)
    origin = parse_origin(source, hubs)
    if isinstance(origin, WebFile):
        return origin.url, fetch_unknown(origin.url, store, hubs, environment)
    folder, _, name = place.partition("/")
    pinned = pin_models([RequestedModel(folder, name, source)], store, Path(), environment=environment)
    for problem in pinned.unpinned:
        raise NotFound(problem.why, where=place, fix=problem.fixes)
    fetch_models(pinned.models, store, hubs, environment)
    return strip_secrets(source), store.describe(pinned.models[0].sha256)


def _guess_place(path: Path) -> str:
    parts = path.absolute().parts
    if "models" not in parts[:-2]:
        return ""
    return "/".join(parts[len(parts) - parts[::-1].index("models") :])


def _place(text: str) -> str:
    folder, _, name = text.partition("/")
    try:
        return f"{_FOLDER.validate_python(folder)}/{_NAME.validate_python(name)}"
    except ValidationError as e:
        what = f"{text!r} is no place of a model" if text else "nothing says where ComfyUI looks for this model"
        raise BadInput(what, where="--as", fix="give --as FOLDER/NAME, as in checkpoints/model.safetensors") from e


def _names(store: ModelStore, stored: StoredModel) -> tuple[str, ...]:
    return tuple(place for place, added in store.list_added().items() if added.sha256 == stored.sha256)


# — locks —


def _read_target(workspace: Workspace, target: str) -> tuple[Lock | None, Sequence[RequiredModel], Sequence[ModelSpec]]:
    """The lock, what the workflow needs, and what pycomfy.toml says."""
    if Path(target).exists():
        request = LockRequest(Path(target))
        needs = collect_requirements(parse_workflow(read_workflow_json(request.file), where=target)).models
        path = request.file.parent / "pycomfy.lock"
        pins = parse_lock(_text(path), where=str(path)) if path.is_file() else None
        return pins, needs, read_config(request)[1].models
    try:
        reference = parse_reference(target)
    except BadInput as e:
        raise NotFound("no such workflow", where=target, fix="give a file, or a name that `pycomfy log` lists") from e
    pins, workflow = _read_version(workspace, reference)
    return pins, collect_requirements(parse_workflow(workflow, where=target)).models, ()


def _read_version(workspace: Workspace, reference: Reference) -> tuple[Lock, bytes]:
    """Lock and workflow of a version that was built. Raises `NotFound`."""
    files = read_project(workspace, reference)
    where = f"pycomfy.lock of {reference}"
    return parse_lock(files["pycomfy.lock"].decode(errors="replace"), where=where), files["workflow.json"]


def _text(path: Path) -> str:
    return path.read_text(errors="replace")


def _unpinned(model: UnpinnedModel) -> ModelState:
    return ModelState(model.folder, model.name, "unpinned", why=model.why, fixes=model.fixes)


def _pickles(models: Sequence[ModelFile]) -> list[ModelFile]:
    return [m for m in models if is_pickle(m.name)]
