"""What hostile things try to get at: a file, a variable, the network, and a place to write to."""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.http_server import RequestHandler, serve_http


@dataclass(frozen=True)
class Canary:
    """`home` has the file `canary` with `secret` in it, which the variable HF_TOKEN has, too. `url` is a server; what
    it is asked for is in `asked`."""

    home: Path
    secret: str
    url: str
    asked: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The file that nobody may read."""
        return self.home / "canary"

    @property
    def written(self) -> Path:
        """The file that nobody may write."""
        return self.home / "written"

    @property
    def port(self) -> int:
        """The server's."""
        return int(self.url.rpartition(":")[2])

    def assert_untouched(self, *texts: str) -> None:
        """Nothing was fetched or written, and none of the texts has the secret."""
        assert self.asked == []
        assert sorted(path.name for path in self.home.iterdir()) == ["canary"]
        assert self.file.read_text() == self.secret
        assert [text for text in texts if self.secret in text] == []


@contextlib.contextmanager
def canary_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Put one into this process's environment: it is this user's home."""
    asked: list[str] = []

    class Handler(RequestHandler):
        def get(self) -> None:
            asked.append(self.path)
            self.answer(200, b"served")

        def post(self) -> None:
            self.get()

    home = folder / "canary-home"
    home.mkdir()
    with serve_http(Handler) as address:
        canary = Canary(home, f"canary-{secrets.token_hex(16)}", address, asked)
        canary.file.write_text(canary.secret)
        monkeypatch.setenv("HF_TOKEN", canary.secret)
        yield canary
