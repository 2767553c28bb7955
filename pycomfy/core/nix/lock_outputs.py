"""List the requisites of a lock: every fixed output that its image is made from, named as in `nix/default.nix`."""

import base64
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from pycomfy.core.lockfile.lock_types import TreeHash
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import DebianPackage, DebianPackages, Lock, ModelFile, Root, Wheel
from pycomfy.core.nix.bootstrap import Bootstrap
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.python.build_recipe import source_name
from pycomfy.core.sources.lock_source import LockSource

Role = Literal["comfyui", "pack", "debian", "package", "wheel", "model", "source"]


@dataclass(frozen=True)
class Requisite:
    """One fixed output. `title` and `origin` describe it for a person; `size` is in bytes, None if not known.

    `built_from` are the paths of the requisites that it can be made of where it is missing, if it can. One that is
    `build_only` is needed for that alone. What is `derived` is made in seconds, so nobody keeps it beside what it is
    made of.
    """

    role: Role
    title: str
    output: FixedOutput
    origin: str
    size: int | None = None
    built_from: tuple[str, ...] = ()
    build_only: bool = False
    derived: bool = False

    @property
    def path(self) -> str:
        """Its store path."""
        return self.output.path


def list_requisites(
    lock: Lock,
    platforms: Iterable[PlatformName] | None = None,
    builder: PlatformName | None = None,
    bootstrap: Bootstrap | None = None,
) -> tuple[Requisite, ...]:
    """Return the requisites of images for these platforms, each path once; None means all locked platforms.

    The platform of the machine that builds, `builder`, adds its Debian root filesystem, which runs the builders, and
    what it builds wheels from that are for every platform: none of its other wheels. Platforms that are not locked are
    left out. The project's `bootstrap` adds what root filesystems are made of.
    """
    selected = [p for p in sorted(lock.platforms) if platforms is None or p in set(platforms)]
    roots = sorted({*selected, *([builder] if builder in lock.platforms else [])})
    found = [_of_source("comfyui", COMFYUI, lock.comfyui.source)]
    found += [_of_source("pack", pack.name, pack.source) for pack in lock.packs]
    found += [root_requisite(lock, platform, bootstrap) for platform in roots]
    found += [requisite for platform in selected for requisite in wheel_requisites(lock, platform)]
    paths = {requisite.path for requisite in found}
    inputs = [requisite for platform in roots for requisite in wheel_build_requisites(lock, platform, paths, bootstrap)]
    inputs += [r for platform in roots for r in _root_ingredients(lock.platforms[platform].root, platform, bootstrap)]
    found += [requisite for requisite in inputs if requisite.path not in paths]
    unique: dict[str, Requisite] = {}
    for requisite in found:
        # Where the gateway has a file of the workflow's, the workflow's says how it was built.
        unique.setdefault(requisite.path, requisite)
    return tuple(unique.values())


def filter_required(missing: Iterable[Requisite], requisites: Iterable[Requisite]) -> tuple[Requisite, ...]:
    """Return those of the missing `requisites` without which the image cannot be built. What can be made is not
    required if all that it is made of exists or can be made, and that is not required if it exists."""
    every = tuple(requisites)
    given = tuple(missing)
    absent = {requisite.path for requisite in given}
    made_from = {requisite.path: requisite.built_from for requisite in every if requisite.built_from}
    while makeable := {path for path in absent & made_from.keys() if absent.isdisjoint(made_from[path])}:
        absent -= makeable
    required = {requisite.path for requisite in every if not requisite.build_only} & absent
    new = required
    while new := {part for path in new for part in made_from.get(path, ())} & absent - required:
        required |= new
    return tuple(requisite for requisite in given if requisite.path in required)


def root_requisite(lock: Lock, platform: PlatformName, bootstrap: Bootstrap | None = None) -> Requisite:
    """Return the Debian root filesystem of a platform. Raises `KeyError` for one that is not locked."""
    title = f"the Debian root filesystem for {platform}"
    return _root("debian", "root", title, lock.platforms[platform].root, platform, bootstrap)


def _root(
    role: Role, kind: str, title: str, root: Root, platform: PlatformName, bootstrap: Bootstrap | None
) -> Requisite:
    parts = tuple(r.path for r in _root_ingredients(root, platform, bootstrap))
    return Requisite(
        role,
        title,
        _tree(f"debian-{kind}-{platform.removeprefix('linux/')}", root.tree),
        f"{len(root.packages)} Debian packages of {root.suite}",
        built_from=parts,
        derived=bool(parts),
    )


def source_requisite(lock: Lock, pack: str | None = None) -> Requisite:
    """Return ComfyUI, or the node pack with that name."""
    if pack is None:
        return _of_source("comfyui", COMFYUI, lock.comfyui.source)
    return _of_source("pack", pack, next(p.source for p in lock.packs if p.name == pack))


def wheel_requisites(lock: Lock, platform: PlatformName) -> tuple[Requisite, ...]:
    """Return the wheels of a platform, in the order of `Platform.every_wheel`."""
    return (*package_requisites(lock, platform), *gateway_requisites(lock, platform))


def package_requisites(lock: Lock, platform: PlatformName) -> tuple[Requisite, ...]:
    """Return the wheels of the workflow's own environment alone, in the lock's order."""
    pins = lock.platforms[platform]
    return tuple(
        Requisite(
            "wheel",
            f"{w.name} {w.version}",
            _file(w.filename, w.sha256),
            w.url,
            w.size,
            tuple(r.path for r in _wheel_build_requisites(w, pins.compilers, platform)),
        )
        for w in pins.wheels
    )


def gateway_requisites(lock: Lock, platform: PlatformName) -> tuple[Requisite, ...]:
    """Return the wheels that the gateway runs with, in the lock's order. None is built from its source."""
    return tuple(
        Requisite("wheel", f"{w.name} {w.version}, of the gateway", _file(w.filename, w.sha256), w.url, w.size)
        for w in lock.platforms[platform].gateway
    )


def wheel_build_requisites(
    lock: Lock, platform: PlatformName, paths: Collection[str], bootstrap: Bootstrap | None = None
) -> tuple[Requisite, ...]:
    """Return what the wheels of a platform that were built are built from: sources, build requirements, a Debian root
    filesystem with compilers and what that is made of. Only wheels that are among `paths` count."""
    pins = lock.platforms[platform]
    wheels = [wheel for wheel in pins.wheels if _file(wheel.filename, wheel.sha256).path in paths]
    found = [r for wheel in wheels for r in _wheel_build_requisites(wheel, pins.compilers, platform, bootstrap)]
    if pins.compilers is not None and any(wheel.built is not None and wheel.built.compiler for wheel in wheels):
        found += _root_ingredients(pins.compilers, platform, bootstrap)
    return tuple(found)


def _wheel_build_requisites(
    wheel: Wheel, compilers: Root | None, platform: PlatformName, bootstrap: Bootstrap | None = None
) -> Iterator[Requisite]:
    if wheel.built is None:
        return
    label = f"{wheel.name} {wheel.version}"
    source = wheel.built.source
    yield replace(_of_source("source", source_name(source), source), title=f"the source of {label}", build_only=True)
    for tool in wheel.built.requires:
        title = f"{tool.name} {tool.version}, which builds {label}"
        yield Requisite("source", title, _file(tool.filename, tool.sha256), tool.url, tool.size, build_only=True)
    if wheel.built.compiler and compilers is not None:
        title = f"the Debian root filesystem with compilers for {platform}"
        yield replace(_root("source", "compilers", title, compilers, platform, bootstrap), build_only=True)


def _root_ingredients(root: Root, platform: PlatformName, bootstrap: Bootstrap | None) -> tuple[Requisite, ...]:
    """Return the packages of a root filesystem, and the program that opens them; nothing without a program."""
    if bootstrap is None or platform not in bootstrap.programs:
        return ()
    return (program_requisite(bootstrap, platform), *(deb_requisite(root, package) for package in root.packages))


def deb_requisite(of: DebianPackages, package: DebianPackage) -> Requisite:
    """Return a Debian package, which is one of those of `of`."""
    (archive,) = of.archives[package.archive :][:1] or ("",)
    output = _file(f"{package.name}.deb", package.sha256)
    title, origin = f"Debian's {package.name} {package.version}", f"{archive}/{package.path}"
    return Requisite("package", title, output, origin, package.size, build_only=True)


def program_requisite(bootstrap: Bootstrap, platform: PlatformName) -> Requisite:
    """Return the program that opens Debian's packages on a platform. Raises `KeyError` for one that has none."""
    output = _tree("seven-zip", bootstrap.programs[platform].tree)
    title = f"7-Zip for {platform}, which opens Debian's packages"
    return Requisite("package", title, output, bootstrap.url, build_only=True)


def model_requisite(model: ModelFile) -> Requisite:
    """Return a model, which no image needs, but a run does. It is one path under all its names."""
    origin = "its source in the lock" if model.sources else "a file that someone added"
    return Requisite(
        "model",
        f"the model {model.location}",
        FixedOutput("model", bytes.fromhex(model.sha256), False),
        origin,
        model.size,
    )


def model_requisites(lock: Lock) -> tuple[Requisite, ...]:
    """Return the models of a lock, each once. They are archived on request, not with every version."""
    return tuple({r.path: r for r in map(model_requisite, lock.models)}.values())


def _of_source(role: Role, name: str, source: LockSource) -> Requisite:
    return Requisite(role, name, source.fixed_output(name), source.origin, source.download_size)


def _file(name: str, sha256: str) -> FixedOutput:
    return FixedOutput(name, bytes.fromhex(sha256), False)


def _tree(name: str, tree: TreeHash) -> FixedOutput:
    return FixedOutput(name, base64.b64decode(tree.removeprefix("sha256-")), True)
