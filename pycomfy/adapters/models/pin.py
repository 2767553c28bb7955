"""Pin models: each gets its SHA-256, its size and its sources, or a reason why it cannot be pinned."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import Client
from pycomfy.adapters.models import civitai, huggingface
from pycomfy.adapters.models.hubs import HubFile, find_hubs, hub_client
from pycomfy.adapters.models.store import Added, ModelStore
from pycomfy.core.lockfile.schema import CivitaiModel, HuggingFaceModel, ModelFile, UrlModel
from pycomfy.core.models.model_url import CivitaiVersion, Hubs, HuggingFaceFile, Origin, WebFile, parse_origin
from pycomfy.core.models.selection import RequestedModel, UnpinnedModel
from pycomfy.errors import BadInput, HashMismatch, NetworkError, NotFound, Placeholder, PycomfyError, suggest

JOBS = 8

Pins = dict[str, ModelFile | PycomfyError]
"""By path below ComfyUI's `models`."""

_Job = Callable[[Client], Pins]


@dataclass(frozen=True)
class EarlierPins:
    """The models of the lock before. What it pinned at `main` stays, unless `renew`; and what a hub does not
    answer for now stays in any case."""

    models: Sequence[ModelFile] = ()
    renew: bool = False

    def find(self, request: RequestedModel) -> ModelFile | None:
        """Return the pin at the same path, if it can be the requested model."""
        found = (m for m in self.models if m.location == request.location and request.sha256 in (None, m.sha256))
        return next(found, None)


@dataclass(frozen=True)
class PinnedModels:
    """Those that could be pinned, and those that could not. `notes` are remarks for the user."""

    models: tuple[ModelFile, ...] = ()
    unpinned: tuple[UnpinnedModel, ...] = ()
    notes: tuple[str, ...] = ()


def pin_models(
    requests: Sequence[RequestedModel],
    store: ModelStore,
    base: Path,
    earlier: EarlierPins = EarlierPins(),
    environment: Mapping[str, str] = os.environ,
) -> PinnedModels:
    """Pin every model that can be. Paths are relative to `base`. Raises `NotFound` or `HashMismatch` for a file that
    pycomfy.toml names."""
    if not requests:
        return PinnedModels()
    hubs = find_hubs(environment)
    pins: Pins = {r.location: _pin_local(r, store, base) for r in requests if r.path is not None}
    with operation.step("Pin models", total=len(requests)) as task, hub_client(hubs, environment) as client:
        jobs = list(_Plan(store, hubs, earlier).list_jobs([r for r in requests if r.location not in pins], pins))
        task.advance(len(pins))

        def run(job: _Job) -> Pins:
            found = job(client)
            task.advance(len(found))
            return found

        for found in run_concurrently({str(n): partial(run, job) for n, job in enumerate(jobs)}, at_once=JOBS).values():
            pins |= found
    return _sort_out(requests, pins, earlier, store.list_added())


def _sort_out(
    requests: Sequence[RequestedModel], pins: Pins, earlier: EarlierPins, added: Mapping[str, Added]
) -> PinnedModels:
    models, unpinned, notes = [], [], []
    for request in requests:
        pin, before, here = pins[request.location], earlier.find(request), added.get(request.location)
        if isinstance(pin, ModelFile):
            models.append(pin)
        elif isinstance(pin, NetworkError) and before is not None:
            models.append(before)
            notes.append(f"the model {request.location} stays as it was pinned before: {pin.what}")
        elif isinstance(pin, NetworkError) and here is not None and request.sha256 in (None, here.sha256):
            models.append(ModelFile(folder=request.folder, name=request.name, sha256=here.sha256))
            notes.append(f"the model {request.location} is the file that you added, without a source: {pin.what}")
        else:
            why = f"{pin.what} ({pin.where})" if pin.where else pin.what
            unpinned.append(UnpinnedModel(request.folder, request.name, why, pin.fixes))
    return PinnedModels(tuple(models), tuple(unpinned), tuple(notes))


@dataclass(frozen=True)
class _Plan:
    """What to ask the hubs."""

    store: ModelStore
    hubs: Hubs
    earlier: EarlierPins

    def list_jobs(self, requests: Sequence[RequestedModel], pins: Pins) -> Iterator[_Job]:
        """Yield one job for the files of each Hugging Face revision and one for each of CivitAI's. What needs no
        request is added to `pins`."""
        added = self.store.list_added()
        repositories: defaultdict[tuple[str, str], list[tuple[RequestedModel, str]]] = defaultdict(list)
        for request in requests:
            here = added.get(request.location)
            # Without more information, a model is the one that was added under its name, with the source of that.
            url = request.url or (here.url if here is not None and request.sha256 in (None, here.sha256) else None)
            try:
                origin: Origin | None = None if url is None else parse_origin(url, self.hubs)
            except BadInput as e:
                pins[request.location] = e
                continue
            kept = self._find_kept(request, origin)
            match origin:
                case HuggingFaceFile() | CivitaiVersion() if kept is not None:
                    pins[request.location] = kept
                case HuggingFaceFile(repository, revision, path):
                    repositories[repository, revision].append((request, path))
                case CivitaiVersion():
                    yield partial(_pin_at_civitai, request, origin, self.hubs)
                case None if request.sha256 is not None:
                    before = self.earlier.find(request)
                    if before is not None and before.sources and not self.earlier.renew:
                        pins[request.location] = before
                    else:
                        yield partial(_pin_by_hash, request, request.sha256, self.hubs)
                case WebFile() | None:
                    same = here is not None and (origin is None or here.url in (None, origin.url))
                    sha256 = request.sha256 or (here.sha256 if here is not None and same else None)
                    pins[request.location] = _pin_known(replace(request, sha256=sha256), origin)
        for (repository, revision), files in repositories.items():
            yield partial(_pin_at_huggingface, repository, revision, files, self.hubs)

    def _find_kept(self, request: RequestedModel, origin: Origin | None) -> ModelFile | None:
        """Return the pin of the lock before, if it is of the same file: no request to the hub is needed."""
        before = self.earlier.find(request)
        for source in before.sources if before is not None else ():
            match origin, source:
                case HuggingFaceFile(repository, revision, path), HuggingFaceModel():
                    same = (repository, path) == (source.repository, source.path)
                    if same and (revision == source.revision or (revision == "main" and not self.earlier.renew)):
                        return before
                case CivitaiVersion(version, ""), CivitaiModel() if version == source.version:
                    return before if not self.earlier.renew else None
        return None


def _pin_at_huggingface(
    repository: str, revision: str, files: Sequence[tuple[RequestedModel, str]], hubs: Hubs, client: Client
) -> Pins:
    try:
        found = huggingface.find_files(client, hubs, repository, revision, {path for _, path in files})
    except PycomfyError as e:
        return {request.location: e for request, _ in files}
    pins: Pins = {}
    for request, path in files:
        file = found[path]
        pins[request.location] = file if isinstance(file, PycomfyError) else _pin(request, file)
    return pins


def _pin_at_civitai(request: RequestedModel, origin: CivitaiVersion, hubs: Hubs, client: Client) -> Pins:
    try:
        return {request.location: _pin(request, civitai.find_file(client, hubs, origin, request.name, request.sha256))}
    except PycomfyError as e:
        return {request.location: e}


def _pin_by_hash(request: RequestedModel, sha256: str, hubs: Hubs, client: Client) -> Pins:
    """Pin a model without an address, of which the hash is known. Where CivitAI does not answer, or does not have it,
    it is the file that the user has."""
    try:
        file = civitai.find_by_hash(client, hubs, sha256)
    except NetworkError:
        file = None
    return {request.location: _pin(request, file) if file is not None else _pin_known(request, None)}


def _pin_known(request: RequestedModel, origin: WebFile | None) -> ModelFile | PycomfyError:
    """Pin a model of no hub, if its hash is known already."""
    if request.sha256 is not None:
        # Its size is known where it was added, but a lock is the same on every machine.
        sources = () if origin is None else (UrlModel(url=origin.url),)
        return ModelFile(folder=request.folder, name=request.name, sha256=request.sha256, sources=sources)
    if origin is None:
        add = suggest("models add", source=Placeholder("FILE"), place=request.location)
        return NotFound("no source is known", fix=("name its url in pycomfy.toml", add))
    add = suggest("models add", source=origin.url, place=request.location)
    return NotFound("its server gives no SHA-256", where=origin.url, fix=(add, "name its sha256 in pycomfy.toml"))


def _pin_local(request: RequestedModel, store: ModelStore, base: Path) -> ModelFile:
    """Take a file that pycomfy.toml names into the store."""
    stored = store.add(base / (request.path or ""))
    if request.sha256 not in (None, stored.sha256):
        raise _mismatch(request, stored.sha256)
    return ModelFile(folder=request.folder, name=request.name, sha256=stored.sha256, size=stored.size)


def _pin(request: RequestedModel, file: HubFile) -> ModelFile | HashMismatch:
    """Pin a file of a hub, if it is the requested one."""
    if request.sha256 not in (None, file.sha256):
        return _mismatch(request, file.sha256)
    return ModelFile(
        folder=request.folder, name=request.name, sha256=file.sha256, size=file.size, sources=(file.source,)
    )


def _mismatch(request: RequestedModel, sha256: str) -> HashMismatch:
    return HashMismatch(
        f"expected SHA-256 {request.sha256}, but the file there has {sha256}",
        where=request.url or request.path or "",
        fix="name the one that is meant in pycomfy.toml: [[models]] with folder, name, url and sha256",
    )
