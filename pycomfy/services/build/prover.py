"""Ask a ComfyUI that has started already for the nodes of an image that is not built yet.

That is the ComfyUI of an image whose environment is the same but for the code of its node packs; a build left it in
reserve. Where it cannot be asked, or does not answer, there is no answer: the image is built then, and started.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.node_definitions import log_path, write_cached
from pycomfy.adapters.containers.reserve import About, Waiting
from pycomfy.adapters.nix.resources import read_toolkit
from pycomfy.adapters.nix.store import add_tree
from pycomfy.core.lockfile.fingerprint import environment_fingerprint
from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.lockfile.schema import Lock, parse_lock, render_lock
from pycomfy.core.sources.lock_source import TreeSource
from pycomfy.core.versions.verification import NodeDefinitions
from pycomfy.errors import PycomfyError
from pycomfy.services.supply import take_or_make_tree
from pycomfy.services.workspace import Workspace


@dataclass
class Prover:
    """Asks what earlier builds left in reserve, and leaves some for later ones; both within one build."""

    workspace: Workspace
    _asked: Waiting | None = None

    def ask(self, lock: Lock, platform: PlatformName, base: Path) -> NodeDefinitions | None:
        """Return the nodes of the image that a lock is for, which are kept as those of an image that was started. None
        where it does not say. Relative paths in the lock are below `base`."""
        reserve = self.workspace.reserve
        try:
            waiting = self._find(lock, platform)
            if waiting is None:
                return None
            one, changed, removed = waiting
            environment = environment_fingerprint(lock, platform, read_toolkit().gateway)
            log = log_path(self.workspace.paths.cache, environment)
            with operation.step("Load the node packs") as task:
                folders = {name: self._find_code(name, source, base) for name, source in changed.items()}
                answer = reserve.ask(one, folders, removed, log)
                if answer is None:
                    task.note("nothing is in reserve any more")
                    return None
                self._asked = one
                task.note(f"{len(answer.types)} node types")
        except PycomfyError as e:
            operation.report(f"note: {e.what}: the image is built and started instead")
            return None
        write_cached(self.workspace.paths.cache, environment, answer)
        return answer

    def warm_up(self, lock: Lock, platform: PlatformName, oci: Path) -> None:
        """Leave the ComfyUI of an image in reserve, unless one is there that can be asked for it."""
        if not self.workspace.reserve.idle:
            return
        with _told():
            if self._find(lock, platform) is None:
                key, engine = self._key(lock, platform), self.workspace.engine_name or ""
                self.workspace.reserve.start(About(key, lock.name, render_lock(lock), str(oci.resolve()), engine))

    @contextlib.contextmanager
    def renewing(self) -> Iterator[None]:
        """Where the block raises, leave what was asked in it in reserve again: its error is mended next."""
        self._asked = None
        try:
            yield
        except PycomfyError:
            if self._asked is not None:
                with _told():
                    self.workspace.reserve.start(self._asked.about)
            raise

    def _find(self, lock: Lock, platform: PlatformName) -> tuple[Waiting, dict[str, TreeSource], list[str]] | None:
        """One that can be asked for a lock's nodes; the packs whose code changed since, and those that are gone."""
        reserve = self.workspace.reserve
        one = reserve.find(self._key(lock, platform)) if reserve.list() else None
        if one is None:
            return None
        before = parse_lock(one.about.lock, where="the lock of a ComfyUI in reserve")
        changed = _find_changed(before, lock)
        if changed is None:
            return None
        return one, changed, sorted({pack.name for pack in before.packs} - {pack.name for pack in lock.packs})

    def _key(self, lock: Lock, platform: PlatformName) -> str:
        """Stands for all but the node packs that an answer depends on, and for how the container is started."""
        bare = lock.model_copy(update={"packs": ()})
        workspace = self.workspace
        parts = (
            environment_fingerprint(bare, platform, read_toolkit().gateway),
            workspace.engine_name or workspace.environment.get("PYCOMFY_ENGINE", ""),
            repr(workspace.limits),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _find_code(self, name: str, source: TreeSource, base: Path) -> Path:
        """The folder in the Nix store that the image's layer will be made of."""
        nix = self.workspace.nix
        add_tree(nix, name, source.tree, lambda out: take_or_make_tree(self.workspace, source, base, out))
        return nix.local_path(source.fixed_output(name).path)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Report what keeps a ComfyUI from being put in reserve: the build is done without."""
    try:
        yield
    except (PycomfyError, OSError) as e:
        what = e.what if isinstance(e, PycomfyError) else str(e)
        operation.report(f"note: no ComfyUI is in reserve for the next build: {what}")


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
