"""What happens in another store than the machine's leaves the machine's alone."""

import hashlib
from pathlib import Path

import pytest

from pycomfy.adapters.nix.settings import NixSettings
from tests.support.http_server import serve_folder

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
