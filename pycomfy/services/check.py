"""`check`: a built image is started once more, and asked whether it has what its workflow needs; the answer is kept."""

import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pycomfy.adapters.containers.engine import Engine, find_engine
from pycomfy.adapters.containers.load import LayoutImage
from pycomfy.adapters.containers.node_definitions import DidNotStart
from pycomfy.adapters.database.database import Database, database_path
from pycomfy.adapters.database.records import ImageRecord, IndexedImage
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.schema import parse_lock, render_lock
from pycomfy.core.prompt.convert import try_convert
from pycomfy.core.versions.reference import Reference, parse_reference
from pycomfy.core.versions.verification import Verification
from pycomfy.core.workflow.parse import parse_workflow
from pycomfy.errors import NotFound, PycomfyError
from pycomfy.progress import Progress
from pycomfy.services.lock_request import read_bounded
from pycomfy.services.verification import ask, load_recorded, verify_image
from pycomfy.services.versions.lookup import find_record
from pycomfy.services.versions.recorded_version import LOCK, RecordedVersion, find_recorded_version


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


def check(target: str, home: Paths, progress: Progress, engine: str | None = None) -> CheckResult:
    """Start the image of `target`, a version or a folder or file with its lock, without network and GPU; compare what
    it has with what its workflow needs; and record that.

    Raises `NotFound` for what was not built, and `RunFailed` if no container can be started at all.
    """
    began = time.monotonic()
    reference = find_target(target, home)
    record = find_record(home, reference, progress)
    version = find_recorded_version(Reference(record.name, record.version), home)
    proof, problems = _ask(record, version, find_engine(engine), home, progress)
    _keep(record, version, proof, home, passed=not problems)
    return CheckResult(record.name, record.version, record, proof, problems, time.monotonic() - began)


def find_target(target: str, home: Paths) -> Reference:
    """The version that is meant: by its name, or as the newest that was made of the lock at a path. Raises `NotFound`,
    `BadInput`, `BadLock`."""
    path = Path(target)
    if not path.exists() or (
        "/" not in target and path.is_dir() and target in VersionsRepository(versions_repository_path(home)).names()
    ):
        return parse_reference(target)
    path = path / LOCK if path.is_dir() else path if path.name.endswith(".lock") else path.parent / LOCK
    lock = parse_lock(read_bounded(path, "lock").decode(errors="replace"), where=str(path))
    digest = hashlib.sha256(render_lock(lock).encode()).hexdigest()
    with Database(database_path(home)) as store:
        same = [v.version for v in store.versions(lock.name) if v.lock_sha256 == digest]
    if not same:
        raise NotFound("no image was built of this lock", where=str(path), fix=f"pycomfy build {target}")
    return Reference(lock.name, max(same))


def _ask(
    record: ImageRecord, version: RecordedVersion, engine: Engine, home: Paths, progress: Progress
) -> tuple[Verification | None, tuple[PycomfyError, ...]]:
    """The proof, and what is wrong."""
    where = f"the workflow of {version.label}"
    workflow = parse_workflow(version.files["workflow.json"], where=where)
    layout = LayoutImage(
        record.layout, record.manifest_digest, record.config_digest, (), record.diff_ids, record.platform, record.size
    )
    with progress.step(f"Load {version.label} into {engine.kind}") as task:
        identity = load_recorded(engine, layout, record.name, task)
    try:
        answer = ask(engine, identity, environment_fingerprint(version.lock, record.platform), home, progress)
    except DidNotStart as e:
        return None, (e,)
    proof = verify_image(version.lock, workflow, answer)
    # The lock's own types are not all: the editor may put in others.
    return proof, tuple(proof.problems(where)) or try_convert(workflow, answer.types).problems


def _keep(
    record: ImageRecord, version: RecordedVersion, proof: Verification | None, home: Paths, *, passed: bool
) -> None:
    """Keep the answer with the image: in the library, and in the record that follows it."""
    described = version.images.get(record.platform)
    if described is None or described.manifest_digest != record.manifest_digest:
        return
    works = proof.compatible if proof is not None else {pack.name: False for pack in version.lock.packs}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    described = described.model_copy(update={"proven": passed, "compatible": works, "checked_at": now})
    tree = version.version.tree
    VersionsRepository(versions_repository_path(home)).add_image(tree, described)
    with Database(database_path(home)) as store:
        store.index((), (), [IndexedImage(tree, described, str(record.layout))])
