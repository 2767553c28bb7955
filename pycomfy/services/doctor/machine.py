"""What the machine gives every process: platform, locale, limits, folders, and a clock."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median_low

from pycomfy.adapters.io.surroundings import Surroundings
from pycomfy.core.lockfile.platforms import find_platform
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding, State
from pycomfy.services.doctor.subjects import CLOCK, HOME, LOCALE, OPEN_FILES, PLATFORM, TEMPORARY, UMASK

MIN_OPEN_FILES = 1024
MAX_WRONG, FAR_WRONG = timedelta(minutes=2), timedelta(days=1)
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""No clock that is right shows an earlier time: this program is younger."""


def check_machine(examination: Examination) -> Iterator[Finding]:
    """Look at everything but the clock, which takes a server to compare with."""
    about = examination.surroundings()
    yield judge_platform(about)
    yield judge_locale(about)
    yield judge_umask(about)
    yield judge_open_files(about)
    yield judge_home(about)
    yield judge_temporary(about)


def judge_platform(about: Surroundings) -> Finding:
    """Judge the operating system and the processor."""
    what = f"{about.system} {about.machine}, kernel {about.release}"
    facts = {"system": about.system, "machine": about.machine, "kernel": about.release}
    if about.system == "Linux" and find_platform(about.machine) is not None:
        return PLATFORM.ok(what, facts=facts)
    fix = "use a Linux machine or a Linux virtual machine"
    return PLATFORM.problem(f"{what}: images are built on Linux (x86_64, aarch64)", fix=fix, facts=facts)


def judge_locale(about: Surroundings) -> Finding:
    """Judge the encoding of texts."""
    facts = {"encoding": about.encoding}
    if about.encoding in ("utf-8", "utf_8"):
        return LOCALE.ok("UTF-8", facts=facts)
    what = f"{about.encoding}: names and texts with other characters cannot be shown"
    return LOCALE.warning(what, fix="set LANG=C.UTF-8", facts=facts)


def judge_umask(about: Surroundings) -> Finding:
    """Judge who may read and change what pycomfy writes."""
    mask = about.umask
    if mask is None:
        return UMASK.finding("unknown", "unknown on this system")
    text, facts = f"{mask:04o}", {"umask": f"{mask:04o}"}
    if mask & 0o700:
        return UMASK.problem(f"{text}: pycomfy could not read its own files", fix="umask 0022", facts=facts)
    if not mask & 0o002:
        what = f"{text}: every user of this machine may change what pycomfy writes"
        return UMASK.warning(what, fix="umask 0022", facts=facts)
    return UMASK.ok(text, facts=facts)


def judge_open_files(about: Surroundings) -> Finding:
    """Judge the limit of open files."""
    soft, hard = about.open_files
    facts = {"soft": soft if soft >= 0 else None, "hard": hard if hard >= 0 else None}
    if 0 <= soft < MIN_OPEN_FILES:
        what = f"{soft}, which is little for many downloads at once"
        return OPEN_FILES.warning(what, fix=f"ulimit -n {MIN_OPEN_FILES}", facts=facts)
    return OPEN_FILES.ok("none" if soft < 0 else str(soft), facts=facts)


def judge_home(about: Surroundings) -> Finding:
    """Judge the user's folder."""
    facts = {"path": None if about.home is None else str(about.home)}
    if about.home is not None and about.home.is_dir():
        return HOME.ok(str(about.home), facts=facts)
    what = "not set" if about.home is None else f"{about.home} does not exist"
    details = "Logins (~/.netrc), and the settings of uv, git and Podman are looked for there."
    return HOME.warning(what, details=details, fix="set HOME to a folder that exists", facts=facts)


def judge_temporary(about: Surroundings) -> Finding:
    """Judge the folder for temporary files."""
    facts = {"path": None if about.temporary is None else str(about.temporary)}
    if about.temporary is not None:
        return TEMPORARY.ok(f"in {about.temporary}", facts=facts)
    fix = "set TMPDIR to a folder that can be written"
    return TEMPORARY.problem("no folder for them can be written", fix=fix, facts=facts)


def judge_clock(now: datetime, ahead: Sequence[timedelta]) -> Finding:
    """Judge the clock. `ahead` says of each server how far its clock is ahead of this machine's, `now`; most of them
    will be right."""
    off = median_low(ahead) if ahead else None
    shown = f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    facts = {
        "time": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "behind_seconds": None if off is None else round(off.total_seconds()),
        "servers": len(ahead),
    }
    fix = "set the clock: `timedatectl set-ntp true`"
    if off is None and now < EARLIEST:
        return CLOCK.problem(f"{shown}, which is long ago: certificates are refused", fix=fix, facts=facts)
    if off is None:
        return CLOCK.ok(f"{shown}, not compared with any server's", facts=facts)
    if abs(off) < MAX_WRONG:
        return CLOCK.ok(shown, facts=facts)
    what = f"{_span(abs(off))} {'behind' if off > timedelta() else 'ahead of'} the servers' clocks"
    details = "Certificates and signatures may be refused, and what is locked as of now has the wrong date."
    state: State = "problem" if abs(off) >= FAR_WRONG else "warning"
    return CLOCK.finding(state, what, details=details, fix=fix, facts=facts)


def _span(time: timedelta) -> str:
    for unit, size in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if time >= size:
            count = time // size
            return f"1 {unit}" if count == 1 else f"{count} {unit}s"
    return f"{time.total_seconds():.0f} seconds"
