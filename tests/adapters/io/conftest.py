from collections.abc import Iterator

import pytest

from pycomfy.adapters.io import http_client
from tests.support.file_server import Site, serve_files


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A web server of our own, asked without a proxy and without long pauses."""
    monkeypatch.setattr(http_client, "PAUSE", 0.001)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve_files() as site:
        yield site
