"""What a lock keeps of the lock before it, when only some of it is to be renewed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, Root
from pycomfy.errors import BadConfig, NotFound, PycomfyError, raise_all

ALL, COMFYUI, BASE, PYTHON, MODELS = "all", "comfyui", "base", "python", "models"
PARTS = (ALL, COMFYUI, BASE, PYTHON, MODELS)
"""What can be renewed besides a node pack by its name."""


@dataclass(frozen=True)
class UpdatePolicy:
    """`lock` is the one so far; of it, only what `names` (lower case) says is renewed. Without names nothing is kept
    but what pycomfy itself found: then pycomfy.toml says anew what is taken."""

    lock: Lock | None = None
    names: frozenset[str] = frozenset()

    def check(self, config: Config, where: str) -> None:
        """Raises `NotFound` without a lock, `BadConfig` for every name that stands for nothing."""
        if not self.names:
            return
        if self.lock is None:
            raise NotFound("there is no lock that could be updated", where=where, fix="pycomfy lock, without --update")
        known = {*PARTS, *(n.lower() for n in config.packs), *(p.name.lower() for p in self.lock.packs)}
        problems: list[PycomfyError] = [
            BadConfig(f"there is no node pack {name}", where="--update", fix=f"one of: {', '.join(sorted(known))}")
            for name in sorted(self.names - known)
        ]
        raise_all(problems)

    def renews(self, name: str) -> bool:
        return bool({ALL, name.lower()} & self.names)

    def apply(self, config: Config) -> Config:
        """The configuration with the old commits of all that is not renewed, and the old date if Python is not."""
        if self.lock is None or not self.names:
            return config
        sources = {p.name: p.source for p in self.lock.packs if not self.renews(p.name)}
        changes: dict[str, object] = {
            "packs": {n: spec.held_at(sources[n]) if n in sources else spec for n, spec in config.packs.items()}
        }
        if not self.renews(COMFYUI):
            changes["comfyui"] = config.comfyui.held_at(self.lock.comfyui.source)
        if not self.renews(PYTHON) and config.as_of is None:
            changes["as_of"] = datetime.fromisoformat(self.lock.as_of)
        return config.model_copy(update=changes)

    def roots(self, config: Config, *, compilers: bool = False) -> Mapping[PlatformName, Root]:
        """The Debian userlands that stay as they are, or with `compilers` those in which wheels were built: of the same
        suite and snapshot, with every package that is asked for."""
        if self.lock is None or not self.names or self.renews(BASE):
            return {}
        roots = {p: parts.compilers if compilers else parts.root for p, parts in self.lock.platforms.items()}
        return {
            platform: root
            for platform, root in roots.items()
            if root is not None
            and root.suite == config.suite
            and set(config.apt) <= {p.name for p in root.packages}
            and config.debian.matches_snapshot(root.archives)
        }
