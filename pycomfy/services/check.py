"""`check`: a built image is started once more, and asked whether it has what its workflow needs; the answer is kept."""

import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.engine import Engine
from pycomfy.adapters.containers.load import LayoutImage
from pycomfy.adapters.containers.node_definitions import DidNotStart
from pycomfy.adapters.database.records import ImageRecord, IndexedImage
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import parse_lock, render_lock
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.core.versions.verification import Verification
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import NotFound, PycomfyError
from pycomfy.services.lock_request import read_bounded
from pycomfy.services.verification import ask, load_recorded, verify_image
from pycomfy.services.versions.lookup import find_image
from pycomfy.services.versions.recorded_version import LOCK, RecordedVersion, find_recorded_version
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class CheckResult:
    """`proof` is None where ComfyUI did not even start. `problems` say why the image is not what it should be."""

    name: str
    version: int
    image: ImageRecord
    proof: Verification | None
    problems: tuple[PycomfyError, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.problems


def check(workspace: Workspace, target: str) -> CheckResult:
    """Start the image of `target`, a version or a folder or file with its lock, without network and GPU; compare what
    it has with what its workflow needs; and record that.

    Raises `NotFound` for what was not built, and `RunFailed` if no container can be started at all.
    """
    began = time.monotonic()
    reference = find_target(workspace, target)
    record = find_image(workspace, reference)
    version = find_recorded_version(workspace, Reference(record.name, record.version))
    proof, problems = _ask(workspace, record, version, workspace.engine)
    _keep(workspace, record, version, proof, passed=not problems)
    return CheckResult(record.name, record.version, record, proof, problems, time.monotonic() - began)


def find_target(workspace: Workspace, target: str) -> Reference:
    """The version that is meant: by its name, or as the newest that was made of the lock at a path. Raises `NotFound`,
    `BadInput`, `BadLock`."""
    path = Path(target)
    if not path.exists() or ("/" not in target and path.is_dir() and target in workspace.versions.names()):
        return parse_reference(target)
    path = path / LOCK if path.is_dir() else path if path.name.endswith(".lock") else path.parent / LOCK
    lock = parse_lock(read_bounded(path, "lock").decode(errors="replace"), where=str(path))
    digest = hashlib.sha256(render_lock(lock).encode()).hexdigest()
    with workspace.open_database() as store:
        same = [v.version for v in store.versions(lock.name) if v.lock_sha256 == digest]
    if not same:
        raise NotFound("no image was built of this lock", where=str(path), fix=f"pycomfy build {target}")
    return Reference(lock.name, max(same))


def _ask(
    workspace: Workspace, record: ImageRecord, version: RecordedVersion, engine: Engine
) -> tuple[Verification | None, tuple[PycomfyError, ...]]:
    """The proof, and what is wrong."""
    where = f"the workflow of {version.label}"
    workflow = parse_workflow(version.files["workflow.json"], where=where)
    layout = LayoutImage(
        record.layout, record.manifest_digest, record.config_digest, (), record.diff_ids, record.platform, record.size
    )
    with operation.step(f"Load {version.label} into {engine.kind}") as task:
        identity = load_recorded(engine, layout, record.name, task)
    try:
        answer = ask(workspace, engine, identity, environment_fingerprint(version.lock, record.platform))
    except DidNotStart as e:
        return None, (e,)
    proof = verify_image(version.lock, workflow, answer)
    # The lock's own types are not all: the editor may put in others.
    return proof, tuple(proof.problems(where)) or try_convert(workflow, answer.types).problems


def _keep(
    workspace: Workspace, record: ImageRecord, version: RecordedVersion, proof: Verification | None, *, passed: bool
) -> None:
    """Keep the answer with the image: in the library, and in the record that follows it."""
    described = version.images.get(record.platform)
    if described is None or described.manifest_digest != record.manifest_digest:
        return
    works = proof.compatible if proof is not None else {pack.name: False for pack in version.lock.packs}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    described = described.model_copy(update={"proven": passed, "compatible": works, "checked_at": now})
    tree = version.version.tree
    workspace.versions.add_image(tree, described)
    with workspace.open_database() as store:
        store.index((), (), [IndexedImage(tree, described, str(record.layout))])
