"""Put into the Nix store what Nix cannot fetch, or takes longer to make: root filesystems, trees, local wheels."""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.debian.rootfs import make_root
from pycomfy.adapters.io.credentials import has_login
from pycomfy.adapters.io.download import File, fetch_all, is_kept
from pycomfy.adapters.io.temp_dirs import temporary_folder
from pycomfy.adapters.nix.store import add_file, add_tree, valid_paths
from pycomfy.adapters.sources.pin import write_tree_of
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Root, Wheel
from pycomfy.core.nix.lock_outputs import deb_requisite, list_requisites, package_requisites, root_requisite
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.python.build_recipe import source_name
from pycomfy.core.sources.lock_source import FileSource, TreeSource
from pycomfy.errors import HashMismatch, PycomfyError
from pycomfy.services.project import Project, check_locked, host_platform
from pycomfy.services.workspace import Workspace


def supply(workspace: Workspace, project: Project, needed: Collection[str] | None = None) -> None:
    """Add to the store what Nix cannot fetch, or takes longer to make: root filesystems, git trees, local folders and
    local wheels; of the store paths in `needed`, None for all of them. Each is checked by its hash; what is there
    already costs nothing. Trees that are archived are taken from there: the folder or repository that they came from
    may be gone."""
    lock = project.lock
    check_locked(lock, project.platform)
    if needed is None:
        needed = {requisite.path for requisite in list_requisites(lock, {project.platform}, host_platform())}
    for platform in dict.fromkeys((host_platform(), project.platform)):
        root = lock.platforms[platform].root
        name = f"debian-root-{platform.removeprefix('linux/')}"
        if root_requisite(lock, platform).path in needed:
            add_tree(workspace.nix, name, root.tree, partial(_make_root, workspace, root, platform))
    for name, source in lock.sources.items():
        if isinstance(source, TreeSource) and source.fixed_output(name).path in needed:
            make = partial(take_or_make_tree, workspace, source, project.base)
            add_tree(workspace.nix, name, source.tree, make)
    _supply_build_inputs(workspace, project, needed)
    _supply_files(workspace, project, needed)


def _supply_files(workspace: Workspace, project: Project, needed: Collection[str]) -> None:
    """Add the files that Nix cannot fetch: wheels of a local folder, and whatever is behind a login."""
    wheels = project.lock.platforms[project.platform].every_wheel
    inputs = (tool for w in wheels if w.built is not None for tool in w.built.requires)
    every_wheel = [*wheels, *inputs]
    for wheel in every_wheel:
        if wheel.is_local and wheel_output(wheel).path in needed:
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
        place: file
        for file in files
        if (place := _output(file.name, file.sha256).path) in needed
        and (is_kept(file.sha256, workspace.paths.cache) or has_login(file.url, workspace.environment))
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
    output = wheel_output(wheel)
    if file.is_file() or valid_paths(workspace.nix, [output.path]) or not workspace.archive.has(output):
        add_file(workspace.nix, wheel.filename, wheel.sha256, file)
        return
    with temporary_folder(workspace.paths.cache / "projects", "wheel-") as folder:
        workspace.archive.take(output, folder / wheel.filename)
        add_file(workspace.nix, wheel.filename, wheel.sha256, folder / wheel.filename)


def wheel_output(wheel: Wheel) -> FixedOutput:
    """Return what a wheel is in the Nix store."""
    return _output(wheel.filename, wheel.sha256)


def _output(name: str, sha256: str) -> FixedOutput:
    return FixedOutput(name, bytes.fromhex(sha256), recursive=False)


def _supply_build_inputs(workspace: Workspace, project: Project, needed: Collection[str]) -> None:
    """Add what wheels are built from and Nix cannot make: the trees of git repositories, root filesystems with
    compilers. Wheels that are in the store already need none of it, nor do those of this machine's platform alone."""
    wheels = {requisite.path for requisite in package_requisites(project.lock, project.platform)}.intersection(needed)
    for platform in dict.fromkeys((host_platform(), project.platform)):
        pins = project.lock.platforms[platform]
        built = {
            need.path: wheel.built
            for need, wheel in zip(package_requisites(project.lock, platform), pins.wheels, strict=True)
            if need.path in wheels
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
    except HashMismatch as damaged:
        operation.report(f"note: {damaged.what}: made from its source instead")
        try:
            write_tree_of(source, base, out, workspace.paths)
        except PycomfyError as e:
            raise damaged from e
        return
    write_tree_of(source, base, out, workspace.paths)
