import pytest
from hypothesis import given
from hypothesis import strategies as st

from pycomfy.core.lockfile.git_url import parse_git_url, split_revision, without_password
from pycomfy.errors import BadConfig

names = st.from_regex(r"[a-z][a-z0-9-]{0,12}", fullmatch=True)


@given(
    names, names, st.sampled_from(["https://git.example.org/", "ssh://git@git.example.org/", "git@git.example.org:"])
)
def test_every_spelling_of_a_repository_has_one_identity(owner: str, repo: str, prefix: str) -> None:
    plain = parse_git_url(f"https://git.example.org/{owner}/{repo}").identity
    for ending in ("", ".git", "/", ".git/"):
        assert parse_git_url(f"{prefix}{owner}/{repo}{ending}").identity == plain
    assert parse_git_url(f"https://me:secret@GIT.example.org:443/{owner}//{repo}").identity == plain


hosts = st.from_regex(r"[a-z]{1,8}\.example\.(org|net)", fullmatch=True)
ways = st.sampled_from(
    [
        "https://{host}/{path}",
        "https://{host}:443/{path}",
        "https://me@{host}/{path}",
        "https://me:p%40ss@{host}/{path}",
        "ssh://{host}/{path}",
        "ssh://git@{host}/{path}",
        "ssh://git@{host}:22/{path}",
        "git://{host}/{path}",
        "git://{host}:9418/{path}",
        "git@{host}:{path}",
        "{host}:{path}",
        "git@{host}:/{path}",
    ]
)
endings = st.sampled_from(["", ".git", "/", ".git/", "//", "/."])


@st.composite
def spelled(draw: st.DrawFn, host: str, path: str) -> str:
    """Any of the ways to write one address."""
    shown = draw(st.sampled_from([host, host.upper(), host.title()]))
    slashes = path.replace("/", draw(st.sampled_from(["/", "//", "/./"])))
    return draw(ways).format(host=shown, path=slashes + draw(endings))


@given(st.data(), hosts, names, names)
def test_two_spellings_of_one_address_are_the_same_repository(
    data: st.DataObject, host: str, owner: str, repo: str
) -> None:
    one, two = (data.draw(spelled(host, f"{owner}/{repo}")) for _ in range(2))
    assert parse_git_url(one).identity == parse_git_url(two).identity == f"{host}/{owner}/{repo}"


@given(st.data(), st.tuples(hosts, names, names), st.tuples(hosts, names, names))
def test_forks_and_renamed_repositories_are_others(
    data: st.DataObject, one: tuple[str, str, str], two: tuple[str, str, str]
) -> None:
    first, second = (parse_git_url(data.draw(spelled(h, f"{o}/{r}"))).identity for h, o, r in (one, two))
    assert (first == second) == (one == two)


@given(names, names, st.integers(1, 65535))
def test_another_port_is_another_server(owner: str, repo: str, port: int) -> None:
    plain = parse_git_url(f"https://git.example.org/{owner}/{repo}").identity
    other = parse_git_url(f"https://git.example.org:{port}/{owner}/{repo}").identity
    assert (plain == other) == (port == 443)
    assert parse_git_url(f"ssh://git@git.example.org:{port}/{owner}/{repo}").identity == (
        plain if port == 22 else f"git.example.org:{port}/{owner}/{repo}"
    )


@given(names, names)
def test_case_matters_only_where_the_forge_says_so(owner: str, repo: str) -> None:
    def same(host: str) -> bool:
        lower, upper = f"https://{host}/{owner}/{repo}", f"https://{host}/{owner.upper()}/{repo}"
        return parse_git_url(lower).identity == parse_git_url(upper).identity

    assert same("github.com") and not same("git.example.org")


@given(st.text(max_size=80) | st.text("ab:/@?#%.-~\n\0", max_size=40).map(lambda t: f"https://git.example.org/{t}"))
def test_any_text_is_an_address_or_a_bad_config(text: str) -> None:
    try:
        address = parse_git_url(text)
    except BadConfig:
        return
    assert not address.url.startswith("-") and "\n" not in address.url and "\0" not in address.url
    assert "::" not in address.url.split("/")[0]


@given(names, st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True))
def test_a_password_is_used_but_never_told(user: str, password: str) -> None:
    address = parse_git_url(f"https://{user}:{password}@git.example.org/owner/repo")
    assert address.url == f"https://{user}:{password}@git.example.org/owner/repo"
    assert address.public == "https://git.example.org/owner/repo"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-u",
        "--upload-pack=touch x",
        "ext::sh -c id",
        "fd::17/foo",
        "http://git.example.org/x",
        "ftp://git.example.org/x",
        "https://",
        "https:///x",
        "https://git.example.org/",
        "https://-oProxyCommand=x/y",
        "ssh://-oProxyCommand=x/y",
        "https://git.example.org/x?token=1",
        "https://git.example.org:99999/x",
        "file://elsewhere/x",
        "https://git.example.org/a b",
        "https://me%00x:pw@git.example.org/x",
        "https://me:pw%0aquit=1@git.example.org/x",
        "a\nb",
        "x" * 3000,
    ],
)
def test_what_git_would_misread_is_refused(text: str) -> None:
    with pytest.raises(BadConfig):
        parse_git_url(text)


@pytest.mark.parametrize("text", ["packs/x", "../x", "/srv/x", "./a:b", "a b/c", "file:///srv/x"])
def test_paths_are_local(text: str) -> None:
    assert parse_git_url(text).local


def test_an_ssh_user_is_part_of_the_address() -> None:
    assert without_password("ssh://git:pw@host/x") == "ssh://git@host/x"
    assert parse_git_url("git@host:owner/x").public == "git@host:owner/x"


@pytest.mark.parametrize(
    ("text", "url", "revision"),
    [
        ("https://h/o/r@v1", "https://h/o/r", "v1"),
        ("https://h/o/r@feature/x", "https://h/o/r", "feature/x"),
        ("https://me:pw@h/o/r", "https://me:pw@h/o/r", None),
        ("https://me:pw@h/o/r@v1", "https://me:pw@h/o/r", "v1"),
        ("git@h:o/r", "git@h:o/r", None),
        ("git@h:o/r@v1", "git@h:o/r", "v1"),
        ("ssh://git@h/o/r.git@abc", "ssh://git@h/o/r.git", "abc"),
        ("packs/x@main", "packs/x", "main"),
        ("packs/x", "packs/x", None),
        ("packs/x@", "packs/x", None),
    ],
)
def test_revision_is_what_follows_the_last_at_of_the_path(text: str, url: str, revision: str | None) -> None:
    assert split_revision(text) == (url, revision)
