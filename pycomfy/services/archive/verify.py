"""`verify`: the proof of reproduction. Build a version again in an empty store, compare every digest, and explain."""

import dataclasses
import tarfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.layer_diff import explain_json, explain_layers
from pycomfy.adapters.containers.load import LayoutImage, read_layout
from pycomfy.adapters.database.records import ImageRecord
from pycomfy.adapters.nix.settings import check_store
from pycomfy.adapters.nix.store import copy_paths, empty_store
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.core.versions.reference import parse_reference
from pycomfy.errors import PycomfyError
from pycomfy.services.archive.restore import copy_from_archive, missing_sources
from pycomfy.services.realise import Project, host_platform, project_folder, realise
from pycomfy.services.versions.lookup import find_record, read_project
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class VerifyRequest:
    """`name` is NAME or NAME@N. `store` is where the empty store is made, and removed again; it needs about 1.6 times
    the image's size. None means beside the record."""

    name: str
    store: Path | None = None


@dataclass(frozen=True)
class Difference:
    """Something that came out otherwise; `what` is "layer NAME", "config" or "manifest". `why` says what in it is
    different, where the recorded image is still at hand; `report` is diffoscope's."""

    what: str
    recorded: str
    rebuilt: str
    why: tuple[str, ...] = ()
    report: str = ""


@dataclass(frozen=True)
class VerifyResult:
    name: str
    version: int
    recorded: ImageRecord
    rebuilt: LayoutImage
    differences: tuple[Difference, ...]
    seconds: float


def verify(workspace: Workspace, request: VerifyRequest) -> VerifyResult:
    """Build again, in a store that has only what the lock pins, and compare. Raises `NotFound` for an unknown version.

    Sources are taken from the archive, else from this machine's store (their hashes are checked on the way), and
    fetched where neither has them; no built layer is taken over.
    """
    began = time.monotonic()
    reference = parse_reference(request.name)
    record = find_record(workspace, reference)
    files = read_project(workspace, reference)
    check_store(workspace.nix)
    log = workspace.paths.data / "logs" / f"verify-{record.name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.log"
    with empty_store(request.store or workspace.paths.data) as place, project_folder(workspace, files) as folder:
        pins = parse_lock(files["pycomfy.lock"].decode(errors="replace"), where=f"pycomfy.lock of {reference}")
        project = Project(folder, pins, record.platform, folder)
        empty = dataclasses.replace(workspace, nix=dataclasses.replace(workspace.nix, store=place))
        _supply(workspace, empty, pins, record)
        made = realise(empty, project, log=log)
        rebuilt = read_layout(empty.nix.place(str(made.oci)))
        differences = _explain(_compare(record, rebuilt), record, rebuilt)
    return VerifyResult(record.name, record.version, record, rebuilt, differences, time.monotonic() - began)


def _supply(workspace: Workspace, empty: Workspace, pins: Lock, record: ImageRecord) -> None:
    needs, archive = list_requisites(pins, {host_platform(), record.platform}), workspace.archive
    missing_sources(empty, needs)  # raises what is damaged
    copy_from_archive(empty, needs)
    rest = [need.path for need in needs if not archive.has(need.output)]
    if rest and empty.nix.store is not None:
        with operation.step("Copy sources that are not in the archive") as task:
            copied = copy_paths(workspace.nix, rest, empty.nix.store)
            task.note(f"{copied} of this machine's, the rest is fetched")


def _compare(recorded: ImageRecord, rebuilt: LayoutImage) -> tuple[Difference, ...]:
    pairs = [
        (f"layer {number} ({name})", old, new)
        for number, (name, old, new) in enumerate(
            zip_longest(rebuilt.layer_names, recorded.diff_ids, rebuilt.diff_ids, fillvalue="-"), start=1
        )
    ]
    pairs.append(("config", recorded.config_digest, rebuilt.config_digest))
    pairs.append(("manifest", recorded.manifest_digest, rebuilt.manifest_digest))
    return tuple(Difference(what, old, new) for what, old, new in pairs if old != new)


def _explain(differences: tuple[Difference, ...], record: ImageRecord, rebuilt: LayoutImage) -> tuple[Difference, ...]:
    """The same with what is different in each, if the recorded image is still here."""
    try:
        recorded = read_layout(record.layout)
    except PycomfyError:
        recorded = None
    if not differences or recorded is None or recorded.manifest_digest != record.manifest_digest:
        return differences
    with operation.step("Compare what is different", total=len(differences)) as task:
        explained = []
        for difference in differences:
            explained.append(_explain_one(difference, recorded, rebuilt))
            task.advance()
    return tuple(explained)


def _explain_one(difference: Difference, recorded: LayoutImage, rebuilt: LayoutImage) -> Difference:
    pair = recorded.blob(difference.recorded), rebuilt.blob(difference.rebuilt)
    if not all(path.is_file() for path in pair):
        return difference
    try:
        found = explain_layers(*pair) if difference.what.startswith("layer ") else explain_json(*pair)
    except (tarfile.TarError, ValueError, OSError) as e:
        return dataclasses.replace(difference, why=(f"it cannot be read: {e}",))
    return dataclasses.replace(difference, why=found.lines, report=found.report)
