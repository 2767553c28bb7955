"""Whether the versions repository and the database are whole, and agree."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pycomfy.adapters.database.connection import MAKE_ANEW
from pycomfy.adapters.database.copy import copy_path
from pycomfy.adapters.database.database import database_path
from pycomfy.adapters.database.inspection import DatabaseInspection
from pycomfy.adapters.io.permissions import refuse_unreadable
from pycomfy.adapters.io.time_limit import time_limit
from pycomfy.adapters.versions.git import REPAIR, DamagedRepository
from pycomfy.adapters.versions.integrity import find_damage
from pycomfy.core.versions.reference import check_workflow_name
from pycomfy.errors import BadInput, Placeholder, suggest
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import MAX_ITEMS, MAX_SHOWN, Finding
from pycomfy.services.doctor.subjects import DATABASE, INDEX, VERSIONS

SECONDS = 20.0
"""For git, which reads what refers to what in all versions."""


def check_versions(examination: Examination) -> Iterator[Finding]:
    """Look at the versions repository and the database, and compare the two."""
    path, bare = database_path(examination.workspace.paths), examination.workspace.versions.bare
    refuse_unreadable(path, copy_path(path), bare.path)
    database = examination.database()
    yield judge_database(path, database)
    if not bare.exists:
        yield judge_versions(bare.path, None, ())
        yield judge_index(database, None)
        return
    with time_limit(SECONDS):
        damage = find_damage(bare)
    try:
        tips = {ref.removeprefix("refs/heads/"): commit for ref, commit in bare.refs("refs/heads").items()}
    except DamagedRepository as e:
        yield judge_versions(bare.path, {}, damage or (e.what,))
        yield INDEX.finding("unknown", "the versions repository cannot be read")
        return
    yield judge_versions(bare.path, tips, damage)
    yield judge_index(database, tips)


def judge_database(path: Path, database: DatabaseInspection | None) -> Finding:
    """Judge the database. What a damaged one knew is in its copy, and in the versions repository too, except runs and
    the logs of builds."""
    facts = {"path": str(path), "exists": database is not None}
    if database is None:
        return DATABASE.ok("none yet", facts=facts)
    facts |= {"size": database.size, "whole": not database.damage, "migrations": len(database.applied)}
    if database.damage:
        what = f"{path.name} is damaged: {database.damage[0]}"
        return DATABASE.problem(what, details="\n".join(database.damage), fix=MAKE_ANEW, facts=facts)
    if database.copy_damage:
        what = f"whole, but its copy {copy_path(path).name} is damaged: {database.copy_damage}"
        return DATABASE.warning(what, fix=suggest("reindex", "copies it again"), facts=facts)
    if database.is_outdated:
        what = "it was made by a development version of pycomfy, before its first release"
        return DATABASE.problem(what, fix=MAKE_ANEW, facts=facts)
    if database.is_newer:
        return DATABASE.problem("it was made by a newer pycomfy", fix="update pycomfy", facts=facts)
    if database.applied != database.known:
        behind = len(database.known - database.applied)
        what = f"whole, {behind} {'step' if behind == 1 else 'steps'} behind this pycomfy; updated when it is next used"
        return DATABASE.ok(what, facts=facts)
    count = len(database.applied)
    return DATABASE.ok(f"whole, {count} {'migration' if count == 1 else 'migrations'}", facts=facts)


def judge_versions(path: Path, tips: Mapping[str, str] | None, damage: Sequence[str]) -> Finding:
    """Judge the versions repository. `tips` are the newest commits by branch, None if there is no repository."""
    facts = {"path": str(path), "exists": tips is not None, "workflows": len(tips or ())}
    if tips is None:
        return VERSIONS.ok("none yet", facts=facts)
    if damage:
        fix = (*REPAIR, "put back a copy of the folder")
        details = "\n".join(damage[:MAX_SHOWN]) + (
            f"\nand {len(damage) - MAX_SHOWN} more" if len(damage) > MAX_SHOWN else ""
        )
        return VERSIONS.problem(f"damaged: {damage[0]}", details=details, fix=fix, facts=facts)
    count = len(tips)
    return VERSIONS.ok(f"whole, {count} {'workflow' if count == 1 else 'workflows'}", facts=facts)


def judge_index(database: DatabaseInspection | None, tips: Mapping[str, str] | None) -> Finding:
    """Judge whether the database knows the newest version of every workflow, and no other workflow.

    The next command that reads it brings it up to date, but not from a versions repository that is gone."""
    known = database.commits if database is not None else {}
    workflows = {name: commit for name, commit in (tips or {}).items() if _is_workflow(name)}
    newest = {name: rows[max(rows)] for name, rows in known.items() if rows}
    behind = sorted(name for name, commit in workflows.items() if newest.get(name) != commit)
    gone = sorted(name for name in known if name not in workflows)
    facts = {
        "versions": sum(map(len, known.values())),
        "behind": behind[:MAX_ITEMS],
        "gone": gone[:MAX_ITEMS],
    }
    if database is not None and (database.damage or database.is_outdated):
        return INDEX.finding("unknown", "the database cannot be read", facts=facts)
    if tips is None and any(commit for rows in known.values() for commit in rows.values()):
        what = f"the versions repository is gone, with {facts['versions']} versions that the database knows"
        pull = suggest("pull", "from where it was pushed", remote=Placeholder("REMOTE"))
        fix = ("put it back", pull, "to begin anew, remove the database")
        return INDEX.problem(what, fix=fix, facts=facts)
    if behind or gone:
        count = len(behind) + len(gone)
        names = ", ".join([*behind, *gone][:MAX_SHOWN]) + (" …" if count > MAX_SHOWN else "")
        return INDEX.note(f"differ for {names}", fix=suggest("reindex"), facts=facts)
    versions = facts["versions"]
    if not versions:
        return INDEX.ok("no versions yet", facts=facts)
    return INDEX.ok(f"agree, {versions} {'version' if versions == 1 else 'versions'}", facts=facts)


def _is_workflow(branch: str) -> bool:
    try:
        check_workflow_name(branch)
    except BadInput:
        return False
    return True
