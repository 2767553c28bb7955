"""The environment in which git is started on one repository of ours."""

import os
from pathlib import Path


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
