"""Read the lock in a restored ComfyUI folder: it says what the code was, where no git repository does."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pycomfy.adapters.capture.code import KnownSource
from pycomfy.adapters.capture.files import read_text
from pycomfy.adapters.io.temp_dirs import scratch_folder
from pycomfy.core.lockfile.schema import Lock, parse_lock
from pycomfy.core.nix.lock_outputs import source_requisite
from pycomfy.core.versions.snapshot import LOCK
from pycomfy.errors import PycomfyError
from pycomfy.services.archive.source_provider import SourceProvider, open_source_provider, write_source
from pycomfy.services.project import host_platform
from pycomfy.services.workspace import Workspace


@dataclass(frozen=True)
class RestoredLock:
    """The lock, and what has its sources."""

    lock: Lock
    provider: SourceProvider

    def as_of(self, pins: Sequence[str]) -> datetime | None:
        """Return the lock's date, if its packages are those that are installed: `pins`, as `name==version`."""
        platform = self.lock.platforms.get(host_platform())
        if platform is None or {f"{w.name}=={w.version}" for w in platform.wheels} != set(pins):
            return None
        return datetime.fromisoformat(self.lock.as_of)

    def steps(self, pack: str) -> tuple[tuple[str, ...], ...]:
        """Return the commands by which the lock builds a node pack."""
        return tuple(step.run for p in self.lock.packs if p.name == pack for step in p.steps)


def read_restored_lock(workspace: Workspace, root: Path) -> RestoredLock | None:
    """Return the lock in the folder; None if there is none, or it cannot be read."""
    text = read_text(root / LOCK)
    if not text:
        return None
    try:
        lock = parse_lock(text)
        requisites = [source_requisite(lock), *(source_requisite(lock, pack.name) for pack in lock.packs)]
        return RestoredLock(lock, open_source_provider(workspace, requisites))
    except PycomfyError:
        return None


@contextlib.contextmanager
def open_known_source(restored: RestoredLock | None, pack: str | None) -> Iterator[KnownSource | None]:
    """Write the files that the lock has for a node pack, or for ComfyUI (None), to a temporary folder that exists while
    the block runs. None if the lock has none, or they are neither in the archive nor in the Nix store."""
    if restored is None or (pack is not None and pack not in {p.name for p in restored.lock.packs}):
        yield None
        return
    lock, requisite = restored.lock, source_requisite(restored.lock, pack)
    source = lock.comfyui.source if pack is None else next(p.source for p in lock.packs if p.name == pack)
    with scratch_folder() as temporary:
        files = Path(temporary, "files")
        known = None
        with contextlib.suppress(PycomfyError):
            if restored.provider.has(requisite):
                write_source(restored.provider, requisite, source, files)
                known = KnownSource(source, files)
        yield known
