"""The types of a lock's values (hashes, names, paths), and the base of its sections."""

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 of a file's bytes, in hexadecimal."""

TreeHash = Annotated[str, StringConstraints(pattern=r"^sha256-[A-Za-z0-9+/]{43}=$")]
"""A SHA-256 of a folder's NAR serialisation, as SRI; what Nix calls a recursive hash."""

Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]

# A name becomes a folder, a store path and a file name, so it cannot lead upwards, be hidden or be an option.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$")]

# The name of a downloaded file; wheel names are longer than names that people give.
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$")]


def _is_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"), AfterValidator(_is_moment)]
"""A moment in UTC, as in 2025-12-05T18:30:00Z."""


def stays_below(path: str) -> str:
    """Return a path that has no `.` or `..` among its parts; a `ValueError` for any other."""
    if any(part in (".", "..") for part in path.split("/")):
        raise ValueError("the path has a part `.` or `..`")
    return path


# A path below a root: relative, no empty, `.` or `..` part, no control character, no backslash.
RelativePath = Annotated[
    str, StringConstraints(pattern=r"^[^/\x00-\x1f\\]+(/[^/\x00-\x1f\\]+)*$"), AfterValidator(stays_below)
]


def _holds_models(folder: str) -> str:
    if folder.startswith(".") or folder.split("/")[0] in _NO_MODEL_FOLDERS:
        raise ValueError("models do not go there")
    return folder


# Keys of ComfyUI's model path file that name no model folder. ComfyUI runs Python files from custom_nodes.
_NO_MODEL_FOLDERS = frozenset({"custom_nodes", "base_path", "is_default"})

ModelFolder = Annotated[RelativePath, AfterValidator(_holds_models)]
"""A folder below ComfyUI's `models`."""

_FOLDER: TypeAdapter[str] = TypeAdapter(ModelFolder)
_PATH: TypeAdapter[str] = TypeAdapter(RelativePath)
_MAX_PATH = 500


def is_model_folder(text: str) -> bool:
    """Return whether models can be in a folder of this name below ComfyUI's `models`."""
    return _is(_FOLDER, text)


def is_model_path(text: str) -> bool:
    """Return whether a model can have this name below its folder."""
    return _is(_PATH, text)


def _is(kind: TypeAdapter[str], text: str) -> bool:
    try:
        kind.validate_python(text)
    except ValidationError:
        return False
    return len(text) <= _MAX_PATH


class LockSection(BaseModel):
    """A part of a lock. Fields in `optional` were added later: the lock leaves out an empty one, and so
    keeps the bytes that it had before the field existed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    optional: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _omit_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return {key: value for key, value in data.items() if value or key not in self.optional}
