"""The model hubs: their addresses and tokens, from the environment, and requests to their APIs."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pycomfy.adapters.io.credentials import Credentials, Token, find_origin
from pycomfy.adapters.io.http_client import Client, check_status, make_client, read_body, retry, without_login
from pycomfy.core.lockfile.schema import ModelSource
from pycomfy.core.models.model_url import Hubs
from pycomfy.core.validation import describe_error
from pycomfy.errors import BadConfig, NetworkError

MAX_BYTES = 32 << 20
"""Bytes of an answer other than a model."""

_ENDPOINTS = {
    "huggingface": ("PYCOMFY_HF_ENDPOINT", "HF_ENDPOINT"),
    "civitai": ("PYCOMFY_CIVITAI_ENDPOINT",),
}
_TOKENS = {
    "huggingface": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    "civitai": ("CIVITAI_TOKEN", "CIVITAI_API_TOKEN"),
}


@dataclass(frozen=True)
class HubFile:
    """A file at a hub, pinned: where it is, its SHA-256, and its size in bytes if the hub says it exactly."""

    source: ModelSource
    sha256: str
    size: int | None = None


def find_hubs(environment: Mapping[str, str] = os.environ) -> Hubs:
    """Return the hubs, or the mirrors that `PYCOMFY_HF_ENDPOINT` or `HF_ENDPOINT`, and `PYCOMFY_CIVITAI_ENDPOINT` name.
    Raises `BadConfig` for anything but a web address."""
    found = {}
    for hub, names in _ENDPOINTS.items():
        for name in names:
            url = environment.get(name, "").rstrip("/")
            if url:
                found[hub] = _checked(url, name)
                break
    return Hubs(**found)


def hub_client(hubs: Hubs, environment: Mapping[str, str] = os.environ) -> Client:
    """Return a client with the environment's tokens for the hubs, and the logins of netrc. Raises `BadConfig` for what
    cannot be a token."""
    origins = {"huggingface": find_origin(hubs.huggingface), "civitai": find_origin(hubs.civitai)}
    tokens = []
    for hub, names in _TOKENS.items():
        secret = next((v for v in (environment.get(n, "").strip() for n in names) if v), None)
        if secret is not None:
            if not (secret.isascii() and secret.isprintable()):
                raise BadConfig("not a token", where=names[0], fix="copy it again from the hub's settings")
            tokens.append(Token(origins[hub], secret))
    return make_client(Credentials(tuple(tokens), bearer=tuple(origins.values()), environment=environment))


def login_fix(url: str, hubs: Hubs) -> str:
    """Return what to do where a server demands a login."""
    origin = find_origin(url)
    if origin == find_origin(hubs.huggingface):
        return "accept the model's terms on its page, and set HF_TOKEN, or a login in ~/.netrc"
    if origin == find_origin(hubs.civitai):
        return "set CIVITAI_TOKEN to a key of your account, or a login in ~/.netrc"
    return "set a login for the host in ~/.netrc"


def request(client: Client, hubs: Hubs, url: str, body: Mapping[str, object] | None = None) -> bytes:
    """Return a hub's answer to GET, or to POST with a JSON `body`. Raises `NetworkError`."""

    def attempt() -> bytes:
        with client.stream("GET" if body is None else "POST", url, json=body) as response:
            check_status(url, response, login_fix(url, hubs))
            return read_body(url, response, MAX_BYTES)

    return retry(url, attempt)


def unexpected_answer(url: str, error: Exception) -> NetworkError:
    """Return the error for an answer that is not as the hub's documentation says."""
    why = describe_error(error, "the answer")
    return NetworkError(f"unexpected answer: {why}", where=without_login(url), fix="check the endpoint")


def _checked(url: str, name: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError as e:
        raise BadConfig(f"not a web address: {e}", where=name, fix="write https://…") from e
    if not valid or "@" in parts.netloc or parts.query or parts.fragment:
        raise BadConfig("not the web address of a hub", where=name, fix="write https://HOST, logins go into ~/.netrc")
    return url
