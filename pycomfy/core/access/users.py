"""Users of a server: their names, their roles and the hashes of their keys, as a file has them.

A key is 32 random bytes that pycomfy makes, not a word that somebody chose. So there is nothing to guess, and SHA-256
is enough: a slow hash would protect nothing, and every request would take its time.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from pycomfy.core.lockfile.toml import render_document
from pycomfy.errors import BadInput

RoleName = Literal["view", "run", "build"]
"""The roles that can be given to somebody."""

UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$")]

KeyHash = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]

RoleTitle = Literal["view", "run", "build", "owner"]

MAX_USERS = 1000

_USER_NAME: TypeAdapter[str] = TypeAdapter(UserName)


class Role(IntEnum):
    """What somebody may do: each role may what those before it may. `OWNER` is who started the server for themselves
    alone."""

    VIEW = 1
    RUN = 2
    BUILD = 3
    OWNER = 4

    @property
    def title(self) -> RoleTitle:
        """The role's name, as in the file."""
        return _TITLES[self]


_TITLES: Mapping[Role, RoleTitle] = {Role.VIEW: "view", Role.RUN: "run", Role.BUILD: "build", Role.OWNER: "owner"}


def find_role(name: RoleName) -> Role:
    """Return the role with that name."""
    return Role[name.upper()]


class User(BaseModel):
    """A user in the file. `key` is the hash of their key; None for one whom a proxy names, and who has no key.
    `added_at` is UTC, as in 2025-12-05T09:30:00Z."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: RoleName
    key: KeyHash | None = None
    added_at: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    users: dict[UserName, User] = {}


def parse_users(text: str, where: str) -> dict[str, User]:
    """Return the users in a file's text, by name. Raises `BadInput`."""
    try:
        users = _File.model_validate(tomllib.loads(text)).users
    except ValidationError as e:
        first = e.errors()[0]
        place = ".".join(map(str, first["loc"]))
        fix = "mend it, or remove the user and add them again"
        raise BadInput(f"the file of users is malformed: {place}: {first['msg']}", where=where, fix=fix) from e
    except (ValueError, RecursionError) as e:
        raise BadInput(f"the file of users is malformed: {e}", where=where, fix="mend it") from e
    if len(users) > MAX_USERS:
        raise BadInput(f"the file has more than {MAX_USERS} users", where=where, fix="remove some")
    return users


def render_users(users: Mapping[str, User]) -> str:
    """Return the file's text."""
    return render_document({"users": {name: one.model_dump(exclude_none=True) for name, one in sorted(users.items())}})


def is_user_name(text: str) -> bool:
    """Return whether somebody can have that name."""
    try:
        _USER_NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def hash_key(key: str) -> str:
    """Return what the file has of a key."""
    return f"sha256:{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()}"
