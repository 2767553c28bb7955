"""Read what a picture says of the version that made it: a JSON object, which anybody may have written."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pycomfy.core.sentences import shorten
from pycomfy.core.workflow.untrusted_json import parse_json
from pycomfy.errors import BadWorkflow

MAX_TEXT = 1 << 20
"""Bytes of such a text: inputs are in it."""

MAX_INPUTS = 200


def _plain(value: object) -> str:
    """Return a text, which is not long, or a number as one; "" for anything else."""
    return shorten(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _first(value: object) -> dict[str, Any]:
    return dict(list(value.items())[:MAX_INPUTS]) if isinstance(value, dict) else {}


Text = Annotated[str, BeforeValidator(_plain)]


class MadeBy(BaseModel):
    """Of the version: its name, its number, and the SHA-256 of its lock and workflow. Of the image: its digest. Of the
    job: its id and the inputs that it was given. What is not there is empty. Nothing of it is proven."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Text = ""
    version: Text = ""
    lock_sha256: Text = ""
    workflow_sha256: Text = ""
    image_digest: Text = ""
    job: Text = ""
    inputs: Annotated[dict[str, Any], BeforeValidator(_first)] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """`NAME@3`, as far as it is known."""
        return f"{self.name}@{self.version}" if self.name and self.version else self.name


def parse_made_by(text: bytes) -> MadeBy | None:
    """Return what the text says; None if it is no object, or says nothing."""
    if len(text) > MAX_TEXT:
        return None
    try:
        value = parse_json(text, where="the picture")
        made_by = MadeBy.model_validate(value)
    except (BadWorkflow, ValidationError):
        return None
    return made_by if any(made_by.model_dump().values()) else None
