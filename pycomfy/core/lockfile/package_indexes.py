"""Configure where Python packages come from: own indexes, folders of wheels, and builds for an accelerator."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from packaging.utils import canonicalize_name

VARIABLE = "{accelerator}"
"""The placeholder for the accelerator in an index's URL, as in `https://mirror.example.org/whl/{accelerator}`."""

ACCELERATOR = re.compile(r"cpu|xpu|cu[0-9]{2,3}|rocm[0-9]+(\.[0-9]+){1,2}")
"""The names that PyTorch gives to the accelerators that it builds for."""

_LOGIN = re.compile(r"""(https?:)//[^/\s"'<>]*@""", re.IGNORECASE)


@dataclass(frozen=True)
class PackageIndex:
    """A package index. With `packages` (normalised names) it is for these alone, and they come from it alone; so nobody
    can put a package with that name on a public index. `dated`: it says when each file was uploaded.

    `url` may contain a login, so it is never shown; and `{accelerator}`, see `IndexConfig.address`.
    """

    name: str
    url: str = field(repr=False)
    packages: tuple[str, ...] = ()
    dated: bool = True

    @property
    def per_accelerator(self) -> bool:
        """Whether there is a separate index for each accelerator."""
        return VARIABLE in self.url


@dataclass(frozen=True)
class IndexConfig:
    """All that pycomfy.toml says about the sources of packages. `find_links` are absolute paths of folders, or URLs of
    pages with links. `environment` are the variables that configure indexes beside it, None for the process's own."""

    indexes: tuple[PackageIndex, ...] = ()
    find_links: tuple[str, ...] = field(default=(), repr=False)
    accelerator: str | None = None
    environment: Mapping[str, str] | None = field(default=None, repr=False, compare=False)

    @property
    def has_torch(self) -> bool:
        """Whether one of the user's own indexes has PyTorch, in place of PyTorch's index."""
        return any("torch" in index.packages for index in self.indexes)

    def address(self, index: PackageIndex) -> str:
        """Return the URL of one of the indexes, for the accelerator."""
        return index.url.replace(VARIABLE, self.accelerator or "")

    @property
    def reserved(self) -> Mapping[str, PackageIndex]:
        """The packages that come from one index alone, each with that index."""
        return {name: index for index in self.indexes for name in index.packages}


DEFAULT_INDEXES = IndexConfig()
"""Only what the machine is configured for."""


def translate_pip(environment: Mapping[str, str]) -> dict[str, str]:
    """Return uv's variables for pip's that say how an index is reached, but those that uv has already.

    pip's settings that choose packages are left out, and so is `PIP_FIND_LINKS`: see `find_links`.
    """
    equivalents = {
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
        names[0]: environment[pip_name].strip()
        for pip_name, names in equivalents.items()
        if environment.get(pip_name, "").strip() and not any(environment.get(name) for name in names)
    }


def find_links(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the folders and pages in `UV_FIND_LINKS` (separated by commas), or else in `PIP_FIND_LINKS` (by
    spaces)."""
    if uv := environment.get("UV_FIND_LINKS", "").strip():
        return tuple(part.strip() for part in uv.split(",") if part.strip())
    return tuple(environment.get("PIP_FIND_LINKS", "").split())


_CONNECTION_KEYS = (
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
    """Return the part of a `uv.toml` that says how indexes are reached, as a `uv.toml`: nothing that chooses
    packages."""
    pip = configuration.get("pip")
    settings = {**configuration, **(pip if isinstance(pip, dict) else {})}
    connection = {key: settings[key] for key in _CONNECTION_KEYS if key in settings}
    tables = connection.pop("index", [])
    if isinstance(tables, list):
        connection["index"] = [
            {key: value for key, value in table.items() if not isinstance(value, dict)}
            for table in tables
            if isinstance(table, dict)
        ]
    if not connection:
        return ""
    # Its import takes time, and few have such settings.
    import tomlkit

    return tomlkit.dumps(connection)


def strip_logins(text: str) -> str:
    """Return the text without user and password in any web address in it."""
    return _LOGIN.sub(r"\1//", text)


def normalise(names: Sequence[str]) -> tuple[str, ...]:
    """Return package names normalised (PEP 503), sorted, without duplicates."""
    return tuple(sorted({canonicalize_name(name) for name in names}))
