"""Make the environment for git on one repository of ours, and give it a login that nobody else sees."""

import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pycomfy.adapters.io.process import missing


def load_gitpython() -> Any:
    """Import GitPython when it is needed: it runs git for its version. Raises `MissingTool` without git."""
    try:
        import git
    except ImportError as e:
        raise missing("git") from e
    return git


def git_environment(repository: Path) -> dict[str, str]:
    """Return variables that name the bare `repository`, whatever repository pycomfy was called in: git sets these for
    hooks."""
    path = str(repository)
    environment = {
        "GIT_DIR": path,
        "GIT_COMMON_DIR": path,
        "GIT_OBJECT_DIRECTORY": f"{path}/objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_NAMESPACE": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
        "LANGUAGE": "C",
    }
    if "GIT_ASKPASS" not in os.environ:
        environment["GIT_ASKPASS"] = ""
    return environment


class Login(NamedTuple):
    """A user and a password. A token may be either, with the other empty."""

    user: str
    password: str


def find_login(url: str) -> Login | None:
    """Return the login in an https URL, None if there is none. An ssh URL's user is part of the address."""
    parts = urlsplit(url) if url.startswith("https://") else None
    if parts is None or "@" not in parts.netloc:
        return None
    return Login(unquote(parts.username or ""), unquote(parts.password or ""))


# Anyone on the machine may read a command line, but not another user's environment: so this prints the login for git.
_PRINT_LOGIN = r"""printf 'username=%s\npassword=%s\n' "$PYCOMFY_GIT_USER" "$PYCOMFY_GIT_PASSWORD" """
_HELPER = f'!f() {{ [ "$1" != get ] || {_PRINT_LOGIN}; }}; f'


def login_settings(url: str) -> tuple[tuple[str, str], ...]:
    """Return settings that make git use the login for the server of `url`, without the user's credential helpers."""
    parts = urlsplit(url)
    key = f"credential.{parts.scheme}://{parts.netloc}.helper"
    return ((key, ""), (key, _HELPER))


def login_environment(login: Login) -> dict[str, str]:
    """Return the variables that `login_settings` read the login from."""
    return {"PYCOMFY_GIT_USER": login.user, "PYCOMFY_GIT_PASSWORD": login.password}
