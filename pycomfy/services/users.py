"""Users of a server that several people share: add, remove, list; know them while it runs; and read what they did."""

import hmac
import secrets
import threading
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

from pydantic import ValidationError

from pycomfy.adapters.access.audit_log import AuditLog
from pycomfy.adapters.access.users_file import Stamp, change_users, read_users, stamp_users
from pycomfy.core.access.users import MAX_USERS, Role, RoleName, User, find_role, hash_key, is_user_name
from pycomfy.errors import BadArgument, BadInput, NotFound, Placeholder, suggest
from pycomfy.services.results import Result
from pycomfy.services.workspace import Workspace

_PREFIX = "pycomfy_"
"""What keys begin with, so that programs that look for secrets find them."""


class UserEntry(Result):
    """A user. `has_key`: one without is known by what a proxy says. `added_at` is UTC, as in 2025-12-05T09:30:00Z."""

    name: str
    role: RoleName
    has_key: bool
    added_at: str


class AddedUser(Result):
    """A user who was added, with their key; None for one without. It is shown once, and kept nowhere."""

    name: str
    role: RoleName
    key: str | None
    file: Path


class AuditEntry(Result):
    """Something that somebody did. `user` is "" for somebody who is not known, `address` where they asked from,
    `action` the request, `status` the answer's, `what` what it was about. `at` is UTC, as in 2025-12-05T09:30:00Z."""

    at: str
    user: str
    role: str
    address: str
    action: str
    status: int
    what: str = ""


def add_user(workspace: Workspace, file: Path, name: str, role: RoleName, *, with_key: bool = True) -> AddedUser:
    """Add a user to the file, which is made if it is missing. Raises `BadArgument` for what cannot be a name, and
    `BadInput` where the name is taken."""
    if not is_user_name(name):
        what = "a name has up to 64 letters, digits and . _ @ + -, and begins with one of the first two"
        raise BadArgument(what, argument="name")
    key = f"{_PREFIX}{secrets.token_urlsafe(32)}" if with_key else None
    now = f"{workspace.clock().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    user = User(role=role, key=hash_key(key) if key is not None else None, added_at=now)

    def add(users: dict[str, User]) -> None:
        if name in users:
            fix = suggest("users rm", "then add them again: they get a new key", name=name, auth=str(file))
            raise BadInput(f'there is a user "{name}"', where=str(file), fix=fix)
        if len(users) >= MAX_USERS:
            raise BadInput(f"the file has {MAX_USERS} users already", where=str(file), fix="remove some")
        users[name] = user

    change_users(file, add)
    return AddedUser(name=name, role=role, key=key, file=file)


def remove_user(file: Path, name: str) -> None:
    """Remove a user from the file; a server that runs lets them do nothing more. Raises `NotFound`."""

    def remove(users: dict[str, User]) -> None:
        if users.pop(name, None) is None:
            fix = suggest("users list", auth=str(file))
            raise NotFound(f'there is no user "{name}"', where=str(file), fix=fix)

    read_users(file)
    change_users(file, remove)


def list_users(file: Path) -> list[UserEntry]:
    """Return the users in the file, by name."""
    users, _ = read_users(file)
    return [
        UserEntry(name=name, role=one.role, has_key=one.key is not None, added_at=one.added_at)
        for name, one in sorted(users.items())
    ]


class KnownUsers:
    """The users of a file, as it is now: it is read again when it has changed. Its methods are for any number of
    threads, and raise as `read_users`: while the file cannot be read, nobody is known."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._users: Mapping[str, User] = {}
        self._stamp: Stamp | None = None
        if not self._read():
            fix = suggest("users add", name=Placeholder("NAME"), auth=str(file))
            raise BadInput("the file has no users", where=str(file), fix=fix)

    def find(self, name: str) -> User | None:
        """Return the user with that name."""
        return self._read().get(name)

    def find_by_key(self, key: str) -> str | None:
        """Return the name of the user who has that key."""
        given, found = hash_key(key), None
        for name, user in self._read().items():  # all of them, whoever it is
            if user.key is not None and hmac.compare_digest(user.key, given):
                found = name
        return found

    def _read(self) -> Mapping[str, User]:
        with self._lock:
            stamp = stamp_users(self._file)
            if stamp is None or stamp != self._stamp:
                self._users, self._stamp = {}, None
                self._users, self._stamp = read_users(self._file)
            return self._users


def role_of(user: User) -> Role:
    """Return what a user may do."""
    return find_role(user.role)


def open_audit_log(workspace: Workspace) -> AuditLog:
    """Return the audit log of the workspace, which need not exist."""
    return AuditLog(workspace.paths.audit_log)


def list_audit(workspace: Workspace, count: int = 100) -> list[AuditEntry]:
    """Return the newest entries of the audit log, newest first."""
    found = []
    for entry in open_audit_log(workspace).read(count):
        try:
            found.append(AuditEntry.model_validate(entry))
        except ValidationError:  # somebody else wrote it
            continue
    return found
