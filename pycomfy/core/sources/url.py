"""One file from a URL: a node pack that consists of a single Python module, or the source of a Python package."""

from typing import Any, ClassVar, Literal

from pycomfy.core.lockfile.config_types import PublicUrl
from pycomfy.core.lockfile.lock_types import Sha256
from pycomfy.core.sources.lock_source import FileSource, PythonFile, RepositoryCommit
from pycomfy.core.sources.source_spec import SourceSpec


class UrlSpec(SourceSpec):
    """One Python file: a node pack that consists of a single module."""

    key: ClassVar[str] = "url"

    url: PublicUrl
    sha256: Sha256


class UrlSource(FileSource):
    """One file from a URL."""

    kind: Literal["url"] = "url"

    @property
    def portable(self) -> RepositoryCommit | PythonFile | str:
        return PythonFile(self.name, self.url, self.sha256)

    def describe(self) -> str:
        return self.url

    def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
        return {"url": self.url, "sha256": self.sha256}
