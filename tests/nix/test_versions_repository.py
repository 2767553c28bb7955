"""Any version of the versions repository is built by Nix alone."""

import json
import subprocess
from pathlib import Path

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.io.paths import Paths
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path
from pycomfy.core.lockfile.schema import Root
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.services.versions.show import show
from pycomfy.services.workspace import Workspace
from tests.support.moments import NOW
from tests.support.nix_projects import WORKFLOW, Workshop


def nix_build(settings: NixSettings, flake: str, out: Path) -> Path:
    """As a person would, who has no pycomfy."""
    command = ["nix", "--extra-experimental-features", "nix-command flakes", "build", flake, "--out-link", str(out)]
    done = subprocess.run([*command, *settings.options()], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out.resolve()


def test_nix_builds_any_version_from_the_repository_alone(workshop: Workshop, root: Root, tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home", tmp_path / "home" / "cache")
    repository = VersionsRepository(versions_repository_path(paths))
    digests = {}
    for number, text in ((1, "A = 1\n"), (2, "A = 2\n")):
        wheel = workshop.wheel("one", {"one/__init__.py": b"ONE = 1\n"})
        lock = workshop.lock({"linux/amd64": root}, [wheel], [workshop.pack(f"pack{number}", {"__init__.py": text})])
        content = ProjectContent(lock, WORKFLOW, {"1": {}})
        repository.commit("small", project_files(content, read_toolkit()), created_at=NOW, message=f"no. {number}")
        project = workshop.project(lock, f"project{number}")
        digests[number] = read_layout(nix_build(workshop.settings, f"path:{project}#oci", tmp_path / "p"))
    for number in (1, 2):
        shown = show(Workspace(paths), f"small@{number}")
        assert shown.flake == f"git+file://{repository.path}?ref=small&rev={shown.commit}#oci"
        made = read_layout(nix_build(workshop.settings, shown.flake, tmp_path / f"v{number}"))
        assert made.manifest_digest == digests[number].manifest_digest
        assert json.loads((made.layout / "index.json").read_text())
    assert digests[1].manifest_digest != digests[2].manifest_digest
