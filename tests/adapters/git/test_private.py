"""Private repositories: logins are used, and seen by nobody."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pycomfy.adapters.git.mirror import GitMirror
from pycomfy.errors import NetworkError
from tests.support.git_server import GitServer, serve
from tests.support.repositories import commit, git

SECRET = "s3cr3t-t0ken"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitServer]:
    with serve(tmp_path / "server", f"me:{SECRET}") as server:
        commit(server.folder / "team" / "pack", {"__init__.py": "NODE_CLASS_MAPPINGS = {}\n"})
        monkeypatch.setenv("GIT_SSL_CAINFO", str(server.certificate))
        monkeypatch.setenv("HOME", str(tmp_path))
        yield server


def files_with(text: str, folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


def test_a_login_in_the_url_is_used_and_stands_in_no_file_and_no_command_line(
    server: GitServer, tmp_path: Path
) -> None:
    repository = GitMirror(server.with_login("team/pack"), owner="pack", cache=tmp_path / "cache")
    made = repository.resolve("main")
    repository.fetch_history()
    assert made == git(server.folder / "team" / "pack", "rev-parse", "HEAD")
    assert server.asked and server.seen == []
    assert files_with(SECRET, tmp_path / "cache") == []
    assert SECRET not in repository.address.public + repository.address.identity


def test_a_token_alone_is_a_login_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(tmp_path / "server", f"{SECRET}:") as server:
        commit(server.folder / "pack", {"a.py": ""})
        monkeypatch.setenv("GIT_SSL_CAINFO", str(server.certificate))
        repository = GitMirror(server.with_login("pack", SECRET), owner="pack", cache=tmp_path / "cache")
        assert repository.resolve() == git(server.folder / "pack", "rev-parse", "HEAD")


@pytest.mark.parametrize("login", ["me:wr0ng-p4ssword", "m%40e:wr0ng%2Fp4ssword"])
def test_a_login_that_is_refused_is_told_without_it(server: GitServer, tmp_path: Path, login: str) -> None:
    repository = GitMirror(server.with_login("team/pack", login), owner="pack", cache=tmp_path / "cache")
    with pytest.raises(NetworkError, match="pack: the git repository cannot be read: Authentication failed") as e:
        repository.resolve()
    assert "p4ssword" not in str(e.value) and "credentials" in e.value.fix
    assert e.value.where == f"{server.url}/team/pack"


def test_without_a_login_nothing_is_asked_and_a_helper_or_netrc_is_used(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = GitMirror(f"{server.url}/team/pack", owner="pack", cache=tmp_path / "cache")
    with pytest.raises(NetworkError, match="could not read Username"):
        repository.resolve()
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert repository.resolve("main")
    (tmp_path / ".netrc").unlink()
    (tmp_path / ".gitconfig").write_text(
        f'[credential]\n\thelper = "!f() {{ echo username=me; echo password={SECRET}; }}; f"\n'
    )
    assert repository.resolve("main")


def test_a_users_helper_is_neither_asked_nor_told_of_a_login_that_the_url_has(
    server: GitServer, tmp_path: Path
) -> None:
    (tmp_path / ".gitconfig").write_text(
        f'[credential]\n\thelper = "!cat >> {tmp_path}/told; echo >> {tmp_path}/told"\n'
    )
    assert GitMirror(server.with_login("team/pack"), owner="pack", cache=tmp_path / "cache").resolve()
    assert not (tmp_path / "told").exists()


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a real ssh server that lets one key in."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no sshd here")
    folder = tmp_path / "ssh"
    folder.mkdir(mode=0o700)
    for name in ("host", "user", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    (folder / "config").write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True) if os.geteuid() == 0 else None
    # `-i` serves one connection on standard input and output: no port is needed, and nothing stays running.
    script = folder / "ssh"
    script.write_text(
        f"#!/bin/sh\nexec ssh -F none -i {folder}/$PYCOMFY_TEST_KEY -oIdentitiesOnly=yes -oIdentityAgent=none"
        f" -oBatchMode=yes -oStrictHostKeyChecking=no -oUserKnownHostsFile={folder}/known -oLogLevel=ERROR"
        f' -oProxyCommand="{sshd} -i -f {folder}/config -E {folder}/log" "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(script))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    monkeypatch.setenv("PYCOMFY_TEST_KEY", "user")
    yield f"ssh://{subprocess.run(['id', '-un'], check=True, capture_output=True, text=True).stdout.strip()}@localhost"


def test_ssh_with_a_key_is_used_and_without_it_the_refusal_is_told(
    ssh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = commit(tmp_path / "pack", {"a.py": ""})
    url = f"{ssh}{tmp_path}/pack"
    repository = GitMirror(url, owner="pack", cache=tmp_path / "cache")
    assert repository.resolve() == made and repository.address.public == url
    monkeypatch.setenv("PYCOMFY_TEST_KEY", "other")
    with pytest.raises(NetworkError, match="Permission denied") as e:
        GitMirror(url, owner="pack", cache=tmp_path / "another").resolve()
    assert "ssh key" in e.value.fix


def test_many_repositories_are_fetched_at_once(server: GitServer, tmp_path: Path) -> None:
    heads = {f"p{n}": commit(server.folder / f"p{n}", {"a.py": f"n = {n}\n"}) for n in range(6)}

    def fetch(name: str) -> tuple[str, str]:
        return name, GitMirror(server.with_login(name), owner=name, cache=tmp_path / "cache").resolve()

    with ThreadPoolExecutor(max_workers=2 * len(heads)) as pool:
        found = list(pool.map(fetch, [*heads, *heads]))
    assert found == [*heads.items(), *heads.items()] and server.seen == []
