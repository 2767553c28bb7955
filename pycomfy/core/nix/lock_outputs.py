"""What a lock needs from a store: every fixed output that its image is made from, as `nix/default.nix` names them."""

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from pycomfy.core.lockfile.lock_types import TreeHash
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, ModelFile, Root, Wheel
from pycomfy.core.nix.store_path import FixedOutput
from pycomfy.core.python.build_recipe import source_name
from pycomfy.core.sources.lock_source import LockSource

Role = Literal["comfyui", "pack", "debian", "wheel", "model", "source"]


@dataclass(frozen=True)
class Requisite:
    """One fixed output. `title` names it for a person, `origin` says where it came from; `size` in bytes if known.

    A wheel that was built is `built_from` other requisites, by their paths. One that is `build_only` is needed for that
    alone.
    """

    role: Role
    title: str
    output: FixedOutput
    origin: str
    size: int | None = None
    built_from: tuple[str, ...] = ()
    build_only: bool = False

    @property
    def path(self) -> str:
        return self.output.path


def list_requisites(lock: Lock, platforms: Iterable[PlatformName] | None = None) -> tuple[Requisite, ...]:
    """What images for these platforms need, each path once; None means every platform that is locked.

    The platform of the machine that builds belongs to it: its Debian root runs the builders. Those that are not locked
    are left out.
    """
    wanted = [p for p in sorted(lock.platforms) if platforms is None or p in set(platforms)]
    needs = [_of_source("comfyui", COMFYUI, lock.comfyui.source)]
    needs += [_of_source("pack", pack.name, pack.source) for pack in lock.packs]
    needs += [root_requisite(lock, platform) for platform in wanted]
    needs += [need for platform in wanted for need in wheel_requisites(lock, platform)]
    there = {need.path for need in needs}
    needs += [need for platform in wanted for need in wheel_build_requisites(lock, platform) if need.path not in there]
    return tuple({need.path: need for need in needs}.values())


def filter_required(missing: Iterable[Requisite], needs: Iterable[Requisite]) -> tuple[Requisite, ...]:
    """Those of the missing `needs` without which there is no image: a wheel can be built again while all is there that
    it is made of, and that is not needed while the wheel is there."""
    lost, all_ = tuple(missing), tuple(needs)
    gone = {need.path for need in lost}
    wanted = {path for need in all_ if need.path in gone for path in need.built_from}
    return tuple(
        need
        for need in lost
        if not (need.built_from and gone.isdisjoint(need.built_from)) and (not need.build_only or need.path in wanted)
    )


def root_requisite(lock: Lock, platform: PlatformName) -> Requisite:
    """The Debian userland of a platform. Raises `KeyError` for one that is not locked."""
    root = lock.platforms[platform].root
    name = f"debian-root-{platform.removeprefix('linux/')}"
    origin = f"{len(root.packages)} Debian packages of {root.suite}"
    return Requisite("debian", f"the Debian root of {platform}", _tree(name, root.tree), origin)


def source_requisite(lock: Lock, pack: str | None = None) -> Requisite:
    """ComfyUI, or the node pack of that name."""
    if pack is None:
        return _of_source("comfyui", COMFYUI, lock.comfyui.source)
    return _of_source("pack", pack, next(p.source for p in lock.packs if p.name == pack))


def wheel_requisites(lock: Lock, platform: PlatformName) -> tuple[Requisite, ...]:
    """The wheels of a platform, in the lock's order."""
    return tuple(
        Requisite(
            "wheel",
            f"{w.name} {w.version}",
            _file(w.filename, w.sha256),
            w.url,
            w.size,
            tuple(need.path for need in _wheel_build_requisites(w, lock.platforms[platform].compilers, platform)),
        )
        for w in lock.platforms[platform].wheels
    )


def wheel_build_requisites(lock: Lock, platform: PlatformName) -> tuple[Requisite, ...]:
    """What the wheels of a platform are built from that were built: sources, packages, a Debian with compilers."""
    pins = lock.platforms[platform]
    return tuple(need for wheel in pins.wheels for need in _wheel_build_requisites(wheel, pins.compilers, platform))


def _wheel_build_requisites(wheel: Wheel, compilers: Root | None, platform: PlatformName) -> Iterator[Requisite]:
    if wheel.built is None:
        return
    of = f"{wheel.name} {wheel.version}"
    source = wheel.built.source
    yield replace(_of_source("source", source_name(source), source), title=f"the source of {of}", build_only=True)
    for tool in wheel.built.requires:
        title = f"{tool.name} {tool.version}, which builds {of}"
        yield Requisite("source", title, _file(tool.filename, tool.sha256), tool.url, tool.size, build_only=True)
    if wheel.built.compiler and compilers is not None:
        name = f"debian-compilers-{platform.removeprefix('linux/')}"
        title = f"the Debian root with compilers of {platform}"
        origin = f"{len(compilers.packages)} Debian packages of {compilers.suite}"
        yield Requisite("source", title, _tree(name, compilers.tree), origin, build_only=True)


def model_requisite(model: ModelFile) -> Requisite:
    """A model, which no image needs and a run does; under whatever names it is used, it is one path."""
    origin = "where its lock says" if model.sources else "where someone added it"
    return Requisite(
        "model",
        f"the model {model.place}",
        FixedOutput("model", bytes.fromhex(model.sha256), False),
        origin,
        model.size,
    )


def model_requisites(lock: Lock) -> tuple[Requisite, ...]:
    """The models of a lock, each once: they are archived on request, not with every version."""
    return tuple({need.path: need for need in map(model_requisite, lock.models)}.values())


def _of_source(role: Role, name: str, source: LockSource) -> Requisite:
    return Requisite(role, name, source.fixed_output(name), source.origin, source.download_size)


def _file(name: str, sha256: str) -> FixedOutput:
    return FixedOutput(name, bytes.fromhex(sha256), False)


def _tree(name: str, tree: TreeHash) -> FixedOutput:
    return FixedOutput(name, base64.b64decode(tree.removeprefix("sha256-")), True)
