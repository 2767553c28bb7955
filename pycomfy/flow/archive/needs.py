"""What a lock needs from a store: every fixed output that its image is made from, as `nix/default.nix` names them."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pycomfy.flow.archive.storepath import FixedOutput
from pycomfy.flow.lock.model import GitSource, Lock, ModelFile, PathSource, PlatformName, Source, TreeHash

Role = Literal["comfyui", "pack", "debian", "wheel", "model"]


@dataclass(frozen=True)
class Need:
    """One fixed output. `title` names it for a person, `origin` says where it came from; `size` in bytes if known."""

    role: Role
    title: str
    output: FixedOutput
    origin: str
    size: int | None = None

    @property
    def path(self) -> str:
        return self.output.path


def list_needs(lock: Lock, platforms: Iterable[PlatformName] | None = None) -> tuple[Need, ...]:
    """What images for these platforms need, each path once; None means every platform that is locked.

    The platform of the machine that builds belongs to it: its Debian root runs the builders. Those that are not locked
    are left out.
    """
    wanted = [p for p in sorted(lock.platforms) if platforms is None or p in set(platforms)]
    needs = [_of_source("comfyui", "ComfyUI", lock.comfyui.source)]
    needs += [_of_source("pack", pack.name, pack.source) for pack in lock.packs]
    needs += [need_of_root(lock, platform) for platform in wanted]
    needs += [need for platform in wanted for need in list_wheels(lock, platform)]
    return tuple({need.path: need for need in needs}.values())


def need_of_root(lock: Lock, platform: PlatformName) -> Need:
    """The Debian userland of a platform. Raises `KeyError` for one that is not locked."""
    root = lock.platforms[platform].root
    name = f"debian-root-{platform.removeprefix('linux/')}"
    origin = f"{len(root.packages)} Debian packages of {root.suite}"
    return Need("debian", f"the Debian root of {platform}", _tree(name, root.tree), origin)


def need_of_source(lock: Lock, pack: str | None = None) -> Need:
    """ComfyUI, or the node pack of that name."""
    if pack is None:
        return _of_source("comfyui", "ComfyUI", lock.comfyui.source)
    return _of_source("pack", pack, next(p.source for p in lock.packs if p.name == pack))


def list_wheels(lock: Lock, platform: PlatformName) -> tuple[Need, ...]:
    """The wheels of a platform, in the lock's order."""
    return tuple(
        Need("wheel", f"{w.name} {w.version}", FixedOutput(w.filename, bytes.fromhex(w.sha256), False), w.url, w.size)
        for w in lock.platforms[platform].wheels
    )


def need_of_model(model: ModelFile) -> Need:
    """A model, which no image needs and a run does; under whatever names it is used, it is one path."""
    origin = "where its lock says" if model.sources else "where someone added it"
    return Need(
        "model",
        f"the model {model.place}",
        FixedOutput("model", bytes.fromhex(model.sha256), False),
        origin,
        model.size,
    )


def list_models(lock: Lock) -> tuple[Need, ...]:
    """The models of a lock, each once: they are archived on request, not with every version."""
    return tuple({need.path: need for need in map(need_of_model, lock.models)}.values())


def _of_source(role: Role, name: str, source: Source) -> Need:
    match source:
        case GitSource():
            return Need(role, name, _tree(name, source.tree), f"{source.url} at {source.commit}")
        case PathSource():
            return Need(role, name, _tree(name, source.tree), f"the folder {source.path}")
        case _:
            size = getattr(source, "size", None)
            return Need(role, name, FixedOutput(source.name, bytes.fromhex(source.sha256), False), source.url, size)


def _tree(name: str, tree: TreeHash) -> FixedOutput:
    return FixedOutput(name, base64.b64decode(tree.removeprefix("sha256-")), True)
