"""Runs a stranger's program inside a Debian root, apart from the builder: its own processes, mounts and network.

Nix's sandbox is what keeps strangers from the machine; this shows them a Debian where programs are at their usual
places, and keeps them from the builder itself. Linux only: namespaces(7).
"""

import ctypes
import os
import pwd
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from member import Refused

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_RDONLY, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_PDEATHSIG = 1  # die with the parent
_KEEP = os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME | os.ST_RELATIME

NO_SANDBOX = (
    "Nix builds without its sandbox here, so code of strangers would run on the machine itself; "
    "set `sandbox = true` in /etc/nix/nix.conf, or let your user choose it (`trusted-users`), and restart nix-daemon"
)


def check_sandbox() -> None:
    """Raise `Refused` unless Nix's sandbox is around this process. Nix goes without where it cannot make one."""
    networks = {name for _, name in socket.if_nameindex()}
    users = {entry.pw_name: entry.pw_gecos for entry in pwd.getpwall()}
    if networks - {"lo"} or set(users) - {"root", "nixbld", "nobody"} or "Nix" not in users.get("root", ""):
        raise Refused(NO_SANDBOX)


def run_inside(
    root: Path, place: Path, command: Sequence[str], env: Mapping[str, str], cwd: str, seconds: int
) -> int | None:
    """The exit status of `command`, run with the Debian `root` for its `/`; None if it took longer than `seconds`.

    `place` is a folder that holds what else there is in that `/`; only there and in /tmp can be written. Raises
    `Refused` where the kernel does not let a build do so.
    """
    pid = os.fork()
    if pid == 0:
        _become(root, place, command, env, cwd, seconds)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == _NOT_ALLOWED:
        raise Refused(
            "this machine's kernel does not let a build make namespaces of its own, in which a package could be built: "
            "allow it (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
        )
    return None if code == _TOO_LONG else code


_NOT_ALLOWED, _TOO_LONG = 251, 252


def _become(root: Path, place: Path, command: Sequence[str], env: Mapping[str, str], cwd: str, seconds: int) -> None:
    """The child: makes the namespaces and, as the first process in them, the program. Does not return."""
    try:
        _unshare()
        _mount_root(root, place)
        pid = os.fork()
        if pid == 0:
            _call("prctl", _PDEATHSIG, signal.SIGKILL)
            _mount("proc", place / "proc", kind="proc")
            os.chroot(place)
            os.chdir(cwd)
            os.execve(command[0], list(command), dict(env))  # noqa: S606  (no shell is wanted)
    except OSError as e:
        sys.stderr.write(f"{e}\n")
        os._exit(_NOT_ALLOWED)
    # The first process of the namespace takes all others with it when it ends.
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(_TOO_LONG))
    signal.alarm(seconds)
    _, status = os.waitpid(pid, 0)
    os._exit(max(os.waitstatus_to_exitcode(status), 0) or int(status != 0))


def _unshare() -> None:
    user, group = os.getuid(), os.getgid()
    _call("unshare", _NEWUSER | _NEWNS | _NEWPID | _NEWNET | _NEWIPC)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _mount_root(root: Path, place: Path) -> None:
    """Make `place` a whole `/`: the folders of `root`, which cannot be written, beside those that are there."""
    _mount("none", Path("/"), _REC | _PRIVATE)
    for entry in sorted(root.iterdir()):
        to = place / entry.name
        if to.exists() or to.is_symlink() or entry.name in ("dev", "proc", "sys", "tmp", "run", "root", "home"):
            continue
        if entry.is_symlink():
            to.symlink_to(entry.readlink())
        elif entry.is_dir():
            to.mkdir()
            _mount(str(entry), to, _BIND | _REC)
            # Where Nix runs without build users, the build owns the store's files.
            _mount("none", to, _BIND | _REMOUNT | _RDONLY | (os.statvfs(to).f_flag & _KEEP))
    for name in ("dev", "proc", "tmp"):
        (place / name).mkdir(exist_ok=True)
    _mount("/dev", place / "dev", _BIND | _REC)


def _mount(what: str, to: Path, flags: int = 0, kind: str | None = None) -> None:
    _call("mount", what.encode(), os.fsencode(to), kind.encode() if kind else None, ctypes.c_ulong(flags), None)


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")
