"""Describe what was built of a version, as the versions repository keeps it: enough to compare, and to reindex."""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pycomfy.core.lockfile.platforms import PlatformName
from pycomfy.core.validation import describe_error
from pycomfy.errors import BadInput

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
_Text = Annotated[str, StringConstraints(max_length=500)]
_Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


class BuiltImage(BaseModel):
    """An image of a tree, for one platform. `size` is in bytes, `built_at` UTC. `proven` says whether the image was
    started for its nodes and has what the workflow needs, None if it was not started; `compatible` whether each node
    pack works in it, `checked_at` when it was last started for that. `requirements` is what each node pack requires of
    Python."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    platform: PlatformName
    manifest_digest: Digest
    config_digest: Digest
    diff_ids: tuple[Digest, ...]
    layer_names: tuple[_Text, ...] = ()
    size: int = Field(ge=0)
    built_at: _Moment
    seconds: float = Field(ge=0)
    layers_built: int = Field(ge=0)
    layers_reused: int = Field(ge=0)
    proven: bool | None = None
    compatible: dict[str, bool] = {}
    checked_at: _Moment | None = None
    requirements: dict[str, tuple[str, ...]] = {}


def render_image(image: BuiltImage) -> bytes:
    """Return the description as sorted JSON, with a newline at the end."""
    return (json.dumps(image.model_dump(mode="json"), indent=1, sort_keys=True) + "\n").encode()


def parse_image(data: bytes, *, where: str) -> BuiltImage:
    """Read a description. Raises `BadInput`."""
    try:
        return BuiltImage.model_validate_json(data)
    except ValidationError as e:
        what = describe_error(e, "the file")
        raise BadInput(f"malformed description of the image: {what}", where=where, fix="build the version again") from e
