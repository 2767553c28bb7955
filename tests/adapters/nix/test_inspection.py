"""Nix looked at where it works, where it cannot, and where it is missing; never so that anything is changed."""

import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pycomfy.adapters.nix.inspection import inspect_nix, list_auto_roots, try_sandbox
from pycomfy.adapters.nix.settings import NixSettings, find_user_caches, read_configuration

ROOT = Path(__file__).parents[3]

real = pytest.mark.skipif(shutil.which("nix-build") is None, reason="no Nix here")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of our own, and a HOME."""
    folder, home = tmp_path / "tmp", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return folder


def program(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


@real
def test_a_nix_that_works_is_seen_to_and_nothing_is_left(tmp_path: Path, temporary: Path) -> None:
    found = inspect_nix(NixSettings())
    assert found.program is not None and found.program.version and found.store_error is None
    assert found.mode in ("single-user", "daemon") and found.store == Path("/nix/store")
    assert found.sandbox.works or found.mode == "daemon" or found.sandbox.message
    assert found.configuration.get("sandbox")
    assert list(temporary.iterdir()) == [] and list((tmp_path / "home").iterdir()) == []


@real
def test_a_nix_store_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    found = inspect_nix(NixSettings(store=tmp_path / "root"))
    assert not found.store_exists and found.mode == "" and found.store_error is None
    assert not (tmp_path / "root").exists()


@real
def test_a_sandbox_that_the_kernel_does_not_allow_is_seen_not_to_work() -> None:
    """In a user namespace with one user alone, Nix may not set the groups of a build."""
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"]).returncode != 0:
        pytest.skip("no user namespaces here")
    code = "from pycomfy.adapters.nix.inspection import *; t = try_sandbox(NixSettings()); print(t.works, t.message)"
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    works, _, message = done.stdout.strip().partition(" ")
    assert works == "False" and "not permitted" in message


@pytest.mark.parametrize(
    ("said", "works"),
    [
        ("error: executing '/usr/bin/python': No such file or directory", True),
        ("error: this system does not support the kernel namespaces that are required for sandboxing", False),
        ("error: cloning builder process: Operation not permitted", False),
        ("error: builder for '/nix/store/x.drv' failed to produce output path for output 'out'", False),
        ("error: the database is busy", None),
        ("", None),
    ],
)
def test_what_nix_says_of_the_trial_is_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, works: bool | None
) -> None:
    program(tmp_path, "nix-build", f'echo "{said}" >&2; exit 1')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert try_sandbox(NixSettings()).works is works


def test_without_nix_nothing_else_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert inspect_nix(NixSettings()).program is None
    assert read_configuration() == {}


def test_an_older_nix_has_another_word_for_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program(tmp_path, "nix", '[ "$3" = show-config ] || exit 1; echo "sandbox = false"; echo "x = a = b"')
    assert read_configuration() == {"sandbox": "false", "x": "a = b"}
    program(tmp_path, "nix", '[ "$3" = config ] || exit 1; echo "sandbox = true"')
    assert read_configuration()["sandbox"] == "true"


@real
def test_the_caches_of_the_users_nix_conf_are_asked_after_those_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "NIX_CONFIG", "substituters = https://cache.nixos.org/ file:///srv/ours\nextra-substituters = file:///b"
    )
    assert find_user_caches() == ("file:///srv/ours", "file:///b")
    options = NixSettings(substituters=("file:///first",)).options()
    assert options[options.index("substituters") + 1] == "file:///first file:///srv/ours file:///b"
    options = NixSettings(user_caches=False).options()
    assert options[options.index("substituters") + 1] == ""


def test_a_daemon_is_told_from_a_nix_store_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nix" / "store").mkdir(parents=True)
    program(tmp_path, "nix-build", "echo nix-build 2.18.1")
    program(tmp_path, "nix-store", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("NIX_REMOTE", "daemon")
    found = inspect_nix(NixSettings(store=tmp_path))
    assert found.mode == "daemon" and found.sandbox.works is None
    program(tmp_path, "nix-store", "echo 'error: cannot connect to socket at x: Connection refused' >&2; exit 1")
    broken = inspect_nix(NixSettings(store=tmp_path))
    assert broken.store_error is not None and "cannot connect" in broken.store_error.where


def test_the_roots_of_the_collector_are_read(tmp_path: Path) -> None:
    settings = NixSettings(store=tmp_path)
    assert list_auto_roots(settings) is None
    folder = tmp_path / "nix/var/nix/gcroots/auto"
    folder.mkdir(parents=True)
    (folder / "abc").symlink_to("/data/images/sha256-1")
    (folder / "file").touch()
    assert list_auto_roots(settings) == frozenset({Path("/data/images/sha256-1")})


@pytest.mark.parametrize(
    "said",
    [
        "error: opening lock file '/nix/var/nix/db/big-lock': Permission denied",
        "error: could not set permissions on '/nix/var/nix/profiles/per-user' to 755: Operation not permitted",
        "error: cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Connection refused",
        "error: creating directory '/nix': Read-only file system",
    ],
)
def test_a_nix_store_of_somebody_elses_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    (tmp_path / "nix" / "store").mkdir(parents=True)
    program(tmp_path, "nix-build", "echo nix-build 2.18.1")
    program(tmp_path, "nix-store", f'echo "{said}" >&2; exit 1')
    monkeypatch.setenv("PATH", str(tmp_path))
    found = inspect_nix(NixSettings(store=tmp_path)).store_error
    assert found is not None and found.where == said and found.fixes
