"""Real git repositories for tests, made with fixed names and dates, so that their commits are the same everywhere."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

DATE = "2025-11-30T12:00:00+00:00"


def git(folder: Path, *arguments: str, date: str = DATE) -> str:
    """Run git in `folder`, with nothing of this machine's configuration; returns what it prints."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_DATE": date,
    }
    command = ["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, files: Mapping[str, str | bytes | None], *, date: str = DATE) -> str:
    """Write `files` (None removes), commit everything, return the commit. Makes the repository if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    for name, content in files.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "change", date=date)
    return git(folder, "rev-parse", "HEAD")
