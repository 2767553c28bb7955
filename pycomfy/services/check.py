"""`check`: start a built image once more, ask it whether it has what its workflow needs, and record the answer."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.layout import LayoutImage
from pycomfy.adapters.containers.node_definitions import DidNotStart, log_path
from pycomfy.adapters.database.entries import IndexedImage
from pycomfy.adapters.database.records import ImageRecord
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import render_lock
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.versions.reference import Reference
from pycomfy.core.versions.verification import ImportFailure, SourceVerification, Verification
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import NotFound, PycomfyError, suggest
from pycomfy.services.lock_request import read_lock
from pycomfy.services.results import Problem, Result
from pycomfy.services.verification import ask_image, provide_recorded, verify_image
from pycomfy.services.versions.indexing import list_indexed
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.versions.recorded_version import RecordedVersion, find_recorded_version
from pycomfy.services.versions.target import find_lock, find_target
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class PartResult:
    """ComfyUI, or a node pack of the lock. `types` are the node types that the workflow needs from it; the image has no
    `lacking` ones, and takes `taken_from_others` from other packs: type → pack. `failure` says why it could not be
    imported, `remarks` what it printed while it was loaded. It is `compatible` if it was imported and has everything
    that is needed from it."""

    name: str
    compatible: bool
    types: tuple[str, ...]
    lacking: tuple[str, ...]
    taken_from_others: Mapping[str, str]
    failure: ImportFailure | None
    remarks: tuple[str, ...]

    @property
    def sufficient(self) -> bool:
        """Whether the workflow gets what it needs from it, though its import may have failed."""
        return not self.lacking and not self.taken_from_others


class CheckResult(Result):
    """Whether an image is `compatible` with its workflow; `problems` say why not. Without `started`, ComfyUI did not
    start, and nothing else is known. `node_types` is the number of types that the image has; `failures` are those of
    modules that are not `parts`. `log` is the file with all that ComfyUI printed."""

    name: str
    version: int
    platform: PlatformName
    manifest_digest: str
    compatible: bool
    started: bool
    node_types: int
    parts: tuple[PartResult, ...]
    failures: tuple[ImportFailure, ...]
    problems: tuple[Problem, ...]
    seconds: float
    log: Path


def check(workspace: Workspace, target: str) -> CheckResult:
    """Start the image of `target`, a version or a folder or file with its lock, without network and GPU; compare what
    it has with what its workflow needs; and record that.

    Raises `NotFound` for what was not built, and `RunFailed` if no container can be started at all.
    """
    began = time.monotonic()
    reference = find_built_version(workspace, target)
    record = find_image(workspace, reference)
    version = find_recorded_version(workspace, Reference(record.name, record.version))
    verification, problems = _verify(workspace, record, version, workspace.engine)
    _record(workspace, record, version, verification, passed=not problems)
    return CheckResult(
        name=record.name,
        version=record.version,
        platform=record.platform,
        manifest_digest=record.manifest_digest,
        compatible=not problems,
        started=verification is not None,
        node_types=verification.count if verification is not None else 0,
        parts=tuple(map(_make_part, verification.parts)) if verification is not None else (),
        failures=verification.failures if verification is not None else (),
        problems=problems,
        seconds=round(time.monotonic() - began, 3),
        log=log_path(workspace.paths.cache, _fingerprint(version, record.platform)),
    )


def find_built_version(workspace: Workspace, target: str) -> Reference:
    """Return the version that `target` names, or the newest one made of the lock at that path. Raises `NotFound`,
    `BadInput`, `BadLock`."""
    found = find_target(workspace, target)
    if isinstance(found, Reference):
        return found
    path = find_lock(found)
    lock = read_lock(path)
    digest = hashlib.sha256(render_lock(lock).encode()).hexdigest()
    same = [v.version for v in list_indexed(workspace, lock.name) if v.lock_sha256 == digest]
    if not same:
        raise NotFound("no image was built of this lock", where=str(path), fix=suggest("build", workflow=target))
    return Reference(lock.name, max(same))


def _verify(
    workspace: Workspace, record: ImageRecord, version: RecordedVersion, engine: Engine
) -> tuple[Verification | None, tuple[PycomfyError, ...]]:
    """The verification, None if ComfyUI did not start; and the problems."""
    where = f"the workflow of {version.label}"
    workflow = parse_workflow(version.files["workflow.json"], where=where)
    layout = LayoutImage(
        record.layout, record.manifest_digest, record.config_digest, (), record.diff_ids, record.platform, record.size
    )
    image = provide_recorded(engine, layout, record.name)
    try:
        answer = ask_image(workspace, engine, image, _fingerprint(version, record.platform))
    except DidNotStart as e:
        return None, (e,)
    verification = verify_image(version.lock, workflow, answer)
    # The lock's own types are not all: the editor may put in others.
    return verification, tuple(verification.problems(where)) or try_convert(workflow, answer.types).problems


def _fingerprint(version: RecordedVersion, platform: PlatformName) -> str:
    """The fingerprint of the version's environment, with its own gateway, which may be an older one."""
    folder = "gateway/"
    gateway = {path.removeprefix(folder): data for path, data in version.files.items() if path.startswith(folder)}
    return environment_fingerprint(version.lock, platform, gateway)


def _make_part(part: SourceVerification) -> PartResult:
    return PartResult(part.name, part.works, part.types, part.lacking, part.others, part.failure, part.remarks)


def _record(
    workspace: Workspace,
    record: ImageRecord,
    version: RecordedVersion,
    verification: Verification | None,
    *,
    passed: bool,
) -> None:
    """Keep the answer with the image, in the versions repository and in the database that indexes it."""
    image = version.images.get(record.platform)
    if image is None or image.manifest_digest != record.manifest_digest:
        return
    works = verification.compatible if verification is not None else {p.name: False for p in version.lock.packs}
    now = f"{workspace.clock():%Y-%m-%dT%H:%M:%SZ}"
    image = image.model_copy(update={"proven": passed, "compatible": works, "checked_at": now})
    tree = version.version.tree
    workspace.versions.add_image(tree, image)
    with workspace.open_database() as database:
        database.index((), (), [IndexedImage(tree, image, str(record.layout))])
