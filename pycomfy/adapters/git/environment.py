"""The environment in which git is started on one repository of ours, and how it gets a login that nobody else sees."""

import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pycomfy.adapters.io.process import missing


def load_gitpython() -> Any:
    """GitPython, imported when it is needed: it asks git for its version. Raises `MissingTool` without git."""
    try:
        import git
    except ImportError as e:
        raise missing("git") from e
    return git


def git_environment(repository: Path) -> dict[str, str]:
    """Names the bare `repository`, whatever repository pycomfy was called in: git sets these for hooks."""
    here = str(repository)
    env = {
        "GIT_DIR": here,
        "GIT_COMMON_DIR": here,
        "GIT_OBJECT_DIRECTORY": f"{here}/objects",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_NAMESPACE": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
        "LANGUAGE": "C",
    }
    if "GIT_ASKPASS" not in os.environ:
        env["GIT_ASKPASS"] = ""
    return env


class Login(NamedTuple):
    """A token may be either of the two, with nothing as the other."""

    user: str
    password: str


def find_login(url: str) -> Login | None:
    """The login that an https URL holds. An ssh URL's user is part of the address, and keys are ssh's affair."""
    parts = urlsplit(url) if url.startswith("https://") else None
    if parts is None or "@" not in parts.netloc:
        return None
    return Login(unquote(parts.username or ""), unquote(parts.password or ""))


# Anyone on the machine may read a command line, but not another's environment: so git asks this for the login.
_SAYS = r"""printf 'username=%s\npassword=%s\n' "$PYCOMFY_GIT_USER" "$PYCOMFY_GIT_PASSWORD" """
_HELPER = f'!f() {{ [ "$1" != get ] || {_SAYS}; }}; f'


def login_settings(url: str) -> tuple[tuple[str, str], ...]:
    """Settings that make git use the login for the server of `url`, and neither ask nor tell a helper of the user's."""
    parts = urlsplit(url)
    key = f"credential.{parts.scheme}://{parts.netloc}.helper"
    return ((key, ""), (key, _HELPER))


def login_environment(login: Login) -> dict[str, str]:
    return {"PYCOMFY_GIT_USER": login.user, "PYCOMFY_GIT_PASSWORD": login.password}
