"""What several checks need to know, found out once: the first that needs it does it, the others wait."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from pycomfy.adapters.containers.engine import KINDS, Kind, list_candidates
from pycomfy.adapters.containers.gpus import GpuInspection, inspect_gpus
from pycomfy.adapters.containers.inspection import EngineInspection, inspect_engine
from pycomfy.adapters.database.database import database_path
from pycomfy.adapters.database.inspection import DatabaseInspection, inspect_database
from pycomfy.adapters.io.concurrency import run_concurrently
from pycomfy.adapters.io.surroundings import Surroundings, look_at_surroundings
from pycomfy.adapters.nix.inspection import NixInspection, inspect_nix
from pycomfy.services.workspace import Workspace

T = TypeVar("T")


class Examination:
    """The facts about a workspace and its machine. For any number of threads."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._found: dict[str, Any] = {}

    def surroundings(self) -> Surroundings:
        """Return what this process got from the machine."""
        return self._once("surroundings", partial(look_at_surroundings, self.workspace.environment))

    def nix(self) -> NixInspection:
        """Return what Nix can do here."""
        return self._once("nix", partial(inspect_nix, self.workspace.nix))

    def engines(self) -> dict[Kind, EngineInspection]:
        """Return the engines that are installed."""
        return self._once("engines", self._inspect_engines)

    def engine(self) -> EngineInspection | None:
        """Return the engine that is used; None where none works. Raises `BadConfig` for an unknown name."""
        installed = self.engines()
        candidates = list_candidates(self.workspace.engine_name, self.workspace.environment)
        working = (installed[k] for k in candidates if k in installed and installed[k].engine is not None)
        return next(working, None)

    def gpus(self) -> GpuInspection:
        """Return the GPUs, and what containers need to get them."""
        return self._once("gpus", inspect_gpus)

    def database(self) -> DatabaseInspection | None:
        """Return what the database says of itself; None if there is none."""
        return self._once("database", partial(inspect_database, database_path(self.workspace.paths)))

    def _inspect_engines(self) -> dict[Kind, EngineInspection]:
        jobs: dict[str, Callable[[], EngineInspection | None]] = {
            kind: partial(inspect_engine, kind, self.workspace.environment) for kind in KINDS
        }
        found = run_concurrently(jobs)
        return {kind: one for kind in KINDS if (one := found[kind]) is not None}

    def _once(self, name: str, look: Callable[[], T]) -> T:
        with self._lock:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._found:
                self._found[name] = look()
            found: T = self._found[name]
            return found
