"""The recipe: what the files of other tools can say of an installation of ComfyUI, in one shape for all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Wheel
from pycomfy.core.sources.url import UrlSource

Format = Literal[
    "manager-snapshot", "cpack", "cpack-0.3", "comfyui-json", "pylock", "comfy-cli", "desktop-snapshot", "view-comfy"
]

TITLES: Mapping[Format, str] = {
    "manager-snapshot": "a snapshot of ComfyUI-Manager",
    "cpack": "a package of comfy-pack",
    "cpack-0.3": "a package of comfy-pack before 0.4",
    "comfyui-json": "a dependency graph of comfyui-json",
    "pylock": "a pylock.toml",
    "comfy-cli": "a distribution definition of comfy-cli",
    "desktop-snapshot": "a snapshot of ComfyUI Desktop",
    "view-comfy": "a view_comfy.json",
}
"""Every format, as it is called in a sentence."""


@dataclass(frozen=True)
class Core:
    """ComfyUI itself: `revision` is a commit, tag or branch; `version` a number, if that is all that is known. `url`
    is its repository, if that is said."""

    revision: str | None = None
    version: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class GitPack:
    """A node pack from git. `name` is its folder in `custom_nodes/`, empty if nobody says it."""

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
    """A node pack of one Python file. Most formats name the file alone, and nobody knows where it came from."""

    filename: str
    url: str | None = None
    sha256: str | None = None
    enabled: bool = True


@dataclass(frozen=True)
class OtherPack:
    """A node pack of which a format has no more than the name: `what` says what it is."""

    name: str
    what: str
    enabled: bool = True


PackEntry = GitPack | RegistryPack | FilePack | OtherPack


@dataclass(frozen=True)
class Package:
    """A Python package: `name==version`, or what is at `url`, as `git+URL@COMMIT`. `files` are its wheels, `sdist` its
    source where there are none, `platforms` those it is for, all if there are none."""

    name: str
    version: str = ""
    url: str | None = None
    files: tuple[Wheel, ...] = ()
    sdist: UrlSource | None = None
    platforms: tuple[PlatformName, ...] = ()

    @property
    def pin(self) -> str:
        """As `pip freeze` writes it."""
        return f"{self.name} @ {self.url}" if self.url is not None else f"{self.name}=={self.version}"

    def is_for(self, platform: PlatformName) -> bool:
        return not self.platforms or platform in self.platforms


@dataclass(frozen=True)
class ModelEntry:
    """A model: `place` is its path below ComfyUI's `models`; `urls` where it may be fetched, best first."""

    place: str
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
    """All that a file says. `workflow` is the one of the editor, `prompt` the one in API format, as bytes of JSON.

    `made_at` is when it was true. `debian` counts Debian packages, which no other tool's file can name. `remarks` are
    for the user: what the file has, and a recipe does not.
    """

    name: str | None = None
    core: Core | None = None
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
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def on(self, platform: PlatformName) -> "EnvironmentSpec":
        """The recipe for one platform."""
        return replace(self, packages=tuple(p for p in self.packages if p.is_for(platform)), platforms=(platform,))


Part = Literal["workflow", "core", "packs", "python", "packages", "hashes", "models", "inputs"]

SUPPORTED_PARTS: Mapping[Format, frozenset[Part]] = {
    "manager-snapshot": frozenset({"core", "packs", "packages"}),
    "cpack": frozenset({"workflow", "core", "packs", "python", "packages", "models"}),
    "cpack-0.3": frozenset({"workflow", "core", "packs", "python", "packages", "models"}),
    "comfyui-json": frozenset({"core", "packs", "models"}),
    "pylock": frozenset({"python", "packages", "hashes"}),
    "comfy-cli": frozenset({"core", "packs", "python", "packages", "models"}),
    "desktop-snapshot": frozenset({"core", "packs", "python", "packages"}),
    "view-comfy": frozenset({"workflow", "inputs"}),
}
"""Which parts of a recipe a format can say."""


def list_unsupported(recipe: EnvironmentSpec, format_: Format) -> Iterator[str]:
    """What of a recipe a format has no place for, for a person."""
    holds = SUPPORTED_PARTS[format_]
    if recipe.workflow is not None and "workflow" not in holds:
        yield "the workflow"
    if recipe.core is not None and "core" not in holds:
        yield "ComfyUI's version"
    for part, count, noun in (
        ("packs", len(recipe.packs), "node pack"),
        ("packages", len(recipe.packages), "Python package"),
        ("models", len(recipe.models), "model"),
        ("inputs", len(recipe.inputs), "input of the API"),
    ):
        if count and part not in holds:
            yield f"{count} {_plural(noun, count)}"
    if recipe.python is not None and "python" not in holds and "packages" in holds:
        yield f"that it is Python {recipe.python}"
    if recipe.packages and "packages" in holds and "hashes" not in holds:
        yield "the hashes of the Python packages"
    if recipe.debian:
        yield f"{recipe.debian} {_plural('Debian package', recipe.debian)}"


def _plural(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return "inputs of the API" if noun.startswith("input") else noun + "s"
