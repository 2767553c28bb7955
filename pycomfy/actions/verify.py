"""`verify`: the proof of reproduction. Build a version again in an empty store, and compare every digest."""

import dataclasses
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from pycomfy.actions.realise import Project, project_folder, realise, source_paths
from pycomfy.actions.versions import find_record, read_project
from pycomfy.flow.lock.model import parse_lock
from pycomfy.flow.version.reference import parse_reference
from pycomfy.outside.engine import LayoutImage, read_layout
from pycomfy.outside.home import Home
from pycomfy.outside.nix.settings import NixSettings, check_store
from pycomfy.outside.nix.store import copy_paths, empty_store
from pycomfy.outside.store import ImageRecord
from pycomfy.progress import Progress


@dataclass(frozen=True)
class VerifyRequest:
    """`name` is NAME or NAME@N. `store` is where the empty store is made, and removed again; it needs about 1.6 times
    the image's size. None means beside the record."""

    name: str
    store: Path | None = None
    nix: NixSettings = field(default_factory=NixSettings)


@dataclass(frozen=True)
class Difference:
    """Something that came out otherwise; `what` is "layer NAME", "config" or "manifest"."""

    what: str
    recorded: str
    rebuilt: str


@dataclass(frozen=True)
class VerifyResult:
    name: str
    version: int
    recorded: ImageRecord
    rebuilt: LayoutImage
    differences: tuple[Difference, ...]
    seconds: float


def verify(request: VerifyRequest, home: Home, progress: Progress) -> VerifyResult:
    """Build again, in a store that has only what the lock pins, and compare. Raises `NotFound` for an unknown version.

    Fixed-output paths are taken from this machine's store where it has them (their hashes are checked on the way), and
    fetched where not; no built layer is taken over.
    """
    began = time.monotonic()
    reference = parse_reference(request.name)
    record = find_record(home, reference, progress)
    files = read_project(home, reference)
    check_store(request.nix)
    log = home.data / "logs" / f"verify-{record.name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.log"
    with empty_store(request.store or home.data) as place, project_folder(files, home) as folder:
        pins = parse_lock(files["pycomfy.lock"].decode(errors="replace"), where=f"pycomfy.lock of {reference}")
        project = Project(folder, pins, record.platform, folder)
        settings = dataclasses.replace(request.nix, store=place)
        with progress.step("Copy sources to an empty store") as task:
            copied = copy_paths(request.nix, source_paths(project, request.nix), place)
            task.note(f"{copied} of this machine's, the rest is fetched")
        made = realise(project, home, settings, progress, log=log)
        rebuilt = read_layout(place / str(made.oci).lstrip("/"))
    return VerifyResult(
        record.name, record.version, record, rebuilt, _compare(record, rebuilt), time.monotonic() - began
    )


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
