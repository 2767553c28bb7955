"""What was found in an installation of ComfyUI."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pycomfy.core.capture.package_plan import PackagePlan


@dataclass(frozen=True)
class CapturedCode:
    """Where the code of ComfyUI or of a node pack is from: a commit (`url`, `commit`), with `patch` where files differ
    from it; or else its files themselves, which are captured as a folder.

    With `keys` it is known to be what a lock had: they are what pycomfy.toml says for that.

    `name` is what pycomfy.toml calls it, `place` its path in the installation. `version` and `registry` (its id in the
    Comfy registry) are what its own pyproject.toml says. `changed` are the paths that the patch is about, `left` what
    was left out, with the reasons. `steps` are the commands by which a lock builds it.
    """

    name: str
    place: str
    url: str | None = None
    commit: str | None = None
    keys: Mapping[str, object] = field(default_factory=dict)
    patch: str | None = None
    branch: str | None = None
    ahead: int = 0
    date: datetime | None = None
    version: str = ""
    registry: str = ""
    changed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[tuple[str, ...], ...] = ()

    @property
    def folder(self) -> str | None:
        """Where its files are in the result, if they are there."""
        return (
            None if self.commit is not None or self.keys else f"{'packs/' if self.name != 'ComfyUI' else ''}{self.name}"
        )

    @property
    def patch_path(self) -> str | None:
        return None if self.patch is None else f"patches/{self.name}.patch"


@dataclass(frozen=True)
class CapturedPython:
    """`version` is the installation's, `taken` the one of an image that is nearest; `kind` and `place` say where."""

    place: str
    kind: str
    version: str
    taken: str
    plan: PackagePlan
    newest: datetime | None = None


@dataclass(frozen=True)
class CapturedModel:
    """A model by its place below `models`, and where its file is."""

    folder: str
    name: str
    path: str
    sha256: str
    size: int
    url: str | None = None


@dataclass(frozen=True)
class CapturedManager:
    """What ComfyUI-Manager keeps: its settings that bear on what is installed, and its newest snapshot's file."""

    settings: dict[str, str] = field(default_factory=dict)
    snapshot: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Capture:
    """All of it. `disabled` are packs that ComfyUI does not load; `notes` are remarks on the whole; `as_of` is the date
    of the lock that it was made from, if it is still what that says."""

    comfyui: CapturedCode
    packs: tuple[CapturedCode, ...] = ()
    python: CapturedPython | None = None
    models: tuple[CapturedModel, ...] = ()
    disabled: tuple[str, ...] = ()
    manager: CapturedManager | None = None
    notes: tuple[str, ...] = ()
    as_of: datetime | None = None

    @property
    def code(self) -> tuple[CapturedCode, ...]:
        return (self.comfyui, *self.packs)
