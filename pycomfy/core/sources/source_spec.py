"""A source as pycomfy.toml names it, not yet pinned: what every kind must have."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from pycomfy.core.lockfile.config_types import DirectRequirementText, Section

if TYPE_CHECKING:
    from pycomfy.core.sources.lock_source import LockSource


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
    """Where code comes from, not yet pinned. Each kind is a subclass; `key` is the one key that names it in
    pycomfy.toml, `for_comfyui` says whether ComfyUI itself may come from there.

    `requirements` replaces what the code itself declares; `types` are node types that it supplies although its source
    does not show them, because it makes them while it runs or in the browser; `steps` are run on a pack's files while
    the image is built.
    """

    key: ClassVar[str]
    for_comfyui: ClassVar[bool] = False

    requirements: tuple[DirectRequirementText, ...] | None = Field(default=None, strict=False)
    types: tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...] = Field(default=(), strict=False)
    steps: tuple[StepSpec, ...] = Field(default=(), strict=False)

    @property
    def repository_url(self) -> str | None:
        """The address of the git repository that it names; None for all else."""
        return None

    @property
    def registry_id(self) -> str | None:
        """The id in the Comfy registry that it names; None for all else."""
        return None

    def at_revision(self, revision: str) -> Self | None:
        """Return it at another revision; None for a kind without revisions."""
        return None

    def held_at(self, source: "LockSource") -> Self:
        """Return it pinned to what `source` is, so that renewing the lock does not move it; unchanged where the two are
        not from the same place, or the kind always names the same bytes."""
        return self
