"""The lock: everything an image is made of, pinned by hash. It is the only input of the Nix code."""

import json
from collections.abc import Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from pycomfy.core.lockfile.lock_types import (
    Commit,
    FileName,
    LockSection,
    ModelFolder,
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
from pycomfy.errors import BadLock

LOCK_VERSION = 1


class ComfyUI(LockSection):
    version: str
    source: Source


class Step(LockSection):
    """A command that is run in a pack's folder while the image is built: a program and its arguments."""

    run: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=10_000)], ...], Field(min_length=1)
    ]


class Pack(LockSection):
    """A node pack. `name` is its folder in `custom_nodes/`; `types` are the node types it supplies to the workflow,
    `steps` what is run on its files, in this order."""

    unsaid = frozenset({"steps"})
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


class Root(LockSection):
    """The Debian userland. `tree` is the hash of the unpacked tree, so who unpacks it does not matter."""

    suite: str
    archives: tuple[str, ...]
    packages: tuple[DebianPackage, ...]
    tree: TreeHash


class Wheel(LockSection):
    """One wheel; `filename` is what PEP 427 parses, `name` and `version` normalised.

    `built` says how it was made where the index has none; `url` is then that of its source. Else `url` may be a path,
    absolute or relative to the lock: of a wheel on somebody's disk, which pycomfy puts into the store.
    """

    unsaid = frozenset({"built"})
    name: Name
    version: str
    filename: FileName
    url: str
    sha256: Sha256
    size: int
    built: "WheelBuild | None" = None

    @property
    def is_local(self) -> bool:
        """Whether it comes from no network address."""
        return self.built is None and "://" not in self.url


class WheelBuild(LockSection):
    """How a wheel is built from its source: in a sandbox without a network, with these wheels at hand.

    The project is in `subdirectory` of the source, if that is not None. With `compiler` it is built in the Debian
    root `Platform.compilers`, else in `Platform.root`.
    """

    unsaid = frozenset({"subdirectory"})
    source: Annotated[GitSource | UrlSource, Field(discriminator="kind")]
    subdirectory: RelativePath | None = None
    requires: tuple[Wheel, ...] = ()
    compiler: bool = False


class Platform(LockSection):
    """What an image for a platform is made of. `compilers` is the Debian root in which wheels were built that need a
    compiler; it is in no image."""

    unsaid = frozenset({"compilers"})
    root: Root
    wheels: tuple[Wheel, ...]
    compilers: Root | None = None


# A repository of Hugging Face: `owner/name`, before it `datasets/` or `spaces/` if it is one.
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
    """A file of a commit of a Hugging Face repository."""

    kind: Literal["huggingface"] = "huggingface"
    repository: Repository
    revision: Commit
    path: RelativePath


class CivitaiModel(LockSection):
    """A file of a model version of CivitAI; `query` tells it from the version's other files."""

    kind: Literal["civitai"] = "civitai"
    version: int = Field(gt=0)
    query: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9=&_.%+-]{0,300}$")] = ""


class UrlModel(LockSection):
    kind: Literal["url"] = "url"
    url: PublicUrl


ModelSource = Annotated[HuggingFaceModel | CivitaiModel | UrlModel, Field(discriminator="kind")]


class ModelFile(LockSection):
    """A model, which stays outside the image: `name` is below the model folder `folder`, `size` in bytes if known.

    `sources` are where it can be fetched, best first; without any it is only where someone added it.
    """

    folder: ModelFolder
    name: RelativePath
    sha256: Sha256
    size: int | None = Field(default=None, ge=0)
    sources: tuple[ModelSource, ...] = ()

    @property
    def place(self) -> str:
        """Its path below ComfyUI's `models`."""
        return f"{self.folder}/{self.name}"


class WorkflowPin(LockSection):
    """The workflow the lock was made for, by the hash of its bytes."""

    sha256: Sha256


class Lock(LockSection):
    unsaid = frozenset({"models", "accelerator"})
    version: Literal[1] = 1
    name: Name
    as_of: str
    python: Literal["3.11", "3.13"] = "3.11"
    workflow: WorkflowPin
    comfyui: ComfyUI
    packs: tuple[Pack, ...] = ()
    platforms: dict[PlatformName, Platform]
    models: tuple[ModelFile, ...] = ()
    accelerator: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.]{1,20}$")] | None = None

    @property
    def sources(self) -> dict[str, LockSource]:
        """Where the code comes from: ComfyUI's source under the name `COMFYUI`, then every node pack's under its."""
        return {COMFYUI: self.comfyui.source, **{pack.name: pack.source for pack in self.packs}}

    @property
    def variant(self) -> str:
        """What its Python packages were resolved for besides the Python itself, for people: ", PyTorch for cu128"."""
        return f", PyTorch for {self.accelerator}" if self.accelerator is not None else ""


def render_lock(lock: Lock) -> str:
    """The lock as sorted JSON, newline at the end: equal locks are equal bytes, whatever order they were made in."""
    data = _sorted(lock).model_dump(mode="json")
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def parse_lock(text: str, *, where: str = "pycomfy.lock") -> Lock:
    """Read a lock. Raises `BadLock` for text that is no lock, or one of another version."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise BadLock(f"not JSON: {e}", where=where, fix="run `pycomfy lock` again") from e
    if isinstance(data, dict) and isinstance(data.get("version"), int) and data["version"] > LOCK_VERSION:
        raise BadLock(
            f"the lock has version {data['version']}, this pycomfy reads up to {LOCK_VERSION}",
            where=where,
            fix="update pycomfy",
        )
    try:
        return Lock.model_validate(data)
    except ValidationError as e:
        first = e.errors()[0]
        at = ".".join(str(p) for p in first["loc"])
        raise BadLock(f"{at}: {first['msg']}", where=where, fix="run `pycomfy lock` again") from e


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
                        "root": _sorted_root(p.root),
                        "compilers": _sorted_root(p.compilers) if p.compilers is not None else None,
                    }
                )
                for name, p in lock.platforms.items()
            },
        }
    )


def _sorted_root(root: Root) -> Root:
    return root.model_copy(update={"packages": _by_name(root.packages)})


def _sorted_recipe(wheel: Wheel) -> Wheel:
    if wheel.built is None:
        return wheel
    built = wheel.built.model_copy(update={"requires": _by_name(wheel.built.requires)})
    return wheel.model_copy(update={"built": built})
