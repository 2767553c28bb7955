"""Decide what a new lock keeps of the previous lock, when only parts are to be updated."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pycomfy.core.lockfile.config import Config
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import DebianPackages, Lock, Root
from pycomfy.errors import BadConfig, NotFound, PycomfyError, raise_all, suggest_retry

T = TypeVar("T", bound=DebianPackages)

ALL, COMFYUI, BASE, PYTHON, MODELS, GATEWAY = "all", "comfyui", "base", "python", "models", "gateway"
PARTS = (ALL, COMFYUI, BASE, PYTHON, MODELS, GATEWAY)
"""What can be updated, besides a node pack by its name. The gateway's packages always are those of this pycomfy: to
name them alone is to keep everything else."""


@dataclass(frozen=True)
class UpdatePolicy:
    """`lock` is the previous one; only the parts in `names` (lower case) are updated. Without names, the node packs and
    models that were found are kept, and pycomfy.toml decides about everything else again."""

    lock: Lock | None = None
    names: frozenset[str] = frozenset()

    def check(self, config: Config, where: str) -> None:
        """Raise `NotFound` if there is no lock at `where` to update, `BadConfig` for every unknown name."""
        if not self.names:
            return
        if self.lock is None:
            raise NotFound("there is no lock to update", where=where, fix=suggest_retry("lock", update=False))
        known = {*PARTS, *(n.lower() for n in config.packs), *(p.name.lower() for p in self.lock.packs)}
        problems: list[PycomfyError] = [
            BadConfig(
                f"cannot update {name}: there is no node pack {name}",
                where=where,
                fix=f"update one of: {', '.join(sorted(known))}",
            )
            for name in sorted(self.names - known)
        ]
        raise_all(problems)

    def renews(self, name: str) -> bool:
        """Return whether a part or a node pack is updated."""
        return bool({ALL, name.lower()} & self.names)

    def apply(self, config: Config) -> Config:
        """Return the configuration with the locked commits of everything that is not updated, and the locked date if
        Python is not."""
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
        """Return the Debian root filesystems to keep, or with `compilers` those in which wheels were built: those with
        the configured suite and snapshot, and with every configured package."""
        if self.lock is None:
            return {}
        roots = {p: parts.compilers if compilers else parts.root for p, parts in self.lock.platforms.items()}
        return self._kept(config, roots, config.apt)

    def browsers(self, config: Config, packages: Collection[str]) -> Mapping[PlatformName, DebianPackages]:
        """Return the browsers to keep: those of the configured suite and snapshot that have `packages`."""
        if self.lock is None:
            return {}
        return self._kept(config, {p: parts.browser for p, parts in self.lock.platforms.items()}, packages)

    def _kept(
        self, config: Config, pins: Mapping[PlatformName, T | None], packages: Collection[str]
    ) -> Mapping[PlatformName, T]:
        if not self.names or self.renews(BASE):
            return {}
        return {
            platform: pin
            for platform, pin in pins.items()
            if pin is not None
            and pin.suite == config.suite
            and set(packages) <= {p.name for p in pin.packages}
            and config.debian.matches_snapshot(pin.archives)
        }
