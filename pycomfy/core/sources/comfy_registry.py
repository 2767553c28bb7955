"""A version of a node pack of the Comfy registry. It is pinned to a commit, so the lock has a git source for it."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from pycomfy.core.sources.source_spec import SourceSpec


class RegistrySpec(SourceSpec):
    """A version of a node pack of the Comfy registry, by its id: its repository's commit of that version."""

    key: ClassVar[str] = "registry"

    registry: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+_-]{0,60}$")]

    @property
    def registry_id(self) -> str | None:
        return self.registry
