"""Ask a ComfyUI that has started already for the nodes of an image that is not built yet.

That is the ComfyUI of an image whose environment is the same but for the code of its node packs. Where it cannot be
asked, or does not answer, there is no answer: the image is built then, and started.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.node_definitions import log_path, write_cached
from pycomfy.adapters.containers.spare import Spare
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.store import add_tree
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock
from pycomfy.core.sources.lock_source import TreeSource
from pycomfy.core.versions.verification import NodeDefinitions
from pycomfy.errors import PycomfyError
from pycomfy.services.supply import take_or_make_tree
from pycomfy.services.verification import provide_built
from pycomfy.services.workspace import Workspace


@dataclass
class Prover:
    """Has a ComfyUI in reserve, once `warm_up` was called. Whoever makes one closes it."""

    workspace: Workspace
    _spare: Spare | None = None
    _lock: Lock | None = None

    def warm_up(self, lock: Lock, oci: Path) -> None:
        """Start the ComfyUI of an image in reserve, unless one is there already."""
        if self._spare is None:
            image = provide_built(self.workspace, lock, oci)
            self._spare, self._lock = Spare(self.workspace.engine, image, self.workspace.limits), lock

    def ask(self, lock: Lock, platform: PlatformName, base: Path) -> NodeDefinitions | None:
        """Return the nodes of the image that a lock is for, which are kept as those of an image that was started. None
        where it does not say. Relative paths in the lock are below `base`."""
        spare, before = self._spare, self._lock
        if spare is None or before is None:
            return None
        gateway = read_toolkit().gateway
        try:
            if _without_packs(before, platform, gateway) != _without_packs(lock, platform, gateway):
                return None
            changed = _find_changed(before, lock)
            if changed is None:
                return None
            environment = environment_fingerprint(lock, platform, gateway)
            with operation.step("Load the node packs") as task:
                folders = {name: self._find_code(name, source, base) for name, source in changed.items()}
                removed = sorted({pack.name for pack in before.packs} - {pack.name for pack in lock.packs})
                answer = spare.ask(folders, removed, log_path(self.workspace.paths.cache, environment))
                task.note(f"{len(answer.types)} node types")
        except PycomfyError as e:
            operation.report(f"note: {e.what}: the image is built and started instead")
            return None
        finally:
            self.close()
        write_cached(self.workspace.paths.cache, environment, answer)
        return answer

    def close(self) -> None:
        """End what is in reserve."""
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _find_code(self, name: str, source: TreeSource, base: Path) -> Path:
        """The folder in the Nix store that the image's layer will be made of."""
        nix = self.workspace.nix
        add_tree(nix, name, source.tree, lambda out: take_or_make_tree(self.workspace, source, base, out))
        return nix.local_path(source.fixed_output(name).path)


def _without_packs(lock: Lock, platform: PlatformName, gateway: Mapping[str, bytes]) -> str:
    return environment_fingerprint(lock.model_copy(update={"packs": ()}), platform, gateway)


def _find_changed(before: Lock, after: Lock) -> dict[str, TreeSource] | None:
    """The packs whose code is another one. None where a pack is new, is no folder of files, or where steps make what
    the image has of its code."""
    known, changed = {pack.name: pack for pack in before.packs}, {}
    for pack in after.packs:
        old = known.get(pack.name)
        if old is None:
            return None
        if (old.source, old.steps) == (pack.source, pack.steps):
            continue
        if old.steps or pack.steps or not isinstance(pack.source, TreeSource):
            return None
        changed[pack.name] = pack.source
    return changed
