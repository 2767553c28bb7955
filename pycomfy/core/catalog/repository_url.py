"""Parse the addresses of node packs: the many ways of writing a repository's address become one."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from pycomfy.core.lockfile.git_url import parse_git_url
from pycomfy.errors import BadConfig

FORGES = ("github.com", "gitlab.com", "codeberg.org", "bitbucket.org")
"""Public hosts of repositories, for which an address means the same with and without `.git`."""

_OWNER_REPO = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_.-]+"

# Pages and files within a repository, which identify it too.
_INSIDE = re.compile(
    rf"^https://(?:raw\.githubusercontent\.com/(?P<raw>{_OWNER_REPO})/.+"
    rf"|(?:www\.)?github\.com/(?P<web>{_OWNER_REPO})/(?:raw|blob|tree|wiki|releases)(?:/.*)?)$",
    re.IGNORECASE,
)
_SHORT = re.compile(_OWNER_REPO, re.ASCII)
_WWW = re.compile(r"^https://www\.(?=(?:github|gitlab)\.com/)", re.IGNORECASE)
# VideoHelperSuite, ComfyUI_LLM2, rgthree-comfy: the words of a name, as a person reads it.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_PYTHON = re.compile(r"^https://[^\s?#]+\.py$")


class RepositoryUrl(NamedTuple):
    """`identity` is equal for all addresses of one repository; `file` is the address if it is that of one Python
    file."""

    url: str
    identity: str
    file: str | None = None


def parse_repository_url(text: str) -> RepositoryUrl | None:
    """Return the repository of an address on the web; None if it has none, or if it must not be opened.

    `owner/name` is short for GitHub's address; a password is dropped.
    """
    text = text.strip()
    if len(text) > 1000 or {".", ".."} & set(text.split("/")):
        return None
    if _SHORT.fullmatch(text):
        text = f"https://github.com/{text}"
    text = _WWW.sub("https://", text)
    file = text if _PYTHON.match(text) else None
    inside = _INSIDE.match(text)
    if inside:
        text = f"https://github.com/{inside['raw'] or inside['web']}"
    elif file is None:
        text = text.split("#", 1)[0].split("?", 1)[0]
    try:
        address = parse_git_url(text)
    except BadConfig:
        return None
    if address.local or not address.public.startswith(("https://", "ssh://", "git@")):
        return None
    url = address.public.rstrip("/")
    host = address.identity.partition("/")[0]
    if url.startswith("https://") and host in FORGES:
        url = url.removesuffix(".git")
        # A repository may have a name that ends in `.py`.
        file = file if inside else None
    return RepositoryUrl(url, address.identity, file)


def has_words(name: str, prefixes: Sequence[str]) -> bool:
    """Return whether each of `prefixes` begins a word of the name, ignoring case."""
    words = [word.casefold() for word in _WORD.findall(name)]
    return all(any(word.startswith(prefix.casefold()) for word in words) for prefix in prefixes)
