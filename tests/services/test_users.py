"""Users are added once, with a key that is shown once, in a file that nobody else reads."""

from pathlib import Path

import pytest

from pycomfy.core.access.users import parse_users
from pycomfy.errors import BadArgument, BadInput, NotFound
from pycomfy.services.users import KnownUsers, add_user, list_users, remove_user
from pycomfy.services.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "data")


def test_a_key_is_shown_once_and_its_hash_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    added = add_user(workspace, file, "anna", "run")
    assert added.key is not None and len(added.key) > 40
    assert added.key not in file.read_text() and file.stat().st_mode & 0o777 == 0o600
    assert KnownUsers(file).find_by_key(added.key) == "anna"
    assert KnownUsers(file).find_by_key(f"{added.key}x") is None
    assert parse_users(file.read_text(), "")["anna"].role == "run"
    assert not (tmp_path / "data").exists()


def test_a_name_is_taken_once(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    add_user(workspace, file, "anna", "run")
    before = file.read_bytes()
    with pytest.raises(BadInput, match='a user "anna"'):
        add_user(workspace, file, "anna", "build")
    with pytest.raises(BadArgument):
        add_user(workspace, file, "<anna>", "build")
    assert file.read_bytes() == before


def test_a_user_who_is_removed_is_not_known(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "users.toml"
    for name in ("anna", "ben"):
        add_user(workspace, file, name, "view", with_key=name == "anna")
    known = KnownUsers(file)
    remove_user(file, "anna")
    assert known.find("anna") is None and known.find("ben") is not None
    assert [(one.name, one.has_key) for one in list_users(file)] == [("ben", False)]
    with pytest.raises(NotFound):
        remove_user(file, "anna")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_that_others_may_read_or_write_is_refused(workspace: Workspace, tmp_path: Path, mode: int) -> None:
    file = tmp_path / "users.toml"
    add_user(workspace, file, "anna", "run")
    file.chmod(mode)
    with pytest.raises(BadInput, match="others may read or write") as refused:
        KnownUsers(file)
    assert "chmod 600" in refused.value.fix


def test_a_file_without_users_lets_nobody_in(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        KnownUsers(tmp_path / "users.toml")
    add_user(workspace, tmp_path / "users.toml", "anna", "run")
    remove_user(tmp_path / "users.toml", "anna")
    with pytest.raises(BadInput, match="no users"):
        KnownUsers(tmp_path / "users.toml")
