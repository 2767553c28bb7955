"""Serve mirrors of node packs by `git daemon`, under their public addresses (docs/how-to/mirrors.md)."""

import contextlib
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GITHUB = "https://github.com/"
MISSING, SUBMODULE = " missing\n", "160000"
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "mirror"), ("EMAIL", "mirror@localhost"), ("DATE", "2025-01-01T00:00:00Z"))
}


@dataclass(frozen=True)
class Pack:
    """A node pack as both installations get it.

    `address` is `OWNER/NAME` on GitHub. `served` is `commit`, or a child of it that lacks the files that the mirror
    lacks (`left_out`): some mirrors have no large files.
    """

    address: str
    commit: str
    served: str
    left_out: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.address.partition("/")[2]

    @property
    def url(self) -> str:
        return GITHUB + self.address


@dataclass(frozen=True)
class Forge:
    """GitHub, as far as a folder with bare repositories `OWNER+NAME/repo` has it. `folder` is what is served."""

    mirrors: Path
    folder: Path
    left_out: list[str] = field(default_factory=list)

    def take(self, address: str, day: str) -> Pack:
        """The newest commit of the default branch before that day, which is served as the only branch."""
        newest = ("rev-list", "-1", f"--before={day}T00:00:00Z", "HEAD")
        commit = _git(self._mirror(address), *newest).strip()
        self.left_out.clear()
        served = self._whole(address, commit)
        return Pack(address, commit, served, tuple(self.left_out))

    def take_head(self, address: str) -> None:
        """Serve a repository that is no node pack, such as that of a Python requirement."""
        self._whole(address, _git(self._mirror(address), "rev-parse", "HEAD").strip())

    def addresses(self) -> list[str]:
        """All repositories of the mirrors."""
        return sorted(p.parent.name.replace("+", "/", 1) for p in self.mirrors.glob("*+*/repo"))

    def _mirror(self, address: str) -> Path:
        return (self.mirrors / address.replace("/", "+", 1) / "repo").resolve()

    def _whole(self, address: str, commit: str) -> str:
        """Serve a commit with its submodules, without what the mirrors lack; returns the commit that is served."""
        bare = self.folder / address
        if not bare.exists():
            _git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
            (bare / "objects/info/alternates").write_text(f"{self._mirror(address) / 'objects'}\n")
            bare.with_name(f"{bare.name}.git").symlink_to(bare)
        changes = dict(self._changes(bare, commit))
        if changes:
            self.left_out.extend(sorted(path for path, line in changes.items() if line.startswith("0 ")))
            _git(bare, "read-tree", commit)
            _git(bare, "update-index", "--index-info", given="".join(changes.values()))
            tree = _git(bare, "write-tree").strip()
            commit = _git(bare, "commit-tree", "-p", commit, "-m", "What the mirror has", tree).strip()
        _git(bare, "update-ref", "refs/heads/main", commit)
        return commit

    def _changes(self, bare: Path, commit: str) -> Iterator[tuple[str, str]]:
        """Path and line for `git update-index` of all that has to differ from the commit."""
        entries = [line.split(None, 3) for line in _git(bare, "ls-tree", "-r", commit).splitlines()]
        blobs = "".join(f"{hash_}\n" for mode, _, hash_, _ in entries if mode != SUBMODULE)
        checked = _git(bare, "cat-file", "--batch-check", given=blobs).splitlines(keepends=True)
        lacking = {line.removesuffix(MISSING) for line in checked if line.endswith(MISSING)}
        for mode, _, hash_, path in entries:
            if hash_ in lacking:
                yield path, f"0 {'0' * 40}\t{path}\n"
            elif mode == SUBMODULE:
                served = self._submodule(bare, commit, path, hash_)
                if served is None:
                    yield path, f"0 {'0' * 40}\t{path}\n"
                elif served != hash_:
                    yield path, f"{SUBMODULE} {served}\t{path}\n"

    def _submodule(self, bare: Path, commit: str, path: str, wanted: str) -> str | None:
        query = ("config", "--blob", f"{commit}:.gitmodules", "--get-regexp", r"\.(path|url)$")
        values = [line.split(None, 1) for line in _git(bare, *query).splitlines()]
        section = next((k.removesuffix("path") for k, v in values if k.endswith(".path") and v == path), "")
        url = next((v for k, v in values if k == f"{section}url"), "")
        address = re.sub(r"\.git$", "", url.removeprefix(GITHUB))
        if not (self._mirror(address).is_dir() and url.startswith(GITHUB)):
            return None
        return self._whole(address, wanted)


@contextlib.contextmanager
def serve(mirrors: Path, addresses: Sequence[str], day: str) -> Iterator[tuple[list[Pack], Mapping[str, str]]]:
    """Serve the mirrors; yields the node packs of these addresses, and the environment in which git finds GitHub."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        forge = Forge(mirrors, Path(folder))
        packs = [forge.take(address, day) for address in addresses]
        for address in forge.addresses():
            if not (forge.folder / address).exists():
                forge.take_head(address)
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        options = ["--listen=127.0.0.1", f"--port={port}", f"--base-path={folder}", "--export-all"]
        # The repositories may be somebody else's files, and a lock asks for a commit by its hash.
        config = ["-c", "safe.directory=*", "-c", "uploadpack.allowAnySHA1InWant=true"]
        command = ["git", *config, "daemon", *options]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as daemon:
            try:
                _wait_for(port)
                yield (
                    packs,
                    {
                        "GIT_CONFIG_COUNT": "1",
                        "GIT_CONFIG_KEY_0": f"url.git://127.0.0.1:{port}/.insteadOf",
                        "GIT_CONFIG_VALUE_0": GITHUB,
                    },
                )
            finally:
                os.killpg(daemon.pid, 15)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise AssertionError("git daemon did not start")


def _git(folder: Path, *arguments: str, given: str = "") -> str:
    command = ["git", "-c", "safe.directory=*", "-c", "core.quotePath=false", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, input=given, capture_output=True, text=True, env=os.environ | AUTHOR)
    return done.stdout
