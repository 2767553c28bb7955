"""Describe an environment as the files of other tools do: ComfyUI, node packs, packages, models, and a workflow."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from pycomfy.core.lockfile.names import repository_name
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.sources.url import UrlSource


@dataclass(frozen=True)
class ComfyUIRevision:
    """ComfyUI itself. `revision` is a commit, tag or branch; `version` its number, for where no revision is known;
    `url` its repository, if that is named."""

    revision: str | None = None
    version: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class GitPack:
    """A node pack from git. `name` is its folder in `custom_nodes/`, empty if that is not known."""

    url: str
    commit: str | None = None
    name: str = ""
    enabled: bool = True


@dataclass(frozen=True)
class RegistryPack:
    """A version of a node pack of the Comfy registry, by its id there."""

    id: str
    version: str
    name: str = ""
    enabled: bool = True


@dataclass(frozen=True)
class FilePack:
    """A node pack of one Python file. Most formats give the file's name and not where it came from."""

    filename: str
    url: str | None = None
    sha256: str | None = None
    enabled: bool = True


@dataclass(frozen=True)
class OtherPack:
    """A node pack of unknown source: only its name is known. `what` is the reason: "it was local to one machine"."""

    name: str
    what: str
    enabled: bool = True


PackEntry = GitPack | RegistryPack | FilePack | OtherPack


def is_manager(name: str) -> bool:
    """Whether a repository's address, or an id of the Comfy registry, is that of ComfyUI-Manager."""
    return repository_name(name).lower() == "comfyui-manager"


@dataclass(frozen=True)
class Package:
    """A Python package: `name==version`, or what is at `url`, as in `git+URL@COMMIT`. `files` are its wheels, `sdist`
    its source distribution if there are none. `platforms` are those it is for; empty means all."""

    name: str
    version: str = ""
    url: str | None = None
    files: tuple[Wheel, ...] = ()
    sdist: UrlSource | None = None
    platforms: tuple[PlatformName, ...] = ()

    @property
    def pin(self) -> str:
        """The package as `pip freeze` writes it."""
        return f"{self.name} @ {self.url}" if self.url is not None else f"{self.name}=={self.version}"

    def is_for(self, platform: PlatformName) -> bool:
        """Whether a platform has the package."""
        return not self.platforms or platform in self.platforms


@dataclass(frozen=True)
class ModelEntry:
    """A model. `path` is relative to ComfyUI's `models`; `urls` is where it can be downloaded, best first."""

    path: str
    sha256: str | None = None
    urls: tuple[str, ...] = ()


@dataclass(frozen=True)
class ApiInput:
    """A parameter of the workflow's API: the input `input` of the node `node`. The rest describes its field."""

    name: str
    node: str
    input: str
    type: str = ""
    title: str = ""
    default: object = None
    choices: tuple[object, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class EnvironmentSpec:
    """All that a file says. `workflow` is in the editor's format, `prompt` in API format, both bytes of JSON.

    `made_at` is the time for which it is true. `debian` counts Debian packages, which no other tool's file can name.
    `notes` are for the user: what the file has and this type cannot hold.
    """

    name: str | None = None
    comfyui: ComfyUIRevision | None = None
    packs: tuple[PackEntry, ...] = ()
    python: str | None = None
    packages: tuple[Package, ...] = ()
    models: tuple[ModelEntry, ...] = ()
    inputs: tuple[ApiInput, ...] = ()
    workflow: bytes | None = None
    prompt: bytes | None = None
    platforms: tuple[PlatformName, ...] = ()
    made_at: datetime | None = None
    debian: int = 0
    notes: tuple[str, ...] = field(default=(), compare=False)

    def on(self, platform: PlatformName) -> "EnvironmentSpec":
        """Return the environment of one platform."""
        return replace(self, packages=tuple(p for p in self.packages if p.is_for(platform)), platforms=(platform,))
