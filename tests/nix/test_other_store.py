"""What happens in another store than the machine's leaves the machine's alone."""

import hashlib
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from pycomfy.adapters.nix.settings import NixSettings
from tests.support.http_server import serve_folder

ROOT = Path(__file__).parents[2]
PINNED = b"as it was pinned\n"


def fetch(settings: NixSettings, url: str, name: str) -> tuple[int, str]:
    """The exit status and the store path of a fetch from `url`, for the hash of `PINNED`."""
    expression = f"""derivation {{
      name = "{name}"; system = "builtin"; builder = "builtin:fetchurl"; url = "{url}"; unpack = false;
      executable = false; outputHashMode = "flat"; outputHashAlgo = "sha256";
      outputHash = "{hashlib.sha256(PINNED).hexdigest()}"; preferLocalBuild = true;
    }}"""
    made = settings.run("nix-instantiate", "--expr", expression)
    assert made.returncode == 0, made.stderr
    derivation = made.stdout.decode().strip()
    path = settings.run("nix-store", "--query", "--outputs", derivation).stdout.decode().strip()
    done = settings.run("nix-store", "--realise", derivation)
    return done.returncode, path


# A machine whose `/nix` is an ordinary user's, who may read this Python, its packages and this checkout.
_OWNED = """
mount --bind $FOLDER/nix /nix
mount --bind $FOLDER/passwd /etc/passwd
mount --bind $PYTHON /mnt
mount --bind $PACKAGES /media
mount --bind $CHECKOUT /srv
mount --bind $FOLDER/home /home
cd /srv
exec setpriv --reuid 1234 --regid 1234 --clear-groups env --ignore-environment HOME=/home USER=someone PATH=$PATH \\
    LD_LIBRARY_PATH=/mnt/lib PYTHONPATH=/media PYTHONDONTWRITEBYTECODE=1 "$@"
"""
_TRIAL = """
import sys
from pathlib import Path
from pycomfy.adapters.nix.settings import NixSettings
from tests.nix.test_other_store import PINNED, fetch
address, name, other = sys.argv[1:]
status, path = fetch(NixSettings(user_caches=False), address + "/source", name)
assert status == 0
status, same = fetch(NixSettings(user_caches=False, store=Path(other)), address + "/gone", name)
assert status != 0 and same == path
assert Path(path).read_bytes() == PINNED, "it was destroyed"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives an ordinary user a /nix of their own")
def test_nor_in_that_of_an_ordinary_user_who_owns_it(tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    for name in ("nix", "home"):
        (folder / name).mkdir(parents=True)
        os.chown(folder / name, 1234, 1234)
    (folder / "passwd").write_text("root:x:0:0::/:/bin/sh\nsomeone:x:1234:1234::/home:/bin/sh\n")
    (tmp_path / "source").write_bytes(PINNED)
    python = Path(sys._base_executable).relative_to(sys.base_prefix)  # type: ignore[attr-defined]
    start = ["unshare", "--mount", "sh", "-euc", _OWNED, "sh", f"/mnt/{python}"]
    paths = {"PYTHON": sys.base_prefix, "PACKAGES": sysconfig.get_path("purelib"), "CHECKOUT": str(ROOT)}
    environment = {**os.environ, **paths, "FOLDER": str(folder)}
    with serve_folder(tmp_path) as address:
        # Below the same mount: Nix renames, which leads into no other.
        command = [*start, "-c", _TRIAL, address, f"of-{tmp_path.name}", "/nix/other"]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_fetch_that_fails_in_another_store_does_not_touch_the_path_in_the_machines(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = tmp_path / "source"
    name = f"of-{tmp_path.name}-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    machine = NixSettings()
    source.write_bytes(PINNED)
    with serve_folder(tmp_path) as address:
        status, path = fetch(machine, f"{address}/source", name)
        request.addfinalizer(lambda: machine.run("nix-store", "--delete", path))
        assert status == 0
        source.unlink()
        status, same = fetch(NixSettings(store=tmp_path / "other"), f"{address}/source", name)
    assert status != 0
    assert same == path
    assert Path(path).read_bytes() == PINNED
