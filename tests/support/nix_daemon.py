"""Nix as a distribution sets it up: a store of root's, a daemon, and an ordinary user who asks it."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.other_nix import Nix

USER_ID = 1234
_NAMES = {
    "passwd": f"root:x:0:0::/:/bin/sh\nsomeone:x:{USER_ID}:{USER_ID}::/home:/bin/sh\n"
    + "".join(f"nixbld{n}:x:{30000 + n}:30000::/var/empty:/bin/false\n" for n in range(1, 9)),
    "group": f"root:x:0:\nsomeone:x:{USER_ID}:\nnixbld:x:30000:{','.join(f'nixbld{n}' for n in range(1, 9))}\n",
}
# In namespaces of its own: what is mounted is of this command alone, and the daemon ends with it.
_SCRIPT = """
mount --bind $FOLDER/nix /nix
mount --bind $TREE /mnt
mount --bind $ARCHIVE /srv
mount --bind $FOLDER/conf /media
for name in passwd group; do mount --bind $FOLDER/$name /etc/$name; done
export NIX_CONF_DIR=/media
eval "$DAEMON" >$FOLDER/daemon.log 2>&1 &
for turn in $(seq 100); do test -S /nix/var/nix/daemon-socket/socket && break; sleep 0.1; done
mount --bind $FOLDER/home /home
setpriv --reuid {user} --regid {user} --clear-groups \\
    env --ignore-environment NIX_CONF_DIR=/media HOME=/home USER=someone PATH=/usr/bin:/bin sh -euc "cd /home; $COMMAND"
""".replace("{user}", str(USER_ID))


@dataclass(frozen=True)
class DaemonMachine:
    """A machine whose `/nix` and `/home` are in `folder`, with `configuration` as its nix.conf; `archive` is its
    `/srv`."""

    folder: Path
    nix: Nix
    archive: Path
    configuration: str = ""

    def __post_init__(self) -> None:
        for name in ("nix", "home", "conf"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        os.chown(self.folder / "home", USER_ID, USER_ID)
        for name, text in _NAMES.items():
            (self.folder / name).write_text(text)

    def take_home(self, name: str) -> None:
        """Give `/home/NAME`, which a test made, to the user."""
        subprocess.run(["chown", "-R", f"{USER_ID}:{USER_ID}", self.folder / "home" / name], check=True)

    def nix_command(self, program: str, *arguments: str) -> str:
        """A command of Nix's as a line for `run`."""
        there = Nix(self.nix.version, None if self.nix.tree is None else Path("/mnt"))
        return shlex.join(there.command(program, *arguments))

    def run(self, command: str, *, network: bool = True) -> "subprocess.CompletedProcess[str]":
        """What becomes of a shell's `command` that the user gives in `/home`."""
        # What Debian's Nix has in its sandbox is where its packages were unpacked.
        shell = "" if self.nix.tree is None else "sandbox-paths = /bin/sh=/mnt/usr/bin/bash-static\n"
        (self.folder / "conf/nix.conf").write_text(shell + self.configuration)
        variables = {
            "FOLDER": str(self.folder),
            "TREE": str(self.nix.tree or self.folder / "home"),
            "ARCHIVE": str(self.archive),
            "DAEMON": self.nix_command("nix-daemon"),
            "COMMAND": command,
        }
        cut = [] if network else ["--net"]
        start = ["unshare", *cut, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-euc", _SCRIPT]
        return subprocess.run(
            start, env={**os.environ, **variables}, check=False, capture_output=True, text=True, timeout=600
        )
