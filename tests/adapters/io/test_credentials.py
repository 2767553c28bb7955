from pathlib import Path

import httpx
import pytest

from pycomfy.adapters.io.credentials import Credentials, Token, find_origin, has_login
from pycomfy.errors import BadConfig

HUB = "https://hub.example"


def sent(credentials: Credentials, url: str, redirect: str | None = None) -> list[str | None]:
    """The `Authorization` of each request: the first, and the one after the redirect."""
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        if redirect is not None and len(seen) == 1:
            return httpx.Response(302, headers={"Location": redirect})
        return httpx.Response(200)

    with httpx.Client(auth=credentials, transport=httpx.MockTransport(answer), follow_redirects=True) as client:
        client.get(url)
    return seen


@pytest.fixture(autouse=True)
def logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "netrc"
    path.write_text("machine hub.example login me password secret\nmachine 127.0.0.1 login me password secret\n")
    path.chmod(0o600)
    monkeypatch.setenv("NETRC", str(path))
    return path


def test_a_token_goes_to_its_origin_alone() -> None:
    token = Credentials((Token(HUB, "t"),))
    assert sent(token, f"{HUB}/a") == ["Bearer t"]
    assert sent(token, "https://HUB.example:443/a") == ["Bearer t"]
    for other in ("https://hub.example:8443/a", "http://hub.example/a", "https://hub.example.evil.org/a"):
        assert "Bearer t" not in sent(token, other)


def test_a_redirect_elsewhere_carries_no_login() -> None:
    for credentials in (Credentials((Token(HUB, "t"),)), Credentials(bearer=(HUB,)), Credentials()):
        first, second = sent(credentials, f"{HUB}/a", "https://files.example/b")
        assert first is not None and second is None
        _, same = sent(credentials, f"{HUB}/a", "/b")
        assert same == first


def test_netrc_is_used_over_encrypted_connections_and_on_this_machine() -> None:
    assert sent(Credentials(), f"{HUB}/a") == ["Basic bWU6c2VjcmV0"]
    assert sent(Credentials(bearer=(HUB,)), f"{HUB}/a") == ["Bearer secret"]
    assert sent(Credentials(), "http://hub.example/a") == [None]
    assert sent(Credentials(), "http://127.0.0.1:8000/a") == ["Basic bWU6c2VjcmV0"]
    assert sent(Credentials(), "https://me:other@hub.example/a") == ["Basic bWU6b3RoZXI="]


def test_a_netrc_that_cannot_be_read_is_told_without_its_words(logins: Path) -> None:
    logins.write_text("machine hub.example nonsense secret\n")
    with pytest.raises(BadConfig) as caught:
        sent(Credentials(), f"{HUB}/a")
    assert "secret" not in str(caught.value) and caught.value.__cause__ is None
    assert "secret" not in repr(Token(HUB, "secret"))


def test_no_netrc_is_no_login(logins: Path) -> None:
    logins.unlink()
    assert sent(Credentials(), f"{HUB}/a") == [None]


def test_an_origin_is_scheme_host_and_port() -> None:
    assert find_origin("HTTPS://Hub.Example:443/x?y") == HUB
    assert find_origin("http://[::1]:80/") == "http://[::1]"
    assert find_origin("http://h:443/") == "http://h:443"


def test_the_netrc_of_an_environment_is_read(tmp_path: Path) -> None:
    (tmp_path / "logins").write_text("machine hub.example login me password secret\n")
    (tmp_path / "logins").chmod(0o600)
    assert has_login(f"{HUB}/a", {"NETRC": str(tmp_path / "logins")})
    assert not has_login(f"{HUB}/a", {"NETRC": str(tmp_path / "none")})
    assert has_login("https://me:other@hub.example/a", {"NETRC": str(tmp_path / "none")})
