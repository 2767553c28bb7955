"""The lock: everything that an image is made of, pinned by hash. It is the only input of the Nix code."""

import json
import posixpath
from collections.abc import Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from pycomfy.core.lockfile.lock_types import (
    Commit,
    FileName,
    LockSection,
    ModelFolder,
    Moment,
    Name,
    RelativePath,
    Sha256,
    TreeHash,
)
from pycomfy.core.lockfile.names import COMFYUI
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.sources.git import GitSource
from pycomfy.core.sources.kinds import Source
from pycomfy.core.sources.lock_source import LockSource
from pycomfy.core.sources.url import UrlSource
from pycomfy.core.validation import describe_error
from pycomfy.errors import BadLock, Fix, suggest

LOCK_VERSION = 1

LOCK_FILE = "pycomfy.lock"


class ComfyUI(LockSection):
    version: str
    source: Source


class Step(LockSection):
    """A command that runs in a pack's folder while the image is built: a program and its arguments."""

    run: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=10_000)], ...], Field(min_length=1)
    ]


class Pack(LockSection):
    """A node pack. `name` is its folder in `custom_nodes/`; `types` are the node types that the workflow takes from it,
    `steps` the commands that run on its files, in this order."""

    optional = frozenset({"steps"})
    name: Name
    source: Source
    types: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()


class DebianPackage(LockSection):
    """One `.deb`: `path` is below the archive's root, `archive` an index into `Root.archives`."""

    name: Name
    version: str
    archive: int = Field(ge=0)
    path: RelativePath
    sha256: Sha256
    size: int


class DebianPackages(LockSection):
    """Packages of a Debian suite with all that they depend on."""

    suite: str
    archives: tuple[str, ...]
    packages: tuple[DebianPackage, ...]


class Root(DebianPackages):
    """The Debian root filesystem. `tree` is the hash of the unpacked tree, so it does not matter who unpacks it."""

    tree: TreeHash


class Wheel(LockSection):
    """One wheel. `filename` is a file name as in PEP 427; `name` and `version` are normalised.

    `built` says how it was built where no index has it; `url` is then the address of its source. Otherwise `url` may be
    a path, absolute or relative to the lock, of a wheel on this disk, which pycomfy puts into the Nix store. `exclude`
    are files of the wheel that the image does not get, because another wheel's are kept at their place.
    """

    optional = frozenset({"built", "exclude"})
    name: Name
    version: str
    filename: FileName
    url: str
    sha256: Sha256
    size: int
    built: "WheelBuild | None" = None
    exclude: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether it is a file of this disk, not of a server."""
        return self.built is None and "://" not in self.url


class WheelBuild(LockSection):
    """How a wheel is built from its source: in a sandbox without a network, with the wheels `requires` installed.

    The project is in `subdirectory` of the source, if that is not None. With `compiler` it is built in the Debian
    root filesystem `Platform.compilers`, else in `Platform.root`.
    """

    optional = frozenset({"subdirectory"})
    source: Annotated[GitSource | UrlSource, Field(discriminator="kind")]
    subdirectory: RelativePath | None = None
    requires: tuple[Wheel, ...] = ()
    compiler: bool = False


class Platform(LockSection):
    """What an image for a platform is made of. `compilers` is the Debian root filesystem for building wheels that need
    a compiler, `browser` are the packages of the browser in which ComfyUI's editor makes the prompt; no image contains
    them. The browser has no hash of its tree: only a build that needs it unpacks it.

    `gateway` are the packages that the gateway runs with, in an environment of its own: those of a release of pycomfy,
    whatever the workflow needs. Only locks of before there were any have none."""

    optional = frozenset({"gateway", "compilers", "browser"})
    root: Root
    wheels: tuple[Wheel, ...]
    gateway: tuple[Wheel, ...] = ()
    compilers: Root | None = None
    browser: DebianPackages | None = None

    @property
    def every_wheel(self) -> tuple[Wheel, ...]:
        """The workflow's wheels, then the gateway's; a file that both have is there twice."""
        return (*self.wheels, *self.gateway)


# A Hugging Face repository: `owner/name`, with `datasets/` or `spaces/` in front of it if it is one of these.
Repository = Annotated[
    str,
    StringConstraints(
        pattern=r"^(datasets/|spaces/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,95}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,95})?$"
    ),
]

PublicUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s@/\x00-\x20]+(/[^\s\x00-\x20]*)?$", max_length=2000)
]
"""A web address without a login."""


class HuggingFaceModel(LockSection):
    """A file in a commit of a Hugging Face repository."""

    kind: Literal["huggingface"] = "huggingface"
    repository: Repository
    revision: Commit
    path: RelativePath


class CivitaiModel(LockSection):
    """A file of a model version of CivitAI; `query` selects it among the files of that version."""

    kind: Literal["civitai"] = "civitai"
    version: int = Field(gt=0)
    query: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9=&_.%+-]{0,300}$")] = ""


class UrlModel(LockSection):
    kind: Literal["url"] = "url"
    url: PublicUrl


ModelSource = Annotated[HuggingFaceModel | CivitaiModel | UrlModel, Field(discriminator="kind")]


class ModelFile(LockSection):
    """A model, which stays outside the image. `name` is its path below the model folder `folder`; `size` is in bytes,
    None if unknown.

    `sources` are the addresses to download it from, best first; without any, somebody has to add the file.
    """

    folder: ModelFolder
    name: RelativePath
    sha256: Sha256
    size: int | None = Field(default=None, ge=0)
    sources: tuple[ModelSource, ...] = ()

    @property
    def location(self) -> str:
        """Its path below ComfyUI's folder `models`."""
        return f"{self.folder}/{self.name}"


class WorkflowPin(LockSection):
    """The workflow that the lock was made for, by the hash of its bytes."""

    sha256: Sha256


class Lock(LockSection):
    """`compiler`: the image has a C compiler and Python's headers for what compiles while it runs."""

    optional = frozenset({"models", "model_inputs", "accelerator", "compiler"})
    version: Literal[1] = 1
    name: Name
    as_of: Moment
    python: Literal["3.11", "3.13"] = "3.11"
    workflow: WorkflowPin
    comfyui: ComfyUI
    packs: tuple[Pack, ...] = ()
    platforms: dict[PlatformName, Platform]
    models: tuple[ModelFile, ...] = ()
    model_inputs: dict[str, dict[str, ModelFolder | None]] = Field(default_factory=dict)
    accelerator: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.]{1,20}$")] | None = None
    compiler: bool = False

    @property
    def sources(self) -> dict[str, LockSource]:
        """The sources of the code by name: ComfyUI's as `COMFYUI`, then every node pack's."""
        return {COMFYUI: self.comfyui.source, **{pack.name: pack.source for pack in self.packs}}

    @property
    def variant(self) -> str:
        """The accelerator as a part of a sentence, ", PyTorch for cu128"; "" without one."""
        return f", PyTorch for {self.accelerator}" if self.accelerator is not None else ""


def render_lock(lock: Lock) -> str:
    """Return the lock as sorted JSON with a newline at the end: equal locks give equal bytes, whatever the order of
    their parts was."""
    data = _sorted(lock).model_dump(mode="json")
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


MAX_LOCK = 16 << 20
"""Characters of a lock; those of the largest workflows have a million."""


def parse_lock(text: str, *, where: str = LOCK_FILE, path: str = "") -> Lock:
    """Read a lock. `where` names it in errors; `path` is its file, if it is one of the user's. Raises `BadLock` for
    anything else, with all that is wrong with it, and for a newer version."""
    where = path or where
    fix = _lock_again(path)
    if len(text) > MAX_LOCK:
        raise BadLock(f"larger than {MAX_LOCK >> 20} MiB", where=where, fix=fix)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise BadLock(f"not JSON: {e}", where=where, fix=fix) from e
    if isinstance(data, dict) and isinstance(data.get("version"), int) and data["version"] > LOCK_VERSION:
        raise BadLock(
            f"the lock has version {data['version']}, this pycomfy reads up to {LOCK_VERSION}",
            where=where,
            fix="update pycomfy",
        )
    try:
        return Lock.model_validate(data)
    except ValidationError as e:
        raise BadLock(describe_error(e, "the lock"), where=where, fix=fix) from e


def _lock_again(path: str) -> Fix:
    """How to make the lock at `path` again: its workflow is in its folder, unless the lock has a name of its own."""
    folder, name = posixpath.split(path)
    if not name:
        return suggest("lock")
    return suggest("lock", workflow=folder or ".") if name == LOCK_FILE else suggest("lock", output=path)


T = TypeVar("T", Pack, DebianPackage, Wheel)


def _by_name(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted(items, key=lambda i: i.name))


def _sorted(lock: Lock) -> Lock:
    return lock.model_copy(
        update={
            "packs": _by_name(lock.packs),
            "models": tuple(sorted(lock.models, key=lambda m: (m.folder, m.name))),
            "platforms": {
                name: p.model_copy(
                    update={
                        "wheels": tuple(_sorted_recipe(w) for w in _by_name(p.wheels)),
                        "gateway": _by_name(p.gateway),
                        "root": _sorted_root(p.root),
                        "compilers": _sorted_root(p.compilers) if p.compilers is not None else None,
                        "browser": _sorted_root(p.browser) if p.browser is not None else None,
                    }
                )
                for name, p in lock.platforms.items()
            },
        }
    )


Packages = TypeVar("Packages", DebianPackages, Root)


def _sorted_root(root: Packages) -> Packages:
    return root.model_copy(update={"packages": _by_name(root.packages)})


def _sorted_recipe(wheel: Wheel) -> Wheel:
    if wheel.built is None:
        return wheel
    built = wheel.built.model_copy(update={"requires": _by_name(wheel.built.requires)})
    return wheel.model_copy(update={"built": built})
