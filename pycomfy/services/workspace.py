"""Hold what a use case works with: folders, repositories, stores and settings, made once by the face that starts it.

Collaborators are imported when they are first used: a command that needs one of them does not wait for all.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pycomfy.adapters.io.paths import Paths, find_paths
from pycomfy.adapters.nix.settings import NixSettings

if TYPE_CHECKING:
    from pycomfy.adapters.archive.binary_cache import Archive
    from pycomfy.adapters.catalog.database import Catalog
    from pycomfy.adapters.containers.arguments import Limits
    from pycomfy.adapters.containers.engine import Engine
    from pycomfy.adapters.containers.reserve import Reserve
    from pycomfy.adapters.database.database import Database
    from pycomfy.adapters.models.store import ModelStore
    from pycomfy.adapters.versions.repository import VersionsRepository


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Workspace:
    """`engine_name` is the requested container engine, None for the one that is there. `environment` are the
    variables as they were when the workspace was made; they configure servers, credentials and the engine. `clock`
    returns the time, with its zone. Any number of operations may use one workspace at once."""

    paths: Paths
    nix: NixSettings = field(default_factory=NixSettings)
    engine_name: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Callable[[], datetime] = _now

    @classmethod
    def open(cls, folder: Path | None = None, *, nix: NixSettings | None = None, engine: str | None = None) -> Self:
        """The workspace in `folder`; without one in `$PYCOMFY_HOME`, else in the user's data and cache folders.
        Creates nothing."""
        paths = find_paths() if folder is None else Paths(folder.absolute(), folder.absolute() / "cache")
        return cls(paths, nix or NixSettings(), engine)

    @cached_property
    def versions(self) -> "VersionsRepository":
        """The git repository of versions; it need not exist yet."""
        from pycomfy.adapters.versions.repository import VersionsRepository, versions_repository_path

        return VersionsRepository(versions_repository_path(self.paths))

    @cached_property
    def archive(self) -> "Archive":
        """The archive of sources; it need not exist yet."""
        from pycomfy.adapters.archive.binary_cache import find_archive

        return find_archive(self.paths)

    @cached_property
    def models(self) -> "ModelStore":
        """The models on this machine."""
        from pycomfy.adapters.models.store import ModelStore

        return ModelStore(self.paths)

    @cached_property
    def engine(self) -> "Engine":
        """The container engine. Raises `BadConfig` for an unknown name, `MissingTool` where none works."""
        from pycomfy.adapters.containers.engine import find_engine

        return find_engine(self.engine_name, self.environment)

    @cached_property
    def limits(self) -> "Limits":
        """What a container may take of this machine: `PYCOMFY_CONTAINER_MEMORY`, `_TMP`, `_PIDS`, or a share. Raises
        `BadInput` for a value that is no size or number."""
        from pycomfy.adapters.containers.arguments import read_limits

        return read_limits(self.environment)

    @cached_property
    def reserve(self) -> "Reserve":
        """The ComfyUIs that wait for the next build: `PYCOMFY_RESERVE` seconds long. Raises `BadInput` for a value that
        is no number."""
        from pycomfy.adapters.containers.reserve import Reserve, read_idle

        return Reserve(self.paths.data, read_idle(self.environment))

    def open_database(self) -> "Database":
        """The index of what was recorded, as a context manager."""
        from pycomfy.adapters.database.database import Database, database_path

        return Database(database_path(self.paths))

    def open_catalog(self) -> "Catalog":
        """The catalog of node packs, as a context manager for one thread. Raises `NotFound` if there is none yet."""
        from pycomfy.adapters.catalog.database import Catalog

        return Catalog(self.paths)

    def log_file(self, name: str) -> Path:
        """A new file for the log of an operation; its folder exists. Old logs are removed."""
        from pycomfy.adapters.io.log_files import remove_old_logs

        folder = self.paths.data / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        remove_old_logs(folder)
        return folder / f"{name}-{self.clock():%Y%m%dT%H%M%S.%f}.log"
