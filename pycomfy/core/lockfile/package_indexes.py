"""Where Python packages are looked for: indexes of one's own, folders of wheels, and the variant for an accelerator."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tomlkit
from packaging.utils import canonicalize_name

VARIABLE = "{accelerator}"
"""Stands in an index's URL for the accelerator, as in `https://mirror.example.org/whl/{accelerator}`."""

ACCELERATOR = re.compile(r"cpu|xpu|cu[0-9]{2,3}|rocm[0-9]+(\.[0-9]+){1,2}")
"""What PyTorch calls the kinds of machine that it builds for."""

_LOGIN = re.compile(r"""(https?:)//[^/\s"'<>]*@""", re.IGNORECASE)


@dataclass(frozen=True)
class PackageIndex:
    """A package index. With `packages` (normalised names) it is for these alone, and they come from it alone; so nobody
    can put a package of that name on a public index. `dated`: it says when each file was uploaded.

    `url` may hold a login, so an index is never shown; and `{accelerator}`, see `IndexConfig.address`.
    """

    name: str
    url: str = field(repr=False)
    packages: tuple[str, ...] = ()
    dated: bool = True

    @property
    def per_accelerator(self) -> bool:
        """Whether it is another index for each accelerator."""
        return VARIABLE in self.url


@dataclass(frozen=True)
class IndexConfig:
    """All that pycomfy.toml says about where packages come from. `find_links` are absolute paths of folders, or URLs
    of pages with links."""

    indexes: tuple[PackageIndex, ...] = ()
    find_links: tuple[str, ...] = field(default=(), repr=False)
    accelerator: str | None = None

    @property
    def has_torch(self) -> bool:
        """Whether an index of the user's own has PyTorch, instead of PyTorch's."""
        return any("torch" in index.packages for index in self.indexes)

    def address(self, index: PackageIndex) -> str:
        """The URL of one of the indexes, for the accelerator."""
        return index.url.replace(VARIABLE, self.accelerator or "")

    @property
    def reserved(self) -> Mapping[str, PackageIndex]:
        """The index that each package comes from alone."""
        return {name: index for index in self.indexes for name in index.packages}


DEFAULT_INDEXES = IndexConfig()
"""Nothing but what the machine is set up for."""


def translate_pip(environment: Mapping[str, str]) -> dict[str, str]:
    """uv's names for what pip's variables say about reaching an index; what uv is told already stays.

    pip's settings that choose packages are left out, and so is `PIP_FIND_LINKS`: see `find_links`.
    """
    same = {
        "PIP_INDEX_URL": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
        "PIP_EXTRA_INDEX_URL": ("UV_EXTRA_INDEX_URL", "UV_INDEX"),
        "PIP_NO_INDEX": ("UV_NO_INDEX",),
        "PIP_TRUSTED_HOST": ("UV_INSECURE_HOST",),
        "PIP_RETRIES": ("UV_HTTP_RETRIES",),
        "PIP_DEFAULT_TIMEOUT": ("UV_HTTP_TIMEOUT",),
        "PIP_CERT": ("SSL_CERT_FILE", "SSL_CERT_DIR"),
        "PIP_CLIENT_CERT": ("SSL_CLIENT_CERT",),
        "PIP_PROXY": ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy"),
    }
    return {
        theirs[0]: environment[name].strip()
        for name, theirs in same.items()
        if environment.get(name, "").strip() and not any(environment.get(other) for other in theirs)
    }


def find_links(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The folders and pages that `UV_FIND_LINKS` (with commas) or else `PIP_FIND_LINKS` (with spaces) names."""
    if uv := environment.get("UV_FIND_LINKS", "").strip():
        return tuple(part.strip() for part in uv.split(",") if part.strip())
    return tuple(environment.get("PIP_FIND_LINKS", "").split())


_OF_REACH = (
    "index",
    "index-url",
    "extra-index-url",
    "no-index",
    "keyring-provider",
    "allow-insecure-host",
    "native-tls",
    "system-certs",
    "http-proxy",
    "https-proxy",
    "no-proxy",
)


def render_index_config(configuration: Mapping[str, Any]) -> str:
    """What a `uv.toml` says of reaching indexes, as a `uv.toml` of its own: nothing that chooses packages."""
    pip = configuration.get("pip")
    given = {**configuration, **(pip if isinstance(pip, dict) else {})}
    kept = {key: given[key] for key in _OF_REACH if key in given}
    tables = kept.pop("index", [])
    if isinstance(tables, list):
        kept["index"] = [
            {key: value for key, value in table.items() if not isinstance(value, dict)}
            for table in tables
            if isinstance(table, dict)
        ]
    return tomlkit.dumps(kept)


def strip_logins(text: str) -> str:
    """The text with no user or password in any web address of it."""
    return _LOGIN.sub(r"\1//", text)


def normalise(names: Sequence[str]) -> tuple[str, ...]:
    """Package names as an index spells them, sorted, each once."""
    return tuple(sorted({canonicalize_name(name) for name in names}))
