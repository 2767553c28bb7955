"""Commits in a versions repository."""

import subprocess
from typing import Any

from pycomfy.adapters.versions.repository import VersionsRepository
from tests.support.moments import NOW

FILES = {"pycomfy.lock": b"{}\n", "nix/default.nix": b"{ }\n", "nix.txt": b"sorts before nix/", "workflow.json": b"1"}


def git(repository: VersionsRepository, *arguments: str) -> str:
    someone = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org")  # a fresh machine has nobody
    command = ["git", "-C", str(repository.path), *someone, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(repository: VersionsRepository, text: str, name: str = "hello") -> Any:
    return repository.commit(name, {**FILES, "workflow.json": text.encode()}, created_at=NOW, message=text)
