"""Nix alone, in a store that has nothing yet: one command makes the recorded image of a clone, and of an archive."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.debian.packages import read_releases
from pycomfy.adapters.debian.rootfs import pin_root
from pycomfy.adapters.io.paths import find_paths
from pycomfy.adapters.nix.binary_cache import folder_url
from pycomfy.adapters.nix.resources import NPM_REGISTRY, read_toolkit
from pycomfy.adapters.nix.settings import NixSettings
from pycomfy.adapters.nix.store import empty_store
from pycomfy.adapters.sources.pin import pin_source
from pycomfy.core.lockfile.config import parse_config
from pycomfy.core.lockfile.schema import DebianPackage, Lock, Pack, Root
from pycomfy.core.nix.bootstrap import find_bootstrap
from pycomfy.core.nix.lock_outputs import list_requisites, root_requisite
from pycomfy.core.nix.narinfo import narinfo_name
from pycomfy.core.nix.project import ProjectContent, project_files
from pycomfy.errors import PycomfyError
from pycomfy.services.archive.archive import fill, fill_version, status
from pycomfy.services.archive.bundle_export import export_bundle
from pycomfy.services.archive.bundle_import import import_bundle
from pycomfy.services.archive.restore_image import restore_image
from pycomfy.services.archive.restore_plain import restore_plain
from pycomfy.services.archive.restore_request import RestoreRequest
from pycomfy.services.carried import carry_sources
from pycomfy.services.project import Project, host_platform, project_folder
from pycomfy.services.realise import realise
from pycomfy.services.workspace import Workspace
from tests.support.archived_versions import run_cut_off
from tests.support.data_folders import new_paths, share_downloads
from tests.support.http_server import serve_folder
from tests.support.moments import NOW
from tests.support.nix_daemon import DaemonMachine
from tests.support.nix_projects import WORKFLOW, Workshop
from tests.support.other_nix import Nix, debian_nix, own_nix
from tests.support.repositories import commit, git


@pytest.fixture(scope="module", autouse=True)
def registry() -> Iterator[None]:
    """npm's registry, or the mirror of it that this machine's npm uses."""
    npm = shutil.which("npm")
    with pytest.MonkeyPatch.context() as patch:
        if npm is not None and not os.environ.get(NPM_REGISTRY):
            asked = subprocess.run([npm, "config", "get", "registry"], check=True, capture_output=True, text=True)
            patch.setenv(NPM_REGISTRY, asked.stdout.strip())
        yield


@dataclass(frozen=True)
class Version:
    """A recorded version: where its repository is, and the digests of its image."""

    workspace: Workspace
    lock: Lock
    commit: str
    digests: dict[str, str]

    def copied(self, folder: Path) -> "Version":
        """The same in a data folder below `folder`, to do with as one likes."""
        paths = new_paths(folder)
        shutil.copytree(self.workspace.paths.data, paths.data, symlinks=True)
        return replace(self, workspace=Workspace(paths, self.workspace.nix))

    @property
    def flake(self) -> str:
        return f"git+file://{self.workspace.versions.path}?ref=small#oci"

    @property
    def pins(self) -> tuple[DebianPackage, ...]:
        return self.lock.platforms[host_platform()].root.packages


@pytest.fixture(scope="module")
def built(settings: NixSettings, root: Root, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Version]:
    """Built once; each test has a copy, as `version`."""
    folder = tmp_path_factory.mktemp("built")
    with serve_folder(folder) as address:
        yield build_and_lose(Workshop(folder, settings, address), root)


@pytest.fixture
def version(built: Version, tmp_path: Path) -> Version:
    return built.copied(tmp_path)


def build_and_lose(workshop: Workshop, root: Root) -> Version:
    """One of a folder with a program and a link, a local repository with a patch, and a wheel of a folder; of all that
    nothing is left but what travels."""
    workspace, base = Workspace(new_paths(workshop.folder), workshop.settings), workshop.folder / "work"
    share_downloads(workspace.paths.cache)
    (base / "near" / "empty").mkdir(parents=True)
    (base / "near" / "__init__.py").write_text(f"# {workshop.folder}\n")
    (base / "near" / "tool.sh").write_text("#!/bin/sh\n")
    (base / "near" / "tool.sh").chmod(0o755)
    (base / "near" / "tool").symlink_to("tool.sh")
    commit(base / "own", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"})
    (base / "own" / "__init__.py").write_text(f"NODE_CLASS_MAPPINGS = {{}}\n# {workshop.folder}\n")
    (base / "own.patch").write_text(git(base / "own", "diff") + "\n")
    config = parse_config('[packs.near]\npath = "near"\n[packs.own]\ngit = "own"\npatch = "own.patch"\n')
    packs = [
        Pack(name=name, source=pin_source(spec, base, name, workspace.paths).source)
        for name, spec in config.packs.items()
    ]
    local = workshop.wheel("local", {"local.py": f"# {workshop.folder}\n".encode()})
    shutil.move(workshop.folder / local.filename, base / local.filename)
    local = local.model_copy(update={"url": local.filename})
    lock = workshop.lock({host_platform(): root}, [workshop.wheel("one", {"one.py": b"x = 1\n"}), local], packs)
    content = ProjectContent(lock, WORKFLOW, {"1": {}}, sources=carry_sources(workspace, lock, base))
    files = project_files(content, read_toolkit())
    with project_folder(workspace, files) as folder:
        project = Project(folder, lock, host_platform(), base)
        made = realise(workspace, project, log=workshop.folder / "log", complete=True)
    recorded, _ = workspace.versions.commit("small", files, created_at=NOW, message="first")
    fill_version(workspace, lock, {host_platform()}, find_bootstrap(files))
    shutil.rmtree(base)
    shutil.rmtree(workspace.paths.cache)
    return Version(workspace, lock, recorded.commit, digests_of(made.oci))


def digests_of(oci: Path) -> dict[str, str]:
    """Of an image and of its layers by name: one that differs is named."""
    image = read_layout(oci)
    return {"image": image.manifest_digest, **dict(zip(image.layer_names, image.diff_ids, strict=True))}


def nix_build(
    settings: NixSettings, flake: str, *options: str, nix: Nix, start: tuple[str, ...] = ()
) -> dict[str, str]:
    """The digests of what `nix build` makes, as somebody starts it who has no pycomfy."""
    features = ("--extra-experimental-features", "nix-command flakes")
    assert settings.store is not None
    link = settings.store / "result"
    command = nix.command("nix", *settings.options(), *features, "build", flake, "--out-link", link, *options)
    # Nix remembers for an hour which commit a branch is at, and folders of tests have the names of earlier ones.
    environment = {**os.environ, "XDG_CACHE_HOME": str(settings.store / "cache")}
    done = subprocess.run([*start, *command], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    digests = digests_of(settings.local_path(str(link.readlink())))
    link.unlink()
    return digests


def test_one_command_in_an_empty_store_makes_the_recorded_image_and_again_after_a_collection(
    version: Version, empty: NixSettings
) -> None:
    assert nix_build(empty, version.flake, nix=own_nix()) == version.digests
    built = set(empty.local_path("/nix/store").iterdir())
    empty.run("nix-store", "--gc")
    # What a build in another store names stays: Nix looks at the processes of all.
    assert built - set(empty.local_path("/nix/store").iterdir())
    assert nix_build(empty, version.flake, nix=own_nix()) == version.digests


def test_newer_nix_does_the_same(version: Version, empty: NixSettings) -> None:
    """The newest; that between makes it through the daemon, below."""
    try:
        nix = debian_nix("sid")
    except PycomfyError as e:
        pytest.skip(f"Debian's Nix cannot be had: {e.what}")
    assert nix_build(empty, version.flake, nix=nix) == version.digests


@pytest.fixture
def alone() -> tuple[str, ...]:
    """The words before a command that has no network."""
    words = ("unshare", "--net")
    if subprocess.run([*words, "true"], check=False).returncode != 0:
        pytest.skip("this user may not cut the network")
    return words


def test_without_a_network_the_archive_is_enough(version: Version, empty: NixSettings, alone: tuple[str, ...]) -> None:
    """It has what the root is made of, and not the root."""
    archive = version.workspace.archive
    root = root_requisite(version.lock, host_platform())
    assert not archive.has(root.output) and archive.size() < sum(p.size for p in version.pins) + (8 << 20)
    with folder_url(archive.folder) as url:
        settings = replace(empty, substituters=(url,))
        options = ("--option", "substitute", "true")
        assert nix_build(settings, version.flake, *options, nix=own_nix(), start=alone) == version.digests


def test_pycomfy_restores_from_the_same_archive(version: Version, empty: NixSettings, alone: tuple[str, ...]) -> None:
    """The command unpacks the archived packages itself: there is neither a network nor a cache of downloads."""
    empty.local_path("/nix").mkdir()
    done = run_cut_off(version.workspace.paths, empty, "restore", "small", "--offline")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["manifest_digest"] == version.digests["image"]


def test_what_travels_is_restored_from_the_project_where_the_archive_lacks_it(
    version: Version, root_store: NixSettings, tmp_path: Path
) -> None:
    archive, workspace = version.workspace.archive, replace(version.workspace, nix=root_store)
    carried = [r for r in list_requisites(version.lock) if r.title in ("near", "own", "local 1.0")]
    assert len(carried) == 3
    for form in ("image", "folder"):
        for requisite in carried:
            (archive.folder / narinfo_name(requisite.path)).unlink()
            assert not root_store.local_path(requisite.path).exists()
        if form == "image":
            restored = restore_image(workspace, RestoreRequest("small", offline=True))
            assert restored.manifest_digest == version.digests["image"]
            for requisite in carried:
                root_store.run("nix-store", "--delete", requisite.path)
        else:
            restore_plain(workspace, RestoreRequest("small", offline=True), tmp_path / "plain")
    near = tmp_path / "plain/custom_nodes/near"
    assert (near / "tool").readlink() == Path("tool.sh") and os.access(near / "tool", os.X_OK)
    assert list((near / "empty").iterdir()) == []


def test_a_bundle_has_what_the_root_is_made_of(version: Version, empty: NixSettings, tmp_path: Path) -> None:
    file = tmp_path / "small.tar.zst"
    made = export_bundle(version.workspace, "small", file)
    other = Workspace(new_paths(tmp_path / "other"), empty)
    assert import_bundle(other, file).sources == made.sources == len(version.workspace.archive.narinfos())
    assert not other.archive.has(root_requisite(version.lock, host_platform()).output)
    assert status(other).missing == () and fill(other).added == 0
    restored = restore_image(other, RestoreRequest("small", offline=True))
    assert restored.manifest_digest == version.digests["image"]


def test_where_a_package_is_gone_the_archive_has_the_root_itself(
    version: Version, empty: NixSettings, alone: tuple[str, ...]
) -> None:
    archive, lock = version.workspace.archive, version.lock
    bootstrap = find_bootstrap(version.workspace.versions.read_files(version.commit))
    root = root_requisite(lock, host_platform())
    assert [r for r in list_requisites(lock, bootstrap=bootstrap) if not archive.has(r.output)] == [
        root_requisite(lock, host_platform(), bootstrap)
    ]
    package = next(r for r in list_requisites(lock, bootstrap=bootstrap) if r.output.name == "bash.deb")
    info = archive.find(package.output)
    assert info is not None
    archive.nar_of(info).unlink()
    (missing,) = status(version.workspace).missing[-1:]
    assert (missing.title, missing.in_store) == (package.title, False)
    filled = fill(version.workspace)
    assert (filled.added, filled.absent, status(version.workspace).missing) == (1, (), ())
    assert archive.has(root.output)
    with folder_url(archive.folder) as url:
        settings = replace(empty, substituters=(url,))
        options = ("--option", "substitute", "true")
        assert nix_build(settings, version.flake, *options, nix=own_nix(), start=alone) == version.digests


@pytest.fixture
def daemon(request: pytest.FixtureRequest, version: Version, tmp_path: Path) -> Iterator[DaemonMachine]:
    """A machine whose user has a clone of the version, and as `/srv` a copy of the archive. Its Nix is the test's
    parameter."""
    try:
        nix = own_nix() if request.param == "own" else debian_nix(request.param)
    except PycomfyError as e:
        pytest.skip(f"Debian's Nix cannot be had: {e.what}")
    with empty_store(tmp_path / "stores") as folder:
        machine = DaemonMachine(folder, nix, version.workspace.archive.folder)
        git(folder, "clone", "--quiet", "--branch", "small", str(version.workspace.versions.path), "home/clone")
        machine.take_home("clone")
        yield machine


def daemon_build(machine: DaemonMachine, command: str, *, network: bool) -> dict[str, str]:
    """The digests of what an ordinary user makes in their clone with Nix, called by this command line."""
    features = ("--extra-experimental-features", "nix-command flakes")
    for word, program in {"nix ": ("nix", *features), "nix-build ": ("nix-build",)}.items():
        command = command.replace(word, machine.nix_command(*program) + " ")
    done = machine.run(f"cd clone; {command}", network=network)
    assert done.returncode == 0, done.stderr
    return digests_of(machine.folder / str((machine.folder / "home/clone/result").readlink()).lstrip("/"))


@pytest.mark.parametrize("daemon", ["own", "trixie"], indirect=True)
def test_an_ordinary_user_builds_through_the_daemon_by_one_command(version: Version, daemon: DaemonMachine) -> None:
    assert daemon_build(daemon, "nix build .#oci", network=True) == version.digests


@pytest.mark.parametrize("daemon", ["trixie"], indirect=True)
def test_an_ordinary_user_copies_from_the_archive_and_builds_without_a_network(
    version: Version, daemon: DaemonMachine
) -> None:
    """What is copied is proven by its content: the user need not be trusted, nor the archive."""
    paths = "$(sed -n 's/^StorePath: //p' /srv/*.narinfo)"
    command = f"nix copy --no-check-sigs --from file:///srv {paths}; nix build .#oci"
    assert daemon_build(daemon, command, network=False) == version.digests


@pytest.mark.parametrize(
    ("daemon", "command"),
    [("own", "nix-build -A oci"), ("trixie", "nix build .#oci --option substitute true")],
    indirect=["daemon"],
)
def test_an_archive_in_the_machines_configuration_is_asked_for_every_user(
    version: Version, daemon: DaemonMachine, command: str
) -> None:
    machine = replace(daemon, configuration="substituters = file:///srv\n")
    assert daemon_build(machine, command, network=False) == version.digests


def test_the_newer_python_makes_an_image_of_its_debian(workshop: Workshop, empty: NixSettings) -> None:
    config, paths = parse_config('python = "3.13"\n'), find_paths()
    root = pin_root(config, host_platform(), paths, read_releases(config))
    lock = workshop.lock({host_platform(): root}, [], []).model_copy(update={"python": "3.13"})
    done = empty.run("nix-build", workshop.project(lock), "--no-out-link", "--attr", "root", "--attr", "oci")
    assert done.returncode == 0, done.stderr.decode()
    made, oci = done.stdout.decode().split()
    assert made == root_requisite(lock, host_platform()).path
    assert read_layout(empty.local_path(oci)).layer_names[-1] == "workflow"
