"""Where pycomfy.toml says that code comes from, not yet pinned."""

from typing import Annotated

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from pycomfy.core.lockfile.config_types import GitAddress, LocalPath, Pin, PublicUrl, Revision, Section, WantedText
from pycomfy.core.lockfile.schema import RelativePath, Sha256


class StepSpec(Section):
    """A command to run in a pack's folder while the image is built: a program and its arguments, no shell."""

    run: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=10_000)], ...],
        Field(min_length=1, strict=False),
    ]

    @model_validator(mode="after")
    def _check(self) -> "StepSpec":
        if not self.run[0] or self.run[0].startswith("-"):
            raise ValueError("the first word of run is the program to run")
        return self


class SourceSpec(Section):
    """Where code comes from, not yet pinned.

    `requirements` replaces what the code itself declares; `types` are node types that it supplies although its source
    does not show them, because it makes them while it runs or in the browser; `steps` are run on a pack's files while
    the image is built.
    """

    requirements: tuple[WantedText, ...] | None = Field(default=None, strict=False)
    types: tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...] = Field(default=(), strict=False)
    steps: tuple[StepSpec, ...] = Field(default=(), strict=False)


class GitSpec(SourceSpec):
    """A git repository: a URL, or a path relative to pycomfy.toml. `rev`: branch, tag or commit; `patch`: the path of
    a patch that is applied to its files. Without `lfs`, pointers stay where large files should be."""

    git: GitAddress
    rev: Revision | None = None
    patch: LocalPath | None = None
    lfs: bool = True


class WheelSpec(SourceSpec):
    """A folder in a wheel of the Python index: `wheel` is an exact pin, `exclude` is relative to `folder`."""

    wheel: Pin
    folder: RelativePath
    exclude: tuple[RelativePath, ...] = Field(default=(), strict=False)


class PathSpec(SourceSpec):
    """A local folder, absolute or relative to pycomfy.toml."""

    path: LocalPath


class UrlSpec(SourceSpec):
    """One Python file: a node pack that consists of a single module."""

    url: PublicUrl
    sha256: Sha256


class RegistrySpec(SourceSpec):
    """A version of a node pack of the Comfy registry, by its id: its repository's commit of that version."""

    registry: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,60}$")]


KINDS = ("git", "wheel", "path", "url", "registry")


def _kind(value: object) -> str | None:
    """Which source a table is, by the one key that says so; None if it is none or several."""
    if isinstance(value, SourceSpec):
        return type(value).__name__.removesuffix("Spec").lower()
    found = [kind for kind in KINDS if isinstance(value, dict) and kind in value]
    return found[0] if len(found) == 1 else None


def _one_of(kinds: tuple[str, ...]) -> Discriminator:
    return Discriminator(
        _kind,
        custom_error_type="source",
        custom_error_message=f"name the source by exactly one of: {', '.join(kinds)}",
    )


Spec = GitSpec | WheelSpec | PathSpec | UrlSpec | RegistrySpec

ComfySpec = Annotated[
    Annotated[GitSpec, Tag("git")] | Annotated[WheelSpec, Tag("wheel")] | Annotated[PathSpec, Tag("path")],
    _one_of(("git", "wheel", "path")),
]

PackSpec = Annotated[
    Annotated[GitSpec, Tag("git")]
    | Annotated[WheelSpec, Tag("wheel")]
    | Annotated[PathSpec, Tag("path")]
    | Annotated[UrlSpec, Tag("url")]
    | Annotated[RegistrySpec, Tag("registry")],
    _one_of(KINDS),
]
