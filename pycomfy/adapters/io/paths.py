"""Find the folders for data and cache: `$PYCOMFY_HOME`, or the XDG folders."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True)
class Paths:
    """`data` must be kept (versions repository, archive, database, models, outputs); `cache` may be deleted at any time
    while nothing runs."""

    data: Path
    cache: Path

    @property
    def jobs(self) -> Path:
        """The folders of jobs that run, or that were killed: those have outputs."""
        return self.data / "jobs"

    @property
    def unsaved(self) -> Path:
        """The outputs of jobs that could not be saved. On the disk of the jobs, where keeping them needs no space."""
        return self.data / "unsaved"

    @property
    def served(self) -> Path:
        """What servers keep, a folder for each version: jobs, their files and outputs."""
        return self.data / "served"

    @property
    def workflows(self) -> Path:
        """The working folders of the studio, one for each workflow: its file, its lock, its pycomfy.toml."""
        return self.data / "workflows"

    @property
    def uploads(self) -> Path:
        """Files that were given to runs in the studio, each in a folder named by its hash."""
        return self.data / "uploads"

    @property
    def operations(self) -> Path:
        """What operations of the server printed, a folder for each."""
        return self.data / "operations"

    @property
    def audit_log(self) -> Path:
        """Who did what with a server that several people use."""
        return self.data / "audit.jsonl"

    @property
    def dry_runs(self) -> Path:
        """The copies in which dry runs work."""
        return self.cache / "dry-runs"


def find_paths(environment: Mapping[str, str] = os.environ) -> Paths:
    """Return `$PYCOMFY_HOME` (the cache in its `cache` folder) if set, else the XDG folders. Creates nothing."""
    configured = environment.get("PYCOMFY_HOME")
    if configured:
        data = Path(configured).expanduser().absolute()
        return Paths(data, data / "cache")
    return Paths(platformdirs.user_data_path("pycomfy"), platformdirs.user_cache_path("pycomfy"))
