"""Where the hubs are and who may fetch there, from the environment."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pycomfy.adapters.io.credentials import Credentials, Token, find_origin
from pycomfy.adapters.io.http_client import Client, check_status, make_client, read_body, retry, without_login
from pycomfy.core.models.model_url import Hubs
from pycomfy.errors import BadConfig, NetworkError

MAX_BYTES = 32 << 20
"""Of an answer that is no model."""

_ENDPOINTS = {
    "huggingface": ("PYCOMFY_HF_ENDPOINT", "HF_ENDPOINT"),
    "civitai": ("PYCOMFY_CIVITAI_ENDPOINT",),
}
_TOKENS = {
    "huggingface": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    "civitai": ("CIVITAI_TOKEN", "CIVITAI_API_TOKEN"),
}


def find_hubs() -> Hubs:
    """The hubs, or the mirrors that `PYCOMFY_HF_ENDPOINT` or `HF_ENDPOINT`, and `PYCOMFY_CIVITAI_ENDPOINT` name.
    Raises `BadConfig` for what is no web address."""
    found = {}
    for hub, names in _ENDPOINTS.items():
        for name in names:
            url = os.environ.get(name, "").rstrip("/")
            if url:
                found[hub] = _checked(url, name)
                break
    return Hubs(**found)


def hub_client(hubs: Hubs) -> Client:
    """A client with the tokens for the hubs, and the logins of netrc."""
    origins = {"huggingface": find_origin(hubs.huggingface), "civitai": find_origin(hubs.civitai)}
    tokens = []
    for hub, names in _TOKENS.items():
        secret = next((v for v in (os.environ.get(n, "").strip() for n in names) if v), None)
        if secret is not None:
            if not (secret.isascii() and secret.isprintable()):
                raise BadConfig("the token is no token", where=names[0], fix="copy it again from the hub's settings")
            tokens.append(Token(origins[hub], secret))
    return make_client(Credentials(tuple(tokens), bearer=tuple(origins.values())))


def login_fix(url: str, hubs: Hubs) -> str:
    """Return what to do where a server demands a login."""
    origin = find_origin(url)
    if origin == find_origin(hubs.huggingface):
        return "accept the model's terms on its page, and set HF_TOKEN (or a login in ~/.netrc)"
    if origin == find_origin(hubs.civitai):
        return "set CIVITAI_TOKEN to a key of your account (or a login in ~/.netrc)"
    return "set a login for the host in ~/.netrc"


def ask(client: Client, hubs: Hubs, url: str, body: Mapping[str, object] | None = None) -> bytes:
    """What a hub answers to GET, or to POST with a JSON `body`. Raises `NetworkError`."""

    def attempt() -> bytes:
        with client.stream("GET" if body is None else "POST", url, json=body) as answer:
            check_status(url, answer, login_fix(url, hubs))
            return read_body(url, answer, MAX_BYTES)

    return retry(url, attempt)


def strange(url: str, error: Exception) -> NetworkError:
    """The error for an answer that is not what the hub promises."""
    lines = str(error).splitlines() or [type(error).__name__]
    return NetworkError(f"the answer is not understood: {lines[0]}", where=without_login(url), fix="check the endpoint")


def _checked(url: str, name: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError as e:
        raise BadConfig(f"no web address: {e}", where=name, fix="write https://…") from e
    if not good or "@" in parts.netloc or parts.query or parts.fragment:
        raise BadConfig("no web address of a hub", where=name, fix="write https://HOST, logins go into ~/.netrc")
    return url
