"""What use cases return: models that the command line prints as JSON, and the server sends, as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, SerializationInfo

from pycomfy.errors import Fix, PycomfyError

Render = Callable[[str | Fix], str]
"""Writes a fix as text. How it is written depends on the face, which a result does not know: the command line writes a
command that can be pasted, HTTP the words of the fix. So the face passes it where it serialises a result, in pydantic's
context: `result.model_dump(mode="json", context={"render": render})`; without one, a fix is its words."""


def _render(info: SerializationInfo) -> Render:
    """The face's way to write a fix, from the context of the serialisation."""
    return info.context["render"] if info.context else str


def _dump_fixes(fixes: tuple[str | Fix, ...], info: SerializationInfo) -> str:
    return "; or ".join(map(_render(info), fixes))


def _dump_error(error: PycomfyError, info: SerializationInfo) -> dict[str, object]:
    return error.as_dict(_render(info))


FixText = Annotated[tuple[str | Fix, ...], PlainSerializer(_dump_fixes, return_type=str)]
"""Ways to fix something, serialised as one text."""

Problem = Annotated[PycomfyError, PlainSerializer(_dump_error, return_type=dict[str, object])]
"""An error that is part of a result, serialised as `PycomfyError.as_dict` does."""


@dataclass(frozen=True)
class Note:
    """A remark for the user, and what can be done about it."""

    text: str
    fixes: tuple[str | Fix, ...] = ()


def _dump_note(note: Note, info: SerializationInfo) -> str:
    return f"{note.text} ({_dump_fixes(note.fixes, info)})" if note.fixes else note.text


NoteText = Annotated[Note, PlainSerializer(_dump_note, return_type=str)]
"""A note, serialised as one text."""


class Result(BaseModel):
    """The root of all results. A key that was published stays, with its meaning; `schema_version` counts the times that
    this promise was broken, from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    schema_version: int = 1
