"""An open SQLite file, of whatever it is made."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self


class SqliteFile:
    """The SQLite file at `path`, opened as `connection`. Use it as a context manager, in one thread."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._connection.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the file. What was not committed is lost."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
