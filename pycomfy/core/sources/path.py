"""A local folder."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

from pycomfy.core.lockfile.config_types import LocalPath
from pycomfy.core.sources.lock_source import PythonFile, RepositoryCommit, TreeSource
from pycomfy.core.sources.source_spec import SourceSpec


class PathSpec(SourceSpec):
    """A local folder, absolute or relative to pycomfy.toml."""

    key: ClassVar[str] = "path"
    for_comfyui: ClassVar[bool] = True

    path: LocalPath


class PathSource(TreeSource):
    """A local folder, hashed. It is put into the store by pycomfy and lives on in the archive."""

    kind: Literal["path"] = "path"
    path: str

    @property
    def address(self) -> str:
        return self.path

    @property
    def local_path(self) -> str | None:
        return self.path

    @property
    def manual_origin(self) -> str | None:
        return f"{self.describe()}, without .git and __pycache__"

    @property
    def portable(self) -> RepositoryCommit | PythonFile | str:
        return "a folder on this machine"

    def relocated(self, move: Callable[[str], str]) -> Self:
        return self.model_copy(update={"path": move(self.path)})

    def describe(self) -> str:
        return f"the folder {self.path}"

    def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
        return {"path": self.path}
