"""Describe a lock as an environment, as far as other tools' files can hold it."""

from collections.abc import Iterator
from datetime import datetime

from pycomfy.core.interchange.model import (
    ApiInput,
    ComfyUIRevision,
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

_COMFYUI_REPOSITORIES = frozenset(
    parse_git_url(url).identity for url in (COMFYUI_URL, "https://github.com/Comfy-Org/ComfyUI")
)
"""ComfyUI's own repository, before and after it moved; other tools mean it where they name none."""


def environment_from_lock(lock: Lock) -> EnvironmentSpec:
    """Return the environment, without the workflow and its inputs, which a lock does not have. Its notes are what no
    environment can hold, as noun phrases."""
    return EnvironmentSpec(
        name=lock.name,
        comfyui=_comfyui(lock.comfyui),
        packs=tuple(_pack(pack) for pack in lock.packs),
        python=lock.python,
        packages=tuple(_packages(lock)),
        models=tuple(
            ModelEntry(m.location, m.sha256, tuple(source_url(s, Hubs()) for s in m.sources)) for m in lock.models
        ),
        platforms=tuple(sorted(lock.platforms)),
        made_at=datetime.fromisoformat(lock.as_of),
        debian=max((len(p.root.packages) for p in lock.platforms.values()), default=0),
        notes=tuple(_notes(lock)),
    )


def list_inputs(interface: Interface) -> Iterator[ApiInput]:
    """Yield the parameters of a built workflow, each with the first input that gets its value."""
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


def _notes(lock: Lock) -> Iterator[str]:
    for name, source in lock.sources.items():
        if source.repository is not None and source.repository.patch is not None:
            yield f"the patch of {name if name == COMFYUI else f'the node pack {name}'}"
    for pack in lock.packs:
        if pack.steps:
            yield f"the build steps of the node pack {pack.name}"
    local = {wheel.filename for parts in lock.platforms.values() for wheel in parts.wheels if wheel.is_local}
    for filename in sorted(local):
        yield f"the source of {filename}, which is a file on this machine"


def _comfyui(comfyui: ComfyUI) -> ComfyUIRevision:
    version = None if comfyui.version == "unknown" else comfyui.version
    pinned = comfyui.source.repository
    if pinned is None:
        return ComfyUIRevision(version=version)
    is_own = parse_git_url(pinned.url).identity in _COMFYUI_REPOSITORIES
    return ComfyUIRevision(pinned.commit, version, None if is_own else pinned.url)


def _pack(pack: Pack) -> PackEntry:
    match pack.source.portable:
        case RepositoryCommit(url=url, commit=commit):
            return GitPack(url, commit, pack.name)
        case PythonFile(name=name, url=url, sha256=sha256):
            return FilePack(name, url, sha256)
        case str() as what:
            return OtherPack(pack.name, f"it comes from {what}")


def _packages(lock: Lock) -> Iterator[Package]:
    """Yield each version of a package once, with all its wheels, and the platforms that have it."""
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
            url=next((_git_url(w.built) for w in wheels.values() if w.built is not None), None),
            files=tuple(w for w in dict.fromkeys(wheels.values()) if w.built is None and not w.is_local),
            sdist=source if isinstance(source, UrlSource) else None,
            platforms=() if everywhere else tuple(sorted(wheels)),
        )


def _git_url(built: WheelBuild) -> str | None:
    """The commit that a package is built from, as pip writes it; None for one of an index."""
    pinned = built.source.repository
    if pinned is None:
        return None
    below = f"#subdirectory={built.subdirectory}" if built.subdirectory is not None else ""
    return f"git+{pinned.url}@{pinned.commit}{below}"
