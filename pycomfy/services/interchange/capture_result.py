"""What `capture` returns: where code, packages and models of an installation come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy.core.capture.model import Capture, CapturedCode, CapturedManager, CapturedModel
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.errors import Placeholder, suggest
from pycomfy.services.results import Note, NoteText, Result


@dataclass(frozen=True)
class CapturedSource:
    """Where the code of ComfyUI or of a node pack comes from, see `CapturedCode`. `place` is its path in the
    installation, `ahead` the number of commits that its remote does not have; `patch` and `folder` are paths in the
    captured folder; `config` is what pycomfy.toml says of it."""

    name: str
    place: str
    version: str
    registry: str
    url: str | None
    commit: str | None
    branch: str | None
    ahead: int
    patch: str | None
    folder: str | None
    changed: tuple[str, ...]
    skipped: tuple[str, ...]
    notes: tuple[str, ...]
    config: Mapping[str, object]


@dataclass(frozen=True)
class CapturedEnvironment:
    """A Python environment. `place` is its folder, `version` that of its Python, "" if unknown, and `taken` that of an
    image, which pycomfy.toml sets; `packages` are the pins."""

    place: str
    version: str
    taken: str
    packages: tuple[str, ...]
    accelerator: str | None
    platforms: tuple[PlatformName, ...]


class CaptureResult(Result):
    """The folder that was written, and what was found. `workflow` says whether there is one in it; `as_of` is when the
    installation last changed, None if that is not known. `lost` lists what a lock cannot reproduce."""

    folder: Path
    workflow: bool
    as_of: str | None
    comfyui: CapturedSource
    packs: tuple[CapturedSource, ...]
    disabled: tuple[str, ...]
    python: CapturedEnvironment | None
    models: tuple[CapturedModel, ...]
    manager: CapturedManager | None
    lost: tuple[str, ...]
    notes: tuple[NoteText, ...]


def make_result(folder: Path, found: Capture, *, workflow: bool) -> CaptureResult:
    """Describe what was found, for whoever captured it."""
    python = found.python
    notes = [*map(Note, found.list_notes())]
    if python is None:
        fix = suggest("retry", python=Placeholder("PATH"))
        notes.append(Note("no Python environment was found in or beside ComfyUI", (fix,)))
    return CaptureResult(
        folder=folder,
        workflow=workflow,
        as_of=None if found.as_of is None else f"{found.as_of:%Y-%m-%dT%H:%M:%SZ}",
        comfyui=_describe_source(found.comfyui),
        packs=tuple(map(_describe_source, found.packs)),
        disabled=found.disabled,
        python=None
        if python is None
        else CapturedEnvironment(
            place=python.folder,
            version=python.version,
            taken=python.image_version,
            packages=python.plan.pins,
            accelerator=python.plan.accelerator,
            platforms=python.plan.platforms,
        ),
        models=found.models,
        manager=found.manager,
        lost=tuple(found.list_lost()),
        notes=tuple(notes),
    )


def _describe_source(code: CapturedCode) -> CapturedSource:
    return CapturedSource(
        name=code.name,
        place=code.path,
        version=code.version,
        registry=code.registry,
        url=code.url,
        commit=code.commit,
        branch=code.branch,
        ahead=code.unpublished,
        patch=code.patch_path,
        folder=code.folder,
        changed=code.changed,
        skipped=code.skipped,
        notes=code.notes,
        config=code.config_keys,
    )
