from pathlib import Path

import pytest

from pycomfy.adapters.versions import remote as module
from pycomfy.adapters.versions.remote import INCOMING, find_remote, merge_text, received, send
from pycomfy.adapters.versions.repository import VersionsRepository
from pycomfy.errors import BadConfig, BadInput, NotFound
from tests.support.moments import NOW
from tests.support.versions_repositories import commit, git


@pytest.fixture
def repository(tmp_path: Path) -> VersionsRepository:
    made = VersionsRepository(tmp_path / "mine" / "versions.git")
    commit(made, "one")
    return made


@pytest.mark.parametrize("address", ["ext::sh -c id", "--upload-pack=id", "http://x.test/a", "fd::3", ""])
def test_an_address_that_could_start_a_program_is_refused(repository: VersionsRepository, address: str) -> None:
    with pytest.raises(BadConfig):
        find_remote(repository.bare, address)


def test_a_remote_of_the_repositorys_own_is_known_by_its_name(repository: VersionsRepository) -> None:
    git(repository, "remote", "add", "team", "https://x.test/team.git")
    assert find_remote(repository.bare, "team").url == "https://x.test/team.git"
    git(repository, "remote", "add", "evil", "ext::sh -c id")
    with pytest.raises(BadConfig):
        find_remote(repository.bare, "evil")


def test_what_is_sent_is_received(repository: VersionsRepository, tmp_path: Path) -> None:
    other = VersionsRepository(tmp_path / "other" / "versions.git")
    commit(other, "theirs", "other")
    sent = send(repository.bare, find_remote(repository.bare, str(other.path)), ["refs/heads/hello"])
    assert [(s.ref, s.state) for s in sent] == [("refs/heads/hello", "new")]
    assert other.find("hello").commit == repository.find("hello").commit
    with received(repository.bare, find_remote(repository.bare, str(other.path))) as refs:
        assert refs[f"{INCOMING}/heads/other"] == other.find("other").commit
    assert repository.bare.refs(INCOMING) == {}


def test_nothing_there_is_overwritten(repository: VersionsRepository, tmp_path: Path) -> None:
    other = VersionsRepository(tmp_path / "other" / "versions.git")
    theirs = commit(other, "theirs").version
    (sent,) = send(repository.bare, find_remote(repository.bare, str(other.path)), ["refs/heads/hello"])
    assert sent.state == "refused"
    assert other.find("hello") == theirs


def test_a_repository_that_is_not_there_is_named_with_how_to_make_it(
    repository: VersionsRepository, tmp_path: Path
) -> None:
    with pytest.raises(NotFound) as caught:
        send(repository.bare, find_remote(repository.bare, str(tmp_path / "none")), ["refs/heads/hello"])
    assert caught.value.fix == f"git init --bare {tmp_path / 'none'}"
    with (
        pytest.raises(NotFound) as pulled,
        received(repository.bare, find_remote(repository.bare, str(tmp_path / "none"))),
    ):
        pass
    assert pulled.value.fix == "correct the address"


def test_a_file_too_large_to_be_of_a_workflow_is_refused(
    repository: VersionsRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = VersionsRepository(tmp_path / "other" / "versions.git")
    other.commit("big", {"a": b"x" * 2000}, created_at=NOW, message="")
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with (
        pytest.raises(BadInput, match="larger"),
        received(repository.bare, find_remote(repository.bare, str(other.path))),
    ):
        pass
    assert repository.bare.refs(INCOMING) == {}


def test_files_are_merged_as_git_does(repository: VersionsRepository) -> None:
    base = b"a\n\n\nb\n"
    assert merge_text(repository.bare, base, b"A\n\n\nb\n", b"a\n\n\nB\n") == b"A\n\n\nB\n"
    assert merge_text(repository.bare, base, b"A\n\n\nb\n", b"x\n\n\nb\n") is None
    assert merge_text(repository.bare, base, b"A\n\n\nb\n", b"x\n\n\nb\n", prefer="theirs") == b"x\n\n\nb\n"
