"""Nix: the version, its store, the sandbox, and what a build may do in it."""

from collections.abc import Iterator

from pycomfy.adapters.containers.engine import parse_version
from pycomfy.adapters.io.programs import how_to_install
from pycomfy.adapters.nix.inspection import NixInspection
from pycomfy.errors import suggest
from pycomfy.services.doctor.examination import Examination
from pycomfy.services.doctor.findings import Finding
from pycomfy.services.doctor.subjects import NAMESPACES, NIX, NIX_FLAKES, NIX_SANDBOX, NIX_STORE

OLDEST = (2, 8)

_NO_SANDBOX = "Packages without a wheel cannot be built, and build steps of node packs cannot run. The rest works."
_NOT_MADE = (
    "Nothing is built, unless you switch it off; packages without a wheel and build steps of packs cannot run then."
)
_ALLOW = (
    "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000, and on Ubuntu also "
    "kernel.apparmor_restrict_unprivileged_userns=0"
)


GUARDS_ITSELF = (2, 26)
"""The first Nix that was seen to leave the machine's store alone."""

_UNGUARDED = (
    "A verification builds in a store of its own. Where a build fails there, this Nix may move an unfinished file over "
    "a whole one in the machine's store."
)
_GUARD = ("install util-linux 2.36 or newer, with namespaces allowed", "install Nix 2.26 or newer")


def check_nix(examination: Examination) -> Iterator[Finding]:
    """Look at Nix."""
    return judge_nix(examination.nix())


def judge_nix(nix: NixInspection) -> Iterator[Finding]:
    """Judge Nix. One that is missing or too old is judged no further."""
    program = judge_program(nix)
    yield program
    if program.state == "ok":
        yield judge_store(nix)
        yield judge_sandbox(nix)
        yield judge_namespaces(nix)
        yield judge_flakes(nix)


def judge_program(nix: NixInspection) -> Finding:
    """Judge the program: whether it is there, starts, and is new enough."""
    program = nix.program
    install = how_to_install("nix")
    if program is None:
        return NIX.problem("not installed: no image can be built", fix=install, facts={"version": None, "path": None})
    facts = {"version": program.version or None, "path": str(program.path)}
    if program.error:
        return NIX.problem(f"does not start: {program.error}", fix=install, facts=facts)
    if (version := parse_version(program.version)) and version < OLDEST:
        least = ".".join(map(str, OLDEST))
        what = f"{program.version} is too old, {least} or newer is needed"
        return NIX.problem(what, fix=f"install Nix {least} or newer", facts=facts)
    return NIX.ok(program.version or "found", facts=facts)


def judge_store(nix: NixInspection) -> Finding:
    """Judge whether the store can be used."""
    facts = {"path": str(nix.store), "mode": nix.mode, "build_users": nix.build_users}
    if nix.store_error is not None:
        return NIX_STORE.problem(f"cannot be used: {nix.store_error.where}", fix=nix.store_error.fixes, facts=facts)
    if not nix.store_exists:
        return NIX_STORE.note(f"{nix.store} does not exist yet; Nix makes it at the first build", facts=facts)
    version = parse_version(nix.program.version) if nix.program else None
    if not nix.guarded and version and version < GUARDS_ITSELF:
        what = f"{nix.store}, used directly, and not protected from builds that fail in other stores"
        return NIX_STORE.warning(what, details=_UNGUARDED, fix=_GUARD, facts=facts)
    how = "through the daemon" if nix.mode == "daemon" else "used directly"
    return NIX_STORE.ok(f"{nix.store}, {how}", facts=facts)


def judge_sandbox(nix: NixInspection) -> Finding:
    """Judge the sandbox. A daemon builds nothing for this; it does as nix.conf says."""
    trial, configured = nix.sandbox, nix.configuration.get("sandbox", "")
    daemon = nix.mode == "daemon"
    facts = {"works": trial.works, "configured": configured or None, "tried": not daemon}
    without = suggest("build", "the same bits", sandbox=False)
    if daemon and configured == "false":
        fix = ("set `sandbox = true` in nix.conf, and restart the daemon", without)
        return NIX_SANDBOX.warning("switched off in nix.conf", details=_NO_SANDBOX, fix=fix, facts=facts)
    if daemon:
        return NIX_SANDBOX.ok("switched on in the daemon", facts=facts)
    if trial.works is None:
        what = f"a trial build failed otherwise than it should: {trial.message}"
        return NIX_SANDBOX.finding("unknown", what, details=_NO_SANDBOX, fix=without, facts=facts)
    if not trial.works:
        what = f"does not work: {trial.message}"
        return NIX_SANDBOX.warning(what, details=_NOT_MADE, fix=without, facts=facts)
    return NIX_SANDBOX.ok("works", facts=facts)


def judge_namespaces(nix: NixInspection) -> Finding:
    """Judge whether a build may make namespaces."""
    if not nix.namespaces_error:
        return NAMESPACES.ok("allowed", facts={"allowed": True})
    what = f"the kernel does not allow them: {nix.namespaces_error}"
    return NAMESPACES.warning(what, details=_NO_SANDBOX, fix=_ALLOW, facts={"allowed": False})


def judge_flakes(nix: NixInspection) -> Finding:
    """Judge whether flakes are switched on, which pycomfy itself does not need."""
    features = nix.configuration.get("experimental-features", "").split()
    if "flakes" in features:
        return NIX_FLAKES.ok("switched on", facts={"enabled": True})
    what = "switched off: emitted projects build with `nix-build`, not with `nix build`"
    fix = "add `experimental-features = nix-command flakes` to nix.conf"
    return NIX_FLAKES.note(what, fix=fix, facts={"enabled": False})
