"""Ask whether a git server answers, as git does here: with the user's proxies, certificates and `insteadOf`."""

import os
from pathlib import Path

from pycomfy.adapters.git.environment import git_environment
from pycomfy.adapters.git.runner import find_reason
from pycomfy.adapters.io.process import run
from pycomfy.adapters.io.time_limit import TookTooLong, time_limit
from pycomfy.errors import NetworkError

SECONDS = 6.0
_SETTINGS = {
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "5",
    "protocol.allow": "never",
    **{f"protocol.{name}.allow": "always" for name in ("https", "http", "ssh", "git", "file")},
}


_FIX = "check the network, HTTPS_PROXY and git's own settings (http.proxy, url.….insteadOf)"
_OF_A_REPOSITORY = (
    "GIT_DIR",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
)


def ask_git_server(url: str) -> None:
    """Ask for the newest commit of a repository. Raises `NetworkError`, or `MissingTool` without git."""
    env = {k: v for k, v in {**os.environ, **git_environment(Path("/"))}.items() if k not in _OF_A_REPOSITORY}
    settings = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
    try:
        with time_limit(SECONDS):
            # Not in the user's folder: it may be a repository with settings of its own.
            done = run(["git", *settings, "ls-remote", "--quiet", "--", url, "HEAD"], cwd=Path("/"), env=env)
    except TookTooLong as e:
        raise NetworkError(f"no answer within {SECONDS:g} seconds", where=url, fix=_FIX) from e
    if done.returncode != 0:
        reason = find_reason(done.stderr.decode(errors="replace"))
        raise NetworkError(reason or f"exit status {done.returncode}", where=url, fix=_FIX)
