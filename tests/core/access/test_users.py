"""The file of users: what it has of each, and what it may not be."""

import pytest

from pycomfy.core.access.users import Role, User, find_role, hash_key, is_user_name, parse_users, render_users
from pycomfy.errors import BadInput


def test_what_is_written_is_read() -> None:
    users = {"b.c@d": User(role="build", key=hash_key("k"), added_at="2026-01-01T00:00:00Z"), "a": User(role="view")}
    assert parse_users(render_users(users), "f") == users


def test_of_a_key_the_file_has_its_hash() -> None:
    text = render_users({"anna": User(role="run", key=hash_key("pycomfy_secret"))})
    assert "secret" not in text and "sha256:" in text


def test_each_role_may_what_those_before_it_may() -> None:
    assert find_role("view") < find_role("run") < find_role("build") < Role.OWNER


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "users = 3",
        '[users.anna]\nrole = "owner"',
        '[users.anna]\nrole = "admin"',
        "[users.anna]",
        '[users.anna]\nrole = "run"\nkey = "plain"',
        '[users.anna]\nrole = "run"\nkey = "sha256:zz"',
        '[users."a b"]\nrole = "run"',
        '[users.anna]\nrole = "run"\nother = 1',
        '[[users]]\nrole = "run"',
    ],
)
def test_what_is_malformed_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_users(text, "users.toml")
    assert refused.value.where == "users.toml" and refused.value.fixes


@pytest.mark.parametrize("name", ["", "-a", "a b", "a\n", "é", "a" * 65, "<b>", "../a"])
def test_what_no_user_is_called(name: str) -> None:
    assert not is_user_name(name)
