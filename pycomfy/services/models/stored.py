"""`models add`, `models verify`: the model store of this machine."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pycomfy import operation
from pycomfy.adapters.io.http_client import without_login
from pycomfy.adapters.models.download import fetch_unknown
from pycomfy.adapters.models.download import pull_models as fetch_models
from pycomfy.adapters.models.folder import find_models
from pycomfy.adapters.models.hubs import find_hubs
from pycomfy.adapters.models.pin import pin_models
from pycomfy.adapters.models.store import ModelStore, StoredModel
from pycomfy.core.lockfile.lock_types import ModelFolder, RelativePath
from pycomfy.core.models.model_url import WebFile, parse_origin, strip_secrets
from pycomfy.core.models.selection import RequestedModel, is_pickle
from pycomfy.errors import BadInput, NotFound, Placeholder, PycomfyError, raise_all, suggest, suggest_retry
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

_FOLDER: TypeAdapter[str] = TypeAdapter(ModelFolder)
_NAME: TypeAdapter[str] = TypeAdapter(RelativePath)


class _Stored(Result):
    """A model of this machine; `linked` says that its file is the user's own, elsewhere. `size` is in bytes."""

    sha256: str
    size: int
    path: Path
    linked: bool


class StoredModelResult(_Stored):
    """A model, and the `names` under which it was added. `intact` is None where it was not verified."""

    names: tuple[str, ...]
    intact: bool | None = None


class AddResult(_Stored):
    """A model that was added as `place`. `replaced` is the hash of another model that had this name before."""

    place: str
    replaced: str | None


def list_stored(workspace: Workspace) -> list[StoredModelResult]:
    """Return every model of this machine."""
    store = workspace.models
    return [_describe(store, stored) for stored in store.list_models()]


def verify_models(workspace: Workspace) -> list[StoredModelResult]:
    """Read every byte of every model; one that changed is set aside. A link without its file is not intact either."""
    store = workspace.models
    store.rewrite_names()
    verified = []
    for stored in store.list_models():
        before = _describe(store, stored)
        found = store.hashes.recompute(stored.path)
        if found != stored.sha256:
            store.set_aside(stored.path, stored.sha256, found)
        verified.append(before.model_copy(update={"intact": found == stored.sha256}))
    for link in store.broken_links():
        gone = _describe(store, StoredModel(link.name, link, 0, True))
        verified.append(gone.model_copy(update={"intact": False}))
    return verified


def add_model(workspace: Workspace, source: str, location: str | None) -> AddResult:
    """Take a file, or what is at a URL, into the store as `location` (FOLDER/NAME); without one, a file in a folder
    called `models` has its path below that. Raises `BadInput`, `NotFound`, `NetworkError`."""
    store = workspace.models
    url: str | None = None
    if "://" in source:
        location = _check_location(location or "", source)
        url, stored = _fetch(workspace, source, location)
    else:
        location = _check_location(location or _guess_location(Path(source)), source)
        stored = store.add(Path(source))
    if is_pickle(location):
        operation.report(f"warning: {location} is a pickle: code in it runs when it is loaded")
    return _name(store, location, stored, url)


def add_folder(workspace: Workspace, folder: Path) -> list[AddResult]:
    """Take every model of a folder like ComfyUI's `models` into the store, each named by its path there. Those that
    cannot be added are raised together, after all the others were added."""
    store = workspace.models
    added: list[AddResult] = []
    problems: list[PycomfyError] = []
    for found, path in find_models(folder):
        try:
            location = _check_location(found, str(path))
            stored = store.add(path)
        except (BadInput, NotFound) as e:
            problems.append(e)
            continue
        added.append(_name(store, location, stored))
    raise_all(problems)
    if not added:
        fix = "give a folder with checkpoints/, loras/ and so on"
        raise NotFound("there is no model in the folder", where=str(folder), fix=fix)
    return added


def _describe(store: ModelStore, stored: StoredModel) -> StoredModelResult:
    names = tuple(location for location, added in store.list_added().items() if added.sha256 == stored.sha256)
    return StoredModelResult(
        sha256=stored.sha256, size=stored.size, path=stored.path, linked=stored.linked, names=names
    )


def _name(store: ModelStore, location: str, stored: StoredModel, url: str | None = None) -> AddResult:
    before = store.set_name(location, stored, url)
    return AddResult(
        place=location,
        sha256=stored.sha256,
        size=stored.size,
        path=stored.path,
        linked=stored.linked,
        replaced=None if before is None else before.sha256,
    )


def _fetch(workspace: Workspace, source: str, location: str) -> tuple[str, StoredModel]:
    """Fetch a model from a hub, with the hash that it promises, or from elsewhere, with the hash that it has."""
    store, environment = workspace.models, workspace.environment
    hubs = find_hubs(environment)
    origin = parse_origin(source, hubs)
    if isinstance(origin, WebFile):
        if operation.is_dry_run():
            what = "what is at this address is known once it is fetched: only hubs tell it before"
            raise BadInput(what, where=without_login(origin.url), fix=suggest_retry("models add", dry=False))
        return origin.url, fetch_unknown(origin.url, store, hubs, environment)
    folder, _, name = location.partition("/")
    pinned = pin_models([RequestedModel(folder, name, source)], store, Path(), environment=environment)
    for problem in pinned.unpinned:
        raise NotFound(problem.why, where=location, fix=problem.fixes)
    model = pinned.models[0]
    fetch_models(pinned.models, store, hubs, environment)
    if operation.is_dry_run() and store.find(model.sha256) is None:
        return strip_secrets(source), store.plan(model.sha256, model.size or 0)
    return strip_secrets(source), store.describe(model.sha256)


def _guess_location(path: Path) -> str:
    parts = path.absolute().parts
    if "models" not in parts[:-2]:
        return ""
    return "/".join(parts[len(parts) - parts[::-1].index("models") :])


def _check_location(text: str, source: str) -> str:
    folder, _, name = text.partition("/")
    try:
        return f"{_FOLDER.validate_python(folder)}/{_NAME.validate_python(name)}"
    except ValidationError as e:
        what = (
            f"{text!r} is not a model's folder and name" if text else "it is unknown where ComfyUI looks for this model"
        )
        fix = suggest("retry", "as in checkpoints/model.safetensors", place=Placeholder("FOLDER/NAME"))
        raise BadInput(what, where=source, fix=fix) from e
