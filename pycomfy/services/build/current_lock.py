"""Find the lock of a workflow that is to be built, and make a new one where it is missing or outdated."""

import hashlib

from pycomfy import operation
from pycomfy.adapters.sources.config_fingerprint import load_config_fingerprints
from pycomfy.adapters.sources.pin import is_changed, newer_commit
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.lockfile.update_policy import GATEWAY
from pycomfy.core.lockfile.workflow_names import CONFIG_FILE
from pycomfy.errors import BadLock, suggest
from pycomfy.services.lock.gateway import is_of_release
from pycomfy.services.lock.kept_pins import find_locked_workflow, keep_pins, write_kept
from pycomfy.services.lock.lock import lock
from pycomfy.services.lock_request import LockRequest, read_bounded, read_config, read_config_fingerprint
from pycomfy.services.workspace import Workspace


def read_or_make_lock(workspace: Workspace, request: LockRequest, workflow: bytes, *, only_read: bool) -> Lock:
    """Return the lock of the workflow; one that is missing or outdated is made anew, or with `only_read` raised as
    `BadLock`. `workflow` is the workflow's JSON."""
    path = request.lock_file
    if path.is_file():
        text = read_bounded(path, "lock").decode(errors="replace")
        current = parse_lock(text, path=str(path))
        if not only_read:
            current = _take_values(workspace, request, text, current, workflow)
        reason = _explain_outdated(workspace, request, current, text, workflow)
        if reason is None:
            _report_other_gateway(request, current)
            _report_newer_commits(workspace, request, current)
            return current
    else:
        reason = "there is no lock"
    if only_read:
        raise BadLock(reason, where=str(path), fix=suggest("lock", workflow=str(request.workflow)))
    operation.report(f"{reason}: locking {request.file}")
    made = lock(workspace, request)
    for note in made.notes:
        operation.report(f"note: {note.text}", note.fixes)
    return made.lock


def _take_values(workspace: Workspace, request: LockRequest, text: str, lock: Lock, workflow: bytes) -> Lock:
    """Return the lock; where only values were changed since a version that was built, that of the workflow as it is
    now, with the same pins. `text` is the lock's file."""
    if lock.workflow.sha256 == hashlib.sha256(workflow).hexdigest():
        return lock
    before = find_locked_workflow(workspace, lock)
    kept = keep_pins(lock, before, workflow) if before is not None else None
    if kept is None:
        return lock
    operation.report(f"{request.file} needs what it needed before: its lock keeps every pin")
    write_kept(workspace, request.lock_file, text, kept)
    return kept


def _explain_outdated(workspace: Workspace, request: LockRequest, lock: Lock, text: str, workflow: bytes) -> str | None:
    """What was changed since it was locked; None if nothing was. `text` is the lock's file."""
    if lock.workflow.sha256 != hashlib.sha256(workflow).hexdigest():
        return "the lock was made for another state of the workflow"
    if not all(parts.gateway for parts in lock.platforms.values()):
        return "the lock has no packages for the gateway"
    base = request.lock_file.parent
    changed = [name for name, source in lock.sources.items() if is_changed(source, base, name, workspace.paths)]
    if changed:
        return f"the folder of {', '.join(changed)} was changed after it was locked"
    known = load_config_fingerprints(text, workspace.paths)
    if known and read_config_fingerprint(request) not in known:
        return f"{CONFIG_FILE} was changed after it was locked"
    return None


def _report_other_gateway(request: LockRequest, lock: Lock) -> None:
    """Remark on a lock of another release of pycomfy: its image gets this one's gateway with that one's packages."""
    if not is_of_release(lock):
        fix = suggest("lock", "takes this one's", workflow=str(request.workflow), update=(GATEWAY,))
        operation.report("note: the lock has the gateway's packages of another release of pycomfy", fix)


def _report_newer_commits(workspace: Workspace, request: LockRequest, lock: Lock) -> None:
    """Remark on repositories beside the workflow with newer commits than the lock, which can still be built."""
    sources = {p.name: p.source for p in lock.packs}
    fix = suggest("lock", "takes the newer commit", workflow=str(request.workflow))
    for name, spec in read_config(request)[1].packs.items():
        if name not in sources:
            continue
        commit = newer_commit(spec, sources[name], request.file.parent, name, workspace.paths)
        if commit is not None:
            operation.report(f"note: {name} is built as it was locked, but is at {commit[:12]} by now", fix)
