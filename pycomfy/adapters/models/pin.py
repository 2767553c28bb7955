"""Pinning models: each gets its SHA-256, its size and its sources, or a reason why it cannot be pinned."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.http_client import Client
from pycomfy.adapters.models import civitai, huggingface
from pycomfy.adapters.models.hubs import find_hubs, hub_client
from pycomfy.adapters.models.store import ModelStore
from pycomfy.core.lockfile.schema import CivitaiModel, HuggingFaceModel, ModelFile, ModelSource, UrlModel
from pycomfy.core.models.model_url import CivitaiVersion, Hubs, HuggingFaceFile, Origin, WebFile, parse_origin
from pycomfy.core.models.selection import RequestedModel, UnpinnedModel
from pycomfy.errors import BadInput, HashMismatch, NetworkError, NotFound, PycomfyError

JOBS = 8

Pins = dict[str, ModelFile | PycomfyError]
"""By place."""

_Job = Callable[[Client], Pins]


@dataclass(frozen=True)
class EarlierPins:
    """The models of the lock before. What it pinned at `main` stays, unless `renew`; and what a hub does not tell of
    now stays in any case."""

    models: Sequence[ModelFile] = ()
    renew: bool = False

    def find(self, want: RequestedModel) -> ModelFile | None:
        """The pin of that place, if it can be the wanted model."""
        return next((m for m in self.models if m.place == want.place and want.sha256 in (None, m.sha256)), None)


@dataclass(frozen=True)
class PinnedModels:
    """`notes` are remarks for the user."""

    models: tuple[ModelFile, ...] = ()
    unpinned: tuple[UnpinnedModel, ...] = ()
    notes: tuple[str, ...] = ()


def pin_models(
    wanted: Sequence[RequestedModel], store: ModelStore, base: Path, earlier: EarlierPins = EarlierPins()
) -> PinnedModels:
    """Pin every model that can be. Paths are relative to `base`. Raises `NotFound` or `HashMismatch` for a file that
    pycomfy.toml names."""
    if not wanted:
        return PinnedModels()
    hubs = find_hubs()
    pins: Pins = {w.place: _local(w, store, base) for w in wanted if w.path is not None}
    with operation.step("Pin models", total=len(wanted)) as task, hub_client(hubs) as client:
        jobs = list(_Plan(store, hubs, earlier).jobs([w for w in wanted if w.place not in pins], pins))
        task.advance(len(pins))

        def run(job: _Job) -> Pins:
            found = job(client)
            task.advance(len(found))
            return found

        for found in run_concurrently({str(n): partial(run, job) for n, job in enumerate(jobs)}, at_once=JOBS).values():
            pins |= found
    return _sorted_out(wanted, pins, earlier)


def _sorted_out(wanted: Sequence[RequestedModel], pins: Pins, earlier: EarlierPins) -> PinnedModels:
    models, unpinned, notes = [], [], []
    for want in wanted:
        pin, old = pins[want.place], earlier.find(want)
        if isinstance(pin, ModelFile):
            models.append(pin)
        elif isinstance(pin, NetworkError) and old is not None:
            models.append(old)
            notes.append(f"the model {want.place} stays as it was pinned before: {pin.what}")
        else:
            why = f"{pin.what} ({pin.where})" if pin.where else pin.what
            unpinned.append(UnpinnedModel(want.folder, want.name, why, pin.fixes))
    return PinnedModels(tuple(models), tuple(unpinned), tuple(notes))


@dataclass(frozen=True)
class _Plan:
    """What is to be asked."""

    store: ModelStore
    hubs: Hubs
    earlier: EarlierPins

    def jobs(self, wanted: Sequence[RequestedModel], pins: Pins) -> Iterator[_Job]:
        """Files of one Hugging Face revision are asked for together. What need not be asked is in `pins` at once."""
        added = self.store.added()
        repositories: defaultdict[tuple[str, str], list[tuple[RequestedModel, str]]] = defaultdict(list)
        for want in wanted:
            here = added.get(want.place)
            # Where nobody says more, a model is the one that was added under its name, from where that came.
            url = want.url or (here.url if here is not None and want.sha256 in (None, here.sha256) else None)
            try:
                origin: Origin | None = None if url is None else parse_origin(url, self.hubs)
            except BadInput as e:
                pins[want.place] = e
                continue
            kept = self._kept(want, origin)
            match origin:
                case HuggingFaceFile() | CivitaiVersion() if kept is not None:
                    pins[want.place] = kept
                case HuggingFaceFile(repository, revision, path):
                    repositories[repository, revision].append((want, path))
                case CivitaiVersion():
                    yield partial(_from_civitai, want, origin, self.hubs)
                case WebFile() | None:
                    same = here is not None and (origin is None or here.url in (None, origin.url))
                    known = replace(want, sha256=want.sha256 or (here.sha256 if here is not None and same else None))
                    pins[want.place] = _from_elsewhere(known, origin)
        for (repository, revision), files in repositories.items():
            yield partial(_from_huggingface, repository, revision, files, self.hubs)

    def _kept(self, want: RequestedModel, origin: Origin | None) -> ModelFile | None:
        """The pin of the lock before, if it is of the same file: the hub need not be asked again."""
        old = self.earlier.find(want)
        for source in old.sources if old is not None else ():
            match origin, source:
                case HuggingFaceFile(repository, revision, path), HuggingFaceModel():
                    same = (repository, path) == (source.repository, source.path)
                    if same and (revision == source.revision or (revision == "main" and not self.earlier.renew)):
                        return old
                case CivitaiVersion(version, ""), CivitaiModel() if version == source.version:
                    return old if not self.earlier.renew else None
        return None


def _from_huggingface(
    repository: str, revision: str, files: Sequence[tuple[RequestedModel, str]], hubs: Hubs, client: Client
) -> Pins:
    try:
        found = huggingface.find_files(client, hubs, repository, revision, {path for _, path in files})
    except PycomfyError as e:
        return {want.place: e for want, _ in files}
    pins: Pins = {}
    for want, path in files:
        one = found[path]
        pins[want.place] = one if isinstance(one, PycomfyError) else _pin(want, one.sha256, one.size, one.source)
    return pins


def _from_civitai(want: RequestedModel, origin: CivitaiVersion, hubs: Hubs, client: Client) -> Pins:
    try:
        found = civitai.find_file(client, hubs, origin, want.name, want.sha256)
    except PycomfyError as e:
        return {want.place: e}
    return {want.place: _pin(want, found.sha256, None, found.source)}


def _from_elsewhere(want: RequestedModel, origin: WebFile | None) -> ModelFile | PycomfyError:
    """Only a hash that is known already pins it."""
    if want.sha256 is not None:
        # Its size would be known where it was added, but a lock is the same on every machine.
        return _pin(want, want.sha256, None, None if origin is None else UrlModel(url=origin.url))
    if origin is None:
        fix = f"name its url in pycomfy.toml, or: pycomfy models add FILE --as {want.place}"
        return NotFound("nothing says where it is", fix=fix)
    fix = f"pycomfy models add '{origin.url}' --as {want.place}, or name its sha256 in pycomfy.toml"
    return NotFound("its server tells no SHA-256", where=origin.url, fix=fix)


def _local(want: RequestedModel, store: ModelStore, base: Path) -> ModelFile:
    """A file that pycomfy.toml names is taken into the store."""
    stored = store.add(base / (want.path or ""))
    found = _pin(want, stored.sha256, stored.size, None)
    if isinstance(found, PycomfyError):
        raise found
    return found


def _pin(want: RequestedModel, sha256: str, size: int | None, source: ModelSource | None) -> ModelFile | HashMismatch:
    """The model, if it is the one that is wanted."""
    if want.sha256 in (None, sha256):
        sources = () if source is None else (source,)
        return ModelFile(folder=want.folder, name=want.name, sha256=sha256, size=size, sources=sources)
    return HashMismatch(
        f"it should have the SHA-256 {want.sha256}, but there it has {sha256}",
        where=want.url or want.path or "",
        fix="name the one that is meant in pycomfy.toml: [[models]] with folder, name, url and sha256",
    )
