"""`verify`: build a version again in an empty Nix store, compare every digest, and explain differences."""

import dataclasses
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.layer_diff import explain_json, explain_layers
from pycomfy.adapters.containers.layout import LayoutImage, read_layout
from pycomfy.adapters.database.records import ImageRecord
from pycomfy.adapters.nix.image_tar import check_layer
from pycomfy.adapters.nix.settings import check_store
from pycomfy.adapters.nix.store import copy_paths, empty_store
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import parse_lock
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.lock_outputs import Requisite, list_requisites
from pycomfy.core.versions.reference import parse_reference
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import PycomfyError
from pycomfy.services.archive.archived_sources import copy_from_archive
from pycomfy.services.archive.fill import archive_carried
from pycomfy.services.archive.restore_sources import missing_sources
from pycomfy.services.project import Project, host_platform, project_folder
from pycomfy.services.realise import realise
from pycomfy.services.results import Result
from pycomfy.services.versions.lookup import find_image, read_project
from pycomfy.services.versions.recorded_version import list_built
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class VerifyRequest:
    """`name` is NAME or NAME@N. `store` is the folder in which the empty Nix store is made, and removed again; it needs
    about 1.6 times the image's size. None means the data folder. `platform` None is this machine's."""

    name: str
    store: Path | None = None
    platform: PlatformName | None = None


@dataclass(frozen=True)
class Difference:
    """Something that came out otherwise: `what` is "layer NUMBER (NAME)", "config" or "manifest"; the other two are
    digests. `why` says what in it is different, if the recorded image is still on this machine; `report` is
    diffoscope's."""

    what: str
    recorded: str
    rebuilt: str
    why: tuple[str, ...] = ()
    report: str = ""


class VerifyResult(Result):
    """`recorded` and `rebuilt` are manifest digests. `layers` counts the rebuilt image's."""

    name: str
    version: int
    platform: str
    equal: bool
    recorded: str
    rebuilt: str
    layers: int
    differences: tuple[Difference, ...]
    seconds: float


def verify(workspace: Workspace, request: VerifyRequest) -> VerifyResult:
    """Build a version again, in a Nix store that has only what the lock pins, and compare. Raises `NotFound` for an
    unknown version, and for one without an image.

    Sources are taken from the archive, else from this machine's Nix store (their hashes are checked on the way), and
    fetched where neither has them; no built layer is taken over.
    """
    began = time.monotonic()
    reference = parse_reference(request.name)
    image = find_image(workspace, reference, request.platform)
    files = read_project(workspace, reference)
    check_store(workspace.nix)
    log = workspace.log_file(f"verify-{image.name}")
    with empty_store(request.store or workspace.paths.data) as store, project_folder(workspace, files) as folder:
        lock = parse_lock(files[LOCK].decode(errors="replace"), where=f"{LOCK} of {reference}")
        project = Project(folder, lock, image.platform, folder)
        empty = dataclasses.replace(workspace, nix=dataclasses.replace(workspace.nix, store=store))
        requisites = list_requisites(lock, {image.platform}, host_platform(), find_bootstrap(files))
        archive_carried(workspace, files, requisites)
        _copy_sources(workspace, empty, requisites)
        made = realise(empty, project, log=log, rebuild=True)
        rebuilt = read_layout(empty.nix.local_path(str(made.oci)))
        check_layers(rebuilt)
        differences = _explain(_compare(image, rebuilt), image, rebuilt)
    return VerifyResult(
        name=image.name,
        version=image.version,
        platform=image.platform,
        equal=not differences,
        recorded=image.manifest_digest,
        rebuilt=rebuilt.manifest_digest,
        layers=len(rebuilt.diff_ids),
        differences=differences,
        seconds=round(time.monotonic() - began, 3),
    )


def verify_all(
    workspace: Workspace, store: Path | None = None, platform: PlatformName | None = None
) -> Iterator[VerifyResult]:
    """Verify every version of every workflow that was built for `platform`, None for this machine's, one after the
    other: workflows by name, oldest versions first."""
    for label in list_built(workspace, platform or host_platform()):
        yield verify(workspace, VerifyRequest(label, store, platform))


def check_layers(image: LayoutImage) -> None:
    """Raise `BadInput` for a layer whose files are not those of its digest: only the project's own code has said so."""
    with operation.step("Check the layers' digests", total=image.size, unit="bytes") as task:
        for digest in dict.fromkeys(image.layers):
            check_layer(image.layer(digest), digest, task.advance)


def _copy_sources(workspace: Workspace, empty: Workspace, requisites: Sequence[Requisite]) -> None:
    """Put what the archive and this machine's Nix store have into the empty one. Raises `HashMismatch` for all that is
    damaged."""
    archive = workspace.archive
    missing_sources(empty, requisites)
    copy_from_archive(empty, requisites)
    rest = [r.path for r in requisites if not archive.has(r.output)]
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


def _explain(differences: tuple[Difference, ...], image: ImageRecord, rebuilt: LayoutImage) -> tuple[Difference, ...]:
    """Add what is different in each, if the recorded image is still on this machine."""
    try:
        recorded = read_layout(image.layout)
    except PycomfyError:
        return differences
    if not differences or recorded.manifest_digest != image.manifest_digest:
        return differences
    with operation.step("Compare what is different", total=len(differences)) as task:
        explained = []
        for difference in differences:
            explained.append(_explain_one(difference, recorded, rebuilt))
            task.advance()
    return tuple(explained)


def _explain_one(difference: Difference, recorded: LayoutImage, rebuilt: LayoutImage) -> Difference:
    sides = (recorded, difference.recorded), (rebuilt, difference.rebuilt)
    is_layer = difference.what.startswith("layer ")
    # A record may have come from somebody else; what the layout has under another digest was not looked at.
    if any(digest not in (i.manifest_digest, i.config_digest, *i.layers) for i, digest in sides):
        return difference
    pair = [image.layer(digest) if is_layer else image.blob(digest) for image, digest in sides]
    if not all(path.exists() for path in pair):
        return difference
    try:
        found = explain_layers(*pair) if is_layer else explain_json(*pair)
    except (PycomfyError, ValueError, OSError) as e:
        return dataclasses.replace(difference, why=(f"it cannot be read: {e}",))
    return dataclasses.replace(difference, why=found.lines, report=found.report)
