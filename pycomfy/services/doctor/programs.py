"""The programs that pycomfy starts, apart from Nix and the engines: what each is for, and what is lost without it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pycomfy.adapters.debian.packages import KEYRING as KEYRING_FILE
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.programs import Program, find_program, how_to_install
from pycomfy.adapters.python.uv_process import find_uv
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding, State, Subject
from pycomfy.services.doctor.subjects import DIFFOSCOPE, GIT, GPGV, KEYRING, SKOPEO, UV


@dataclass(frozen=True)
class KnownProgram:
    """`without` is the state where it is missing, `lost` what then does not work."""

    subject: Subject
    purpose: str
    without: State
    lost: str

    @property
    def name(self) -> str:
        return self.subject.name


PROGRAMS = (
    KnownProgram(GIT, "fetches sources and keeps versions", "problem", "nothing can be locked or recorded"),
    KnownProgram(UV, "resolves Python packages", "problem", "nothing can be locked"),
    KnownProgram(GPGV, "checks Debian's signatures", "warning", "the signatures of Debian's packages are not checked"),
    KnownProgram(SKOPEO, "copies images to registries", "note", "images are pushed with the container engine"),
    KnownProgram(DIFFOSCOPE, "explains how files differ", "note", "a failed verification only names what differs"),
)


def check_programs(examination: Examination) -> Iterator[Finding]:
    """Look for each program, and for Debian's keys."""
    found = run_concurrently({p.name: partial(_find, p.name) for p in PROGRAMS})
    for known in PROGRAMS:
        yield judge_program(known, found[known.name])
    yield judge_keyring(KEYRING_FILE, KEYRING_FILE.is_file())


def _find(name: str) -> Program | None:
    """Find a program. uv comes with pycomfy, and need not be on PATH."""
    path = find_uv() if name == UV.name else None
    return None if name == UV.name and path is None else find_program(name, path=path)


def judge_program(known: KnownProgram, found: Program | None) -> Finding:
    """Judge a program by what is lost without it."""
    subject, fix, details = known.subject, how_to_install(known.name), f"It {known.purpose}."
    if found is None:
        absent = {"version": None, "path": None}
        return subject.finding(known.without, f"not installed: {known.lost}", details=details, fix=fix, facts=absent)
    facts = {"version": found.version or None, "path": str(found.path)}
    if found.error:
        state = "warning" if known.without == "note" else known.without
        return subject.finding(state, f"does not start: {found.error}", details=details, fix=fix, facts=facts)
    return subject.ok(found.version or "found", details=details, facts=facts)


def judge_keyring(file: Path, there: bool) -> Finding:
    """Judge whether there are keys to check Debian's signatures with."""
    if there:
        return KEYRING.ok("installed", facts={"path": str(file)})
    what = "not installed: the signatures of Debian's packages are not checked"
    return KEYRING.warning(what, fix="apt-get install debian-archive-keyring", facts={"path": str(file)})
