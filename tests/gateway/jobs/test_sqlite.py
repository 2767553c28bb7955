"""The job store in SQLite keeps the contract."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pycomfy.gateway.jobs.sqlite import SqliteStore, StoreSettings

from .clocks import Hands
from .contract import JobStoreContract


@dataclass
class Folder:
    path: Path
    hands: Hands = field(default_factory=Hands)

    async def open(self, **settings: Any) -> SqliteStore:
        return await SqliteStore.open(self.path / "jobs.db", StoreSettings(**settings), self.hands.clock)


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestSqliteStore(JobStoreContract):
    pass
