"""Build a project in a Nix store: supply what Nix cannot fetch, let it fetch the rest, and build the image."""

import contextlib
import dataclasses
import platform as machine
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.debian.rootfs import make_root
from pycomfy.adapters.io.atomic_files import write_folder
from pycomfy.adapters.io.credentials import has_login
from pycomfy.adapters.io.download import File, fetch_all, is_kept
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.build import BuildPlan, BuildTarget, evaluate, missing_paths
from pycomfy.adapters.nix.build import build as nix_build
from pycomfy.adapters.nix.internal_json import DISTRUST, Event, derivation_name
from pycomfy.adapters.nix.store import add_file, add_tree, valid_paths
from pycomfy.adapters.sources.pin import write_tree_of
from pycomfy.core.lockfile.platforms import PlatformName, find_platform
from pycomfy.core.lockfile.schema import Lock, Root, Wheel
from pycomfy.core.nix.derivation import find_reaching_out
from pycomfy.core.nix.lock_outputs import deb_requisite, list_requisites, package_requisites
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.python.build_recipe import source_name
from pycomfy.core.sources.lock_source import FileSource, TreeSource
from pycomfy.errors import BadLock, BuildFailed, HashMismatch, MissingTool, NotFound, Placeholder, raise_all, suggest
from pycomfy.progress import Task
from pycomfy.services.workspace import Workspace

_FETCH_JOBS = 8  # downloads at a time
_MAX_PROBLEMS = 20  # in one error


@dataclass(frozen=True)
class Project:
    """An emitted project. Relative paths and URLs in its lock are below `base`. If `offline`, nothing is fetched."""

    folder: Path
    lock: Lock
    platform: PlatformName
    base: Path
    offline: bool = False

    def target(self, attribute: str) -> BuildTarget:
        """Return an attribute of the project, as Nix gets it."""
        return BuildTarget(self.folder, attribute, self.platform)


@dataclass(frozen=True)
class RealisedImage:
    """`oci` is the store path of the image's layout, whose layers are folders; `built` are the names of the layers that
    were not there before."""

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


def realise(
    workspace: Workspace, project: Project, *, log: Path, title: str = "Build layers", rebuild: bool = False
) -> RealisedImage:
    """Build the project's image; `title` is that of the step. With `rebuild` no layer is taken from a binary cache of
    the user's; an offline project takes nothing from them. Raises what `nix.build.build` and `nix.store.add_tree`
    raise.

    The project's Nix code may be anybody's. What it wants to be run is looked at before: it runs in the sandbox without
    a network, and Nix fetches what the lock pins and nothing else.
    """
    alone = dataclasses.replace(workspace, nix=dataclasses.replace(workspace.nix, user_caches=False))
    workspace = alone if project.offline else workspace
    supply(workspace, project)
    sources, image = (evaluate(workspace.nix, project.target(name)) for name in ("sources", "layout"))
    _build_wheels(workspace, project, sources, log)
    _fetch(workspace, project, sources, log)
    return _build(alone if rebuild else workspace, project, image, log, title)


def realise_tars(workspace: Workspace, project: Project, *, log: Path) -> Path:
    """Build the image's whole OCI layout, with the tars of its layers, and return its store path. What `realise` built
    of the project has to be there. Raises as it."""
    plan = evaluate(workspace.nix, project.target("oci"))
    paths = missing_paths(workspace.nix, plan)
    _check(project, plan, paths)
    with operation.step("Make the layers' tars", total=len(paths) or None) as task:
        return Path(nix_build(workspace.nix, plan, log, lambda e: task.advance() if e.kind == "built" else None)[0])


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
    """Add to the store what Nix cannot fetch, or takes longer to make: root filesystems, git trees, local folders and
    local wheels. Each is checked by its hash; what is there already costs nothing. Trees that are archived are taken
    from there: the folder or repository that they came from may be gone."""
    lock = project.lock
    check_locked(lock, project.platform)
    for platform in dict.fromkeys((host_platform(), project.platform)):
        root = lock.platforms[platform].root
        name = f"debian-root-{platform.removeprefix('linux/')}"
        add_tree(workspace.nix, name, root.tree, partial(_make_root, workspace, root, platform))
    for name, source in lock.sources.items():
        if isinstance(source, TreeSource):
            make = partial(take_or_make_tree, workspace, source, project.base)
            add_tree(workspace.nix, name, source.tree, make)
    _supply_build_inputs(workspace, project)
    _supply_files(workspace, project)


def _supply_files(workspace: Workspace, project: Project) -> None:
    """Add the files that Nix cannot fetch: wheels of a local folder, and whatever is behind a login."""
    wheels = project.lock.platforms[project.platform].every_wheel
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
    compilers. Wheels that are in the store already need none of it, nor do those of this machine's platform alone."""
    needed = {requisite.path for requisite in package_requisites(project.lock, project.platform)}
    for platform in dict.fromkeys((host_platform(), project.platform)):
        pins = project.lock.platforms[platform]
        built = {
            need.path: wheel.built
            for need, wheel in zip(package_requisites(project.lock, platform), pins.wheels, strict=True)
            if need.path in needed
        }
        present = set(valid_paths(workspace.nix, [path for path, recipe in built.items() if recipe is not None]))
        for recipe in (recipe for path, recipe in built.items() if recipe is not None and path not in present):
            source = recipe.source
            if isinstance(source, TreeSource):
                make = partial(take_or_make_tree, workspace, source, project.base)
                add_tree(workspace.nix, source_name(source), source.tree, make)
            if recipe.compiler and pins.compilers is not None:
                name = f"debian-compilers-{platform.removeprefix('linux/')}"
                make = partial(_make_root, workspace, pins.compilers, platform)
                add_tree(workspace.nix, name, pins.compilers.tree, make)


def _make_root(workspace: Workspace, root: Root, platform: PlatformName, out: Path) -> None:
    """Make the folder `out` a root filesystem. Packages that are archived are taken from there."""
    archive, cache = workspace.archive, workspace.paths.cache
    with temporary_folder(cache / "projects", "packages-") as folder:
        taken: dict[str, Path] = {}
        for package in root.packages:
            output, file = deb_requisite(root, package).output, folder / package.sha256
            if is_kept(package.sha256, cache) or not archive.has(output):
                continue
            try:
                archive.take(output, file)
                taken[package.sha256] = file
            except HashMismatch as e:
                operation.report(f"note: {e.what}: fetched instead")
        make_root(root, platform, out, workspace.paths, taken)


def take_or_make_tree(workspace: Workspace, source: TreeSource, base: Path, out: Path) -> None:
    """Make the folder `out` the tree of `source`: from the archive, or from where it comes from."""
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


def _build_wheels(workspace: Workspace, project: Project, plan: BuildPlan, log: Path) -> None:
    """Build the wheels that no index has, and add them to the store. Without this Nix would copy each by a step that is
    fixed by the wheel's hash, and so has the network."""
    platforms = {host_platform(), project.platform}
    wheels = {
        requisite.path: wheel
        for platform in platforms
        for wheel, requisite in zip(
            project.lock.platforms[platform].wheels, package_requisites(project.lock, platform), strict=True
        )
        if wheel.built is not None
    }
    planned = {output: d for d in plan.derivations.values() for output in d.outputs if output in wheels}
    present = set(valid_paths(workspace.nix, list(planned)))
    for path, derivation in planned.items():
        if path in present:
            continue
        wheel = wheels[path]
        # The other inputs are what runs every builder.
        for step in (name for name in derivation.inputs if derivation_name(name) == f"wheel-{wheel.name}"):
            part = plan.part(step)
            _check(project, part, missing_paths(workspace.nix, part))
            with operation.step("Build wheels") as task:
                task.note(f"{wheel.name} {wheel.version}")
                made, *_ = nix_build(workspace.nix, part, log, lambda event: None)
            _add_built_wheel(workspace, wheel, workspace.nix.local_path(made) / wheel.filename)


def _add_built_wheel(workspace: Workspace, wheel: Wheel, file: Path) -> None:
    try:
        if file.is_symlink() or file.parent.is_symlink():
            raise NotFound(f"{wheel.filename} is a link", where=str(file))
        add_file(workspace.nix, wheel.filename, wheel.sha256, file)
    except (NotFound, HashMismatch) as e:
        raise HashMismatch(
            f"{wheel.name} {wheel.version}, built again from its source, is not the wheel that was locked: its build "
            "is not reproducible",
            where=e.where,
            fix=(suggest("archive pull", "from an archive that has it", url=Placeholder("URL")), suggest("lock")),
        ) from e


def _check(project: Project, plan: BuildPlan, missing: Iterable[str]) -> None:
    """Raise `BuildFailed` if a derivation among the `missing` ones would fetch what it may not. Those that are not
    missing are not run."""
    pinned = {requisite.path for requisite in list_requisites(project.lock)}
    steps = [plan.derivations[path] for path in missing if path in plan.derivations]
    problems = find_reaching_out(steps, pinned, offline=project.offline)
    what = "the project's Nix code wants to {}; nothing was built"
    raise_all([BuildFailed(what.format(p), where=plan.tops[0], fix=DISTRUST) for p in problems[:_MAX_PROBLEMS]])


def _fetch(workspace: Workspace, project: Project, plan: BuildPlan, log: Path) -> None:
    paths = missing_paths(workspace.nix, plan)
    _check(project, plan, paths)
    missing = {derivation_name(path) for path in paths}
    needed = {w.filename: w for w in project.lock.platforms[project.platform].every_wheel}
    wheels = [w for name, w in needed.items() if name in missing]
    if not missing:
        return
    total = sum(w.size for w in wheels)
    with operation.step("Fetch packages", total=total, unit="bytes") as task:
        task.note(f"{len(wheels)} wheels")
        jobs = dataclasses.replace(workspace.nix, jobs=_FETCH_JOBS)
        nix_build(jobs, plan, log, lambda e: task.advance(e.amount) if e.kind == "bytes" else None)


def _build(workspace: Workspace, project: Project, plan: BuildPlan, log: Path, title: str) -> RealisedImage:
    paths = missing_paths(workspace.nix, plan)
    _check(project, plan, paths)
    missing = [derivation_name(path) for path in paths]
    layers = [name for name in missing if name.startswith("layer-")]
    with operation.step(title, total=len(layers) or None) as task:
        made = nix_build(workspace.nix, plan, log, _LayerProgress(task))
        task.note(f"{len(layers)} built" if layers else "nothing to build")
    return RealisedImage(Path(made[0]), frozenset(layer_name(name) for name in layers))


def layer_name(derivation: str) -> str:
    """Return the name of a layer: `layer-a-torch` → `torch`; the letter only orders builds."""
    return derivation.split("-", 2)[2]


class _LayerProgress:
    """Called with each event of a build: shows which layers are being built, and counts those that are finished."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.running: list[str] = []

    def __call__(self, event: Event) -> None:
        if not event.name.startswith("layer-"):
            return
        name = layer_name(event.name)
        if event.kind == "build":
            self.running.append(name)
        elif event.kind == "built" and name in self.running:
            self.running.remove(name)
            self.task.advance()
        self.task.note(", ".join(self.running))
