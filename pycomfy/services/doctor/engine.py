"""The container engine: which one is used and why, its runtime, its storage, and the users that it may map."""

from collections.abc import Iterator, Mapping, Sequence

from pycomfy.adapters.containers.engine import USE_OVERLAY, Kind, list_candidates
from pycomfy.adapters.containers.inspection import EngineInspection
from pycomfy.adapters.containers.reserve import Waiting
from pycomfy.adapters.io.programs import how_to_install
from pycomfy.errors import BadConfig, suggest
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding
from pycomfy.services.doctor.subjects import ENGINE, OTHER_ENGINE, RESERVE, RUNTIME, STORAGE, USER_IDS

NAMES: Mapping[Kind, str] = {"podman": "Podman", "docker": "Docker"}


def check_engine(examination: Examination) -> Iterator[Finding]:
    """Look at the engine that is used, and at the other one."""
    workspace = examination.workspace
    try:
        candidates = list_candidates(workspace.engine_name, workspace.environment)
    except BadConfig as e:
        yield ENGINE.problem(e.what, fix=e.fixes, details=e.evidence)
        return
    yield from judge_engines(candidates, examination.engines(), examination.engine())
    if waiting := workspace.reserve.list():
        yield judge_reserve(waiting, workspace.clock().timestamp())


def judge_engines(
    candidates: tuple[Kind, ...], installed: Mapping[Kind, EngineInspection], used: EngineInspection | None
) -> Iterator[Finding]:
    """Judge the engines. `candidates` may be used, and are tried in this order; `used` is the first that works."""
    if used is None or used.engine is None:
        broken = [installed[kind] for kind in candidates if kind in installed]
        if broken:
            error = broken[0].error
            what = error.what if error is not None else "it does not say what it is"
            yield ENGINE.problem(what, fix=error.fixes if error is not None else ())
        else:
            names = " or ".join(NAMES[kind] for kind in candidates)
            what = f"{names} is not installed: no image can be started"
            yield ENGINE.problem(what, fix=how_to_install(candidates[0]))
        return
    yield judge_used(candidates, used)
    for kind, other in installed.items():
        if kind != used.kind:
            yield judge_other(other)
    yield judge_runtime(used)
    yield judge_storage(used)
    if used.kind == "podman" and used.engine.rootless:
        yield judge_user_ids(used)


def judge_reserve(waiting: Sequence[Waiting], now: float) -> Finding:
    """Judge the ComfyUIs that wait for the next build, the oldest first. `now` is in seconds since 1970."""
    names, minutes = sorted({one.about.name for one in waiting}), max(0, int(now - waiting[0].since) // 60)
    what = f"{len(waiting)} ComfyUI for the next build of {', '.join(names)}, for {minutes} min; it ends when idle"
    facts = {"waiting": len(waiting), "names": names, "seconds": round(now - waiting[0].since)}
    return RESERVE.note(what, fix=suggest("gc", "ends it; PYCOMFY_RESERVE=0 leaves none"), facts=facts)


def judge_used(candidates: tuple[Kind, ...], used: EngineInspection) -> Finding:
    """Judge the engine that is used, and say why it is this one."""
    engine = used.engine
    assert engine is not None  # noqa: S101  (one that is used works)
    version = ".".join(map(str, engine.version))
    first = candidates[0]
    why = "it is tried first"
    if len(candidates) == 1:
        why = "it was requested"
    elif used.kind != first:
        why = f"{NAMES[first]} cannot be used"
    rights = "rootless" if engine.rootless else "with root's rights"
    facts = {
        "kind": used.kind,
        "version": version,
        "rootless": engine.rootless,
        "selinux": engine.selinux,
        "remote": used.remote,
        "images": used.images,
        "chosen": len(candidates) == 1,
    }
    what = f"{NAMES[used.kind]} {version}, {rights}"
    if used.remote:
        what = f"{what}, on another machine: an image and its files cannot be mounted there"
        return ENGINE.warning(what, fix="use an engine of this machine", facts=facts)
    return ENGINE.ok(what, details=f"{NAMES[used.kind]} is used because {why}.", facts=facts)


def judge_other(other: EngineInspection) -> Finding:
    """Judge an engine that is not used: whatever is wrong with it matters little."""
    facts = {"kind": other.kind, "works": other.engine is not None}
    if other.engine is None:
        why = other.error.what if other.error is not None else "it does not work"
        return OTHER_ENGINE.note(f"not used: {why}", facts=facts)
    version = ".".join(map(str, other.engine.version))
    return OTHER_ENGINE.ok(f"{NAMES[other.kind]} {version}, not used", facts=facts)


def judge_runtime(used: EngineInspection) -> Finding:
    """Judge the OCI runtime. Where both versions of cgroups are mixed, crun starts nothing; runc is used instead."""
    engine = used.engine
    facts = {"runtime": used.runtime, "cgroups": used.cgroups, "replaced": engine is not None and bool(engine.runtime)}
    what = f"{used.runtime or 'unknown'}, cgroups {used.cgroups or 'unknown'}"
    if engine is not None and engine.runtime:
        return RUNTIME.note(f"{engine.runtime}, as the configured one does not work here", facts=facts)
    if used.kind == "podman" and used.runtime == "crun" and used.cgroups == "v1":
        what = "crun with cgroups v1: on a machine that mixes both versions it starts no container"
        return RUNTIME.warning(what, fix="apt-get install runc", facts=facts)
    return RUNTIME.ok(what, facts=facts)


def judge_storage(used: EngineInspection) -> Finding:
    """Judge the driver that stores layers."""
    where = f" in {used.storage}" if used.storage is not None else ""
    facts = {
        "driver": used.driver,
        "path": None if used.storage is None else str(used.storage),
        "native_overlay_diff": used.overlay_native,
    }
    if used.driver == "vfs":
        details = "An image of 8 GB with 41 layers takes more than 200 GB, and as long to load."
        fix = f"{USE_OVERLAY}; a rootless engine may need fuse-overlayfs"
        return STORAGE.warning("vfs, which copies every layer whole", details=details, fix=fix, facts=facts)
    if used.overlay_native is False:
        what = f"{used.driver}{where}, which compares layers slowly here"
        return STORAGE.note(what, facts=facts)
    return STORAGE.ok(f"{used.driver or 'unknown'}{where}", facts=facts)


def judge_user_ids(used: EngineInspection) -> Finding:
    """Judge how many users a rootless container can have."""
    facts = {"mapped": used.mapped_users}
    if used.mapped_users is not None and used.mapped_users <= 1:
        what = "a container can have no user but yours: /etc/subuid and /etc/subgid have no entry for you"
        fix = (
            "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER; then: podman system migrate"
        )
        return USER_IDS.problem(what, fix=fix, facts=facts)
    what = "mapped" if used.mapped_users is None else f"{used.mapped_users} are mapped"
    return USER_IDS.ok(what, facts=facts)
