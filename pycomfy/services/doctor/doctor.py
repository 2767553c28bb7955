"""`doctor`: what is installed, reachable and healthy on this machine, each finding with its fix.

Nothing is changed: folders that do not exist are not made, and what can only be examined by making it, is made in the
folder for temporary files and removed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pycomfy import operation
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.progress import Task
from pycomfy.services.doctor import subjects
from pycomfy.services.doctor.archive import check_archive
from pycomfy.services.doctor.disk import check_disks
from pycomfy.services.doctor.engine import check_engine
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import DoctorResult, Finding, Subject, make_result
from pycomfy.services.doctor.folders import check_folders, check_leftovers
from pycomfy.services.doctor.gpu import check_gpu
from pycomfy.services.doctor.images import check_images
from pycomfy.services.doctor.installation import check_catalog, check_installation
from pycomfy.services.doctor.machine import check_machine, judge_clock
from pycomfy.services.doctor.models import check_models
from pycomfy.services.doctor.network import check_network, skip_network
from pycomfy.services.doctor.nix import check_nix
from pycomfy.services.doctor.programs import check_programs
from pycomfy.services.doctor.versions import check_versions
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class Check:
    """Looks at something. `subject` is what is not known if it fails; `title` says what it is busy with."""

    subject: Subject
    title: str
    run: Callable[[Examination], Iterator[Finding]]


CHECKS = (
    Check(subjects.PYCOMFY, "pycomfy", check_installation),
    Check(subjects.CATALOG, "catalog", check_catalog),
    Check(subjects.PLATFORM, "machine", check_machine),
    Check(subjects.NIX, "Nix", check_nix),
    Check(subjects.GIT, "programs", check_programs),
    Check(subjects.ENGINE, "container engine", check_engine),
    Check(subjects.GPU, "GPU", check_gpu),
    Check(subjects.DISK_DATA, "disks", check_disks),
    Check(subjects.FOLDER, "folders", check_folders),
    Check(subjects.VERSIONS, "versions", check_versions),
    Check(subjects.ARCHIVE, "archive", check_archive),
    Check(subjects.IMAGES, "images", check_images),
    Check(subjects.MODELS, "models", check_models),
    Check(subjects.LEFTOVERS, "leftovers", check_leftovers),
)
NETWORK = Check(subjects.PYTHON_INDEX, "network", check_network)


def doctor(workspace: Workspace, *, offline: bool = False) -> DoctorResult:
    """Look at everything at once; with `offline` ask no server. Raises nothing but `Cancelled`: a check that fails is a
    finding."""
    examination = Examination(workspace)
    checks = CHECKS if offline else (*CHECKS, NETWORK)
    with operation.step("Look at this machine", total=len(checks)) as task:
        jobs = {check.title: partial(_run, check, examination, task) for check in checks}
        found = run_concurrently(jobs, at_once=len(jobs))
        task.note(f"{len(checks)} checks")
    findings = [finding for check in checks for finding in found[check.title]]
    if offline:
        findings += [*skip_network(), judge_clock(workspace.clock(), ())]
    order = {subject.id: number for number, subject in enumerate(subjects.SUBJECTS)}
    return make_result(sorted(findings, key=lambda f: order[f.id]), offline=offline)


def _run(check: Check, examination: Examination, task: Task) -> list[Finding]:
    """Return what a check finds, whatever happens; what it found before it failed is kept."""
    found: list[Finding] = []
    try:
        found.extend(check.run(examination))
    except Exception as e:  # noqa: BLE001  (a check that fails must not hide the others)
        found.append(check.subject.unknown(e))
    task.note(check.title)
    task.advance()
    return found
