"""Define a node pack as the catalog lists it."""

from dataclasses import dataclass

CORE_URL = "https://github.com/comfyanonymous/ComfyUI"

CORE_IDENTITIES = ("github.com/comfyanonymous/comfyui", "github.com/comfy-org/comfyui")
"""ComfyUI's own repository, which has moved; both addresses are in use."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A node pack. `identity` is that of its repository (see `RepositoryUrl`), `aliases` are its former or other ones.

    `files` are the addresses of its Python files where it consists of single files instead of a repository to clone.
    `updated` is a date like 2025-11-30. A `pattern` that is `loose` also matches types of other packs, so it proves
    nothing.
    """

    identity: str
    url: str
    title: str = ""
    author: str = ""
    description: str = ""
    registry_id: str | None = None
    stars: int | None = None
    updated: str | None = None
    types: tuple[str, ...] = ()
    preempts: tuple[str, ...] = ()
    pattern: str | None = None
    loose: bool = False
    files: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def is_core(self) -> bool:
        """Whether it is ComfyUI itself."""
        return self.identity in CORE_IDENTITIES

    @property
    def repository(self) -> str:
        """The last part of the identity: the name of the pack's folder, in lower case for most hosts."""
        return self.identity.rsplit("/", 1)[-1]
