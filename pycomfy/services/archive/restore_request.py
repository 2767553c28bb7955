"""Say what is to be restored, and from where."""

from dataclasses import dataclass
from pathlib import Path

from pycomfy.core.lockfile.platforms import PlatformName


@dataclass(frozen=True)
class RestoreRequest:
    """`reference` is NAME, NAME@3, NAME@tag or NAME@commit. It becomes an image; with `to` a plain ComfyUI folder
    there, with `project` the Nix project in that folder.

    `platform` None is this machine's, or the only one that was built. `offline`: from the archive and this machine's
    Nix store alone. `source` is the URL of another archive, for what this machine's lacks; without `offline` alone.
    """

    reference: str
    platform: PlatformName | None = None
    offline: bool = False
    source: str | None = None
    to: Path | None = None
    project: Path | None = None
