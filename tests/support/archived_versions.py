"""Two versions of a small workflow that only the archive has: what they came from is gone."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.core.lockfile.schema import Lock, Root
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.workspace import Workspace
from tests.support.data_folders import BuiltVersion, build_and_record, new_paths
from tests.support.nix_projects import Workshop

ROOT = Path(__file__).parents[2]
PACK = "NODE_CLASS_MAPPINGS = {}\n"
_CUT_OFF = 'mount --bind "$0" /nix && exec "$@"'


def make_lock(workshop: Workshop, root: Root, pack: str) -> Lock:
    """A lock with two wheels, which install a stray file at one place, and the node pack "greeter" with the text `pack`
    in it."""
    stray = "tests/__init__.py"
    one = workshop.wheel("one", {"one/__init__.py": b"x = 1\n", stray: b"z = 1\n"})
    two = workshop.wheel("two", {"two.py": b"y = 2\n", stray: b"z = 2\n"})
    wheels = [one, two.model_copy(update={"exclude": (stray,)})]
    # Nobody else has this pack, nor a layer with it.
    source = {"__init__.py": PACK, "text.txt": pack, "run.sh": "#!/bin/sh\n"}
    return workshop.lock({"linux/amd64": root}, wheels, [workshop.pack("greeter", source)])


def run_cut_off(paths: Paths, nix: NixSettings, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A command without a network, from which this machine's own store is out of reach, too."""
    assert nix.store is not None
    command = [sys.executable, "-m", "pycomfy", *arguments, "--json"]
    return subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", _CUT_OFF, nix.store / "nix", *command],
        cwd=ROOT,
        env={**os.environ, "PYCOMFY_HOME": str(paths.data)},
        check=False,
        capture_output=True,
        text=True,
    )


@dataclass(frozen=True)
class ArchivedVersions:
    """Two versions in the data folder `paths`, with an archive; `nix` has a Nix store that does not have them."""

    paths: Paths
    versions: tuple[BuiltVersion, BuiltVersion]
    nix: NixSettings

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.paths, self.nix)

    def request(self, reference: str) -> RestoreRequest:
        return RestoreRequest(reference, offline=True)

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """See `run_cut_off`."""
        return run_cut_off(self.paths, self.nix, *arguments)

    def copied(self, folder: Path, nix: NixSettings) -> "ArchivedVersions":
        """The same in `folder` with another store, to do with as one likes."""
        paths = new_paths(folder)
        shutil.copytree(self.paths.data, paths.data, symlinks=True)
        return ArchivedVersions(paths, self.versions, nix)


def build_and_lose(workshop: Workshop, root: Root) -> ArchivedVersions:
    """Build both versions, and remove the wheels and the node pack that they were built from."""
    paths = new_paths(workshop.folder)
    first = build_and_record(workshop, make_lock(workshop, root, "one"), paths)
    shutil.rmtree(workshop.folder / "greeter")
    second = build_and_record(workshop, make_lock(workshop, root, "two"), paths)
    for path in (*workshop.folder.glob("*.whl"), workshop.folder / "greeter"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return ArchivedVersions(paths, (first, second), workshop.settings)
