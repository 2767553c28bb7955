"""Call Nix with the same settings for every command, chosen for the machine."""

import functools
import grp
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.process import Limit, missing, run
from pycomfy.errors import MissingTool

_REFUSED = re.compile("ermission denied|not permitted|ead-only file system|cannot connect to|creating directory")

MAX_LOG = 256 << 20
"""Bytes that one build may print."""

# What Nix needs to find its store, its settings, certificates and a proxy, and no secret: a build may be told any
# variable of Nix's process. NIX_PATH is not among them.
_KEPT = re.compile(
    r"HOME|USER|LOGNAME|PATH|TMPDIR|TMP|TEMP|TEMPDIR|XDG_\w+"
    r"|NIX_(REMOTE|SSL_CERT_FILE|STORE|STORE_DIR|STATE_DIR|LOG_DIR|DATA_DIR|LOCALSTATE_DIR|CONF_DIR|USER_CONF_FILES"
    r"|CONFIG|DAEMON_SOCKET_PATH|SSHOPTS|IGNORE_SYMLINK_STORE)"
    r"|SSL_CERT_(FILE|DIR)|CURL_CA_BUNDLE|SSH_AUTH_SOCK|(?i:(all|ftp|https?|no)_proxy)"
)

_MOUNT_FLAGS = {
    "nosuid": os.ST_NOSUID,
    "nodev": os.ST_NODEV,
    "noexec": os.ST_NOEXEC,
    "noatime": os.ST_NOATIME,
    "nodiratime": os.ST_NODIRATIME,
    "relatime": os.ST_RELATIME,
}

_FEATURES = ("--extra-experimental-features", "nix-command")
_NIXOS_CACHE = "https://cache.nixos.org"
"""The cache of every Nix. It has nothing that pycomfy builds or fetches, and each miss costs time."""

_EVALUATION = {
    # Nothing is read but what `-I` names, `getEnv` returns "", and no URI is fetched.
    "restrict-eval": "true",
    "allowed-uris": "",
    "nix-path": "",
    "pure-eval": "false",
    # Nothing is built, nor run, while evaluating.
    "allow-import-from-derivation": "false",
    "allow-unsafe-native-code-during-evaluation": "false",
    # `getFlake` fetches whatever is restricted.
    "experimental-features": "",
}


@dataclass(frozen=True)
class NixSettings:
    """`store` is the root folder of another store than the machine's; `jobs` 0 means one per core. `substituters` are
    binary caches that are asked first; with `user_caches` those of the user's nix.conf are asked, too."""

    sandbox: bool = True
    jobs: int = 0
    store: Path | None = None
    substituters: tuple[str, ...] = ()
    user_caches: bool = True

    def options(self) -> list[str]:
        """Return the options that every Nix command gets."""
        pairs = {
            "sandbox": "true" if self.sandbox else "false",
            # Where it cannot be made, Nix would build without it, and say nothing.
            "sandbox-fallback": "false",
            # Nothing of this machine is in it, whatever nix.conf says.
            "sandbox-paths": "",
            "substituters": " ".join((*self.substituters, *(find_user_caches() if self.user_caches else ()))),
            "max-jobs": str(self.jobs or os.cpu_count() or 1),
            "connect-timeout": "15",
            "download-attempts": "4",
            # Untrusted code may print without end.
            "max-build-log-size": str(MAX_LOG),
        }
        if os.geteuid() == 0 and not has_build_users():
            pairs["build-users-group"] = ""
        return [*_as_options(pairs), *(["--store", str(self.store)] if self.store else [])]

    def local_path(self, path: str) -> Path:
        """Return where the files of a store path are on this machine."""
        return Path(path) if self.store is None else self.store / path.lstrip("/")

    def command(self, program: str, *arguments: str | Path) -> list[str]:
        """Return the argument list for `nix-build`, `nix-store` and the like. Raises `MissingTool`."""
        found = shutil.which(program)
        if found is None:
            raise missing("nix")
        return [*self._guard(), found, *self.options(), *map(str, arguments)]

    def _guard(self) -> tuple[str, ...]:
        """Return the words before a command in another store that keep it from writing into the machine's."""
        if self.store is None or not self.sandbox:
            return ()
        return find_guard(os.environ.get("NIX_STORE_DIR") or "/nix/store") or ()

    def run(
        self,
        program: str,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        limit: Limit | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run such a program to its end, without the user's variables but with those in `environment`. Raises as
        `process.run`."""
        variables = {**nix_environment(), **(environment or {})}
        return run(self.command(program, *arguments), env=variables, limit=limit)


def evaluation_options(folder: Path | None = None) -> list[str]:
    """Return the options with which expressions are evaluated: nothing is read outside of `folder`, or nothing at all,
    nor is anything fetched, built or run. They count before the user's nix.conf and NIX_CONFIG."""
    search = [] if folder is None else ["-I", f"project={os.path.realpath(folder)}"]
    return [*_as_options(_EVALUATION), *search]


def nix_environment() -> dict[str, str]:
    """Return the variables that Nix is started with."""
    return {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}


def _as_options(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("--option", name, value)]


def read_configuration() -> dict[str, str]:
    """Return the settings of nix.conf, by name; empty where this Nix does not print them."""
    if shutil.which("nix") is None:
        return {}
    for words in (("config", "show"), ("show-config",)):  # the newer one first: it has a warning about the older
        done = run(["nix", *_FEATURES, *words], env=nix_environment())
        if done.returncode == 0:
            lines = done.stdout.decode(errors="replace").splitlines()
            return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}
    return {}


def find_user_caches() -> tuple[str, ...]:
    """Return the binary caches that nix.conf names, in its order, without the one of NixOS."""
    return _find_caches(tuple(sorted(nix_environment().items())))


@functools.cache
def find_guard(machine: str) -> tuple[str, ...] | None:
    """Return the words before a command that keep it from writing into the machine's store, the folder `machine`; none
    where it could not anyway. None where such namespaces cannot be had.

    Where a build in the sandbox fails, Nix 2.8 moves what there is of an output out of it to the path that it has in
    `/nix/store`, over a file that is there (`LocalDerivationGoal::cleanup…`; 2.26 does not)."""
    if not os.access(machine, os.W_OK):
        return ()
    unshare, shell, mount = map(shutil.which, ("unshare", "sh", "mount"))
    if unshare is None or shell is None or mount is None:
        return None
    # Only root of a namespace may mount; then the user is who they were, in a namespace within.
    user, group = os.geteuid(), os.getegid()
    as_root = () if user == 0 else ("--user", "--map-root-user")
    back = () if user == 0 else (unshare, "--user", f"--map-user={user}", f"--map-group={group}")
    # In a namespace no flag of a mount may be taken away.
    flags = os.statvfs(machine).f_flag
    options = ",".join(("remount", "bind", "ro", *(name for name, flag in _MOUNT_FLAGS.items() if flags & flag)))
    script = '"$1" --bind "$0" "$0" && "$1" --options "$2" "$0" && shift 2 && exec "$@"'
    words = (unshare, *as_root, "--mount", "--propagation=private", shell, "-c", script, machine, mount, options, *back)
    return words if run([*words, "true"]).returncode == 0 else None


@functools.lru_cache(maxsize=8)
def _find_caches(environment: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return them for this process's environment: asking Nix costs 20 ms, and every command wants to know."""
    caches = dict.fromkeys(read_configuration().get("substituters", "").split())
    return tuple(cache for cache in caches if cache.partition("?")[0].rstrip("/") != _NIXOS_CACHE)


def has_build_users() -> bool:
    """Whether the group that Nix's builds run as has members."""
    try:
        return bool(grp.getgrnam("nixbld").gr_mem)
    except KeyError:
        return False


def check_store(settings: NixSettings) -> None:
    """Raise `MissingTool`, with what to do, unless the store can be written."""
    result = settings.run("nix-store", "--query", "--hash", "/nix/store/00000000000000000000000000000000-x")
    text = result.stderr.decode(errors="replace")
    if _REFUSED.search(text):
        raise MissingTool(
            "Nix is installed, but its store cannot be used",
            where=text.strip().splitlines()[-1],
            fix="run as root, start the Nix daemon (`systemctl start nix-daemon`), or give your user the /nix folder",
        )
