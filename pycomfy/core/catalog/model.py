"""A node pack as the catalog lists it."""

from dataclasses import dataclass

COMFY_CORE = "comfy-core"
"""The answer for node types of ComfyUI itself; the registry's id for it too."""

CORE_URL = "https://github.com/comfyanonymous/ComfyUI"

CORE_IDENTITIES = ("github.com/comfyanonymous/comfyui", "github.com/comfy-org/comfyui")
"""ComfyUI's own repository; it has moved, and both addresses are in use."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A node pack. `identity` is its repository's (see `place.find_place`), `aliases` those it had or has as well.

    `files` are the addresses of its Python files where it is no repository to clone but single files. `updated` is a
    date like 2025-11-30. A `pattern` that is `loose` also matches types of other packs, so it proves nothing.
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
        return self.identity in CORE_IDENTITIES

    @property
    def repository(self) -> str:
        """The last part of the identity: what the pack's folder is called."""
        return self.identity.rsplit("/", 1)[-1]
