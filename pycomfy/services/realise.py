"""Build a project in a Nix store: supply what Nix cannot fetch, let it fetch the rest, and build the image."""

import contextlib
import dataclasses
import platform as machine
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.debian.rootfs import make_root
from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.io.credentials import has_login
from pycomfy.adapters.io.download import File, fetch_all, is_kept
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.build import BuildTarget, missing_paths
from pycomfy.adapters.nix.build import build as nix_build
from pycomfy.adapters.nix.internal_json import Event, derivation_name
from pycomfy.adapters.nix.store import add_file, add_tree, valid_paths
from pycomfy.adapters.sources.pin import write_tree_of
from pycomfy.core.lockfile.platforms import PlatformName, find_platform
from pycomfy.core.lockfile.schema import Lock, Root, Wheel
from pycomfy.core.nix.lock_outputs import wheel_requisites
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.python.build_recipe import source_name
from pycomfy.core.sources.lock_source import FileSource, TreeSource
from pycomfy.errors import BadLock, HashMismatch, MissingTool, suggest
from pycomfy.progress import Task
from pycomfy.services.workspace import Workspace

_FETCH_JOBS = 8  # downloads at a time


@dataclass(frozen=True)
class Project:
    """An emitted project. Relative paths and URLs in its lock are below `base`."""

    folder: Path
    lock: Lock
    platform: PlatformName
    base: Path


@dataclass(frozen=True)
class RealisedImage:
    """`oci` is the layout's store path; `built` are the names of the layers that were not there before."""

    oci: Path
    built: frozenset[str]


def host_platform() -> PlatformName:
    """Return the platform of this machine. Raises `MissingTool` on one that cannot build images."""
    name = machine.machine()
    platform = find_platform(name)
    if machine.system() != "Linux" or platform is None:
        raise MissingTool(
            f"images are built on Linux (x86_64, aarch64), not on {machine.system()} {name}",
            where="this machine",
            fix="use a Linux machine or a Linux virtual machine",
        )
    return platform


@contextlib.contextmanager
def project_folder(workspace: Workspace, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write the files of a project to a folder of their own, which is removed when the block ends."""
    with temporary_folder(workspace.paths.cache / "projects", "project-") as parent:
        folder = parent / "project"
        write_folder(folder, files)
        yield folder


def realise(workspace: Workspace, project: Project, *, log: Path, title: str = "Build layers") -> RealisedImage:
    """Build the project's image; `title` is that of the step. Raises what `nix.build.build` and `nix.store.add_tree`
    raise."""
    supply(workspace, project)
    _fetch(workspace, project, log)
    return _build(workspace, project, log, title)


def check_locked(lock: Lock, platform: PlatformName) -> None:
    """Raise `BadLock` if the lock lacks the platform of the image, or of the machine that builds it."""
    needed = tuple(dict.fromkeys((host_platform(), platform)))
    for one in needed:
        if one not in lock.platforms:
            raise BadLock(
                f"{one} is not locked; the machine that builds needs its own platform in the lock too",
                where="pycomfy.lock",
                fix=suggest("lock", platform=needed),
            )


def supply(workspace: Workspace, project: Project) -> None:
    """Add what Nix cannot make to its store: root filesystems (nothing in a new store can unpack a `.deb`), git trees,
    local folders and local wheels. Each is checked by its hash; what is there already costs nothing. Trees that are
    archived are taken from there: the folder or repository that they came from may be gone."""
    lock = project.lock
    check_locked(lock, project.platform)
    for platform in dict.fromkeys((host_platform(), project.platform)):
        root = lock.platforms[platform].root
        name = f"debian-root-{platform.removeprefix('linux/')}"
        add_tree(workspace.nix, name, root.tree, partial(_make_root, workspace, root, platform))
    for name, source in lock.sources.items():
        if isinstance(source, TreeSource):
            make = partial(_take_or_make_tree, workspace, source, project.base)
            add_tree(workspace.nix, name, source.tree, make)
    _supply_build_inputs(workspace, project)
    _supply_files(workspace, project)


def _supply_files(workspace: Workspace, project: Project) -> None:
    """Add the files that Nix cannot fetch: wheels of a local folder, and whatever is behind a login."""
    wheels = project.lock.platforms[project.platform].wheels
    inputs = (tool for w in wheels if w.built is not None for tool in w.built.requires)
    every_wheel = [*wheels, *inputs]
    for wheel in every_wheel:
        if wheel.is_local:
            _add_local_wheel(workspace, wheel, project.base / wheel.url)
    files = [
        File(w.url, w.sha256, w.filename, w.size or None) for w in every_wheel if not w.is_local and w.built is None
    ]
    files += [
        File(s.url, s.sha256, s.name, s.download_size)
        for s in project.lock.sources.values()
        if isinstance(s, FileSource)
    ]
    guarded = {
        FixedOutput(file.name, bytes.fromhex(file.sha256), False).path: file
        for file in files
        if is_kept(file.sha256, workspace.paths.cache) or has_login(file.url, workspace.environment)
    }
    present = set(valid_paths(workspace.nix, list(guarded)))
    missing = [file for path, file in guarded.items() if path not in present]
    fetched = fetch_all(missing, cache=workspace.paths.cache, title="Fetch files behind a login")
    for file, path in zip(missing, fetched, strict=True):
        try:
            add_file(workspace.nix, file.name, file.sha256, path)
        except HashMismatch:
            # The cached file may be damaged; it can be fetched again.
            path.unlink()
            add_file(workspace.nix, file.name, file.sha256, fetch_all([file], cache=workspace.paths.cache)[0])


def _add_local_wheel(workspace: Workspace, wheel: Wheel, file: Path) -> None:
    """Add a wheel of a local folder; from the archive if it is gone from there."""
    output = FixedOutput(wheel.filename, bytes.fromhex(wheel.sha256), recursive=False)
    if file.is_file() or valid_paths(workspace.nix, [output.path]) or not workspace.archive.has(output):
        add_file(workspace.nix, wheel.filename, wheel.sha256, file)
        return
    with temporary_folder(workspace.paths.cache / "projects", "wheel-") as folder:
        workspace.archive.take(output, folder / wheel.filename)
        add_file(workspace.nix, wheel.filename, wheel.sha256, folder / wheel.filename)


def _supply_build_inputs(workspace: Workspace, project: Project) -> None:
    """Add what wheels are built from and Nix cannot make: the trees of git repositories, root filesystems with
    compilers. Wheels that are in the store already need none of it."""
    for platform in dict.fromkeys((host_platform(), project.platform)):
        pins = project.lock.platforms[platform]
        built = {
            need.path: wheel.built
            for need, wheel in zip(wheel_requisites(project.lock, platform), pins.wheels, strict=True)
        }
        present = set(valid_paths(workspace.nix, [path for path, recipe in built.items() if recipe is not None]))
        for recipe in (recipe for path, recipe in built.items() if recipe is not None and path not in present):
            source = recipe.source
            if isinstance(source, TreeSource):
                make = partial(_take_or_make_tree, workspace, source, project.base)
                add_tree(workspace.nix, source_name(source), source.tree, make)
            if recipe.compiler and pins.compilers is not None:
                name = f"debian-compilers-{platform.removeprefix('linux/')}"
                make = partial(_make_root, workspace, pins.compilers, platform)
                add_tree(workspace.nix, name, pins.compilers.tree, make)


def _make_root(workspace: Workspace, root: Root, platform: PlatformName, out: Path) -> None:
    make_root(root, platform, out, workspace.paths)


def _take_or_make_tree(workspace: Workspace, source: TreeSource, base: Path, out: Path) -> None:
    output = source.fixed_output(out.name)
    try:
        if workspace.archive.find(output) is not None:
            workspace.archive.take(output, out)
            return
    except HashMismatch as e:
        operation.report(f"note: {e.what}: made from its source instead")
    _make_tree(workspace, source, base, out)


def _make_tree(workspace: Workspace, source: TreeSource, base: Path, out: Path) -> None:
    write_tree_of(source, base, out, workspace.paths)


def _fetch(workspace: Workspace, project: Project, log: Path) -> None:
    target = BuildTarget(project.folder, "sources", project.platform)
    missing = {derivation_name(path) for path in missing_paths(workspace.nix, target)}
    wheels = [w for w in project.lock.platforms[project.platform].wheels if w.filename in missing]
    if not missing:
        return
    total = sum(w.size for w in wheels)
    with operation.step("Fetch packages", total=total, unit="bytes") as task:
        task.note(f"{len(wheels)} wheels")
        jobs = dataclasses.replace(workspace.nix, jobs=_FETCH_JOBS)
        nix_build(jobs, target, log, lambda e: task.advance(e.amount) if e.kind == "bytes" else None)


def _build(workspace: Workspace, project: Project, log: Path, title: str) -> RealisedImage:
    target = BuildTarget(project.folder, "oci", project.platform)
    missing = [derivation_name(path) for path in missing_paths(workspace.nix, target)]
    layers = [name for name in missing if name.startswith("layer-")]
    with operation.step(title, total=len(layers) or None) as task:
        paths = nix_build(workspace.nix, target, log, _LayerProgress(task))
        task.note(f"{len(layers)} built" if layers else "nothing to build")
    return RealisedImage(Path(paths[0]), frozenset(_layer_name(name) for name in layers))


def _layer_name(derivation: str) -> str:
    """`layer-a-torch` → `torch`; the letter only orders builds."""
    return derivation.split("-", 2)[2]


class _LayerProgress:
    """Called with each event of a build: shows which layers are being built, and counts those that are finished."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.running: list[str] = []

    def __call__(self, event: Event) -> None:
        if not event.name.startswith("layer-"):
            return
        name = _layer_name(event.name)
        if event.kind == "build":
            self.running.append(name)
        elif event.kind == "built" and name in self.running:
            self.running.remove(name)
            self.task.advance()
        self.task.note(", ".join(self.running))
