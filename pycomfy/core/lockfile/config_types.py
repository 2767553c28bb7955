"""Define the types of values in pycomfy.toml, with their checks, and the base class of its sections."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from packaging.requirements import Requirement
from packaging.specifiers import Specifier
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints

from pycomfy.core.lockfile.direct_references import parse_direct_reference
from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.core.lockfile.package_indexes import ACCELERATOR
from pycomfy.errors import BadConfig

AS_OF = "as-of"
"""A value of `snapshot`: the date of the newest Python packages."""


def _check_requirement(text: str) -> str:
    try:
        requirement = Requirement(text)
    except ValueError as e:
        raise ValueError(f"not a Python requirement: {e}".split("\n")[0]) from e
    if requirement.url is not None:
        raise ValueError("a URL is not allowed here: name a version from the index")
    return text


def _check_direct_requirement(text: str) -> str:
    """As `_check_requirement`, but a direct reference is allowed."""
    return text if parse_direct_reference(text, from_user=True) is not None else _check_requirement(text)


def _check_pin(text: str) -> str:
    """Allow only `name==version`, which is one wheel for ever."""
    _check_requirement(text)
    requirement = Requirement(text)
    operators: list[Specifier] = list(requirement.specifier)
    exact = len(operators) == 1 and operators[0].operator == "==" and not operators[0].version.endswith("*")
    if not exact or requirement.extras or requirement.marker:
        raise ValueError("write an exact version, like name==1.2.3")
    return text


def _check_address(text: str) -> str:
    try:
        parse_git_url(text)
    except BadConfig as e:
        raise ValueError(e.what) from e
    return text


def _check_revision(text: str) -> str:
    if text.startswith("-") or ".." in text or any(c in text for c in " ~^:?*[\\\x7f") or not text.isprintable():
        raise ValueError("not a branch, tag or commit")
    return text


def _check_mirror(text: str) -> str:
    """As `_check_web`, but a mirror may be on a disk."""
    if not text.startswith("file:///"):
        return _check_web(text)
    return "file:///" + _check_web("https://" + text.removeprefix("file:///")).removeprefix("https://")


def _check_web(text: str) -> str:
    if not text.startswith(("https://", "http://")) or not text.isprintable() or any(c in text for c in " \"'\\[]"):
        raise ValueError("write an http:// or https:// URL")
    return text


def _check_public(text: str) -> str:
    """As `_check_web`, without a login: this URL is in every lock, and so in git."""
    if "@" in _check_web(text).split("/")[2]:
        raise ValueError("the URL must not contain a login: put it into ~/.netrc")
    return text


def _check_accelerator(text: str) -> str:
    if not ACCELERATOR.fullmatch(text):
        raise ValueError("write the name of a PyTorch build, such as cpu, cu128 (CUDA 12.8) or rocm6.4")
    return text


def to_moment(value: object) -> datetime:
    """Return the moment in UTC: of a TOML date the first one; a time without a zone is UTC. Raises `ValueError` for
    what is none, and for a year that uv cannot express."""
    moment = _to_utc(value)
    if not 1970 <= moment.year <= 9998:
        raise ValueError(f"the year {moment.year} is out of range: write one from 1970 to 9998")
    return moment


def _to_utc(value: object) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as e:
            raise ValueError("write a date like 2025-12-05, or 2025-12-05T18:00:00Z") from e
    if isinstance(value, datetime):
        try:
            moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError as e:
            raise ValueError("not a valid date") from e
        return moment.replace(microsecond=0)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    raise ValueError("write a date like 2025-12-05, or 2025-12-05T18:00:00Z")


def _to_snapshot(value: object) -> object:
    return value if value == AS_OF else to_moment(value)


def _check_snapshot_mirror(text: str) -> str:
    """As `_check_mirror`, with only the two known placeholders."""
    if unknown := sorted({*re.findall(r"\{[^{}]*\}?|\}", text)} - {"{archive}", "{time}"}):
        raise ValueError(f"unknown placeholder {unknown[0]}: only {{archive}} and {{time}} are replaced")
    if ("{archive}" in text) != ("{time}" in text):
        raise ValueError("it needs both {archive} and {time}, or neither")
    return _check_mirror(text)


GitAddress = Annotated[str, AfterValidator(_check_address)]
Revision = Annotated[str, AfterValidator(_check_revision), StringConstraints(min_length=1, max_length=200)]
Pin = Annotated[str, AfterValidator(_check_pin)]
RequirementText = Annotated[str, AfterValidator(_check_requirement)]
DirectRequirementText = Annotated[str, AfterValidator(_check_direct_requirement)]
Moment = Annotated[datetime, BeforeValidator(to_moment)]
Snapshot = Annotated[datetime | Literal["as-of"], BeforeValidator(_to_snapshot)]
DebianName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]{1,99}$")]
MirrorUrl = Annotated[str, AfterValidator(_check_mirror), StringConstraints(max_length=2000)]
SnapshotUrl = Annotated[str, AfterValidator(_check_snapshot_mirror), StringConstraints(max_length=2000)]
PackageName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$")]
Accelerator = Annotated[str, AfterValidator(_check_accelerator)]
PublicUrl = Annotated[str, AfterValidator(_check_public), StringConstraints(max_length=2000)]
WebUrl = Annotated[str, AfterValidator(_check_web), StringConstraints(max_length=2000)]
LinksLocation = Annotated[str, StringConstraints(pattern=r"^[^-\x00-\x1f\x7f,][^\x00-\x1f\x7f,]*$", max_length=2000)]
"""A folder of wheels, or the URL of a page with links to them; uv separates several by commas."""
LocalPath = Annotated[str, StringConstraints(pattern=r"^[^-\x00-\x1f\x7f][^\x00-\x1f\x7f]*$", max_length=2000)]


class Section(BaseModel):
    """A section of pycomfy.toml: strict types, no unknown keys, `-` in keys where fields have `_`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=lambda field: field.replace("_", "-")
    )
