"""A folder inside a wheel of the Python index."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from pycomfy.core.lockfile.config_types import Pin
from pycomfy.core.lockfile.lock_types import RelativePath
from pycomfy.core.sources.lock_source import FileSource, PythonFile, RepositoryCommit
from pycomfy.core.sources.source_spec import SourceSpec


class WheelSpec(SourceSpec):
    """A folder in a wheel of the Python index: `wheel` is an exact pin, `exclude` is relative to `folder`."""

    key: ClassVar[str] = "wheel"
    for_comfyui: ClassVar[bool] = True

    wheel: Pin
    folder: RelativePath
    exclude: tuple[RelativePath, ...] = Field(default=(), strict=False)


class WheelTreeSource(FileSource):
    """A folder inside a wheel, without the files `exclude` names (paths relative to that folder)."""

    kind: Literal["wheel-tree"] = "wheel-tree"
    size: int
    folder: RelativePath
    exclude: tuple[RelativePath, ...] = ()

    @property
    def download_size(self) -> int | None:
        return self.size

    @property
    def portable(self) -> RepositoryCommit | PythonFile | str:
        return f"the wheel {self.name}"

    def describe(self) -> str:
        return f"{self.name}, {self.folder}"

    @property
    def pin(self) -> str:
        return f"{self.folder} of {self.name}, {self.short_hash}"

    def config_keys(self, name: str, given: SourceSpec | None) -> dict[str, Any]:
        pin = "==".join(self.name.split("-")[:2])
        return {"wheel": pin, "folder": self.folder, "exclude": list(self.exclude)}
