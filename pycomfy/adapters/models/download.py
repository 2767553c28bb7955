"""Fetch models: several at a time, each continued where it was broken off, and each once by however many processes.

A download counts as a model only once its SHA-256 is the pinned one.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.io.atomic_files import free_space, no_space, translate_disk_full
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.file_locks import exclusive_lock
from pycomfy.adapters.io.http_client import Client, without_login
from pycomfy.adapters.io.resumable import DownloadProgress, ExpectedFile, ResumableDownload, UnexpectedContent
from pycomfy.adapters.models.hubs import hub_client, login_fix
from pycomfy.adapters.models.store import ModelStore, StoredModel
from pycomfy.core.lockfile.schema import ModelFile
from pycomfy.core.models.model_url import Hubs, source_url
from pycomfy.errors import (
    BadInput,
    HashMismatch,
    NetworkError,
    NotFound,
    Placeholder,
    PycomfyError,
    raise_all,
    suggest,
)

JOBS = 4
MAX_BYTES = 1 << 40
"""Bytes of a model of unknown size."""


def pull_models(
    models: Sequence[ModelFile], store: ModelStore, hubs: Hubs, environment: Mapping[str, str] = os.environ
) -> list[ModelFile]:
    """Fetch those that are not in the store yet, and return which those were; in a dry run nothing is fetched. All
    failures are raised together: `NetworkError`, `HashMismatch`, `NoSpace`, and `NotFound` for a model that has no
    source."""
    by_hash: dict[str, ModelFile] = {}
    for model in models:
        by_hash.setdefault(model.sha256, model)
    missing = [m for m in by_hash.values() if store.find(m.sha256) is None]
    if not missing:
        return []
    with translate_disk_full(store.folder):
        store.partial_folder.mkdir(parents=True, exist_ok=True)
    _check_space(store, missing)
    if operation.is_dry_run():
        raise_all([_no_source(m) for m in missing if not m.sources])
        return missing
    known = sum(m.size for m in missing if m.size is not None)
    title = f"Fetch {missing[0].name}" if len(missing) == 1 else f"Fetch {len(missing)} models"
    with operation.step(title, total=known or None, unit="bytes") as task, hub_client(hubs, environment) as client:
        progress = DownloadProgress(task, known)
        jobs = {m.sha256: _ModelDownload(m, store, hubs, client, progress).run for m in missing}
        run_concurrently(jobs, at_once=JOBS)
    return missing


def fetch_unknown(url: str, store: ModelStore, hubs: Hubs, environment: Mapping[str, str] = os.environ) -> StoredModel:
    """Fetch a file into the store, whatever its hash is. Raises `NetworkError`, `NoSpace`, or `BadInput` for a web
    page."""
    name = url.partition("?")[0].rsplit("/", 1)[-1] or "model"
    part = store.partial_path(hashlib.sha256(url.encode()).hexdigest())
    with (
        translate_disk_full(part),
        exclusive_lock(part.with_suffix(".lock"), remove=True),
        operation.step(f"Fetch {name}", unit="bytes") as task,
        hub_client(hubs, environment) as client,
    ):
        expected = ExpectedFile(name, None, None, MAX_BYTES)
        download = ResumableDownload(expected, part, client, DownloadProgress(task))
        sha256 = download.fetch(url, login_fix=login_fix(url, hubs))
        if _is_web_page(part):
            part.unlink()
            raise BadInput("a web page, not a file", where=without_login(url), fix="give the file's own address")
        store.finish(part, sha256)
    return store.describe(sha256)


def _is_web_page(file: Path) -> bool:
    with file.open("rb") as f:
        return f.read(512).lstrip().lower().startswith((b"<!doctype", b"<html"))


def _check_space(store: ModelStore, models: Sequence[ModelFile]) -> None:
    """Raise `NoSpace` if what is still to come cannot fit."""
    needed = 0
    for model in models:
        part = store.partial_path(model.sha256)
        needed += max(0, (model.size or 0) - (part.stat().st_size if part.is_file() else 0))
    folder = operation.original(store.folder)
    if needed > free_space(folder):
        raise no_space(folder)


def _no_source(model: ModelFile) -> NotFound:
    return NotFound(
        f"the model {model.location} has no source: its file was added by hand",
        where=f"SHA-256 {model.sha256}",
        fix=suggest("models add", source=Placeholder("FILE"), place=model.location),
    )


@dataclass(frozen=True)
class _ModelDownload:
    """One model, from the first of its sources that has it. Client and progress are shared by all of one call."""

    model: ModelFile
    store: ModelStore
    hubs: Hubs
    client: Client
    progress: DownloadProgress

    def run(self) -> None:
        urls = [source_url(s, self.hubs) for s in self.model.sources]
        if not urls:
            raise _no_source(self.model)
        part = self.store.partial_path(self.model.sha256)
        with translate_disk_full(part), exclusive_lock(part.with_suffix(".lock"), remove=True):
            if self.store.find(self.model.sha256) is None:  # another process may just have fetched it
                self._fetch(part, urls)

    def _fetch(self, part: Path, urls: Sequence[str]) -> None:
        expected = ExpectedFile(self.model.location, self.model.sha256, self.model.size, MAX_BYTES)
        download = ResumableDownload(expected, part, self.client, self.progress)
        problems: list[PycomfyError] = []
        for url in urls:
            try:
                sha256 = download.fetch(url, login_fix=login_fix(url, self.hubs))
            except UnexpectedContent as e:
                problems.append(self._set_aside(download, e))
            except (NetworkError, HashMismatch) as e:
                problems.append(e)
            else:
                self.store.finish(part, sha256)
                return
        raise_all(problems)

    def _set_aside(self, download: ResumableDownload, error: UnexpectedContent) -> HashMismatch:
        """Move the wrong bytes away, so that they are neither used nor continued."""
        kept = self.store.set_aside(download.path, self.model.sha256, error.sha256)
        download.discard()
        return HashMismatch(error.what, where=f"{error.where}, kept as {kept.where}", fix=error.fixes)
