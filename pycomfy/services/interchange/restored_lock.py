"""The lock in a ComfyUI folder that `restore` made: what its code was, which no git repository tells there."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pycomfy.adapters.capture.code import KnownSource
from pycomfy.adapters.capture.git_dir import read_small
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.lock_outputs import source_requisite
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import PycomfyError
from pycomfy.services.archive.source_provider import SourceProvider, open_source_provider, write_source
from pycomfy.services.realise import host_platform
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class RestoredLock:
    """The lock, and where its sources can be taken from."""

    lock: Lock
    shelf: SourceProvider

    def as_of(self, pins: Sequence[str]) -> datetime | None:
        """The lock's date, if its packages are those that are installed: `pins`, as `name==version`."""
        platform = self.lock.platforms.get(host_platform())
        if platform is None or {f"{w.name}=={w.version}" for w in platform.wheels} != set(pins):
            return None
        return datetime.fromisoformat(self.lock.as_of)

    def steps(self, pack: str) -> tuple[tuple[str, ...], ...]:
        """The commands by which the lock builds a pack."""
        return tuple(step.run for p in self.lock.packs if p.name == pack for step in p.steps)


def read_restored_lock(workspace: Workspace, root: Path) -> RestoredLock | None:
    """The lock in the folder; None if there is none, or nothing of it that can be read."""
    text = read_small(root / LOCK)
    if not text:
        return None
    try:
        lock = parse_lock(text)
        needs = [source_requisite(lock), *(source_requisite(lock, pack.name) for pack in lock.packs)]
        return RestoredLock(lock, open_source_provider(workspace, needs))
    except PycomfyError:
        return None


@contextlib.contextmanager
def lend_known(kept: RestoredLock | None, pack: str | None) -> Iterator[KnownSource | None]:
    """The files that the lock has for a pack, or for ComfyUI, while they are needed; None where it has none, or nobody
    has them any more."""
    if kept is None or (pack is not None and pack not in {p.name for p in kept.lock.packs}):
        yield None
        return
    lock, need = kept.lock, source_requisite(kept.lock, pack)
    source = lock.comfyui.source if pack is None else next(p.source for p in lock.packs if p.name == pack)
    with tempfile.TemporaryDirectory(prefix="pycomfy-known-") as place:
        files = Path(place, "files")
        known = None
        with contextlib.suppress(PycomfyError):
            if kept.shelf.has(need):
                write_source(kept.shelf, need, source, files)
                known = KnownSource(source, files)
        yield known
