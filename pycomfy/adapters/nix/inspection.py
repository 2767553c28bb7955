"""What this machine's Nix can do: its version, whether its store can be used, whether builds run in a sandbox."""

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.programs import Program, find_program
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.adapters.nix.resources import nix_folder
from pycomfy.adapters.nix.settings import (
    NixSettings,
    check_store,
    evaluation_options,
    find_guard,
    has_build_users,
    read_configuration,
)
from pycomfy.errors import MissingTool

DAEMON_SOCKET = "/nix/var/nix/daemon-socket/socket"
AUTO_ROOTS = "/nix/var/nix/gcroots/auto"
_STORE = "/nix/store"
_MAX_ROOTS = 100_000

# A builder that this machine has and the sandbox has not: in the sandbox it cannot even be started.
_EXPRESSION = (
    'derivation { name = "pycomfy-sandbox-check"; system = builtins.currentSystem; builder = %s; args = [ "-V" ]; }'
)
_NAMESPACES = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import enclosure as e; "
    "e._unshare(); e._mount('none', Path('/'), e._REC | e._PRIVATE)"
)


@dataclass(frozen=True)
class SandboxTrial:
    """What became of a build that was tried in an empty store. `works` is None where that could not be found out."""

    works: bool | None
    message: str = ""


@dataclass(frozen=True)
class NixInspection:
    """`program` is None without Nix, `store_error` None if its store can be used. `mode` is how: "single-user" or
    "daemon"; "" where there is no store yet. `build_users`: whether the group `nixbld` has members. `configuration` are
    nix.conf's settings by name, as far as Nix prints them. `namespaces_error` is "" if builds can make namespaces.
    `guarded`: whether what fails in another store leaves this one alone."""

    program: Program | None
    store: Path = Path(_STORE)
    mode: str = ""
    store_error: MissingTool | None = None
    build_users: bool = False
    sandbox: SandboxTrial = SandboxTrial(None)
    namespaces_error: str = ""
    configuration: Mapping[str, str] = field(default_factory=dict)
    guarded: bool = True

    @property
    def store_exists(self) -> bool:
        """Whether there is a store."""
        return self.store.is_dir()


def inspect_nix(settings: NixSettings) -> NixInspection:
    """Return what is known of Nix, called with `settings`. Nothing is built in its store, and no store is made."""
    program = find_program("nix-build")
    store = settings.local_path(_STORE)
    if program is None or program.error:
        return NixInspection(program, store)
    mode = _mode(settings, store)
    return NixInspection(
        program,
        store,
        mode,
        _store_error(settings) if store.is_dir() else None,
        has_build_users(),
        SandboxTrial(None, "the daemon builds; that was not tried") if mode == "daemon" else try_sandbox(settings),
        try_namespaces(),
        read_configuration(),
        find_guard(str(store)) is not None,
    )


def _mode(settings: NixSettings, store: Path) -> str:
    """Return how Nix reaches its store: it asks the daemon if it cannot write there itself (its setting `store =
    auto`)."""
    if not store.is_dir():
        return ""
    if os.environ.get("NIX_REMOTE") == "daemon":
        return "daemon"
    if settings.store is None and not os.access(store.parent / "var/nix", os.W_OK) and Path(DAEMON_SOCKET).exists():
        return "daemon"
    return "single-user"


def _store_error(settings: NixSettings) -> MissingTool | None:
    try:
        check_store(settings)
    except MissingTool as e:
        return e
    return None


def try_sandbox(settings: NixSettings) -> SandboxTrial:
    """Try a build, which has to fail, in an empty store in the folder for temporary files."""
    with scratch_folder() as folder:
        alone = NixSettings(sandbox=True, jobs=1, store=folder / "store", user_caches=False)
        expression = _EXPRESSION % json.dumps(os.path.realpath(sys.executable)).replace("${", "\\${")
        options = (*evaluation_options(), "--no-out-link", "--expr", expression)
        done = alone.run("nix-build", *options, environment={"XDG_CACHE_HOME": str(folder)})
    text = done.stderr.decode(errors="replace")
    if re.search(r"executing '[^']*'", text):
        return SandboxTrial(True)
    errors = [line for line in text.splitlines() if "rror:" in line or "namespace" in line]
    message = re.sub(r"^.*?error:\s*", "", errors[0]) if errors else text.strip()[-300:]
    if "failed with exit code" in text or "failed to produce output path" in text:
        return SandboxTrial(False, "Nix builds without its sandbox, although its settings require it")
    known = re.search(r"namespace|sandbox|clon(e|ing)|unshar|setgroups|mount|pivot|Operation not permitted", text)
    return SandboxTrial(False if known else None, message)


def try_namespaces() -> str:
    """Make the namespaces in which packages are built, in a process that then ends; return what the kernel says against
    it."""
    folder = nix_folder() / "builders"
    if not (folder / "enclosure.py").is_file():
        return ""
    done = run([sys.executable, "-I", "-B", "-c", _NAMESPACES, folder])
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"exit status {done.returncode}")


def list_auto_roots(settings: NixSettings) -> frozenset[Path] | None:
    """Return the links outside of the store that protect what they point at from the garbage collector; None if this
    user may not see them."""
    folder = settings.local_path(AUTO_ROOTS)
    try:
        entries = [Path(entry.path) for entry in os.scandir(folder)][:_MAX_ROOTS]
        return frozenset(entry.readlink() for entry in entries if entry.is_symlink())
    except OSError:
        return None
