"""Describe what was found in an installation of ComfyUI."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pycomfy.core.capture.package_plan import PackagePlan
from pycomfy.core.lockfile.names import COMFYUI


@dataclass(frozen=True)
class CapturedCode:
    """Where the code of ComfyUI or of a node pack comes from: a commit (`url`, `commit`), with `patch` where files
    differ from it; or what a lock says of it, as the `keys` of pycomfy.toml; or else its files, captured as a folder.

    `name` is its name in pycomfy.toml, `path` its path in the installation. `version` and `registry` (its id in the
    Comfy registry) are from its own pyproject.toml. `unpublished` counts commits after it that the remote does not
    have; `date` is the commit's. `changed` are the paths in the patch, `skipped` what was left out, each with the
    reason. `steps` are the commands by which a lock builds it.
    """

    name: str
    path: str
    url: str | None = None
    commit: str | None = None
    keys: Mapping[str, object] = field(default_factory=dict)
    patch: str | None = None
    branch: str | None = None
    unpublished: int = 0
    date: datetime | None = None
    version: str = ""
    registry: str = ""
    changed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    steps: tuple[tuple[str, ...], ...] = ()

    @property
    def folder(self) -> str | None:
        """The path of its files in the captured folder; None if they are not in it."""
        if self.commit is not None or self.keys:
            return None
        return self.name if self.name == COMFYUI else f"packs/{self.name}"

    @property
    def patch_path(self) -> str | None:
        """The path of its patch in the captured folder."""
        return None if self.patch is None else f"patches/{self.name}.patch"

    @property
    def config_keys(self) -> Mapping[str, object]:
        """What pycomfy.toml says of its source."""
        if self.keys:
            return self.keys
        if self.commit is None:
            return {"path": self.folder or ""}
        patch = {} if self.patch_path is None else {"patch": self.patch_path}
        return {"git": self.url or "", "rev": self.commit, **patch}


@dataclass(frozen=True)
class CapturedPython:
    """A Python environment. `version` is its own, "" if unknown, `image_version` the nearest one that images have;
    `kind` and `folder` say what and where it is. `newest` is when its last package was installed."""

    folder: str
    kind: str
    version: str
    image_version: str
    plan: PackagePlan
    newest: datetime | None = None


@dataclass(frozen=True)
class CapturedModel:
    """A model. `folder` and `name` are its path below `models`, `path` is its file's, `size` is in bytes."""

    folder: str
    name: str
    path: str
    sha256: str
    size: int
    url: str | None = None


@dataclass(frozen=True)
class CapturedManager:
    """What ComfyUI-Manager stores: the settings that affect what it installs, the path of its newest snapshot, and the
    packages that it installs in place of others."""

    settings: dict[str, str] = field(default_factory=dict)
    snapshot: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Capture:
    """A whole installation. `disabled` are node packs that ComfyUI does not load. `locked_as_of` is the date of the
    lock that it was restored from, if its packages are still those."""

    comfyui: CapturedCode
    packs: tuple[CapturedCode, ...] = ()
    python: CapturedPython | None = None
    models: tuple[CapturedModel, ...] = ()
    disabled: tuple[str, ...] = ()
    manager: CapturedManager | None = None
    notes: tuple[str, ...] = ()
    locked_as_of: datetime | None = None

    @property
    def code(self) -> tuple[CapturedCode, ...]:
        """ComfyUI and the node packs."""
        return (self.comfyui, *self.packs)

    @property
    def as_of(self) -> datetime | None:
        """When the installation last changed, as far as that is known: no package in it can be newer."""
        if self.locked_as_of is not None:
            return self.locked_as_of
        moments = [code.date for code in self.code] + [self.python.newest if self.python is not None else None]
        return max((m for m in moments if m is not None), default=None)

    def list_lost(self) -> list[str]:
        """Return what a lock cannot reproduce."""
        lost = [f"{code.name}: {skipped}" for code in self.code for skipped in code.skipped]
        return lost + [f"package {one}" for one in (self.python.plan.lost if self.python is not None else ())]

    def list_notes(self) -> list[str]:
        """Return the notes on all parts, each once."""
        notes = [f"{code.name}: {note}" for code in self.code for note in code.notes]
        notes += self.python.plan.notes if self.python is not None else ()
        return list(dict.fromkeys([*notes, *self.notes]))
