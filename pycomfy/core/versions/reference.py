"""Name versions: `NAME`, `NAME@3`, `NAME@tag` or `NAME@commit`; and say which names workflows and tags may have."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pycomfy.errors import BadInput, NotFound, suggest

_NAME = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}"
_REFERENCE = re.compile(rf"(?P<name>{_NAME})(@((?P<version>[1-9][0-9]{{0,8}})|(?P<revision>{_NAME})))?")

_MAX_NAMES = 20  # in one error message

MAKE_FIRST = suggest("build", "makes the first")
"""What to do where there are no versions yet."""


@dataclass(frozen=True)
class Reference:
    """A workflow's version by its number along the branch, or by a `revision`: a tag, or a commit. Neither: the newest.

    A number is never a tag: no tag can be made of digits alone.
    """

    name: str
    version: int | None = None
    revision: str | None = None

    def __str__(self) -> str:
        at = self.version if self.version is not None else self.revision
        return self.name if at is None else f"{self.name}@{at}"


def format_label(name: str, number: int | None, commit: str) -> str:
    """Return `NAME@3`; `NAME@` and the commit's first 12 digits for a version without a number."""
    return f"{name}@{number if number is not None else commit[:12]}"


def parse_reference(text: str) -> Reference:
    """Return what `text` names. Raises `BadInput`."""
    found = _REFERENCE.fullmatch(text)
    revision = found["revision"] if found is not None else None
    # Digits alone are a number, or a commit's first ones.
    if found is None or (revision is not None and revision.isdigit() and len(revision) < 7):
        raise BadInput(
            f'"{text}" cannot name a version',
            where="NAME",
            fix=("write NAME, NAME@NUMBER, NAME@TAG or NAME@COMMIT", suggest("log", "lists the versions")),
        )
    return Reference(found["name"], int(found["version"]) if found["version"] else None, revision)


def unknown_workflow(name: str, known: Sequence[str], where: str, file: str | None = None) -> NotFound:
    """Return the error for a workflow without any version; `known` are the names of those that have some, `file` is
    the file of a workflow with that name, if there is one."""
    build = () if file is None else (suggest("build", "makes the first version", workflow=file),)
    if not known:
        what = f'no workflow "{name}": there are no versions yet'
        return NotFound(what, where=where, fix=build or MAKE_FIRST)
    names = ", ".join(known[:_MAX_NAMES]) + (", …" if len(known) > _MAX_NAMES else "")
    return NotFound(f'no workflow "{name}"', where=where, fix=(*build, suggest("log", f"lists all: {names}")))


def check_workflow_name(name: str) -> str:
    """Return `name` if a workflow may have it, which is a branch of git too. Raises `BadInput`."""
    if re.fullmatch(_NAME, name) is None or not _suits_git(name) or name == "HEAD":
        fix = "use letters, digits, single `.`, and `-`, `_`, `+`; not .lock at the end"
        raise BadInput(f'"{name}" cannot be the name of a workflow', where="NAME", fix=fix)
    return name


def check_tag(tag: str) -> str:
    """Return `tag` if a version may have it. Raises `BadInput`."""
    if re.fullmatch(_NAME, tag) is None or not _suits_git(tag) or tag.isdigit():
        fix = "use letters, digits, single `.`, and `-`, `_`, `+`; not digits alone, which are version numbers"
        raise BadInput(f'"{tag}" cannot be a tag', where="TAG", fix=fix)
    return tag


def _suits_git(name: str) -> bool:
    return ".." not in name and not name.endswith((".", ".lock"))
