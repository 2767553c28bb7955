"""The recipe of a lock: what of it the files of other tools can say."""

from collections.abc import Iterator
from datetime import datetime

from pycomfy.core.interchange.model import (
    ApiInput,
    Core,
    EnvironmentSpec,
    FilePack,
    GitPack,
    ModelEntry,
    OtherPack,
    Package,
    PackEntry,
)
from pycomfy.core.interface.model import Interface
from pycomfy.core.lockfile.config import COMFYUI_URL
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import ComfyUI, Lock, Pack, Wheel, WheelBuild
from pycomfy.core.models.model_url import Hubs, source_url
from pycomfy.core.sources.lock_source import PythonFile, RepositoryCommit
from pycomfy.core.sources.url import UrlSource

USUAL = frozenset(parse_git_url(url).identity for url in (COMFYUI_URL, "https://github.com/Comfy-Org/ComfyUI"))
"""ComfyUI's own repository, before and after it moved."""


def environment_from_lock(lock: Lock) -> EnvironmentSpec:
    """Without the workflow and its inputs, which the lock does not have. Its remarks are on what no recipe has."""
    return EnvironmentSpec(
        name=lock.name,
        core=_core(lock.comfyui),
        packs=tuple(_pack(pack) for pack in lock.packs),
        python=lock.python,
        packages=tuple(_packages(lock)),
        models=tuple(
            ModelEntry(m.place, m.sha256, tuple(source_url(s, Hubs()) for s in m.sources)) for m in lock.models
        ),
        platforms=tuple(sorted(lock.platforms)),
        made_at=datetime.fromisoformat(lock.as_of),
        debian=max((len(p.root.packages) for p in lock.platforms.values()), default=0),
        remarks=tuple(_remarks(lock)),
    )


def list_inputs(interface: Interface) -> Iterator[ApiInput]:
    """The parameters of a built workflow, each by the first input that its value goes to."""
    for parameter in interface.parameters:
        if not parameter.targets:
            continue
        target = parameter.targets[0]
        yield ApiInput(
            name=parameter.name,
            node=target.node,
            input=target.input,
            type=parameter.type,
            title=parameter.title,
            default=parameter.default,
            choices=tuple(parameter.choices),
            minimum=parameter.minimum,
            maximum=parameter.maximum,
        )


def _remarks(lock: Lock) -> Iterator[str]:
    for name, source in lock.sources.items():
        if source.repository is not None and source.repository.patch is not None:
            yield f"the changes to {name if name == COMFYUI else f'the node pack {name}'}, a patch"
    for pack in lock.packs:
        if pack.steps:
            yield f"the steps by which the node pack {pack.name} is built"
    local = {wheel.filename for parts in lock.platforms.values() for wheel in parts.wheels if wheel.is_local}
    for filename in sorted(local):
        yield f"where {filename} comes from: it is a file of this machine"


def _core(comfyui: ComfyUI) -> Core:
    version = None if comfyui.version == "unknown" else comfyui.version
    pinned = comfyui.source.repository
    if pinned is None:
        return Core(version=version)
    usual = parse_git_url(pinned.url).identity in USUAL
    return Core(pinned.commit, version, None if usual else pinned.url)


def _pack(pack: Pack) -> PackEntry:
    match pack.source.portable:
        case RepositoryCommit(url=url, commit=commit):
            return GitPack(url, commit, pack.name)
        case PythonFile(name=name, url=url, sha256=sha256):
            return FilePack(name, url, sha256)
        case str() as what:
            return OtherPack(pack.name, f"it comes from {what}")


def _packages(lock: Lock) -> Iterator[Package]:
    """Each version of a package once, with all its wheels, and the platforms that have it."""
    found: dict[tuple[str, str], dict[PlatformName, Wheel]] = {}
    for platform, parts in sorted(lock.platforms.items()):
        for wheel in parts.wheels:
            found.setdefault((wheel.name, wheel.version), {})[platform] = wheel
    for (name, version), wheels in sorted(found.items()):
        everywhere = len(wheels) == len(lock.platforms)
        source = next((w.built.source for w in wheels.values() if w.built is not None), None)
        yield Package(
            name,
            version,
            url=next((_address(w.built) for w in wheels.values() if w.built is not None), None),
            files=tuple(w for w in dict.fromkeys(wheels.values()) if w.built is None and not w.is_local),
            sdist=source if isinstance(source, UrlSource) else None,
            platforms=() if everywhere else tuple(sorted(wheels)),
        )


def _address(built: WheelBuild) -> str | None:
    """Where a package is built from that no index has, as pip writes it."""
    pinned = built.source.repository
    if pinned is None:
        return None
    below = f"#subdirectory={built.subdirectory}" if built.subdirectory is not None else ""
    return f"git+{pinned.url}@{pinned.commit}{below}"
