"""Make a git repository of a folder that is the same wherever it is made: author, date and options are fixed."""

import os
from pathlib import Path

from pycomfy.adapters.git.runner import GitRefused
from pycomfy.adapters.io.process import run

_WHO, _MAIL, _WHEN = "pycomfy", "pycomfy@example.org", "2025-12-01T00:00:00Z"
_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": _WHO,
    "GIT_AUTHOR_EMAIL": _MAIL,
    "GIT_AUTHOR_DATE": _WHEN,
    "GIT_COMMITTER_NAME": _WHO,
    "GIT_COMMITTER_EMAIL": _MAIL,
    "GIT_COMMITTER_DATE": _WHEN,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def make_fixed_repository(folder: Path) -> None:
    """Make a repository of all that is in `folder`, with one commit. `scripts/make-pack.sh` makes the same. Raises
    `MissingTool` without git, `GitRefused` if git fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ENVIRONMENT
    for words in (
        ("-c", "init.defaultBranch=main", "init", "--quiet"),
        ("add", "--all"),
        ("-c", "commit.gpgSign=false", "-c", f"core.hooksPath={os.devnull}", "commit", "--quiet", "--message", "Hello"),
    ):
        done = run(["git", *words], cwd=folder, env=environment)
        if done.returncode != 0:
            what = f"git: {done.stderr.decode(errors='replace').strip()[-1000:]}"
            raise GitRefused(what, where=str(folder), fix="see what git says")
